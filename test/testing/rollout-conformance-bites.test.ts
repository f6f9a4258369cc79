/** The suite of roll-outs finds broken ones. */
import { setImmediate } from 'node:timers/promises'
import type { Client } from '../../src/core/client.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { rolloutSuite } from '../../src/testing/index.ts'
import type { RolloutSuiteOptions, TestedRollout } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type MakeConfig = RolloutSuiteOptions['makeConfig']

const BROKEN: readonly Broken<MakeConfig>[] = [
  {
    what: 'a staged value is published for all',
    make: (client, path, id) => changed(client, path, id, (center) => ({
      publish: (value, options = {}) => center.publish(value, options.rollout === undefined ? options : {}),
    })),
    caughtBy: 'the staged value is in force where it is chosen, and everybody says which one they have',
  },
  {
    what: 'nobody says what they have',
    make: (client, path, id) => changed(client, path, id, ({ rollout }) => ({
      rollout: { ...faceOf(rollout), applied: () => Promise.resolve([]) },
    })),
    caughtBy: 'a process keeps the staged value over the end of its session, and says so again',
  },
  {
    what: 'a promotion withdraws first and publishes afterwards',
    make: (client, path, id) => changed(client, path, id, (center) => ({
      rollout: {
        ...faceOf(center.rollout),
        promote: async () => {
          const staged = await center.rollout.staged()
          await center.rollout.withdraw()
          await center.publish(staged?.value ?? 0, { force: true })
        },
      },
    })),
    caughtBy: 'a promotion brings the value to all, and nobody goes back in between',
  },
  {
    what: 'a withdrawal does nothing',
    make: (client, path, id) => changed(client, path, id, ({ rollout }) => ({
      rollout: { ...faceOf(rollout), withdraw: () => Promise.resolve() },
    })),
    caughtBy: 'a withdrawal brings back the value for all',
  },
  {
    what: 'a later publish overwrites what is staged',
    make: (client, path, id) => changed(client, path, id, (center) => ({
      publish: (value, options = {}) => center.publish(value, { ...options, staged: options.staged ?? 'withdraw' }),
    })),
    caughtBy: 'a publish for all does not touch what is staged unless it says so',
  },
  {
    what: 'others are chosen by taking the value back first',
    make: (client, path, id) => changed(client, path, id, (center) => ({
      rollout: {
        ...faceOf(center.rollout),
        select: async (selection) => {
          await center.rollout.withdraw()
          while ((await center.rollout.applied()).some(({ isStaged }) => isStaged)) await setImmediate()
          await center.publish(2, { rollout: selection })
        },
      },
    })),
    caughtBy: 'a higher percentage adds processes and takes the value back from none',
  },
  {
    what: 'a process begins with the value for all',
    make: (client, path, id) => changed(client, path, id, () => {
      const plain = new ConfigCenter<number>(client, path)
      return { ready: () => plain.ready() }
    }),
    caughtBy: 'a process that comes later begins with the staged value that is chosen for it',
  },
  {
    what: 'both of two ends are said to have taken effect',
    make: (client, path, id) => changed(client, path, id, ({ rollout }) => ({
      rollout: {
        ...faceOf(rollout),
        promote: () => rollout.promote().catch(() => undefined),
        withdraw: () => rollout.withdraw().catch(() => undefined),
      },
    })),
    caughtBy: 'of two who end a roll-out at the same time one is refused, and all have one value',
  },
]

const sound: MakeConfig = (client, path, id) => {
  return new ConfigCenter<number>(client, path, id === null ? { history: true } : { member: { id } })
}

function changed(
  client: Client,
  path: string,
  id: string | null,
  changes: (center: ConfigCenter<number>) => Partial<TestedRollout>,
): TestedRollout {
  const center = new ConfigCenter<number>(client, path, id === null ? { history: true } : { member: { id } })
  return {
    get current() {
      return center.current
    },
    ready: () => center.ready(),
    publish: (value, options) => center.publish(value, options),
    subscribe: (listener) => center.subscribe(listener),
    rollout: center.rollout,
    ...changes(center),
  }
}

function faceOf(rollout: TestedRollout['rollout']): TestedRollout['rollout'] {
  return {
    select: (selection) => rollout.select(selection),
    promote: () => rollout.promote(),
    withdraw: () => rollout.withdraw(),
    applied: () => rollout.applied(),
  }
}

bites('roll-out', BROKEN, sound, (engine, makeConfig) => {
  return collectedCases((runner) => {
    rolloutSuite(runner, { ...engine, makeConfig })
  })
})
