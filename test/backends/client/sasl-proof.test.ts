/** A client that proves who it is, before servers that do not keep to the rules. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ClientSessionOptions } from '../../../src/backends/client/options.ts'
import { openClientSession } from '../../../src/backends/client/session.ts'
import { digestServer } from '../../../src/backends/sasl/digest-md5.ts'
import { digestClient } from '../../../src/backends/sasl/digest-md5.ts'
import { scramClient } from '../../../src/backends/sasl/scram.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import type { Session } from '../../../src/core/backend.ts'
import { STAT, ScriptedDialer } from './scripted-servers.ts'
import type { ScriptedChannel } from './scripted-servers.ts'

const TIMEOUT_MS = 3_000
const EMPTY = new Uint8Array()

let dialer: ScriptedDialer
let errors: unknown[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  dialer = new ScriptedDialer(1)
  errors = []
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)
const errorOf = (opening: Promise<Session>): Promise<unknown> => {
  return opening.then(() => 'it is open', (error: unknown) => error)
}
const bytes = (text: string): Uint8Array => Buffer.from(text)

function open(options: Partial<ClientSessionOptions> = {}): Promise<Session> {
  const sasl = (): Promise<ReturnType<typeof digestClient>> => Promise.resolve(digestClient('ann', 'secret', 'c'))
  const more = { onError: (error: unknown) => void errors.push(error), sasl, ...options }
  return openClientSession(dialer, { sessionTimeoutMs: TIMEOUT_MS, ...more })
}

/** The token that the client has sent last. */
function tokenFrom({ requests }: ScriptedChannel): Uint8Array {
  const last = requests.at(-1)
  if (last?.op !== OpCode.sasl) throw new Error('it sent something else')
  return last.body.token ?? EMPTY
}

/** A server that knows the password: goes through the whole exchange. */
async function prove(channel: ScriptedChannel): Promise<void> {
  const server = digestServer('nonce', () => 'secret')
  for (let steps = 0; steps < 2; steps++) {
    await settle()
    const step = server.step(tokenFrom(channel))
    if (step.kind === 'refused') throw new Error(step.reason)
    channel.reply({ token: step.token })
  }
  await settle()
}

describe('a client that proves who it is', () => {
  it('sends nothing but tokens before the server has proved itself', async () => {
    const opening = open({ auth: [{ type: 0, scheme: 'digest', auth: bytes('a:b') }] })
    dialer.last.accept()
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2)
    expect([dialer.last.ops, dialer.last.pings]).toEqual([[OpCode.sasl], []])
    await prove(dialer.last)
    dialer.last.replyTo(-4, null)
    const session = await opening
    expect(session.state.status).toBe('connected')
    expect(dialer.last.ops).toEqual([OpCode.sasl, OpCode.sasl, OpCode.auth])
  })

  it('holds calls and watches back at a new server until that has proved itself', async () => {
    const opening = open()
    dialer.last.accept()
    await prove(dialer.last)
    const session = await opening
    const reading = session.get('/a', () => undefined)
    dialer.last.reply({ data: EMPTY, stat: STAT })
    await reading
    dialer.last.hangUp()
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 8)
    expect(dialer.channels).toHaveLength(2)
    const call = session.exists('/a')
    dialer.last.accept()
    await settle()
    expect(dialer.last.ops).toEqual([OpCode.sasl])
    await prove(dialer.last)
    expect(dialer.last.ops).toEqual([OpCode.sasl, OpCode.sasl, OpCode.setWatches, OpCode.exists])
    dialer.last.reply({ stat: STAT })
    expect(await call).toMatchObject({ version: 5 })
  })

  it.each([
    ['proves nothing', { token: bytes('rspauth=0') }, 0, /its proof is wrong/],
    ['says that all is well', { token: null }, 0, /does not know this client/],
    ['refuses', null, -115, /NO_AUTH \(-115\)/],
    ['asks for more', { token: bytes('nonce="n"') }, 0, /its proof is wrong/],
    ['sends a long token', { token: new Uint8Array(5_000) }, 0, /5000 bytes/],
  ])('leaves a server that %s instead of proving itself', async (_what, body, err, message) => {
    const opening = errorOf(open())
    dialer.last.accept()
    await settle()
    dialer.last.reply({ token: bytes('nonce="n",algorithm=md5-sess') })
    await settle()
    dialer.last.reply(body, { err })
    await settle()
    const error = await opening
    expect(error).toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
    expect(String(error)).toMatch(message)
    expect(dialer.last.isClosed).toBe(true)
    expect(dialer.channels).toHaveLength(1)
  })

  it('gives up an exchange that has no end', async () => {
    const begin = { begin: () => EMPTY, answer: () => Promise.resolve(EMPTY) }
    const opening = errorOf(open({ sasl: () => Promise.resolve(begin) }))
    dialer.last.accept()
    for (let steps = 0; steps < 4; steps++) {
      await settle()
      dialer.last.reply({ token: EMPTY })
    }
    await settle()
    expect(await opening).toMatchObject({ code: 'NO_AUTH' })
    expect(dialer.last.requests).toHaveLength(4)
  })

  it('leaves a server that asks for very many rounds, at once', async () => {
    const opening = errorOf(open({ sasl: () => Promise.resolve(scramClient('ann', 'secret', 'c')) }))
    dialer.last.accept()
    await settle()
    dialer.last.reply({ token: bytes('r=cs,s=c2FsdA==,i=2147483647') })
    await settle()
    expect(String(await opening)).toMatch(/2147483647 rounds/)
  })

  it('leaves a server that says nothing, or sends what nobody asked for, and tries the next one', async () => {
    dialer = new ScriptedDialer(3)
    const opening = open()
    dialer.last.accept()
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 3 + 1)
    expect(dialer.channels).toHaveLength(2)
    dialer.last.accept()
    await settle()
    dialer.last.replyTo(12_345, null)
    await settle()
    expect(dialer.channels).toHaveLength(3)
    dialer.last.accept()
    await prove(dialer.last)
    expect((await opening).state.status).toBe('connected')
  })

  it('says why, if its password cannot be read', async () => {
    const opening = errorOf(open({ sasl: () => Promise.reject(new Error('cannot read the password in FILE')) }))
    dialer.last.accept()
    await settle()
    expect(await opening).toMatchObject({ code: 'NO_AUTH' })
    expect(String(await opening)).toMatch(/cannot read the password/)
  })

  it('reports a refusal after the session is open, and goes on trying until it is over', async () => {
    const opening = open()
    dialer.last.accept()
    await prove(dialer.last)
    const session = await opening
    dialer.last.hangUp()
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 8)
    dialer.last.accept()
    await settle()
    dialer.last.reply(null, { err: -115 })
    await settle()
    expect(errors).toMatchObject([{ code: 'NO_AUTH' }])
    expect(session.state.status).toBe('suspended')
    await vi.advanceTimersByTimeAsync(2 * TIMEOUT_MS)
    expect(session.state.status).toBe('expired')
  })

  it('can be given up while it proves who it is', async () => {
    const controller = new AbortController()
    const opening = errorOf(open({ signal: controller.signal }))
    dialer.last.accept()
    await settle()
    controller.abort()
    expect(await opening).toMatchObject({ code: 'ABORTED' })
    dialer.last.reply({ token: bytes('nonce="n",algorithm=md5-sess') })
    await settle()
    expect(dialer.last.ops).toEqual([OpCode.sasl])
  })
})
