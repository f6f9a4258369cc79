/** The promises of recipes on embedded servers, over TCP, while these fail: docs/guarantees.md names these tests. */
import { connect } from '../../../src/index.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { Client } from '../../../src/index.ts'
import { startProxies } from '../../engines/proxy.ts'
import type { Proxies } from '../../engines/proxy.ts'
import { cutOff, cutOften, recipeFaults, SESSION_TIMEOUT_MS } from '../recipe-faults.ts'
import type { StruckEngine } from '../recipe-faults.ts'

type Strike = (clients: readonly Client[], ensemble: Ensemble, proxies: Proxies) => Promise<void>

const ignore = (): void => undefined

/** Servers of this process, behind proxies. */
async function servers(count: number, strike: Strike): Promise<StruckEngine> {
  const clientPorts = Array.from({ length: count }, () => 0)
  const ensemble = embedded({ servers: count, clientPorts, maxClientCnxns: 0 })
  await ensemble.start()
  const proxies = await startProxies(ensemble.clientPorts)
  const backend = zookeeper(proxies.connectString)
  return {
    connect: () => connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: ignore }),
    strike: (clients) => strike(clients, ensemble, proxies),
    close: async () => {
      await proxies.stop()
      await ensemble.close()
    },
  }
}

recipeFaults('embedded: connections are cut in the middle of requests', () => {
  return servers(1, (clients, _, proxies) => cutOften(clients, () => proxies.cutAll()))
})

recipeFaults('embedded: a client is cut off for longer than its session time-out', () => {
  return servers(1, ([client], _, proxies) => cutOff(client, (sessionId) => proxies.isolate(sessionId)))
})

recipeFaults('embedded: the server is killed and started again', () => {
  return servers(1, (_, ensemble) => {
    ensemble.crash(1)
    ensemble.restart(1)
    return Promise.resolve()
  })
})

recipeFaults('embedded: the leader of three is killed', () => {
  return servers(3, (_, ensemble) => {
    ensemble.crash(ensemble.leader ?? 1)
    return Promise.resolve()
  })
})
