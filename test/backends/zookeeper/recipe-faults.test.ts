/** The promises that recipes keep on ZooKeeper while it fails: docs/guarantees.md names these tests. */
import { connect } from '../../../src/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { Client } from '../../../src/index.ts'
import { startProxies } from '../../engines/proxy.ts'
import type { Proxies } from '../../engines/proxy.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import type { ZooKeeper } from '../../engines/zookeeper.ts'
import { cutOff, cutOften, freezeTwice, recipeFaults, SESSION_TIMEOUT_MS } from '../recipe-faults.ts'
import type { StruckEngine } from '../recipe-faults.ts'

type Strike = (clients: readonly Client[], engine: ZooKeeper, proxies: Proxies) => Promise<void>

const options = { skipped: reasonToSkipZooKeeper() }
const ignore = (): void => undefined

/** Servers behind proxies. */
async function servers(count: 1 | 3, strike: Strike): Promise<StruckEngine> {
  const engine = await startZooKeeper({ servers: count })
  const proxies = await startProxies(engine.servers.map(({ port }) => port))
  const backend = zookeeper(proxies.connectString)
  return {
    connect: () => connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: ignore }),
    strike: (clients) => strike(clients, engine, proxies),
    close: async () => {
      await proxies.stop()
      await engine.stop()
    },
  }
}

recipeFaults('ZooKeeper: connections are cut in the middle of requests', () => {
  return servers(1, (clients, _, proxies) => cutOften(clients, () => proxies.cutAll()))
}, options)

recipeFaults('ZooKeeper: a client is cut off for longer than its session time-out', () => {
  return servers(1, ([client], _, proxies) => cutOff(client, (sessionId) => proxies.isolate(sessionId)))
}, options)

recipeFaults('ZooKeeper: the server is frozen for twice the session time-out', () => {
  return servers(1, (_, { servers: [server] }) => freezeTwice(() => server?.freeze(), () => server?.thaw()))
}, options)

recipeFaults('ZooKeeper: the server is killed and started again', () => {
  return servers(1, async (_, { servers: [server] }) => {
    await server?.kill()
    await server?.start()
  })
}, options)

recipeFaults('ZooKeeper: the leader of three is killed', () => {
  return servers(3, async (_, engine) => (await engine.leader()).kill())
}, options)
