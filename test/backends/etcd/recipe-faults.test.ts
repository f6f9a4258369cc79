/** The promises that recipes keep on etcd while it fails: docs/guarantees.md names these tests. */
import { connect } from '../../../src/index.ts'
import { etcd } from '../../../src/backends/etcd/index.ts'
import type { Client } from '../../../src/index.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'
import { cutOff, cutOften, freezeTwice, recipeFaults, SESSION_TIMEOUT_MS } from '../recipe-faults.ts'
import type { StruckEngine } from '../recipe-faults.ts'
import { proxiedEtcd } from './subject.ts'
import { startProxy } from './tcp-proxy.ts'

/** Milliseconds until a member that is gone or frozen is noticed. */
const REQUEST_MS = 1_000

type Strike = (clients: readonly Client[], cluster: EtcdCluster) => Promise<void>

const options = { skipped: etcdMissing }
const ignore = (): void => undefined

function clientOf(backend: Parameters<typeof connect>[0]): Promise<Client> {
  return connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: ignore })
}

/** Members that are reached without a proxy. */
async function members(count: number, strike: Strike): Promise<StruckEngine> {
  const cluster = await startEtcd(count)
  return {
    connect: () => clientOf(etcd(cluster.urls, { requestTimeoutMs: REQUEST_MS })),
    strike: (clients) => strike(clients, cluster),
    close: () => cluster.close(),
  }
}

recipeFaults('etcd: connections are cut in the middle of requests', async () => {
  const cluster = await startEtcd(1)
  const proxy = await startProxy(cluster.urls[0] ?? '')
  return {
    connect: () => clientOf(etcd(proxy.url)),
    strike: (clients) =>
      cutOften(clients, () => {
        proxy.cut()
        proxy.mend()
      }),
    close: async () => {
      await proxy.close()
      await cluster.close()
    },
  }
}, options)

recipeFaults('etcd: a client is cut off for longer than its session time-out', async () => {
  const cluster = await startEtcd(1)
  const proxied = proxiedEtcd(cluster, '/quorate')
  return {
    connect: () => clientOf(proxied.backend),
    strike: ([client]) => cutOff(client, (sessionId) => void proxied.control.disconnect(sessionId)),
    close: async () => {
      await proxied.close()
      await cluster.close()
    },
  }
}, options)

recipeFaults('etcd: the server is frozen for twice the session time-out', () => {
  return members(1, (_, cluster) => freezeTwice(() => cluster.freeze(0), () => cluster.thaw(0)))
}, options)

recipeFaults('etcd: the server is killed and started again', () => {
  return members(1, async (_, cluster) => {
    await cluster.kill(0)
    await cluster.restart(0)
  })
}, options)

recipeFaults('etcd: the leader of three is killed', () => {
  return members(3, async (_, cluster) => cluster.kill(await cluster.leader()))
}, options)
