/**
 * Runs one target in a thread, and watches over it: an input that never ends, or that costs the memory of the thread or
 * its life, is a finding like any other.
 */
import { Worker } from 'node:worker_threads'
import type { Finding, Outcome } from './fuzzer.ts'
import { verdictOf } from './judge.ts'
import type { Verdict } from './judge.ts'
import type { Target } from './target.ts'
import { SHARED_HEAD_BYTES } from './worker.ts'
import type { Report, Task } from './worker.ts'

const LOOK_MS = 250
const HEAP_MB_MAX = 768
const SHARED_BYTES = 0x10_0000

/** How a target is run. */
export interface RunOptions {
  /** The module of the thread: a copy of worker.ts, compiled. */
  readonly worker: URL
  readonly target: Target
  readonly seed: number
  readonly seconds: number
  readonly inputs: number
  readonly findings: number
  readonly corpus: readonly Uint8Array[]
}

/** Runs it. @throws Error if the target itself does not start */
export async function runTarget({ worker: module, target, ...rest }: RunOptions): Promise<Outcome> {
  const shared = new SharedArrayBuffer(SHARED_HEAD_BYTES + SHARED_BYTES)
  const engine = await target.engine?.()
  const task: Task = { ...rest, target: target.name, shared, url: engine?.url ?? '' }
  const worker = new Worker(module, {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  })
  const watch = new Watch(shared, target.limits.hangMsMax)
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const endWith = (verdict: Verdict): void => resolve(watch.outcome(verdict))
      watch.onHang = endWith
      worker.on('message', (report: Report) => {
        if ('outcome' in report) resolve(report.outcome)
        else reject(new Error(`${target.name}: ${report.failure}`))
      })
      worker.on('error', (error) => endWith(verdictOf(error)))
      worker.on('exit', (code) => endWith({ kind: 'ended', what: `the thread ended with status ${code}` }))
    })
  } finally {
    watch.stop()
    await worker.terminate()
    await engine?.close()
  }
}

/** Looks whether the thread goes from one input to the next. */
class Watch {
  readonly #head: Int32Array
  readonly #bytes: Uint8Array
  readonly #timer: NodeJS.Timeout
  readonly #hangMsMax: number
  onHang: (verdict: Verdict) => void = () => undefined
  #seen = 0
  #sinceMs = performance.now()

  constructor(shared: SharedArrayBuffer, hangMsMax: number) {
    this.#head = new Int32Array(shared, 0, 2)
    this.#bytes = new Uint8Array(shared, SHARED_HEAD_BYTES)
    this.#hangMsMax = hangMsMax
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  /** The outcome of a run that was ended by its last input. */
  outcome(verdict: Verdict): Outcome {
    const finding: Finding = { verdict, input: Uint8Array.from(this.#bytes.subarray(0, this.#head[1] ?? 0)) }
    return { inputs: this.#head[0] ?? 0, places: 0, kept: [], findings: [finding] }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const count = this.#head[0] ?? 0
    if (count !== this.#seen || count === 0) {
      this.#seen = count
      this.#sinceMs = performance.now()
    } else if (performance.now() - this.#sinceMs > this.#hangMsMax) {
      this.onHang({ kind: 'hang', what: `no end within ${this.#hangMsMax} ms` })
    }
  }
}
