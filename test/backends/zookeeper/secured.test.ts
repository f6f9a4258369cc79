/** Identities, access control lists, TLS and chroots, on a real server. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions } from '../../../src/backends/zookeeper/index.ts'
import type { Session, WatchEvent } from '../../../src/core/backend.ts'
import { connect } from '../../../src/core/connect.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { findProgram, scratchFolder } from '../../engines/process.ts'
import { startProxies } from '../../engines/proxy.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import type { ZooKeeper, ZooKeeperServer } from '../../engines/zookeeper.ts'

const NO_BYTES = new Uint8Array()
const PERSISTENT = { mode: 'persistent' } as const
const BOB: ZooKeeperOptions = { auth: [{ scheme: 'digest', auth: 'bob:secret' }] }
const EVE: ZooKeeperOptions = { auth: [{ scheme: 'digest', auth: 'eve:guess' }] }

const skipped = reasonToSkipZooKeeper()
const endings: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function open(servers: string, options: ZooKeeperOptions = {}): Promise<Session> {
  const session = await zookeeper(servers, options).open({ onError: () => undefined })
  endings.push(() => session.close())
  return session
}

/** A certificate for localhost, and the authority that signed it. */
function certificates(): { ca: string; key: string; cert: string } {
  const folder = scratchFolder('tls')
  endings.push(() => {
    folder.remove()
  })
  const at = (name: string): string => join(folder.path, name)
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe' })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...fresh, '-subj', '/CN=test authority', '-keyout', at('ca.key'), '-out', at('ca.pem'))
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', 'subjectAltName=DNS:localhost']
  openssl('req', '-x509', ...fresh, ...signed, '-subj', '/CN=localhost', '-keyout', at('key'), '-out', at('cert'))
  const read = (name: string): string => readFileSync(at(name), 'utf8')
  return { ca: read('ca.pem'), key: read('key'), cert: read('cert') }
}

/** Ends TLS in front of a port, as a proxy or a service mesh does. */
async function tlsProxy(target: number, key: string, cert: string): Promise<number> {
  const server = createServer({ key, cert }, (socket) => {
    const plain = createConnection({ port: target, host: '127.0.0.1' })
    socket.pipe(plain).pipe(socket)
    for (const [one, other] of [[socket, plain], [plain, socket]] as const) {
      one.on('error', () => undefined)
      one.on('close', () => other.destroy())
    }
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

const why = skipped === null ? '' : ` (skipped: ${skipped})`

describe.skipIf(skipped !== null)(`a ZooKeeper${why}`, () => {
  let engine: Promise<ZooKeeper> | null = null
  const started = async (): Promise<string> => (await (engine ??= startZooKeeper())).connectString
  const serverOf = async (): Promise<ZooKeeperServer | undefined> => (await (engine ??= startZooKeeper())).servers[0]
  afterAll(async () => (await engine)?.stop())

  it("lets nobody but the creator at what was made with acl 'creator'", async () => {
    const servers = await started()
    const bob = await open(servers, { ...BOB, acl: 'creator' })
    await bob.create('/bobs', NO_BYTES, PERSISTENT)
    await bob.multi([{ type: 'create', path: '/bobs/too', data: NO_BYTES, mode: 'persistent' }])
    for (const options of [{}, EVE]) {
      const other = await open(servers, options)
      await expect(other.get('/bobs')).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'rejected' })
      await expect(other.set('/bobs/too', NO_BYTES, -1)).rejects.toMatchObject({ code: 'NO_AUTH' })
    }
    const again = await open(servers, BOB)
    expect((await again.children('/bobs')).names).toEqual(['too'])
  })

  it('takes an access control list of letters', async () => {
    const servers = await started()
    const acl = [
      { permissions: 'r', scheme: 'world', id: 'anyone' },
      { permissions: 'crwda', scheme: 'auth', id: '' },
    ]
    await (await open(servers, { ...BOB, acl })).create('/readable', NO_BYTES, PERSISTENT)
    const other = await open(servers)
    expect((await other.get('/readable')).data).toHaveLength(0)
    await expect(other.set('/readable', NO_BYTES, -1)).rejects.toMatchObject({ code: 'NO_AUTH' })
  })

  it('knows a client again after each reconnect, before it does anything else', async () => {
    const server = await serverOf()
    const proxies = await startProxies([server?.port ?? 0])
    endings.push(() => proxies.stop())
    const bob = await open(proxies.connectString, { ...BOB, acl: 'creator' })
    await bob.create('/reconnected', NO_BYTES, PERSISTENT)
    const lost = new Promise<void>((resolve) => {
      bob.onState(({ status }) => {
        if (status === 'suspended') resolve()
      })
    })
    proxies.cut(bob.id)
    await lost
    expect((await bob.get('/reconnected')).stat.version).toBe(0)
  })

  it('refuses an identity of a scheme that it does not know, which the client tells without the secret', async () => {
    const opening = open(await started(), { auth: [{ scheme: 'no-such-scheme', auth: 'secret' }] })
    await expect(opening).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
    await expect(opening).rejects.not.toThrow(/secret/)
  })

  it('is a world of its own under a chroot, which is made if it is missing', async () => {
    const servers = await started()
    const [inside, outside] = [await open(`${servers}/worlds/one`), await open(servers)]
    const events: WatchEvent[] = []
    await inside.exists('/a', (event) => void events.push(event))
    const { path } = await inside.create('/a', NO_BYTES, PERSISTENT)
    expect(path).toBe('/a')
    await inside.sync('/')
    expect(events).toEqual([{ type: 'created', path: '/a' }])
    expect((await outside.children('/worlds/one')).names).toEqual(['a'])
    expect((await inside.children('/')).names).toEqual(['a'])
    await expect(inside.get('/b')).rejects.toMatchObject({ code: 'NO_NODE', path: '/b' })
    const creation = { type: 'create', path: '/a/s-', data: NO_BYTES, mode: 'persistent-sequential' } as const
    const [made] = await inside.multi([creation])
    expect(made).toMatchObject({ type: 'create', path: '/a/s-0000000000' })
    const refused = inside.multi([{ type: 'delete', path: '/none', version: -1 }])
    await expect(refused).rejects.toMatchObject({ code: 'NO_NODE', path: '/none', index: 0 })
    const watch = (event: WatchEvent): void => void events.push(event)
    await inside.get('/a', watch)
    inside.unwatch('/a', watch)
    await inside.set('/a', NO_BYTES, -1)
    await inside.sync('/')
    expect(events).toHaveLength(1)
  })

  it('carries a lock under a chroot', async () => {
    await using client = await connect(zookeeper(`${await started()}/locks-of/one`))
    await using lease = await new FairLock(client, '/orders').acquire()
    expect(lease.state).toBe('held')
  })

  it('watches nothing any more once the last watcher is gone', async () => {
    const server = await serverOf()
    const session = await open(await started())
    const watch = (): void => undefined
    await session.exists('/unwatched', watch)
    await session.children('/', watch)
    expect(await server?.ask('mntr')).toMatch(/zk_watch_count\t2/)
    session.unwatch('/unwatched', watch)
    session.unwatch('/', watch)
    await session.sync('/')
    expect(await server?.ask('mntr')).toMatch(/zk_watch_count\t0/)
  })

  const noTls = findProgram('openssl') === null ? ' (skipped: openssl is not installed)' : ''
  it.skipIf(noTls !== '')(`is reached by TLS, if its certificate is for the host${noTls}`, async () => {
    const server = await serverOf()
    const { ca, key, cert } = certificates()
    const port = await tlsProxy(server?.port ?? 0, key, cert)
    const session = await open(`localhost:${port}`, { tls: { ca } })
    expect((await session.children('/')).names).toContain('zookeeper')
    await expect(open(`localhost:${port}`, { tls: true })).rejects.toThrow(/unable to verify|self.signed/i)
    await expect(open(`127.0.0.1:${port}`, { tls: { ca } })).rejects.toThrow(/does not match certificate/)
    await expect(open(`127.0.0.1:${server?.port}`, { tls: { ca }, connectTimeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'CONNECTION_LOSS',
    })
    await expect(open(`localhost:${port}`, { connectTimeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'CONNECTION_LOSS',
    })
  })
})

describe.skipIf(skipped !== null)(`a ZooKeeper without extended types${why}`, () => {
  it('says that it has no time to live', async () => {
    const engine = await startZooKeeper({ properties: { 'zookeeper.extendedTypesEnabled': 'false' } })
    endings.push(() => engine.stop())
    const backend = zookeeper(engine.connectString)
    const session = await backend.open({ onError: () => undefined })
    endings.push(() => session.close())
    expect(backend.capabilities).toMatchObject({ containers: true, ttlGranularityMs: null, acl: true })
    const options = { mode: 'persistent-with-ttl', ttlMs: 1000 } as const
    await expect(session.create('/ttl', NO_BYTES, options)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect((await session.children('/zookeeper')).names).toEqual(['config', 'quota'])
  })
})
