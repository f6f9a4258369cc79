/**
 * The conformance suite of queues: each item is handed out until it is done, to one consumer at a time.
 *
 * Use       queueSuite({ describe, it }, { name, connect, makeQueue: (client, path, maxItems) => ... })
 * Source    docs/guide/queue.md
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** An item as the suite knows it. */
export interface TestedItem {
  /** The value that was put. */
  readonly value: string
  /** How often it has been handed out, this time included. */
  readonly attempt: number
  /** Grows with every time that it is handed out. */
  readonly token: bigint
  /** Aborted when the lease is lost. */
  readonly signal: AbortSignal
  /** It is done. */
  ack(): Promise<void>
  /** Gives it back. */
  nack(): Promise<void>
  /** Puts it away. */
  deadLetter(reason: string): Promise<void>
}

/** The part of a queue that the suite calls. */
export interface TestedQueue {
  /** Puts an item; of smaller priorities first. */
  put(value: string, options?: { readonly priority?: number; readonly delayMs?: number }): Promise<unknown>
  /** Waits for an item. */
  take(options?: { readonly signal?: AbortSignal; readonly waitMs?: number }): Promise<TestedItem>
  /** How many items there are. */
  size(): Promise<number>
  /** The dead letters. */
  deadLetters(): Promise<readonly { readonly value: string | undefined; readonly reason: string }[]>
}

/** The subject and options of {@link queueSuite}. */
export interface QueueSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the queue at a path. */
  readonly makeQueue: (client: Client, path: string, maxItems: number) => TestedQueue
}

interface QueueWorld {
  readonly world: RecipeWorld
  readonly queueOf: (client: Client) => TestedQueue
}

const ITEMS_MAX = 20
const CONSUMERS = 3
const MOMENT_MS = 50
const DELAY_MS = 100
const LONG_DELAY_MS = 3_600_000

const CASES: readonly Case<QueueWorld>[] = [
  {
    name: 'hands out what was put, and removes it when it is done',
    run: async ({ world, queueOf }) => {
      const [a, b] = (await world.connectMany(2)).map(queueOf)
      ok(a !== undefined && b !== undefined, 'two clients')
      await a.put('work')
      const item = await world.answer(b.take(), 'the item')
      equal(item.value, 'work', 'the value')
      equal(item.attempt, 1, 'the attempt')
      equal(await a.size(), 1, 'the number of items while it is in work')
      await item.ack()
      equal(await a.size(), 0, 'the number of items when it is done')
      await rejects(b.take({ waitMs: MOMENT_MS }), { code: 'TIMEOUT', outcome: 'aborted' }, 'another take')
    },
  },
  {
    name: 'hands out by priority, then in the order of the puts',
    run: async ({ world, queueOf }) => {
      const queue = queueOf(await world.connect())
      await queue.put('late', { priority: 200 })
      await queue.put('first')
      await queue.put('second')
      await queue.put('urgent', { priority: 1 })
      const order: string[] = []
      for (let count = 0; count < 4; count++) {
        const item = await world.answer(queue.take(), 'an item')
        order.push(item.value)
        await item.ack()
      }
      equal(order.join(), 'urgent,first,second,late', 'the order')
    },
  },
  {
    name: 'keeps an item back for as long as it was delayed',
    run: async ({ world, queueOf }) => {
      const queue = queueOf(await world.connect())
      await queue.put('much later', { delayMs: LONG_DELAY_MS })
      await queue.put('now')
      const item = await world.answer(queue.take(), 'the item that is due')
      equal(item.value, 'now', 'the value')
      await item.ack()
      await queue.put('soon', { delayMs: DELAY_MS })
      const second = await world.answer(queue.take(), 'the item that becomes due')
      equal(second.value, 'soon', 'the value')
      await second.ack()
      await rejects(queue.take({ waitMs: MOMENT_MS }), { code: 'TIMEOUT', outcome: 'aborted' }, 'another take')
    },
  },
  {
    name: 'wakes who waits when an item is put, and when one is given back',
    run: async ({ world, queueOf }) => {
      const [a, b] = (await world.connectMany(2)).map(queueOf)
      ok(a !== undefined && b !== undefined, 'two clients')
      const first = a.take()
      await b.put('work')
      const item = await world.answer(first, 'the item')
      const second = b.take()
      await item.nack()
      const again = await world.answer(second, 'the item again')
      equal(again.attempt, 2, 'the attempt')
      ok(again.token > item.token, 'the token grows')
      await again.ack()
    },
  },
  {
    name: 'leases an item to one consumer at a time',
    run: async ({ world, queueOf }) => {
      const [a, b] = (await world.connectMany(2)).map(queueOf)
      ok(a !== undefined && b !== undefined, 'two clients')
      await a.put('work')
      const item = await world.answer(a.take(), 'the item')
      await rejects(b.take({ waitMs: MOMENT_MS }), { code: 'TIMEOUT', outcome: 'aborted' }, 'a take of the same item')
      await item.ack()
    },
  },
  {
    name: 'hands out every item, and none to two, to many consumers',
    run: async ({ world, queueOf }) => {
      const [producer, ...consumers] = (await world.connectMany(CONSUMERS + 1)).map(queueOf)
      ok(producer !== undefined, 'there is a producer')
      const values = Array.from({ length: ITEMS_MAX }, (_, index) => `item-${index}`)
      for (const value of values) await producer.put(value)
      const done: string[] = []
      const work = async (queue: TestedQueue): Promise<void> => {
        while (done.length < values.length) {
          const item = await queue.take({ waitMs: world.patienceMs / 10 }).catch(() => null)
          if (item === null) continue
          await item.ack()
          done.push(item.value)
        }
      }
      await world.answer(Promise.all(consumers.map(work)), 'the work')
      equal(done.sort().join(), values.sort().join(), 'what was done')
    },
  },
  {
    name: 'hands out again what a consumer had whose client was closed',
    run: async ({ world, queueOf }) => {
      const [gone, other] = await world.connectMany(2)
      ok(gone !== undefined && other !== undefined, 'two clients')
      await queueOf(other).put('work')
      const item = await world.answer(queueOf(gone).take(), 'the item')
      await gone.close()
      ok(item.signal.aborted, 'the consumer is told')
      const again = await world.answer(queueOf(other).take(), 'the item again')
      equal(again.attempt, 2, 'the attempt')
      await again.ack()
    },
  },
  {
    name: 'does not let a consumer whose session is over remove what another works on',
    needs: ['expire'],
    run: async ({ world, queueOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      await queueOf(b).put('work')
      const item = await world.answer(queueOf(a).take(), 'the item')
      await world.expire(a)
      const again = await world.answer(queueOf(b).take(), 'the item again')
      await rejects(item.ack(), { code: 'LEASE_LOST', outcome: 'lost' }, 'an ack of who has lost the lease')
      equal(await queueOf(b).size(), 1, 'the number of items')
      await again.ack()
      equal(await queueOf(b).size(), 0, 'the number of items in the end')
    },
  },
  {
    name: 'puts away what is dead, with the reason',
    run: async ({ world, queueOf }) => {
      const queue = queueOf(await world.connect())
      await queue.put('poison')
      await (await world.answer(queue.take(), 'the item')).deadLetter('it does not go down')
      equal(await queue.size(), 0, 'the number of items')
      const letters = await queue.deadLetters()
      const texts = letters.map(({ value, reason }) => `${value}: ${reason}`)
      equal(texts.join(), 'poison: it does not go down', 'the letters')
    },
  },
  {
    name: 'refuses a put beyond its bound',
    run: async ({ world, queueOf }) => {
      const queue = queueOf(await world.connect())
      for (let count = 0; count < ITEMS_MAX; count++) await queue.put('work')
      await rejects(queue.put('too much'), { code: 'QUEUE_FULL', outcome: 'rejected' }, 'one more put')
      await (await world.answer(queue.take(), 'an item')).ack()
      await queue.put('work')
    },
  },
]

/**
 * Registers the cases that every queue has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the queue to test
 */
export function queueSuite(runner: Runner, options: QueueSuiteOptions): void {
  registerRecipe(runner, `queue ${options.name}`, options, CASES, (world) => {
    return { world, queueOf: (client) => options.makeQueue(client, world.path('queue'), ITEMS_MAX) }
  })
}
