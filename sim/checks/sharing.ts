/**
 * Read-write locks and semaphores: those who believe by their own clocks that they hold, held against each other.
 *
 * W1   who is given a writer's lease is alone; who is given a reader's has no writer beside it.
 * W2   the token of a writer is greater than those of all grants before, but for readers that it had been itself; a
 *      reader's is not smaller than that of any writer before.
 * P1   no more permits are held than the semaphore has.
 *
 * Apart     it knows nothing of nodes or queues: only what programs were told, and at which instant.
 */
import type { Lease } from '../../src/recipes/engine/lease.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'

/** A share of a lock or a semaphore: as a reader, as the writer, or a number of permits. */
export type Share = 'read' | 'write' | number

type SeenLease = Pick<Lease, 'path' | 'token' | 'leaseDeadlineMs'>

interface Holding {
  readonly place: string
  readonly share: Share
  readonly lease: SeenLease
  readonly node: SimNode
  readonly incarnation: number
}

export class SharingCheck implements Check {
  readonly name = 'sharing'
  readonly covers = ['W1', 'W2', 'P1']
  readonly #clocks: Pick<Kernel, 'as'>
  readonly #permits: number
  readonly #holdings = new Set<Holding>()
  /** By lock, the greatest tokens of grants to writers, and to anybody. */
  readonly #written = new Map<string, bigint>()
  readonly #granted = new Map<string, bigint>()

  /**
   * Checks the locks and semaphores of a world that has not run yet.
   *
   * @param permits - how many each semaphore has
   */
  constructor(clocks: Pick<Kernel, 'as'>, permits: number) {
    this.#clocks = clocks
    this.#permits = permits
  }

  /** To be told, in the same event, of every lease that a client was given. */
  granted(place: string, share: Share, lease: SeenLease, node: SimNode): void {
    const others = [...this.#holdings].filter((other) => other.place === place && this.#believes(other))
    const who = `${node.name} was given ${share} of ${place}`
    if (typeof share === 'number') {
      const taken = others.reduce((sum, other) => sum + Number(other.share), share)
      if (taken > this.#permits) this.#fail(`P1: ${who}, and ${taken} of ${this.#permits} permits are held`)
    } else {
      const beside = others.find((other) => share === 'write' || other.share === 'write')
      if (beside !== undefined) this.#fail(`W1: ${who} while ${beside.node.name} holds ${beside.share}`)
      this.#expectToken(place, share, lease.token, who)
    }
    this.#holdings.add({ place, share, lease, node, incarnation: node.incarnation })
  }

  /** To be told before a lease is released: from then on its holder believes nothing. */
  releasing(lease: SeenLease): void {
    for (const holding of this.#holdings) if (holding.lease === lease) this.#holdings.delete(holding)
  }

  #expectToken(place: string, share: 'read' | 'write', token: bigint, who: string): void {
    const written = this.#written.get(place) ?? 0n
    const granted = this.#granted.get(place) ?? 0n
    if (token < written) this.#fail(`W2: ${who} with token ${token}, after a writer with ${written}`)
    if (share === 'write' && token <= granted) this.#fail(`W2: ${who} with token ${token}, after ${granted}`)
    if (share === 'write') this.#written.set(place, token)
    if (token > granted) this.#granted.set(place, token)
  }

  #believes({ lease, node, incarnation }: Holding): boolean {
    if (!node.isUp || node.incarnation !== incarnation) return false
    return this.#clocks.as(node, () => performance.now() < lease.leaseDeadlineMs)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
