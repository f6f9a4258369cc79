/**
 * Runs seeds in worker processes, one at a time on each.
 *
 * A process is new after some hundreds of seeds, so that what a run might leave behind does not stay forever. It is
 * not new sooner: the first forty or so run code that V8 has not compiled yet. One that says nothing for too long, or
 * ends with a seed that it has not reported, failed with that seed.
 */
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Job, WorkerLine } from './worker.ts'

/** Seeds that one process runs. */
const SEEDS_A_PROCESS = 500
/** Longest time on the wall that one seed may take, in milliseconds, on a machine that has much else to do. */
const SEED_WALL_MS = 600_000
/**
 * How workers run: a run makes much garbage that is young, and much code that is run too seldom to be optimized. Each
 * took a fifth off the processor time, over 20 and 40 seeds on a busy machine.
 */
const NODE_ARGS: readonly string[] = Object.freeze(['--max-semi-space-size=32', '--always-sparkplug'])
/** The length of the end of a worker's complaints that is kept. */
const COMPLAINT_CHARS = 4_000

/** The work of a pool, and the callbacks to its owner. */
export interface PoolOptions {
  /** The runs to make, in order; each is taken when a process is free for it. */
  readonly jobs: Iterator<Job>
  /** How many processes run at once. */
  readonly processes: number
  /** The file of the worker. */
  readonly worker: URL
  /** Ends the running: no further seed is begun, and those under way are dropped. */
  readonly signal: AbortSignal
  /** Gets each report as it comes. */
  readonly onLine: (line: WorkerLine) => void
  /** Gets each seed at which a worker failed, and what it said. */
  readonly onFailure: (seed: number, complaint: string) => void
}

/** Runs until there is no seed left, or until it is ended. */
export async function runPool(options: PoolOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.processes }, async () => {
    while (!options.signal.aborted) {
      const first = options.jobs.next()
      if (first.done === true) return
      await new WorkerProcess(options, first.value).ended
    }
  }))
}

/** One process: it gets a seed when it has reported the one before. */
class WorkerProcess {
  /** Resolves when it has ended: nothing was left for it, it has had its share, or it failed. */
  readonly ended: Promise<void>
  readonly #options: PoolOptions
  readonly #child: ChildProcessWithoutNullStreams
  readonly #silence: NodeJS.Timeout
  #job: Job | null = null
  #count = 0
  #complaint = ''

  constructor(options: PoolOptions, first: Job) {
    this.#options = options
    this.#child = spawn(process.execPath, [...NODE_ARGS, fileURLToPath(options.worker)])
    this.#silence = setTimeout(() => {
      this.#complaint += `no report within ${SEED_WALL_MS} ms`
      this.#kill()
    }, SEED_WALL_MS)
    options.signal.addEventListener('abort', this.#kill)
    createInterface({ input: this.#child.stdout }).on('line', (text) => {
      this.#onLine(JSON.parse(text) as WorkerLine)
    })
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-COMPLAINT_CHARS)
    })
    // A process that is gone takes nothing; its end tells of it.
    this.#child.stdin.on('error', () => undefined)
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', () => {
        this.#onEnd()
        resolve()
      })
    })
    this.#begin(first)
  }

  #begin(job: Job): void {
    this.#job = job
    this.#count += 1
    this.#child.stdin.write(`${JSON.stringify(job)}\n`)
  }

  #onLine(line: WorkerLine): void {
    this.#silence.refresh()
    if (line.again !== true) this.#options.onLine(line)
    if (line.again !== true && this.#job?.isTwice === true) return
    this.#job = null
    const next = this.#count < SEEDS_A_PROCESS && !this.#options.signal.aborted ? this.#options.jobs.next() : null
    if (next === null || next.done === true) this.#child.stdin.end()
    else this.#begin(next.value)
  }

  #onEnd(): void {
    clearTimeout(this.#silence)
    const { signal, onFailure } = this.#options
    signal.removeEventListener('abort', this.#kill)
    if (this.#job !== null && !signal.aborted) onFailure(this.#job.seed, this.#complaint)
  }

  readonly #kill = (): void => {
    this.#child.kill('SIGKILL')
  }
}
