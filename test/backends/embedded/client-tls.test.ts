/** Clients of ZooKeeper's protocol that come by TLS. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { ClientTlsOptions, Ensemble } from '../../../src/backends/embedded/index.ts'
import { limitOf } from '../../../src/backends/embedded/host/limits.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions } from '../../../src/backends/zookeeper/index.ts'
import type { Session } from '../../../src/core/backend.ts'
import { authority } from '../../support/certificates.ts'
import type { Issued } from '../../support/certificates.ts'

const HOSTS = ['localhost']
const PERSISTENT = { mode: 'persistent' } as const
const NO_BYTES = new Uint8Array()
/** Failures after which the hand-shakes of an address take turns. */
const FREE_FAILURES = 10
const FLOOD = 60
const ca = authority('clients')
const strangers = authority('strangers')
const server = ca.issue({ hosts: HOSTS })
const alice = ca.issue({ subject: [['O', 'Example, Inc.'], ['CN', 'alice']] })
const ALICE = 'CN=alice,O=Example\\, Inc.'
const bob = ca.issue({ subject: [['CN', 'bob']] })

let folder: string
let ensemble: Ensemble | null = null
const sessions: Session[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-client-tls-'))
})
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close().catch(() => undefined)))
  await ensemble?.close()
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function start(tls: Partial<ClientTlsOptions> = {}, clientPorts: readonly number[] = []): Promise<void> {
  const files = { keyStore: file('key', server.keyStore), trustStore: file('ca', ca.certificate) }
  const ports = { clientPorts, secureClientPorts: [0], clientTls: { ...files, ...tls } }
  ensemble = embedded({ servers: 1, tickMs: 20, adminPorts: [0], ...ports })
  await ensemble.start()
}

async function open(tls: ZooKeeperOptions['tls'], port = ensemble?.secureClientPorts[0]): Promise<Session> {
  const options = { tls, connectTimeoutMs: 1_000 }
  const session = await zookeeper(`localhost:${port}`, options as ZooKeeperOptions).open({ onError: () => undefined })
  sessions.push(session)
  return session
}

function tlsOf({ key, certificate }: Issued): { key: string; cert: string; ca: string } {
  return { key, cert: certificate, ca: ca.certificate }
}

/** `reads` if it may read a node whose list has only alice's certificate; otherwise the error's code. */
async function reads(session: Session): Promise<string> {
  return session.get('/hers').then(() => 'reads', (error: unknown) => String((error as { code?: string }).code))
}

describe('a client that comes by TLS', () => {
  it('is known by the subject of its certificate, which lists go by', async () => {
    await start({ superUser: 'CN=bob' })
    const hers = await open(tlsOf(alice))
    const acl = [{ permissions: 'cdrwa', scheme: 'x509', id: ALICE }]
    const maker = await zookeeper(`localhost:${ensemble?.secureClientPorts[0]}`, { tls: tlsOf(alice), acl }).open({
      onError: () => undefined,
    })
    sessions.push(maker)
    await maker.create('/hers', NO_BYTES, PERSISTENT)
    expect(await reads(hers)).toBe('reads')
    const other = await open(tlsOf(ca.issue({ subject: [['CN', 'alice']] })))
    expect(await reads(other)).toBe('NO_AUTH')
    // The one that the configuration names bypasses lists.
    expect(await reads(await open(tlsOf(bob)))).toBe('reads')
  })

  it.each([
    ['shows no certificate', { ca: ca.certificate }],
    ['shows one of another authority', { ...tlsOf(strangers.issue()) }],
    ['shows one whose time is over', tlsOf(ca.issue({ isExpired: true }))],
    ['speaks TLS 1.1', { ...tlsOf(alice), maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
    ['does not speak TLS', false],
  ] as const)('is turned away if it %s', async (_name, tls) => {
    await start()
    const refused: string[] = []
    ensemble?.onEvent(({ event }) => {
      if (event.type === 'client-refused') refused.push(event.reason)
    })
    await expect(open(tls)).rejects.toMatchObject({ code: 'CONNECTION_LOSS' })
    expect(refused.length).toBeGreaterThan(0)
    // Others are served.
    await open(tlsOf(alice))
  })

  it('may do without a certificate if none is asked for, and is then nobody', async () => {
    await start({ clientAuth: 'none' })
    const session = await open({ ca: ca.certificate })
    expect((await session.children('/')).names).toEqual(['zookeeper'])
  })

  it('may use the plain port if that speaks both, as plain clients may', async () => {
    await start({ portUnification: true }, [0])
    const port = ensemble?.clientPorts[0]
    await (await open(tlsOf(alice), port)).create('/both', NO_BYTES, PERSISTENT)
    expect((await (await open(false, port)).children('/')).names).toContain('both')
  })

  it('is told apart from plain ones in what operators see, as are those that were turned away', async () => {
    await start({ portUnification: true }, [0])
    await open(tlsOf(alice))
    await open(false, ensemble?.clientPorts[0])
    await expect(open(tlsOf(strangers.issue()))).rejects.toMatchObject({ code: 'CONNECTION_LOSS' })
    const tell = async (command: string): Promise<Record<string, unknown>> => {
      const answer = await fetch(`http://127.0.0.1:${ensemble?.adminPorts[0]}/commands/${command}`)
      return await answer.json() as Record<string, unknown>
    }
    const { connections, secure_connections: secure } = await tell('connections')
    expect([connections, secure]).toMatchObject([{ length: 1 }, { length: 1 }])
    const numbers = await tell('monitor')
    expect(numbers).toMatchObject({ non_mtls_local_conn_count: 1, non_mtls_remote_conn_count: 0 })
    expect(numbers).toMatchObject({ outstanding_tls_handshake: 0 })
    expect(numbers['auth_failed_count']).toBeGreaterThan(0)
  })

  it('sees the new certificate of the server when its file was replaced', async () => {
    await start()
    await open(tlsOf(alice))
    const next = ca.issue({ hosts: HOSTS, subject: [['CN', 'next']] })
    utimesSync(file('key', next.keyStore), 1, 1)
    const shown = (): Promise<string> => new Promise((resolve, reject) => {
      const port = ensemble?.secureClientPorts[0] ?? 0
      const socket = connectTls({ host: 'localhost', port, ...tlsOf(alice) }, () => {
        resolve(socket.getPeerCertificate().subject.CN)
        socket.destroy()
      })
      socket.on('error', reject)
    })
    await expect.poll(shown, { timeout: 20_000, interval: 200 }).toBe('next')
  })

  it('comes in beside others of its address whose hand-shakes fail, which are slowed down', async () => {
    await start()
    const port = ensemble?.secureClientPorts[0] ?? 0
    const numbers = async (): Promise<Record<string, number>> => {
      const answer = await fetch(`http://127.0.0.1:${ensemble?.adminPorts[0]}/commands/monitor`)
      return await answer.json() as Record<string, number>
    }
    /** Connects, says this, and waits until it is sent away. */
    const fail = (says: Buffer): Promise<void> => new Promise((resolve) => {
      const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.write(says))
      socket.on('error', () => undefined).on('close', () => {
        resolve()
      }).resume()
    })
    for (let i = 0; i < FREE_FAILURES; i++) await fail(Buffer.from('GET / HTTP/1.0'))
    expect((await numbers())['tls_handshakes_slowed']).toBe(0)
    // A hand-shake whose first record is none.
    const record = Buffer.from('160301000501000001ff', 'hex')
    const startMs = performance.now()
    const flood = Array.from({ length: FLOOD }, () => fail(record))
    await open(tlsOf(alice))
    await Promise.all(flood)
    const { tls_handshakes_slowed: slowed, auth_failed_count: failed } = await numbers()
    // A client that is not in after its second asks again.
    expect(slowed).toBeGreaterThan(FLOOD)
    expect(failed).toBeGreaterThanOrEqual(FREE_FAILURES + FLOOD)
    expect(performance.now() - startMs).toBeGreaterThan((FLOOD / limitOf('handshakesPerSecond')) * 900)
  })
})
