/** Other tools of etcd on our keys: `etcdctl`, authentication, TLS. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { connect, FairLock } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { etcd } from '../../../src/backends/etcd/index.ts'
import { eventually, within } from '../../../src/testing/conformance/expect.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'
import { findProgram, reasonToSkip } from '../../engines/process.ts'

const PATIENCE_MS = 30_000
const ctlMissing = reasonToSkip('etcdctl', findProgram('etcdctl') !== null)
const missing = etcdMissing ?? ctlMissing
const ignore = (): void => undefined

async function withEtcd(flags: readonly string[], body: (cluster: EtcdCluster) => Promise<void>): Promise<void> {
  const cluster = await startEtcd(1, { flags })
  try {
    await body(cluster)
  } finally {
    await cluster.close()
  }
}

async function etcdctl(cluster: EtcdCluster, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, ETCDCTL_API: '3' }
  const all = [`--endpoints=${cluster.urls.join()}`, ...args]
  return (await promisify(execFile)('etcdctl', all, { env })).stdout
}

const reason = missing === null ? '' : ` (skipped: ${missing})`

describe.skipIf(missing !== null)(`etcd beside its own tools${reason}`, () => {
  it('shows locks, their holders and their order to etcdctl, which can also end a session', async () => {
    await withEtcd([], async (cluster) => {
      const [holder, waiter] = [await connect(etcd(cluster.urls)), await connect(etcd(cluster.urls))]
      const lease = await new FairLock(holder, '/locks/orders').acquire()
      const waiting = new FairLock(waiter, '/locks/orders').acquire({ data: 'second' })
      await eventually(
        async () => (await holder.children('/locks/orders')).names.length === 2,
        'both are in line',
        PATIENCE_MS,
      )
      const range = '/quorate/nodes/3/locks/orders/'
      const inOrder = ['get', '--prefix', '--keys-only', '--sort-by=CREATE', range]
      const keys = (await etcdctl(cluster, ...inOrder)).split('\n').filter(Boolean)
      expect(keys).toHaveLength(2)
      expect(keys[0]).toMatch(/^\/quorate\/nodes\/3\/locks\/orders\/_c_.*-lock-0000000000$/)
      const fields = await etcdctl(cluster, 'get', '--write-out=fields', keys[1] ?? '')
      expect(fields).toMatch(/"Value" : "quorate1 ephemeral 0 \d+ \d+ 0\\nsecond"/)
      expect(fields).toContain(`"Lease" : ${waiter.sessionId}`)
      expect(fields).toMatch(/"CreateRevision" : \d+/)
      const id = holder.sessionId?.toString(16) ?? ''
      expect(await etcdctl(cluster, 'get', '--prefix', '--keys-only', '/quorate/sessions/')).toContain(id)
      await etcdctl(cluster, 'lease', 'revoke', id)
      const next = await within(waiting, 'the wait', PATIENCE_MS)
      expect([next.token > lease.token, lease.state]).toEqual([true, 'lost'])
      await Promise.all([holder.close(), waiter.close()])
      expect(await etcdctl(cluster, 'get', '--prefix', '--keys-only', range)).toBe('')
    })
  })

  it('refuses a wrong password, and goes on with a new token when a restart has made the old one invalid', async () => {
    await withEtcd([], async (cluster) => {
      await etcdctl(cluster, 'user', 'add', 'root:secret')
      await etcdctl(cluster, 'user', 'add', 'app:word')
      await etcdctl(cluster, 'role', 'add', 'app')
      await etcdctl(cluster, 'role', 'grant-permission', 'app', 'readwrite', '--prefix=true', '/app/')
      await etcdctl(cluster, 'user', 'grant-role', 'app', 'app')
      await etcdctl(cluster, 'user', 'grant-role', 'root', 'root')
      await etcdctl(cluster, 'auth', 'enable')
      const open = (prefix: string, password: string): Promise<Client> => {
        const backend = etcd(cluster.urls, { prefix, user: 'app', password })
        return connect(backend, { onError: ignore, connectTimeoutMs: PATIENCE_MS })
      }
      await expect(open('/app', 'wrong')).rejects.toMatchObject({ code: 'NO_AUTH' })
      await expect(open('/other', 'word')).rejects.toMatchObject({ code: 'NO_AUTH' })
      const client = await open('/app', 'word')
      await client.create('/n', 'a')
      const events: string[] = []
      await client.get('/n', { watch: ({ type }) => void events.push(type) })
      await cluster.kill(0)
      await cluster.restart(0)
      await within(client.sync(), 'a sync behind the restart', PATIENCE_MS)
      await within(client.set('/n', 'b'), 'a write behind the restart', PATIENCE_MS)
      await eventually(() => events.length === 1, 'the watch fires behind the restart', PATIENCE_MS)
      await client.close()
    })
  })

  it('speaks TLS with an authority of its own, and not without it', async () => {
    await withEtcd(['--auto-tls'], async (cluster) => {
      const ca = readFileSync(cluster.certificate ?? '')
      const client = await connect(etcd(cluster.urls, { tls: { ca } }))
      await client.create('/n', 'a')
      expect((await client.get('/n')).stat.version).toBe(0)
      await client.close()
      const attempt = connect(etcd(cluster.urls), { connectTimeoutMs: 500, onError: ignore })
      await expect(attempt).rejects.toMatchObject({ code: 'TIMEOUT' })
    })
  })
})
