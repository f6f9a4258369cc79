import { afterAll, describe, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { BackendControl } from '../../../src/testing/index.ts'
import { freePort } from '../../engines/process.ts'
import { startProxies } from '../../engines/proxy.ts'
import type { Proxies } from '../../engines/proxy.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'

/** How often the leader looks for containers and nodes to remove, in milliseconds. */
const REAP_EVERY_MS = 50
/** A case may take four times as long, which is below the limit of a test. */
const PATIENCE_MS = 14_000

function controlOf(proxies: Proxies): BackendControl {
  return {
    expire: (sessionId) => proxies.expire(sessionId),
    disconnect: (sessionId) => {
      proxies.isolate(sessionId)
    },
    reconnect: (sessionId) => {
      proxies.admit(sessionId)
    },
    // The leader does it by itself: see REAP_EVERY_MS.
    reap: () => undefined,
    unreachable: async () => zookeeper(`127.0.0.1:${await freePort()}`),
  }
}

async function suitesOn(servers: 1 | 3): Promise<void> {
  const engine = await startZooKeeper({ servers, properties: { 'znode.container.checkIntervalMs': REAP_EVERY_MS } })
  const proxies = await startProxies(engine.servers.map(({ port }) => port))
  const backend = zookeeper(proxies.connectString)
  const control = controlOf(proxies)
  const close = (): Promise<void> => Promise.resolve()
  const name = `zookeeper with ${servers} ${servers === 1 ? 'server' : 'servers'}`
  describe(name, () => {
    afterAll(async () => {
      await proxies.stop()
      await engine.stop()
    })
    const create = (): ReturnType<Parameters<typeof backendSuite>[1]['create']> => {
      return Promise.resolve({ backend, control, close })
    }
    backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES, patienceMs: PATIENCE_MS })
    recipeSuites(backend, control)
  })
}

const skipped = reasonToSkipZooKeeper()
if (skipped === null) {
  await suitesOn(1)
  await suitesOn(3)
} else {
  it.skipIf(true)(`conformance on ZooKeeper (skipped: ${skipped})`, () => undefined)
}
