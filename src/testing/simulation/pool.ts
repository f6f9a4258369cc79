/**
 * Runs seeds in worker processes, some at a time on each.
 *
 * A process is new after every batch, so that no run leaves anything for many others. One that says nothing for too
 * long, or ends without having reported all of its seeds, failed with the seed that it was at.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Given } from './profiles.ts'
import type { WorkerLine, WorkerTask } from './worker.ts'

/** Seeds that one process runs. */
const BATCH_SEEDS = 50
/** Longest time on the wall that one seed may take, in milliseconds, on a machine that has much else to do. */
const SEED_WALL_MS = 600_000
/**
 * How workers run: a run makes much garbage that is young, and much code that is run too seldom to be optimized. Each
 * took a fifth off the processor time, over 20 and 40 seeds on a busy machine.
 */
const NODE_ARGS: readonly string[] = Object.freeze(['--max-semi-space-size=32', '--always-sparkplug'])
/** Of a worker's complaints, the last characters are kept. */
const COMPLAINT_CHARS = 4_000

/** What a pool has to do. */
export interface PoolOptions {
  /** The seeds, in order; each is taken when a process is free for it. */
  readonly seeds: Iterator<number>
  /** How many processes run at once. */
  readonly processes: number
  /** The file of the worker. */
  readonly worker: URL
  /** Which of the seeds run twice. */
  readonly isTwice: (seed: number) => boolean
  /** What all seeds have in common; each draws the rest. */
  readonly given?: Given
  /** Ends the running: no seed is begun any more, and those under way are dropped. */
  readonly signal: AbortSignal
  /** Gets each report as it comes. */
  readonly onLine: (line: WorkerLine) => void
  /** Gets each seed at which a worker failed, and what it said. */
  readonly onFailure: (seed: number, complaint: string) => void
}

/** Runs until there is no seed left, or until it is ended. */
export async function runPool(options: PoolOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.processes }, async () => {
    for (;;) {
      const seeds = take(options.seeds, BATCH_SEEDS)
      if (seeds.length === 0 || options.signal.aborted) return
      await runBatch(seeds, options)
    }
  }))
}

/** Runs seeds in one process, and those behind a seed that failed in the next. */
async function runBatch(seeds: readonly number[], options: PoolOptions): Promise<void> {
  let left = seeds
  while (left.length > 0 && !options.signal.aborted) {
    const { reported, complaint } = await runProcess(left, options)
    const failed = left[reported]
    if (failed === undefined || options.signal.aborted) return
    options.onFailure(failed, complaint)
    left = left.slice(reported + 1)
  }
}

function runProcess(seeds: readonly number[], options: PoolOptions): Promise<{ reported: number; complaint: string }> {
  const { worker, isTwice, onLine, given = {} } = options
  const task: WorkerTask = { seeds, twice: seeds.filter(isTwice), given }
  const args = [...NODE_ARGS, fileURLToPath(worker), JSON.stringify(task)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let reported = 0
  let complaint = ''
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  const silence = setTimeout(() => {
    complaint += `no report within ${SEED_WALL_MS} ms`
    kill()
  }, SEED_WALL_MS)
  options.signal.addEventListener('abort', kill)
  createInterface({ input: child.stdout }).on('line', (text) => {
    silence.refresh()
    const line = JSON.parse(text) as WorkerLine
    if (line.again === true) reported += 1
    else {
      onLine(line)
      if (!isTwice(line.seed)) reported += 1
    }
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-COMPLAINT_CHARS)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(silence)
      options.signal.removeEventListener('abort', kill)
      resolve({ reported, complaint })
    })
  })
}

function take(seeds: Iterator<number>, count: number): number[] {
  const taken: number[] = []
  while (taken.length < count) {
    const next = seeds.next()
    if (next.done === true) break
    taken.push(next.value)
  }
  return taken
}
