/**
 * The line of those who wait for any change of a queue, such as the waiters of a semaphore.
 *
 * Model     the first in line watches the queue; each other one watches the one before it in line. Whoever is admitted
 *           calls the next one by a write to its own node, which is the first such write: version 0 means that it has
 *           not called. So a release wakes one waiter, and the one that is first in line from then on.
 * Liveness  who is granted calls if the list that granted it shows anybody after it. Whoever is not in that list sees a
 *           later one, by which that contender is admitted, and does not wait for its call. That needs a rule under
 *           which an admission stands whatever comes and goes.
 * Cost      a hand-over: 1 event, 1 list, 1 write; and for the next in line 1 event, 2 lists.
 */
import { assert } from '../../core/assert.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { ANY_CHANGE } from './contender.ts'
import type { AdmissionRule, Contender } from './contender.ts'
import type { Entrant, Round } from './round.ts'
import type { Wait } from './wait.ts'

/** One contender's view of the line. */
export class Line {
  readonly #rule: AdmissionRule
  /** Those who have called: they are admitted, whatever an older list says. */
  readonly #called = new Set<string>()
  #hasCalled = false

  /**
   * Makes the view of a line.
   *
   * @param rule - of the queue
   */
  constructor(rule: AdmissionRule) {
    this.#rule = rule
  }

  /** Waits in line: for a change of the queue if this contender is the first, for a call if not. */
  async wait(round: Round, queue: readonly Contender[], own: number, wait: Wait): Promise<void> {
    assert(this.#rule.hasLine, 'a rule by which contenders wait for any change says so')
    const before = this.#lastBefore(queue, own)
    if (before === null) return round.waitForChange(queue, wait)
    if (await round.waitForCall(before, wait)) return
    this.#called.add(before)
    round.forgetQueue()
  }

  /**
   * Calls the next in line, if the rule has one.
   *
   * @param entrant - a contender that is admitted, by a list that shows others after it
   */
  async callNext(client: Client, { node, data }: Entrant, wait: Wait): Promise<void> {
    if (this.#hasCalled || !this.#rule.hasLine) return
    try {
      await wait.insist(() => client.set(node.path, data, { version: 0, signal: wait.signal }))
    } catch (error) {
      // It was set already, perhaps by an attempt whose answer was lost; or it is gone, which the next round finds.
      if (!isCoordinationError(error, 'BAD_VERSION', 'NO_NODE')) throw error
    }
    this.#hasCalled = true
  }

  /** The last one before a contender that stands in line. */
  #lastBefore(queue: readonly Contender[], own: number): string | null {
    for (let index = own - 1; index >= 0; index -= 1) {
      const name = queue[index]?.name ?? ''
      if (this.#isInLine(queue, index) && !this.#called.has(name)) return name
    }
    return null
  }

  #isInLine(queue: readonly Contender[], index: number): boolean {
    const admission = this.#rule.admit(queue, index)
    return !admission.granted && admission.watch === ANY_CHANGE
  }
}
