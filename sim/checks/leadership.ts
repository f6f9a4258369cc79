/**
 * Leaders: one for each epoch, and each with everything that was committed before it.
 *
 * P1   an epoch has one established leader, over all time and restarts.
 * P4   who is established in an epoch has logged everything that was committed in an earlier one.
 * P9   it has also applied it, before it proposes.
 */
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { epochOf, hex } from '../ledger.ts'
import type { Ledger } from '../ledger.ts'
import type { CheckedWorld } from '../checked-world.ts'

export class LeadershipCheck implements Check {
  readonly name = 'leadership'
  readonly covers = ['P1', 'P4', 'P9']
  readonly #world: CheckedWorld
  readonly #ledger: Ledger
  readonly #leaders = new Map<number, number>()
  #eventsSeen = 0

  /** Checks the leaders of a world. */
  constructor(world: CheckedWorld, ledger: Ledger) {
    this.#world = world
    this.#ledger = ledger
  }

  afterEvent(): void {
    const { events } = this.#world
    while (this.#eventsSeen < events.length) {
      const happened = events[this.#eventsSeen]
      this.#eventsSeen += 1
      if (happened?.event.type !== 'serving' || happened.event.role !== 'LEADING') continue
      this.#established(happened.server, happened.event.epoch)
    }
  }

  #established(server: number, epoch: number): void {
    const earlier = this.#leaders.get(epoch)
    if (earlier !== undefined) this.#fail(`P1: servers ${earlier} and ${server} both led epoch ${epoch}`)
    this.#leaders.set(epoch, server)
    const mirror = this.#ledger.mirror(server)
    const committed = this.#ledger.lastCommittedBefore(epoch)
    if (!mirror.holds(committed)) {
      this.#fail(`P4: server ${server} leads epoch ${epoch} without ${hex(committed)}, which was committed before`)
    }
    const status = this.#world.servers[server - 1]?.host()?.status()
    const history = mirror.entries.findLast(({ zxid }) => epochOf(zxid) < epoch)?.zxid ?? mirror.base
    if (status !== undefined && status.zxid < history) {
      const applied = `${hex(status.zxid)}, its history ends at ${hex(history)}`
      this.#fail(`P9: server ${server} leads epoch ${epoch} at ${applied}`)
    }
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
