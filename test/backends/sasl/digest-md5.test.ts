/** DIGEST-MD5: the example of RFC 2831, and what each end refuses. */
import { describe, expect, it } from 'vitest'
import { digestClient, digestProof, digestServer } from '../../../src/backends/sasl/digest-md5.ts'
import type { ServerStep } from '../../../src/backends/sasl/mechanism.ts'

const EMPTY = new Uint8Array()
const PASSWORDS = new Map([['ann', 'secret'], ['günter', 'pässwort'], ['a"b\\c', 'x']])

const bytes = (text: string): Uint8Array => Buffer.from(text)
const textOf = (token: Uint8Array | null): string => Buffer.from(token ?? EMPTY).toString()

function server(nonce = 'of-the-server'): ReturnType<typeof digestServer> {
  return digestServer(nonce, (user) => PASSWORDS.get(user) ?? null)
}

/** The token of a step that is no refusal. */
function tokenOf(step: ServerStep): Uint8Array {
  if (step.kind === 'refused') throw new Error(step.reason)
  return step.token
}

async function meet(user: string, password: string): Promise<ServerStep> {
  const [one, other] = [digestClient(user, password, 'of-the-client'), server()]
  const answer = await one.answer(tokenOf(other.step(one.begin())))
  const step = other.step(answer ?? EMPTY)
  if (step.kind === 'proved') expect(await one.answer(step.token)).toBeNull()
  return step
}

describe('DIGEST-MD5', () => {
  it('proves what the example of RFC 2831 proves', () => {
    const facts = {
      user: 'chris', realm: 'elwood.innosoft.com', nonce: 'OA6MG9tEQGm2hh', clientNonce: 'OA6MHXh6VqTrRk',
      count: '00000001', quality: 'auth', uri: 'imap/elwood.innosoft.com',
    }
    expect(digestProof(facts, 'secret', 'client')).toBe('d388dad90d4bbd760a152321f2143af7')
    expect(digestProof(facts, 'secret', 'server')).toBe('ea40f60335c427b5527b84dbabcdfffd')
  })

  it.each([...PASSWORDS])('lets %j and a server know each other', async (user, password) => {
    expect(await meet(user, password)).toMatchObject({ kind: 'proved', user })
  })

  it('tells nobody whether it is the name or the password that is wrong', async () => {
    const [guess, stranger] = [await meet('ann', 'guess'), await meet('nobody', 'secret')]
    expect(guess).toMatchObject({ kind: 'refused', user: 'ann', reason: 'unknown user or wrong password' })
    expect(stranger).toMatchObject({ kind: 'refused', user: null, reason: 'unknown user or wrong password' })
  })

  it('does not take the nonce for the password of a stranger', async () => {
    expect(await meet('nobody', 'of-the-server')).toMatchObject({ kind: 'refused' })
  })

  it('takes a name and a password that are hashed as UTF-8, as pure-sasl does', () => {
    const other = server()
    other.step(EMPTY)
    const facts = {
      user: 'günter', realm: 'zk-sasl-md5', nonce: 'of-the-server', clientNonce: 'c', count: '00000001',
      quality: 'auth', uri: 'zookeeper/zk-sasl-md5',
    }
    const proof = digestProof(facts, 'pässwort', 'client', (text) => Buffer.from(text))
    const named = 'username="günter",realm="zk-sasl-md5",nonce="of-the-server",cnonce="c",nc=00000001'
    const step = other.step(bytes(`${named},qop=auth,digest-uri="zookeeper/zk-sasl-md5",response=${proof}`))
    expect(step).toMatchObject({ kind: 'proved', user: 'günter' })
  })

  it.each([
    ['nonce', /nonce="[^"]*"/, 'nonce="of-another"'],
    ['count', /nc=\d+/, 'nc=00000002'],
    ['realm', /realm="[^"]*"/, 'realm="elsewhere"'],
    ['digest-uri', /digest-uri="[^"]*"/, 'digest-uri="ldap/zk-sasl-md5"'],
    ['quality', /qop=auth/, 'qop=auth-conf'],
    ['authorization', /qop=auth/, 'qop=auth,authzid="super"'],
    ['proof', /response=\w+/, 'response=zz'],
    ['message, which has a directive twice', /qop=auth/, 'qop=auth,qop=auth'],
    ['message, which ends in a quotation', /qop=auth/, 'qop="auth'],
  ])('a server refuses another %s', async (_what, part, instead) => {
    const [one, other] = [digestClient('ann', 'secret', 'c'), server()]
    const answer = textOf(await one.answer(tokenOf(other.step(EMPTY))))
    expect(answer).toMatch(part)
    expect(other.step(bytes(answer.replace(part, instead)))).toMatchObject({ kind: 'refused' })
  })

  it('a server takes one answer, and no second one after a guess', async () => {
    const [one, other] = [digestClient('ann', 'secret', 'c'), server()]
    const answer = await one.answer(tokenOf(other.step(EMPTY)))
    expect(other.step(bytes('username="ann"'))).toMatchObject({ kind: 'refused' })
    expect(other.step(answer ?? EMPTY)).toMatchObject({ kind: 'refused' })
  })

  it('a client refuses a server that does not know the password', async () => {
    const [one, other] = [digestClient('ann', 'another', 'c'), server()]
    await one.answer(tokenOf(other.step(EMPTY)))
    const proof = bytes(`rspauth=${'0'.repeat(32)}`)
    await expect(one.answer(proof)).rejects.toMatchObject({ code: 'NO_AUTH' })
    await expect(one.answer(proof)).rejects.toThrow(/does not know the password of ann/)
  })

  it.each([
    ['nonsense', 'nonsense'],
    ['no nonce', 'realm="zk-sasl-md5",algorithm=md5-sess'],
    ['another algorithm', 'nonce="n",algorithm=md5'],
    ['encryption only', 'nonce="n",algorithm=md5-sess,qop="auth-conf"'],
    ['two nonces', 'nonce="n",nonce="m",algorithm=md5-sess'],
    ['too long a token', `nonce="${'n'.repeat(5_000)}",algorithm=md5-sess`],
  ])('a client refuses a challenge of %s', async (_what, challenge) => {
    const answer = digestClient('ann', 'secret', 'c').answer(bytes(challenge))
    await expect(answer).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
  })

  it('a client takes a challenge without qop and realm, as RFC 2831 lets a server send it', async () => {
    const answer = await digestClient('ann', 'secret', 'c').answer(bytes('nonce="n",algorithm=md5-sess'))
    expect(textOf(answer)).toMatch(/realm="zk-sasl-md5",nonce="n".*qop=auth/)
  })
})
