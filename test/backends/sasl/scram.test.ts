/** SCRAM-SHA-256: the example of RFC 7677, and what each end refuses. */
import { describe, expect, it } from 'vitest'
import { chosenBy } from '../../../src/backends/sasl/mechanism.ts'
import type { ServerExchange, ServerStep } from '../../../src/backends/sasl/mechanism.ts'
import { prepared } from '../../../src/backends/sasl/prepared-text.ts'
import { rememberedScramKeys, scramClient, scramKeys, scramServer } from '../../../src/backends/sasl/scram.ts'
import { scramVerifier } from '../../../src/backends/sasl/scram.ts'
import type { ScramVerifier } from '../../../src/backends/sasl/scram.ts'
import { nameProblem, readVerifierLine, verifierLine } from '../../../src/backends/sasl/verifier-line.ts'

const EMPTY = new Uint8Array()
/** The example of RFC 7677, section 3. */
const EXAMPLE = {
  user: 'user',
  password: 'pencil',
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  proof: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const textOf = (token: Uint8Array | null): string => Buffer.from(token ?? EMPTY).toString()
const stranger = (): ScramVerifier => ({ salt: bytes('salt'), rounds: 4096, storedKey: bytes('k'), serverKey: EMPTY })

async function exampleServer(): Promise<ServerExchange> {
  const verifier = await scramVerifier(EXAMPLE.password, EXAMPLE.salt, 4096)
  return scramServer(EXAMPLE.serverNonce, (user) => (user === EXAMPLE.user ? verifier : null), stranger)
}

function exampleClient(password = EXAMPLE.password): ReturnType<typeof scramClient> {
  return scramClient(EXAMPLE.user, password, EXAMPLE.clientNonce)
}

/** The first message of a client, without the name of its mechanism. */
function messageOf(token: Uint8Array): Uint8Array {
  const chosen = chosenBy(token)
  if ('refusal' in chosen) throw new Error(chosen.refusal)
  return chosen.message
}

async function meet(user: string, password: string, truth: string): Promise<ServerStep> {
  const verifier = await scramVerifier(truth, bytes('a salt of 16 b..'), 4096)
  const one = scramClient(user, password, 'of-the-client')
  const other = scramServer('of-the-server', (name) => (name === 'nobody' ? null : verifier), stranger)
  const challenge = other.step(messageOf(one.begin()))
  if (challenge.kind === 'refused') return challenge
  const step = other.step(await one.answer(challenge.token) ?? EMPTY)
  if (step.kind === 'proved') expect(await one.answer(step.token)).toBeNull()
  return step
}

describe('SCRAM-SHA-256', () => {
  it('a client sends what the example of RFC 7677 has, and knows its server', async () => {
    const client = exampleClient()
    expect(textOf(client.begin())).toBe(`SCRAM-SHA-256\0${EXAMPLE.first}`)
    expect(textOf(await client.answer(bytes(EXAMPLE.challenge)))).toBe(EXAMPLE.final)
    expect(await client.answer(bytes(EXAMPLE.proof))).toBeNull()
  })

  it('a server answers as in the example of RFC 7677', async () => {
    const server = await exampleServer()
    expect(server.step(bytes(EXAMPLE.first))).toEqual({ kind: 'challenge', token: bytes(EXAMPLE.challenge) })
    expect(server.step(bytes(EXAMPLE.final))).toEqual({ kind: 'proved', user: 'user', token: bytes(EXAMPLE.proof) })
  })

  it.each([
    ['ann', 'secret'],
    ['a,b=c', 'with,comma=and'],
    ['günter', 'pässwort \u00a0 \u2168'],
  ])('lets %j and a server know each other', async (user, password) => {
    expect(await meet(user, password, password)).toMatchObject({ kind: 'proved', user })
  })

  it('knows a password by its form, however it was typed', async () => {
    expect(await meet('ann', 'I\u00adX', '\u2168')).toMatchObject({ kind: 'proved' })
    expect(prepared('a\u00a0b')).toBe('a b')
    expect(() => prepared('a\u0007')).toThrow(TypeError)
    expect(() => prepared('\u00ad')).toThrow(TypeError)
  })

  it('tells nobody whether it is the name or the password that is wrong', async () => {
    const reason = 'unknown user or wrong password'
    expect(await meet('ann', 'guess', 'secret')).toEqual({ kind: 'refused', user: 'ann', reason })
    expect(await meet('nobody', 'secret', 'secret')).toEqual({ kind: 'refused', user: null, reason })
  })

  it.each([
    ['binding of a channel', 'p=tls-unique,,n=user,r=abc'],
    ['other identity', 'n,a=super,n=user,r=abc'],
    ['extension that must be understood', 'n,,m=x,n=user,r=abc'],
    ['nameless user', 'n,,n=,r=abc'],
    ['wrong escape in a name', 'n,,n=a=b,r=abc'],
    ['message without a nonce', 'n,,n=user'],
    ['message that is not UTF-8', '\u00ff'],
    ['empty message', ''],
    ['message that is too long', `n,,n=${'u'.repeat(5_000)},r=abc`],
  ])('a server refuses a first %s', async (_what, first) => {
    const server = await exampleServer()
    expect(server.step(Buffer.from(first, 'latin1'))).toMatchObject({ kind: 'refused', user: null })
    expect(server.step(bytes(EXAMPLE.first))).toMatchObject({ kind: 'refused' })
  })

  it.each([
    ['header', /c=biws/, 'c=eSws'],
    ['nonce', /,r=[^,]*/, ',r=rOprNGfwEbeRWgbNEkqO'],
    ['proof', /p=dH/, 'p=dI'],
    ['proof of another length', /p=.*/, 'p=AAAA'],
    ['proof that is no base64', /p=.*/, 'p=%%%'],
    ['form', /c=/, 'x='],
  ])('a server refuses a final message of another %s', async (_what, part, instead) => {
    const server = await exampleServer()
    server.step(bytes(EXAMPLE.first))
    expect(EXAMPLE.final).toMatch(part)
    expect(server.step(bytes(EXAMPLE.final.replace(part, instead)))).toMatchObject({ kind: 'refused' })
    expect(server.step(bytes(EXAMPLE.final))).toMatchObject({ kind: 'refused' })
  })

  it.each([
    ['few rounds', /i=4096/, 'i=4095'],
    ['very many rounds', /i=4096/, 'i=2147483647'],
    ['more rounds than a number holds', /i=4096/, 'i=99999999999999999999'],
    ['rounds that are no number', /i=4096/, 'i=-1'],
    ['no salt', /s=[^,]*/, 's='],
    ['a salt that is no base64', /s=[^,]*/, 's=***'],
    ['a nonce of somebody else', /r=rOpr/, 'r=xOpr'],
    ['the nonce of the client alone', /r=[^,]*/, 'r=rOprNGfwEbeRWgbNEkqO'],
  ])('a client refuses a challenge of %s, and does no rounds', async (_what, part, instead) => {
    let rounds = 0
    const client = scramClient('user', 'pencil', EXAMPLE.clientNonce, (...args) => {
      rounds += 1
      return scramKeys(...args)
    })
    const answer = client.answer(bytes(EXAMPLE.challenge.replace(part, instead)))
    await expect(answer).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
    expect(rounds).toBe(0)
  })

  it.each(['v=AAAA', 'e=other-error', 'v=', 'x', 'v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='])(
    'a client refuses the proof %s',
    async (proof) => {
      const client = exampleClient()
      await client.answer(bytes(EXAMPLE.challenge))
      await expect(client.answer(bytes(proof))).rejects.toThrow(/does not know the password of user/)
    },
  )

  it('does the rounds once for a password that it has met, salt and count alike', async () => {
    const keysOf = rememberedScramKeys()
    const first = keysOf('a', bytes('salt'), 4096)
    expect(keysOf('a', bytes('salt'), 4096)).toBe(first)
    expect(await keysOf('b', bytes('salt'), 4096)).not.toEqual(await first)
    expect(await keysOf('a', bytes('salt'), 4097)).not.toEqual(await first)
  })
})

describe('a first token', () => {
  it.each([
    ['', { mechanism: 'DIGEST-MD5' }],
    ['SCRAM-SHA-256\0n,,n=u,r=x', { mechanism: 'SCRAM-SHA-256' }],
    ['\u0060\u0082\u0001', { refusal: 'Kerberos (GSSAPI) is not spoken here' }],
    ['GSSAPI\0', { refusal: 'GSSAPI is not spoken here' }],
    ['PLAIN\0\0u\0p', { refusal: 'PLAIN is not spoken here' }],
    ['DIGEST-MD5\0', { refusal: 'DIGEST-MD5 is not spoken here' }],
    ['my password', { refusal: 'its first token names no mechanism' }],
    ['my password\0', { refusal: 'its first token names no mechanism' }],
  ])('%j chooses', (text, chosen) => {
    expect(chosenBy(Buffer.from(text, 'latin1'))).toMatchObject(chosen)
  })
})

describe('the line of a verifier', () => {
  it('comes back as it was, and has no password in it', async () => {
    const verifier = await scramVerifier('pencil', EXAMPLE.salt, 4096)
    const line = verifierLine('ann', verifier)
    expect(line).toMatch(/^ann:SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[\w+/]{43}=:[\w+/]{43}=$/)
    expect(readVerifierLine(line)).toEqual({ name: 'ann', verifier })
  })

  it.each(['', 'ann', 'ann:pencil', 'ann:SCRAM-SHA-256$1:AAAA$AAAA:AAAA', 'ann:SCRAM-SHA-256$4096:AAAA$AAAA:AAAA'])(
    'is not %j',
    (line) => {
      expect(readVerifierLine(line)).toBeNull()
    },
  )

  it('has a name that fits into it', () => {
    expect(nameProblem('ann')).toBeNull()
    for (const name of ['', 'a:b', 'a b', '#a', 'a\n', 'x'.repeat(257)]) expect(nameProblem(name)).not.toBeNull()
  })
})
