/**
 * Turns at work that would only get in each other's way: one after the other, each after the one before.
 *
 * Nothing depends on them but speed. Where nobody makes progress, the others go ahead, so that one who is stuck holds
 * up nobody.
 */
import { Deadline, deferred } from '../../core/async.ts'

/** Longest time without the end of a turn, in milliseconds, after which the next waits no longer. */
const STUCK_MS = 1_000

/** The line at one thing. */
interface Line {
  /** Ends with the last turn that was taken. */
  last: Promise<unknown>
  length: number
  movedAtMs: number
}

/** The turns at all keys. */
export class Turns {
  readonly #lines = new Map<string, Line>()

  /**
   * Waits for one's turn.
   *
   * @param key - the line in which to wait
   * @returns ends the turn
   */
  async take(key: string): Promise<() => void> {
    const line = this.#lines.get(key) ?? { last: Promise.resolve(), length: 0, movedAtMs: performance.now() }
    const { promise: turn, resolve } = deferred<undefined>()
    const before = line.last
    const isFirst = line.length === 0
    line.last = Promise.all([before, turn])
    line.length += 1
    this.#lines.set(key, line)
    if (!isFirst) await patiently(before, line)
    return () => {
      resolve(undefined)
      line.movedAtMs = performance.now()
      line.length -= 1
      if (line.length === 0) this.#lines.delete(key)
    }
  }
}

function patiently(turn: Promise<unknown>, line: Line): Promise<void> {
  return new Promise((resolve) => {
    const limit = new Deadline(() => line.movedAtMs + STUCK_MS, () => resolve())
    limit.start()
    void turn.then(() => {
      limit.stop()
      resolve()
    })
  })
}
