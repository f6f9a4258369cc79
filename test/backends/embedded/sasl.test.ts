/** Servers that know users by SASL, and our client there, over TCP. */
import { createHash } from 'node:crypto'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFileSync } from 'node:fs'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { EmbeddedOptions, Ensemble, EnsembleEvent } from '../../../src/backends/embedded/index.ts'
import { newSalt } from '../../../src/backends/sasl/io/nonce.ts'
import { scramVerifier } from '../../../src/backends/sasl/scram.ts'
import { verifierLine } from '../../../src/backends/sasl/verifier-line.ts'
import { FrameReader } from '../../../src/backends/wire/framing.ts'
import { Err, OpCode } from '../../../src/backends/wire/codes.ts'
import type { ServerMessage } from '../../../src/backends/wire/records.ts'
import { ClientWire } from '../../../src/backends/wire/wire.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions, SaslLogin } from '../../../src/backends/zookeeper/index.ts'
import type { Session } from '../../../src/core/backend.ts'
import { scratchFolder } from '../../engines/process.ts'
import { askPort } from '../../engines/zookeeper.ts'
import { startProxies } from '../../engines/proxy.ts'
import { jaasOfServer } from '../../support/jaas.ts'
import { memberTexts, rolesOf, startThree } from './members.ts'

const NO_BYTES = new Uint8Array()
const PERSISTENT = { mode: 'persistent' } as const
const ROUNDS = 4_096
const SCRAM: SaslLogin = { username: 'ann', password: 'of-ann' }
const DIGEST: SaslLogin = { username: 'bob', password: 'of-bob', mechanism: 'DIGEST-MD5' }

let folder: ReturnType<typeof scratchFolder>
let jaasFile: string
let verifierFile: string
const endings: (() => Promise<unknown> | void)[] = []

beforeEach(async () => {
  folder = scratchFolder('sasl')
  jaasFile = join(folder.path, 'jaas.conf')
  verifierFile = join(folder.path, 'users')
  writeFileSync(jaasFile, jaasOfServer({ bob: 'of-bob' }))
  await writeVerifiers({ ann: 'of-ann', root: 'of-root' })
})
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
  folder.remove()
})

async function writeVerifiers(users: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(users).map(async ([name, password]) => {
    return verifierLine(name, await scramVerifier(password, newSalt(), ROUNDS))
  })
  writeFileSync(verifierFile, `# users\n${(await Promise.all(lines)).join('\n')}\n`)
}

interface Running {
  readonly ensemble: Ensemble
  readonly port: number
  readonly events: EnsembleEvent['event'][]
}

async function start(options: EmbeddedOptions = {}): Promise<Running> {
  const sasl = { jaasFile, verifierFile }
  const ensemble = embedded({ servers: 1, clientPorts: [0], sasl, fourLetterWords: ['*'], ...options })
  endings.push(() => ensemble.close())
  const events: EnsembleEvent['event'][] = []
  ensemble.onEvent(({ event }) => void events.push(event))
  await ensemble.start()
  return { ensemble, port: ensemble.clientPorts[0] ?? 0, events }
}

async function open(port: number, options: ZooKeeperOptions, onError = (): void => undefined): Promise<Session> {
  const session = await zookeeper(`127.0.0.1:${port}`, options).open({ onError })
  endings.push(() => session.close())
  return session
}

const failuresOf = (events: readonly EnsembleEvent['event'][]): unknown[] => {
  return events.filter(({ type }) => type === 'auth-failed')
}

/** Messages sent as they are, on a connection that has a session. */
class Raw {
  readonly replies: ServerMessage[] = []
  isClosed = false
  readonly #socket: Socket
  readonly #wire = new ClientWire()
  readonly #reader = new FrameReader(0x100_0000)
  #wake: () => void = () => undefined

  private constructor(port: number) {
    this.#socket = createConnection({ port, host: '127.0.0.1' })
    this.#socket.on('data', (chunk) => {
      this.#reader.push(chunk, (frame) => void this.replies.push(this.#wire.decode(frame)))
      this.#wake()
    })
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
    endings.push(() => void this.#socket.destroy())
  }

  static async open(port: number): Promise<Raw> {
    const raw = new Raw(port)
    const session = { sessionId: 0n, passwd: null, timeOut: 10_000 }
    const request = { protocolVersion: 0, lastZxidSeen: 0n, readOnly: false, ...session }
    raw.#socket.write(raw.#wire.encode({ kind: 'connect', request }))
    await raw.until(() => raw.replies.length > 0)
    return raw
  }

  send(xid: number, op: number, body: unknown): void {
    this.#socket.write(this.#wire.encode({ kind: 'request', request: { xid, op, body } as never }))
  }

  end(): void {
    this.#socket.end()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.isClosed) throw new Error('the connection is closed')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async ended(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  /** The error number of the answer to a request. */
  async errOf(xid: number): Promise<number> {
    const found = (): number | undefined => {
      const errs = this.replies.flatMap((message) => {
        return message.kind === 'reply' && message.reply.xid === xid ? [message.reply.err] : []
      })
      return errs[0]
    }
    await this.until(() => found() !== undefined)
    return found() ?? 0
  }
}

describe('a server with users', () => {
  it.each([
    ['SCRAM-SHA-256', 'ann', SCRAM],
    ['DIGEST-MD5', 'bob', DIGEST],
  ])('knows a client by %s, and keeps from others what is for it alone', async (_mechanism, user, sasl) => {
    const { port } = await start()
    const acl = [{ permissions: 'cdrwa', scheme: 'sasl', id: user }]
    const session = await open(port, { sasl, acl })
    await session.create('/own', NO_BYTES, PERSISTENT)
    expect((await session.get('/own')).stat.version).toBe(0)
    const other = await open(port, { sasl: { username: 'root', password: 'of-root' } })
    await expect(other.get('/own')).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'rejected' })
    const nobody = await open(port, {})
    await expect(nobody.get('/own')).rejects.toMatchObject({ code: 'NO_AUTH' })
  })

  it('takes `creator` for who was proved', async () => {
    const { port } = await start()
    await (await open(port, { sasl: SCRAM, acl: 'creator' })).create('/own', NO_BYTES, PERSISTENT)
    await expect((await open(port, {})).get('/own')).rejects.toMatchObject({ code: 'NO_AUTH' })
    expect((await (await open(port, { sasl: SCRAM })).get('/own')).stat.version).toBe(0)
  })

  it('lets a user of superUsers do all', async () => {
    const { port } = await start({ sasl: { verifierFile, superUsers: ['root'] } })
    const acl = [{ permissions: 'r', scheme: 'sasl', id: 'ann' }]
    await (await open(port, { sasl: SCRAM, acl })).create('/hers', NO_BYTES, PERSISTENT)
    const root = await open(port, { sasl: { username: 'root', password: 'of-root' } })
    expect((await root.set('/hers', NO_BYTES, -1)).version).toBe(1)
  })

  it.each([
    ['wrong password', { ...SCRAM, password: 'guess' }, 'ann'],
    ['unknown name', { username: 'eve', password: 'guess' }, null],
    ['wrong password of DIGEST-MD5', { ...DIGEST, password: 'guess' }, 'bob'],
    ['name that the mechanism does not know', { ...DIGEST, username: 'ann', password: 'of-ann' }, null],
  ])('refuses a %s with NO_AUTH, and says so to operators without secrets', async (_what, sasl, user) => {
    const { port, events } = await start()
    const opening = open(port, { sasl })
    await expect(opening).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
    await expect(opening).rejects.toThrow(/did not take the proof of this client: NO_AUTH \(-115\)/)
    await expect(opening).rejects.not.toThrow(/guess|of-ann/)
    const reason = 'unknown user or wrong password'
    expect(failuresOf(events)).toMatchObject([{ scheme: 'sasl', address: '127.0.0.1', user, reason, isGuess: true }])
    expect(JSON.stringify(failuresOf(events), (_, value: unknown) => String(value))).not.toMatch(/guess|eve/)
    expect(await askPort(port, 'mntr')).toMatch(/zk_auth_attempts_failed_count\t1\n/)
  })

  it('offers no mechanism that it has no users for', async () => {
    const onlyScram = await start({ sasl: { verifierFile } })
    await expect(open(onlyScram.port, { sasl: DIGEST })).rejects.toMatchObject({ code: 'NO_AUTH' })
    expect(failuresOf(onlyScram.events)).toMatchObject([{ reason: /DIGEST-MD5 is not offered/ }])
    const onlyDigest = await start({ sasl: { jaasFile } })
    await expect(open(onlyDigest.port, { sasl: SCRAM })).rejects.toMatchObject({ code: 'NO_AUTH' })
    expect(failuresOf(onlyDigest.events)).toMatchObject([{ reason: /SCRAM-SHA-256 is not offered/ }])
  })

  it('without users of SASL says so, and a client that wants to prove something goes no further', async () => {
    const { port } = await start({ sasl: null })
    await expect(open(port, { sasl: SCRAM })).rejects.toThrow(/SASL is not set up there/)
  })

  it('refuses Kerberos by name', async () => {
    const { port, events } = await start()
    const raw = await Raw.open(port)
    raw.send(1, OpCode.sasl, { token: Uint8Array.of(0x60, 0x82, 1) })
    await raw.ended()
    expect(failuresOf(events)).toMatchObject([{ reason: 'Kerberos (GSSAPI) is not spoken here' }])
  })

  it('reads its files again when they are replaced, and keeps its users over files that it cannot read', async () => {
    const { port, events } = await start()
    const until = async (type: string): Promise<void> => {
      while (!events.some((event) => event.type === type)) {
        await open(port, { sasl: { ...DIGEST } })
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    await writeVerifiers({ carl: 'of-carl' })
    await until('users-loaded')
    await open(port, { sasl: { username: 'carl', password: 'of-carl' } })
    writeFileSync(verifierFile, 'dora:pass-of-dora\n')
    await until('users-kept')
    await open(port, { sasl: { username: 'carl', password: 'of-carl' } })
    const kept = events.find(({ type }) => type === 'users-kept')
    expect(kept).toMatchObject({ reason: `${verifierFile}:1: this is no line of quorate scram-user` })
  })

  it('does not start with a file that it cannot read, and does not show what stands there', () => {
    writeFileSync(verifierFile, 'ann:the-password\n')
    const make = (): unknown => embedded({ servers: 1, clientPorts: [0], sasl: { verifierFile } })
    expect(make).toThrow(`${verifierFile}:1: this is no line of quorate scram-user`)
    expect(() => embedded({ sasl: { verifierFile: join(folder.path, 'none') } })).toThrow(/cannot read the users in/)
    expect(() => embedded({ sasl: {} })).toThrow(TypeError)
    expect(() => embedded({ requiredSchemes: ['sasl'] })).toThrow(/nobody could connect/)
    expect(() => embedded({ requiredSchemes: ['world'] })).toThrow(RangeError)
  })
})

describe('a server that requires a proof', () => {
  it('does nothing for a client before, and ends its connection with -124', async () => {
    const { port, ensemble } = await start({ requiredSchemes: ['sasl'] })
    const requests: [number, unknown][] = [
      [OpCode.getChildren2, { path: '/', watch: false }],
      [OpCode.create, { path: '/a', data: NO_BYTES, acl: [], flags: 0 }],
      [OpCode.sync, { path: '/' }],
      [OpCode.whoAmI, null],
      [OpCode.closeSession, null],
    ]
    for (const [op, body] of requests) {
      const raw = await Raw.open(port)
      raw.send(7, op, body)
      raw.send(8, OpCode.exists, { path: '/', watch: false })
      expect(await raw.errOf(7)).toBe(Err.sessionClosedRequireSaslAuth)
      await raw.ended()
      expect(raw.replies).toHaveLength(2)
    }
    const own = await ensemble.open({ onError: () => undefined })
    endings.push(() => own.close())
    expect((await own.children('/')).names).toEqual(['zookeeper'])
    const ann = await open(port, { sasl: SCRAM })
    expect((await ann.children('/')).names).toEqual(['zookeeper'])
  })

  it('refuses a wrong proof with -124, and nobody stays although those who fail may', async () => {
    const sasl = { verifierFile, allowFailedClients: true }
    const { port } = await start({ requiredSchemes: ['sasl'], sasl })
    await expect(open(port, { sasl: { ...SCRAM, password: 'guess' } })).rejects.toThrow(/NO_AUTH \(-124\)/)
  })

  it('takes an identity of any scheme that it names', async () => {
    const { port } = await start({ requiredSchemes: ['sasl', 'digest'] })
    const session = await open(port, { auth: [{ scheme: 'digest', auth: 'any:body' }] })
    expect((await session.children('/')).names).toEqual(['zookeeper'])
  })
})

it('who fails stays as nobody where that is allowed, and can do no more than nobody', async () => {
  const { port } = await start({ sasl: { jaasFile, verifierFile, allowFailedClients: true } })
  const raw = await Raw.open(port)
  raw.send(1, OpCode.sasl, { token: Buffer.from('SCRAM-SHA-256\0n,,n=ann,r=abc') })
  expect(await raw.errOf(1)).toBe(Err.ok)
  raw.send(2, OpCode.sasl, { token: Buffer.from('c=biws,r=abc,p=AAAA') })
  expect(await raw.errOf(2)).toBe(Err.ok)
  raw.send(3, OpCode.whoAmI, null)
  expect(await raw.errOf(3)).toBe(Err.ok)
  const nobody = [{ authScheme: 'ip', user: '127.0.0.1' }]
  expect(raw.replies.at(-1)).toMatchObject({ reply: { body: { clientInfo: nobody } } })
})

describe('a server whose superuser somebody guesses at', () => {
  const superDigest = `root:${createHash('sha1').update('root:of-root').digest('base64')}`
  const claim = (password: string): unknown => ({ type: 0, scheme: 'digest', auth: Buffer.from(`root:${password}`) })

  it('counts each guess, and looks at the next ones later, one after another', async () => {
    const { port, events } = await start({ superDigest, sasl: null })
    const raw = await Raw.open(port)
    const startMs = performance.now()
    for (const guess of ['a', 'b', 'c']) raw.send(-4, OpCode.auth, claim(guess))
    raw.send(1, OpCode.exists, { path: '/', watch: false })
    expect(await raw.errOf(1)).toBe(Err.ok)
    // The first is not late, the second by 100 ms, the third by 200 ms more.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(300)
    const guess = { scheme: 'digest', user: 'root', reason: 'wrong password of the superuser', isGuess: true }
    expect(failuresOf(events)).toMatchObject([guess, guess, guess])
    expect(await askPort(port, 'mntr')).toMatch(/zk_auth_attempts_failed_count\t3\n/)
  })

  it('does not hold up other requests of that address', async () => {
    const { port } = await start({ superDigest })
    const [guesser, other] = [await Raw.open(port), await Raw.open(port)]
    guesser.send(-4, OpCode.auth, claim('a'))
    await guesser.until(() => guesser.replies.length === 2)
    guesser.send(-4, OpCode.auth, claim('of-root'))
    guesser.send(1, OpCode.exists, { path: '/', watch: false })
    for (let xid = 1; xid <= 20; xid++) {
      other.send(xid, OpCode.exists, { path: '/', watch: false })
      expect(await other.errOf(xid)).toBe(Err.ok)
    }
    expect(guesser.replies).toHaveLength(2)
    expect(await guesser.errOf(1)).toBe(Err.ok)
    expect(guesser.replies).toHaveLength(4)
  })

  it('does not slow down who is refused and guesses nothing', async () => {
    const { port, events } = await start({ requiredSchemes: ['sasl'] })
    const raw = await Raw.open(port)
    raw.send(1, OpCode.exists, { path: '/', watch: false })
    await raw.ended()
    expect(failuresOf(events)).toMatchObject([{ isGuess: false }])
  })

  it('forgets a connection that ends while its attempt waits', async () => {
    const { port, ensemble } = await start({ superDigest })
    const raw = await Raw.open(port)
    raw.send(-4, OpCode.auth, claim('a'))
    raw.send(-4, OpCode.auth, claim('b'))
    await raw.until(() => raw.replies.length === 2)
    raw.end()
    await raw.ended()
    await ensemble.close()
  })
})

it('a client proves who it is again after each reconnect, before anything else', async () => {
  const { port } = await start({ requiredSchemes: ['sasl'] })
  const proxies = await startProxies([port])
  endings.push(() => proxies.stop())
  const errors: unknown[] = []
  const backend = zookeeper(proxies.connectString, { sasl: SCRAM, acl: 'creator' })
  const session = await backend.open({ onError: (error) => void errors.push(error) })
  endings.push(() => session.close())
  await session.create('/own', NO_BYTES, PERSISTENT)
  for (let times = 0; times < 3; times++) {
    const lost = new Promise<void>((resolve) => {
      session.onState(({ status }) => {
        if (status === 'suspended') resolve()
      })
    })
    const events: string[] = []
    await session.get('/own', ({ type }) => void events.push(type))
    proxies.cut(session.id)
    await lost
    await session.set('/own', NO_BYTES, -1)
    expect((await session.get('/own')).stat.version).toBe(times + 1)
    expect(events).toEqual(['changed'])
  }
  expect(errors).toEqual([])
})

it('a client whose own server takes nobody proves who it is to the others, over TCP', async () => {
  const texts = await memberTexts(3)
  const more = { tickMs: 20, leaderServes: false, sasl: { verifierFile }, requiredSchemes: ['sasl'] }
  const members = await startThree(texts, { ...more, clientSasl: SCRAM })
  for (const member of members) endings.push(() => member.close())
  const [leader] = rolesOf(members)
  const failures: unknown[] = []
  for (const member of members) {
    member.onEvent(({ event }) => {
      if (event.type === 'auth-failed') failures.push(event)
    })
  }
  const session = await leader.open({ onError: () => undefined })
  endings.push(() => session.close())
  const { path } = await session.create('/a', NO_BYTES, PERSISTENT)
  expect(path).toBe('/a')
  expect(failures).toEqual([])
  const own = members.find((member) => member !== leader)
  const local = await own?.open({ onError: () => undefined })
  expect((await local?.get('/a'))?.stat.version).toBe(0)
  await local?.close()
})
