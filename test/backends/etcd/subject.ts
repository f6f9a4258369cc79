/** The etcd backend as the suites test it: each session behind a proxy of its own, so that it can be cut off alone. */
import { etcd } from '../../../src/backends/etcd/index.ts'
import type { Backend } from '../../../src/core/backend.ts'
import type { BackendControl } from '../../../src/testing/index.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'
import { freePort } from '../../engines/process.ts'
import { startProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

/** An etcd backend for a suite, and the faults that it can inject. */
export interface ProxiedEtcd {
  readonly backend: Backend
  readonly control: Required<BackendControl>
  close(): Promise<void>
}

/** Makes a backend of a cluster. Sessions go to the members in turn, each by its own proxy to that member. */
export function proxiedEtcd(cluster: EtcdCluster, prefix: string): ProxiedEtcd {
  const proxies = new Map<bigint, TcpProxy>()
  let next = 0
  const { name, capabilities } = etcd(cluster.urls, { prefix })
  const proxyOf = (sessionId: bigint): TcpProxy => {
    const proxy = proxies.get(sessionId)
    if (proxy === undefined) throw new RangeError(`no session ${sessionId} was opened here`)
    return proxy
  }
  return {
    backend: {
      name,
      capabilities,
      open: async (options) => {
        const proxy = await startProxy(cluster.urls[next++ % cluster.urls.length] ?? '')
        try {
          const session = await etcd(proxy.url, { prefix }).open(options)
          proxies.set(session.id, proxy)
          return session
        } catch (error) {
          await proxy.close()
          throw error
        }
      },
    },
    control: {
      expire: async (sessionId) => {
        await cluster.post(0, '/v3/lease/revoke', { ID: String(sessionId) })
      },
      disconnect: (sessionId) => proxyOf(sessionId).cut(),
      reconnect: (sessionId) => proxyOf(sessionId).mend(),
      // There is nothing that etcd would have to remove: the cases ask for the refusals.
      reap: () => undefined,
      unreachable: async () => etcd(`http://127.0.0.1:${await freePort()}`, { prefix }),
    },
    close: async () => {
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    },
  }
}
