/**
 * The suites of barriers must find what they are there to find: each of these breaks one promise, and the case that is
 * named has to say so.
 */
import type { Client } from '../../src/core/client.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { CountDownLatch } from '../../src/recipes/barriers/count-down-latch.ts'
import { barrierSuite, latchSuite } from '../../src/testing/index.ts'
import type { BarrierSuiteOptions, LatchSuiteOptions, TestedBarrier, TestedLatch } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

const BARRIERS: readonly Broken<BarrierSuiteOptions['makeBarrier']>[] = [
  {
    what: 'it is up without being raised',
    make: (client, path) => changed(client, path, { isUp: () => Promise.resolve(true) }),
    caughtBy: 'is down at first, and lets everyone pass',
  },
  {
    what: 'nobody is held',
    make: (client, path) => changed(client, path, { wait: () => Promise.resolve() }),
    caughtBy: 'a raise that was confirmed holds who comes after it',
  },
  {
    what: 'a lowering wakes nobody',
    make: (client, path) => changed(client, path, {
      wait: async (options) => {
        if (await new Barrier(client, path).isUp()) await new Barrier(client, `${path}-other`).raise()
        await new Barrier(client, `${path}-other`).wait(options)
      },
    }),
    caughtBy: 'lets all pass when it is lowered, by whomever',
  },
  {
    what: 'it falls with its raiser',
    make: (client, path) => changed(client, path, {
      raise: async () => {
        await client.create(path, '', { mode: 'ephemeral' })
      },
    }),
    caughtBy: 'stays up when who has raised it is gone',
  },
  {
    what: 'an abort counts as a lowering',
    make: (client, path) => changed(client, path, {
      wait: (options) => new Barrier(client, path).wait(options).catch(() => undefined),
    }),
    caughtBy: 'an abort ends a wait, and nobody else notices',
  },
  {
    what: 'a wait ends with the session',
    make: (client, path) => changed(client, path, {
      wait: (options = {}) => {
        const controller = new AbortController()
        client.onState(({ status }) => {
          if (status !== 'connected') controller.abort()
        })
        return new Barrier(client, path).wait({ ...options, signal: controller.signal })
      },
    }),
    caughtBy: 'goes on waiting when the session of who waits ends',
  },
]

function changed(client: Client, path: string, changes: Partial<TestedBarrier>): TestedBarrier {
  const barrier = new Barrier(client, path)
  return {
    raise: () => barrier.raise(),
    lower: () => barrier.lower(),
    wait: (options) => barrier.wait(options),
    isUp: () => barrier.isUp(),
    ...changes,
  }
}

const sound: BarrierSuiteOptions['makeBarrier'] = (client, path) => new Barrier(client, path)

bites('barrier', BARRIERS, sound, (engine, makeBarrier) => {
  return collectedCases((runner) => {
    barrierSuite(runner, { ...engine, makeBarrier })
  })
})

const LATCHES: readonly Broken<LatchSuiteOptions['makeLatch']>[] = [
  {
    what: 'it opens one too early',
    make: (client, path, count) => changedLatch(client, path, count, {
      wait: async (options) => {
        const latch = new CountDownLatch(client, path, { count })
        if ((await latch.remaining()) > 1) await latch.wait(options)
      },
    }),
    caughtBy: 'opens when everything is done, and not before',
  },
  {
    what: 'an id counts each time',
    make: (client, path, count) => changedLatch(client, path, count, {
      countDown: () => new CountDownLatch(client, path, { count }).countDown(),
    }),
    caughtBy: 'counts an id once, whoever says it',
  },
  {
    what: 'counts end with their client',
    make: (client, path, count) => changedLatch(client, path, count, {
      countDown: async () => {
        await new CountDownLatch(client, path, { count }).wait({ waitMs: 0 }).catch(() => undefined)
        await client.create(`${path}/ours`, '', { mode: 'ephemeral' })
      },
    }),
    caughtBy: 'keeps what was counted when its client is gone',
  },
  {
    what: 'a removal removes nothing',
    make: (client, path, count) => changedLatch(client, path, count, { remove: () => Promise.resolve(true) }),
    caughtBy: 'is as new when it was removed',
  },
]

function changedLatch(client: Client, path: string, count: number, changes: Partial<TestedLatch>): TestedLatch {
  const latch = new CountDownLatch(client, path, { count })
  return {
    countDown: (options) => latch.countDown(options),
    wait: (options) => latch.wait(options),
    remaining: () => latch.remaining(),
    remove: () => latch.remove(),
    ...changes,
  }
}

const soundLatch: LatchSuiteOptions['makeLatch'] = (client, path, count) => new CountDownLatch(client, path, { count })

bites('latch', LATCHES, soundLatch, (engine, makeLatch) => {
  return collectedCases((runner) => {
    latchSuite(runner, { ...engine, makeLatch })
  })
})
