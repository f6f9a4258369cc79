/**
 * Measures the turns of the event loop, and the heap between them.
 *
 * A turn is judged by what it computed and not by how long it took on the clock: on a machine with other work to do, a
 * process is stopped for as long as that work wants. Tests run in threads of one process, so the time of the processor
 * is this thread's where the system tells it (Linux does, to some 4 ms), else that of the process.
 */
import { existsSync, readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const US_PER_MS = 1_000
const NS_PER_MS = 1_000_000
/** Begins with the nanoseconds that the reading thread has had of a processor. */
const THREAD_STATISTICS = '/proc/thread-self/schedstat'

function processMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / US_PER_MS
}

function threadMs(): number {
  return Number(readFileSync(THREAD_STATISTICS, 'latin1').split(' ', 1)[0]) / NS_PER_MS
}

const processorMs = existsSync(THREAD_STATISTICS) ? threadMs : processMs

/** Longest turn since it was started. */
export class LoopMonitor {
  #longestMs = 0
  #lastMs = performance.now()
  #lastProcessorMs = processorMs()
  #isRunning = true

  constructor() {
    setImmediate(() => {
      this.#measure()
    })
  }

  /** The longest turn in milliseconds: of the clock or of the processor, whichever is less. */
  get longestTurnMs(): number {
    return this.#longestMs
  }

  /** Forgets the turns until now. */
  reset(): void {
    this.#longestMs = 0
    this.#lastMs = performance.now()
    this.#lastProcessorMs = processorMs()
  }

  stop(): void {
    this.#isRunning = false
  }

  #measure(): void {
    const nowMs = performance.now()
    const nowProcessorMs = processorMs()
    const turnMs = Math.min(nowMs - this.#lastMs, nowProcessorMs - this.#lastProcessorMs)
    this.#longestMs = Math.max(this.#longestMs, turnMs)
    this.#lastMs = nowMs
    this.#lastProcessorMs = nowProcessorMs
    if (!this.#isRunning) return
    setImmediate(() => {
      this.#measure()
    })
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Milliseconds of the calibration on the machine that limits in milliseconds are meant for. */
const CALIBRATION_MS = 20

/** To sort names is work of the same kind as a server's, and knows nothing of it. */
function calibrationMs(): number {
  const times = Array.from({ length: 5 }, () => {
    const startMs = performance.now()
    const startProcessorMs = processorMs()
    const names = Array.from({ length: 30_000 }, (_, i) => `n${(i * 7_919) % 30_011}`)
    names.sort()
    return Math.min(performance.now() - startMs, processorMs() - startProcessorMs)
  })
  return Math.min(...times)
}

/** How much slower than the machine that limits are meant for this one is at this moment; 1 for a faster one. */
function slowness(): number {
  const factor = Math.max(1, calibrationMs() / CALIBRATION_MS)
  // The names are collected now, and not in a turn that is measured.
  collect()
  return factor
}

/**
 * The shortest of the longest turns of several runs, in milliseconds, as it would be on the machine that limits are
 * meant for. Others work on this one too, now more and now less: how slow it is, is measured before each run and after
 * it. The shortest counts because a turn in which the collector ran says nothing of the work.
 *
 * @param run - gives its longest turn
 * @param limitMs - after a turn that is shorter, no more runs are needed
 */
export async function longestTurnMs(
  { runsMax, limitMs }: { readonly runsMax: number; readonly limitMs: number },
  run: (attempt: number) => Promise<number>,
): Promise<number> {
  let shortestMs = Infinity
  for (let attempt = 0; attempt < runsMax && shortestMs >= limitMs; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    const before = slowness()
    const turnMs = await run(attempt)
    shortestMs = Math.min(shortestMs, turnMs / Math.max(before, slowness()))
  }
  return shortestMs
}

/** Bytes on the heap that are in use, and of buffers outside of it. */
export function bytesInUse(): number {
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
