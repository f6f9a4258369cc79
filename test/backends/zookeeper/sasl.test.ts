/** A real ZooKeeper with JAAS, and our client there. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions, SaslLogin } from '../../../src/backends/zookeeper/index.ts'
import type { Session } from '../../../src/core/backend.ts'
import { connect } from '../../../src/core/connect.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { scratchFolder } from '../../engines/process.ts'
import { startProxies } from '../../engines/proxy.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import type { ZooKeeper } from '../../engines/zookeeper.ts'
import { jaasOfServer } from '../../support/jaas.ts'

const NO_BYTES = new Uint8Array()
const PERSISTENT = { mode: 'persistent' } as const
const ANN: SaslLogin = { username: 'ann', password: 'of-ann', mechanism: 'DIGEST-MD5' }
const ODD: SaslLogin = { username: 'o=d,d', password: 'a, "b\\c=', mechanism: 'DIGEST-MD5' }
const SASL_PROVIDER = 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider'

const skipped = reasonToSkipZooKeeper()
const why = skipped === null ? '' : ` (skipped: ${skipped})`
const endings: (() => Promise<unknown> | void)[] = []
const folder = scratchFolder('jaas')
const jaasFile = join(folder.path, 'jaas.conf')
const started: ZooKeeper[] = []

beforeAll(() => {
  writeFileSync(jaasFile, jaasOfServer({ ann: 'of-ann' }))
})
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})
afterAll(async () => {
  for (const engine of started) await engine.stop()
  folder.remove()
})

async function serverWith(properties: Readonly<Record<string, string>>): Promise<ZooKeeper> {
  const own = { 'java.security.auth.login.config': jaasFile, 'zookeeper.authProvider.1': SASL_PROVIDER }
  const engine = await startZooKeeper({ properties: { ...own, ...properties } })
  started.push(engine)
  return engine
}

async function open(servers: string, options: ZooKeeperOptions): Promise<Session> {
  const session = await zookeeper(servers, options).open({ onError: () => undefined })
  endings.push(() => session.close())
  return session
}

describe.skipIf(skipped !== null)(`a ZooKeeper with JAAS${why}`, () => {
  let servers: string
  beforeAll(async () => {
    servers = (await serverWith({})).connectString
  }, 60_000)

  it('knows a client by DIGEST-MD5, which knows it too', async () => {
    const acl = [{ permissions: 'cdrwa', scheme: 'sasl', id: 'ann' }]
    await (await open(servers, { sasl: ANN, acl })).create('/own', NO_BYTES, PERSISTENT)
    await expect((await open(servers, {})).get('/own')).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'rejected' })
    expect((await (await open(servers, { sasl: ANN })).get('/own')).stat.version).toBe(0)
    const creator = await open(servers, { sasl: ANN, acl: 'creator' })
    await creator.create('/creator', NO_BYTES, PERSISTENT)
    expect((await (await open(servers, { sasl: ANN })).get('/creator')).stat.version).toBe(0)
  })

  it.each([
    ['password', { ...ANN, password: 'guess' }],
    // This ZooKeeper takes a name that it does not know with the password of the user who came before.
    ['name', { ...ANN, username: 'eve', password: 'guess' }],
    ['name and a password with all that must be quoted', ODD],
  ])('refuses a wrong %s, which the client tells without it', async (_what, sasl) => {
    const opening = open(servers, { sasl })
    await expect(opening).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
    await expect(opening).rejects.not.toThrow(/guess/)
  })

  it('speaks no SCRAM-SHA-256, and a client that wants that takes nothing weaker', async () => {
    await expect(open(servers, { sasl: { username: 'ann', password: 'of-ann' } })).rejects.toThrow(
      /answers with DIGEST-MD5, and SCRAM-SHA-256 was asked for/,
    )
  })

  it('knows a client again after a reconnect, and carries its lock', async () => {
    const proxies = await startProxies([Number(servers.split(':')[1])])
    endings.push(() => proxies.stop())
    await using client = await connect(zookeeper(proxies.connectString, { sasl: ANN, acl: 'creator' }))
    await using lease = await new FairLock(client, '/locks').acquire()
    const lost = new Promise<void>((resolve) => {
      client.onState(({ status }) => {
        if (status === 'suspended') resolve()
      })
    })
    proxies.cut(client.sessionId ?? 0n)
    await lost
    await client.get('/locks')
    expect(lease.state).toBe('held')
  })
})

describe.skipIf(skipped !== null)(`a ZooKeeper that requires SASL${why}`, () => {
  it('serves a client that proves who it is, and no other', async () => {
    const { connectString } = await serverWith({ 'zookeeper.sessionRequireClientSASLAuth': 'true' })
    const ann = await open(connectString, { sasl: ANN })
    expect((await ann.children('/')).names).toEqual(['zookeeper'])
    const guess = open(connectString, { sasl: { ...ANN, password: 'guess' } })
    await expect(guess).rejects.toMatchObject({ code: 'NO_AUTH' })
    await expect(open(connectString, { connectTimeoutMs: 2_000 })).rejects.toThrow(/option sasl/)
  }, 60_000)
})
