/**
 * Decides whether there is memory for a write: first they are slowed, then refused, before the process runs out.
 *
 * Measure   the share in use of the most that the process may have, in percent. The engine collects its heap at the
 *           latest halfway between what was live then and its end. So of a heap that is 92 % in use, 84 % were live
 *           when it was last collected: these levels are not reached by garbage alone.
 * Time      it is measured when a write asks, and not more often than every 20 ms.
 * Resumes   by itself: once less is in use, by two percent, so that it does not flutter at the edge.
 */

const MEASURE_MS = 20
/** How far the use has to fall below a level before that is left. */
const SLACK_PERCENT = 2

/** How writes that need memory are treated. */
export type Admission = 'open' | 'slow' | 'refused'

/** The settings of a gate. */
export interface MemoryGateOptions {
  readonly heapThrottlePercent: number
  readonly heapRefusePercent: number
  /** The share of the memory that is in use, in percent. */
  measure(): number
}

/** The gate of one server. */
export class MemoryGate {
  readonly #options: MemoryGateOptions
  #admission: Admission = 'open'
  #measuredMs = -Infinity

  constructor(options: MemoryGateOptions) {
    this.#options = options
  }

  /**
   * How a write that needs memory is treated now.
   *
   * @param nowMs - on `performance.now()`
   */
  admission(nowMs: number): Admission {
    if (nowMs - this.#measuredMs >= MEASURE_MS) {
      this.#measuredMs = nowMs
      this.#admission = this.#judge(this.#options.measure())
    }
    return this.#admission
  }

  #judge(percent: number): Admission {
    const { heapThrottlePercent, heapRefusePercent } = this.#options
    const level = (limit: number, isThere: boolean): boolean => percent >= (isThere ? limit - SLACK_PERCENT : limit)
    if (level(heapRefusePercent, this.#admission === 'refused')) return 'refused'
    return level(heapThrottlePercent, this.#admission !== 'open') ? 'slow' : 'open'
  }
}
