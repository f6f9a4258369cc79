/**
 * The suites of barriers must find what they are there to find: each of these breaks one promise, and the case that is
 * named has to say so.
 */
import type { Client } from '../../src/core/client.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { barrierSuite } from '../../src/testing/index.ts'
import type { BarrierSuiteOptions, TestedBarrier } from '../../src/testing/index.ts'
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
