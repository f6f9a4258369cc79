/**
 * The suite of queues must find what it is there to find: each of these breaks one promise, and the case that is named
 * has to say so.
 */
import type { Client } from '../../src/core/client.ts'
import { DistributedQueue } from '../../src/recipes/queues/distributed-queue.ts'
import { queueSuite } from '../../src/testing/index.ts'
import type { QueueSuiteOptions, TestedItem, TestedQueue } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type Make = QueueSuiteOptions['makeQueue']
type Sound = DistributedQueue<string>

const sound: Make = (client, path, maxItems) => new DistributedQueue<string>(client, path, { maxItems })

function changed(change: (queue: Sound, client: Client, path: string) => Partial<TestedQueue>): Make {
  return (client, path, maxItems) => {
    const queue = new DistributedQueue<string>(client, path, { maxItems })
    return {
      put: (value, options) => queue.put(value, options),
      take: (options) => queue.take(options),
      size: () => queue.size(),
      deadLetters: () => queue.deadLetters(),
      ...change(queue, client, path),
    }
  }
}

/** A queue whose items are others. */
function changedItems(change: (item: TestedItem, client: Client, path: string) => Partial<TestedItem>): Make {
  return changed((queue, client, path) => ({
    take: async (options) => {
      const item = await queue.take(options)
      const { value, attempt, token, signal } = item
      const same = {
        value, attempt, token, signal,
        ack: () => item.ack(),
        nack: () => item.nack(),
        deadLetter: (reason: string) => item.deadLetter(reason),
      }
      return { ...same, ...change(same, client, path) }
    },
  }))
}

const QUEUES: readonly Broken<Make>[] = [
  {
    what: 'what is done stays',
    make: changedItems((item) => ({ ack: () => item.nack() })),
    caughtBy: 'hands out what was put, and removes it when it is done',
  },
  {
    what: 'priorities count for nothing',
    make: changed((queue) => ({ put: (value) => queue.put(value) })),
    caughtBy: 'hands out by priority, then in the order of the puts',
  },
  {
    what: 'nothing is delayed',
    make: changed((queue) => ({ put: (value) => queue.put(value) })),
    caughtBy: 'keeps an item back for as long as it was delayed',
  },
  {
    what: 'what is given back stays away',
    make: changedItems(() => ({ nack: () => Promise.resolve() })),
    caughtBy: 'wakes who waits when an item is put, and when one is given back',
  },
  {
    what: 'an item in work is handed out',
    make: changedItems((item) => {
      void item.nack()
      return {}
    }),
    caughtBy: 'leases an item to one consumer at a time',
  },
  {
    what: 'what is taken is gone',
    make: changedItems((item) => {
      item.ack().catch(() => undefined)
      return { ack: () => Promise.resolve() }
    }),
    caughtBy: 'hands out again what a consumer had whose client was closed',
  },
  {
    what: 'each item is done by two',
    make: changedItems((item) => ({ ack: () => (item.attempt === 1 ? item.nack() : item.ack()) })),
    caughtBy: 'hands out every item, and none to two, to many consumers',
  },
  {
    what: 'who has lost the lease removes the item',
    make: changedItems((_item, client, path) => ({
      ack: async () => {
        for (const folder of ['items', 'claims']) {
          const { names } = await client.children(`${path}/${folder}`)
          await Promise.all(names.map((name) => client.delete(`${path}/${folder}/${name}`)))
        }
      },
    })),
    caughtBy: 'does not let a consumer whose session is over remove what another works on',
  },
  {
    what: 'what is dead is gone',
    make: changedItems((item) => ({ deadLetter: () => item.ack() })),
    caughtBy: 'puts away what is dead, with the reason',
  },
  {
    what: 'it has no bound',
    make: (client, path) => new DistributedQueue<string>(client, path),
    caughtBy: 'refuses a put beyond its bound',
  },
]

bites('queue', QUEUES, sound, (engine, makeQueue) => {
  return collectedCases((runner) => {
    queueSuite(runner, { ...engine, makeQueue })
  })
})
