/**
 * The suites of counters and shared numbers must find what they are there to find: each of these breaks one promise,
 * and the case that is named has to say so.
 */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { AtomicCounter } from '../../src/recipes/counters/atomic-counter.ts'
import { SharedCount } from '../../src/recipes/counters/shared-count.ts'
import { ConformanceError, counterSuite, modelBackend, sharedSuite } from '../../src/testing/index.ts'
import type { RecipeSuiteOptions, TestedCounter, TestedShared } from '../../src/testing/index.ts'
import { collectedCases } from './collected-cases.ts'

const PATIENCE_MS = 300

interface Broken<T> {
  readonly what: string
  readonly make: (client: Client, path: string) => T
  readonly caughtBy: string
}

const COUNTERS: readonly Broken<TestedCounter>[] = [
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

const SHARED: readonly Broken<TestedShared>[] = [
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

/** Registers a test for each: a sound one passes the case, the broken one does not. */
function bites<T>(
  recipe: string,
  broken: readonly Broken<T>[],
  sound: Broken<T>['make'],
  casesOf: (engine: RecipeSuiteOptions, make: Broken<T>['make']) => ReadonlyMap<string, () => Promise<void>>,
): void {
  describe(`the suite of a ${recipe} finds that`, () => {
    it.each(broken)('$what (by: $caughtBy)', async ({ what, make, caughtBy }) => {
      const caseOf = (tested: Broken<T>['make'], patience: Pick<RecipeSuiteOptions, 'patienceMs'>) => {
        const backend = modelBackend()
        const connected = (): Promise<Client> => connect(backend, { onError: () => undefined })
        return casesOf({ name: what, connect: connected, control: backend.control, ...patience }, tested).get(caughtBy)
      }
      await caseOf(sound, {})?.()
      const run = caseOf(make, { patienceMs: PATIENCE_MS })
      expect(run).toBeDefined()
      await expect(run?.()).rejects.toThrow(ConformanceError)
    })
  })
}

bites('counter', COUNTERS, (client, path) => new AtomicCounter(client, path), (engine, makeCounter) => {
  return collectedCases((runner) => {
    counterSuite(runner, { ...engine, makeCounter })
  })
})
bites('shared number', SHARED, (client, path) => new SharedCount(client, path), (engine, makeShared) => {
  return collectedCases((runner) => {
    sharedSuite(runner, { ...engine, makeShared })
  })
})
