/** Embedded ensembles as the conformance suites use them. */
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'
import type { BackendControl, Subject } from '../../../src/testing/index.ts'

/** Short, so that what servers do by the clock comes soon. */
export const TICK_MS = 10

/** Servers whose leader looks for empty containers in every tick. */
export function suiteEnsemble(servers: number, dataDir: string | null = null): Ensemble {
  return embedded({ servers, tickMs: TICK_MS, containerCheckMs: TICK_MS, dataDir })
}

/** The levers of an ensemble. */
export function controlOf(ensemble: Ensemble): BackendControl {
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
    // The leader looks in every tick.
    reap: () => undefined,
    unreachable: crashedEnsemble,
  }
}

/** A subject of its own. */
export function subjectOf(ensemble: Ensemble): Subject {
  return { backend: ensemble, control: controlOf(ensemble), close: () => ensemble.close() }
}

async function crashedEnsemble(): Promise<Ensemble> {
  const ensemble = embedded({ servers: 1, tickMs: TICK_MS })
  await ensemble.start()
  ensemble.crash(1)
  return ensemble
}
