/** The zookeeper backend on the embedded servers' own ports: what ZooKeeper is to others, they are to it. */
import { afterAll, describe, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { BackendControl } from '../../../src/testing/index.ts'
import { freePort } from '../../engines/process.ts'
import { startProxies } from '../../engines/proxy.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'

const TICK_MS = 20
const PATIENCE_MS = 14_000

for (const servers of [1, 3]) {
  const name = `embedded with ${servers} ${servers === 1 ? 'server' : 'servers'}, over TCP`
  const ensemble = embedded({
    servers,
    tickMs: TICK_MS,
    containerCheckMs: TICK_MS,
    clientPorts: Array.from({ length: servers }, () => 0),
    maxClientCnxns: 0,
  })
  await ensemble.start()
  const proxies = await startProxies(ensemble.clientPorts)
  const backend = zookeeper(proxies.connectString)
  const control: BackendControl = {
    expire: (sessionId) => {
      ensemble.expireSession(sessionId)
    },
    disconnect: (sessionId) => {
      proxies.isolate(sessionId)
    },
    reconnect: (sessionId) => {
      proxies.admit(sessionId)
    },
    // The leader looks in every tick: see containerCheckMs.
    reap: () => undefined,
    unreachable: async () => zookeeper(`127.0.0.1:${await freePort()}`),
  }
  describe(name, () => {
    afterAll(async () => {
      await proxies.stop()
      await ensemble.close()
    })
    const subject = { backend, control, close: () => Promise.resolve() }
    const create = (): Promise<typeof subject> => Promise.resolve(subject)
    backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES, patienceMs: PATIENCE_MS })
    recipeSuites(backend, control)
  })
}
