import { afterAll, describe, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { BackendControl, Subject } from '../../../src/testing/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'
import { namespacedSubject } from '../../testing/namespaced-subject.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'

const TICK_MS = 10

function controlOf(ensemble: Ensemble): BackendControl {
  return {
    expire: (sessionId) => {
      ensemble.expireSession(sessionId)
    },
    disconnect: (sessionId) => {
      ensemble.isolateSession(sessionId)
    },
    reconnect: (sessionId) => {
      ensemble.rejoinSession(sessionId)
    },
    // The leader looks in every tick: see containerCheckMs.
    reap: () => undefined,
    unreachable: crashedEnsemble,
  }
}

/** All of its servers are down. */
async function crashedEnsemble(): Promise<Ensemble> {
  const ensemble = embedded({ servers: 1, tickMs: TICK_MS })
  await ensemble.start()
  ensemble.crash(1)
  return ensemble
}

const subjectOf = (servers: number): Subject => {
  const ensemble = embedded({ servers, tickMs: TICK_MS, containerCheckMs: TICK_MS })
  return { backend: ensemble, control: controlOf(ensemble), close: () => ensemble.close() }
}

for (const servers of [1, 3]) {
  const create = (): Promise<Subject> => Promise.resolve(subjectOf(servers))
  const name = `embedded with ${servers} ${servers === 1 ? 'server' : 'servers'}`
  backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES })
}

backendSuite(
  { describe, it, afterAll },
  {
    name: 'embedded under a namespace',
    create: () => namespacedSubject(subjectOf(1), '/apps/shop'),
    abilities: ABILITIES,
  },
)

describe('recipes on three embedded servers', () => {
  const ensemble = embedded({ servers: 3, tickMs: TICK_MS })
  afterAll(() => ensemble.close())
  recipeSuites(ensemble, controlOf(ensemble))
})
