import { it } from 'vitest'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import { suitesThroughProxies } from '../proxied-suites.ts'

/** How often the leader looks for containers and nodes to remove, in milliseconds. */
const REAP_EVERY_MS = 50

const skipped = reasonToSkipZooKeeper()
if (skipped === null) {
  for (const servers of [1, 3] as const) {
    suitesThroughProxies(`zookeeper with ${servers} ${servers === 1 ? 'server' : 'servers'}`, async () => {
      const engine = await startZooKeeper({ servers, properties: { 'znode.container.checkIntervalMs': REAP_EVERY_MS } })
      return { ports: engine.servers.map(({ port }) => port), stop: () => engine.stop() }
    })
  }
} else {
  it.skipIf(true)(`conformance on ZooKeeper (skipped: ${skipped})`, () => undefined)
}
