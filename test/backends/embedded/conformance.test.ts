import { afterAll, describe, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { connect } from '../../../src/core/client.ts'
import { ExclusiveLock } from '../../../src/recipes/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/fair-lock.ts'
import { backendSuite, lockSuite } from '../../../src/testing/index.ts'
import type { BackendControl, Subject } from '../../../src/testing/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'

const ABILITIES = ['expire', 'disconnect', 'reap'] as const
const TICK_MS = 10

function controlOf(ensemble: Ensemble): BackendControl {
  return {
    expire: (sessionId) => {
      ensemble.expireSession(sessionId)
    },
    disconnect: (sessionId) => {
      ensemble.disconnectSession(sessionId)
    },
    // The leader looks in every tick: see containerCheckMs.
    reap: () => undefined,
  }
}

for (const servers of [1, 3]) {
  const create = (): Promise<Subject> => {
    const ensemble = embedded({ servers, tickMs: TICK_MS, containerCheckMs: TICK_MS })
    return Promise.resolve({ backend: ensemble, control: controlOf(ensemble), close: () => ensemble.close() })
  }
  const name = `embedded with ${servers} ${servers === 1 ? 'server' : 'servers'}`
  backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES })
}

describe('recipes on three embedded servers', () => {
  const ensemble = embedded({ servers: 3, tickMs: TICK_MS })
  const engine = { connect: () => connect(ensemble), control: controlOf(ensemble) }
  afterAll(() => ensemble.close())
  lockSuite({ describe, it }, { ...engine, name: 'FairLock', makeLock: (client, path) => new FairLock(client, path) })
  lockSuite({ describe, it }, {
    ...engine,
    name: 'ExclusiveLock',
    makeLock: (client, path) => new ExclusiveLock(client, path),
  })
})
