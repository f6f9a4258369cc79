/**
 * The suites of counters and shared numbers must find what they are there to find: each of these breaks one promise,
 * and the case that is named has to say so.
 */
import type { Client } from '../../src/core/client.ts'
import { AtomicCounter } from '../../src/recipes/counters/atomic-counter.ts'
import { SharedCount } from '../../src/recipes/counters/shared-count.ts'
import { IdAllocator } from '../../src/recipes/counters/id-allocator.ts'
import { counterSuite, idSuite, sharedSuite } from '../../src/testing/index.ts'
import type { IdSuiteOptions } from '../../src/testing/index.ts'
import type { CounterSuiteOptions, SharedSuiteOptions, TestedCounter, TestedShared } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

const COUNTERS: readonly Broken<CounterSuiteOptions['makeCounter']>[] = [
  {
    what: 'a change tells the wrong step',
    make: (client, path) => changedCounter(client, path, {
      add: async (delta) => {
        const { before } = await new AtomicCounter(client, path).add(delta)
        return { before, after: before }
      },
    }),
    caughtBy: 'begins at 0, and tells the number before and after each change',
  },
  {
    what: 'changes overwrite each other',
    make: (client, path) => changedCounter(client, path, {
      add: async (delta) => {
        const counter = new AtomicCounter(client, path)
        const before = await counter.get()
        const after = before + BigInt(delta)
        await counter.set(after)
        return { before, after }
      },
    }),
    caughtBy: 'loses no change of many clients at once, and tells no step twice',
  },
  {
    what: 'everyone sets what they expect',
    make: (client, path) => changedCounter(client, path, {
      compareAndSet: async (_, next) => {
        await new AtomicCounter(client, path).set(next)
        return true
      },
    }),
    caughtBy: 'is set by one of many who expect the same number',
  },
]

const SHARED: readonly Broken<SharedSuiteOptions['makeShared']>[] = [
  {
    what: 'a set is not seen by who made it',
    make: (client, path) => changedShared(new SharedCount(client, path), { current: 0 }),
    caughtBy: 'everyone comes to what was set last',
  },
  {
    what: 'a try replaces whatever is there',
    make: (client, path) => {
      const shared = new SharedCount(client, path)
      return changedShared(shared, {
        trySet: async (value) => {
          await shared.set(value)
          return true
        },
      })
    },
    caughtBy: 'of many who replace what they have all seen one does, and loses nothing',
  },
  {
    what: 'a reader stays on the node that it saw first',
    make: (client, path) => {
      const shared = new SharedCount(client, path)
      let first: number | undefined
      return Object.defineProperty(changedShared(shared, {}), 'current', { get: () => (first ??= shared.current) })
    },
    caughtBy: 'a node that was made again is not taken for the one that was seen',
  },
]

function changedCounter(client: Client, path: string, changes: Partial<TestedCounter>): TestedCounter {
  const counter = new AtomicCounter(client, path)
  return {
    get: () => counter.get(),
    add: (delta) => counter.add(delta),
    compareAndSet: (expected, next) => counter.compareAndSet(expected, next),
    ...changes,
  }
}

function changedShared(shared: SharedCount, changes: Partial<TestedShared>): TestedShared {
  const face: TestedShared = {
    get current() {
      return shared.current
    },
    ready: () => shared.ready(),
    get: () => shared.get(),
    set: (value) => shared.set(value),
    trySet: (value) => shared.trySet(value),
  }
  return Object.defineProperties(face, Object.getOwnPropertyDescriptors(changes))
}

const soundCounter: CounterSuiteOptions['makeCounter'] = (client, path) => new AtomicCounter(client, path)
const soundShared: SharedSuiteOptions['makeShared'] = (client, path) => new SharedCount(client, path)

bites('counter', COUNTERS, soundCounter, (engine, makeCounter) => {
  return collectedCases((runner) => {
    counterSuite(runner, { ...engine, makeCounter })
  })
})
const IDS: readonly Broken<IdSuiteOptions['makeIds']>[] = [
  {
    what: 'each client counts for itself',
    make: () => {
      let last = 0n
      return {
        next: async () => {
          last += 1n
          return last
        },
      }
    },
    caughtBy: 'gives each id once, whoever asks, and growing ones to each',
  },
  {
    what: 'a block begins again with the next session',
    make: (client, path, block) => {
      const [ids, sessionId] = [new IdAllocator(client, path, { block }), client.sessionId]
      return { next: () => (client.sessionId === sessionId ? ids.next() : Promise.resolve(0n)) }
    },
    caughtBy: 'gives ids that were not given before, over the end of its session',
  },
]
const soundIds: IdSuiteOptions['makeIds'] = (client, path, block) => new IdAllocator(client, path, { block })

bites('allocator of ids', IDS, soundIds, (engine, makeIds) => {
  return collectedCases((runner) => {
    idSuite(runner, { ...engine, makeIds })
  })
})
bites('shared number', SHARED, soundShared, (engine, makeShared) => {
  return collectedCases((runner) => {
    sharedSuite(runner, { ...engine, makeShared })
  })
})
