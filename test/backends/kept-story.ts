/**
 * Three clients that keep something while their engine fails: a node each, an instance of a service each, and
 * shares of items, each of which guards something that refuses old tokens.
 */
import { Partitioner, PersistentNode, ServiceRegistry, ServiceWatcher } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'

/** Where it is kept; of the items, their own nodes. */
export const KEPT_PATHS = Object.freeze({
  nodes: '/story/nodes',
  services: '/story/services/api',
  items: '/story/shares/items',
})

/** How many items are shared out. */
export const ITEMS = 8

/** The record of the story. */
export interface KeptRecord {
  /** Where each node stands. */
  readonly nodes: readonly string[]
  /** The ids of the instances that each client saw at last. */
  readonly services: readonly (readonly string[])[]
  /** How many items are owned, how many uses were overtaken, and how many tokens were given twice. */
  readonly partitions: { readonly items: number; readonly refused: number; readonly repeated: number }
}

/** The node, the view and the shares of one client. */
interface Keeper {
  readonly node: PersistentNode
  readonly watcher: ServiceWatcher
  readonly partitioner: Partitioner
}

export class KeptActs {
  readonly #keepers: readonly Keeper[]
  readonly #ids: readonly string[]
  /** By item, the tokens of its owners, and the greatest that it has seen. */
  readonly #tokens = new Map<string, Set<bigint>>()
  readonly #greatest = new Map<string, bigint>()
  #refused = 0
  #repeated = 0
  #isOver = false

  private constructor(keepers: readonly Keeper[], ids: readonly string[]) {
    this.#keepers = keepers
    this.#ids = ids
    for (const { partitioner } of keepers) {
      partitioner.subscribe(({ assigned }) => {
        for (const { item, token } of assigned) this.#begin(item, token)
      })
      void this.#work(partitioner)
    }
  }

  /** Has each client keep its part. */
  static async begin(clients: readonly Client[], ids: readonly string[]): Promise<KeptActs> {
    const keepers = await Promise.all(clients.map(async (client, index): Promise<Keeper> => {
      const id = ids[index] ?? ''
      const node = await PersistentNode.open(client, `${KEPT_PATHS.nodes}/${id}`, id)
      await new ServiceRegistry(client, '/story/services').register('api', { id })
      const partitioner = new Partitioner(client, '/story/shares', { id, count: ITEMS })
      await partitioner.start()
      return { node, watcher: new ServiceWatcher(client, '/story/services', 'api'), partitioner }
    }))
    return new KeptActs(keepers, ids)
  }

  /** Whether all is as it should be at last. */
  get isSettled(): boolean {
    const { nodes, services, partitions } = this.record
    const isComplete = services.every((seen) => String(seen) === String(this.#ids)) && partitions.items === ITEMS
    return isComplete && nodes.every((state) => state === 'registered')
  }

  /** The record up to now. */
  get record(): KeptRecord {
    const owned = this.#keepers.flatMap(({ partitioner }) => [...partitioner.assignments.values()])
    const items = owned.filter(({ state }) => state === 'held').length
    return {
      nodes: this.#keepers.map(({ node }) => node.state),
      services: this.#keepers.map(({ watcher }) => watcher.instances.map(({ id }) => id)),
      partitions: { items, refused: this.#refused, repeated: this.#repeated },
    }
  }

  /** Uses nothing any more. */
  end(): void {
    this.#isOver = true
  }

  /** Uses what it owns, turn by turn; before each use it asks whether the item is still its own. */
  async #work(partitioner: Partitioner): Promise<void> {
    while (!this.#isOver) {
      for (const { item, token, state } of partitioner.assignments.values()) {
        if (state === 'held') this.#use(item, token)
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  #begin(item: string, token: bigint): void {
    const tokens = this.#tokens.get(item) ?? new Set<bigint>()
    if (tokens.has(token)) this.#repeated += 1
    this.#tokens.set(item, tokens.add(token))
  }

  #use(item: string, token: bigint): void {
    const greatest = this.#greatest.get(item) ?? -1n
    if (token < greatest) this.#refused += 1
    else this.#greatest.set(item, token)
  }
}
