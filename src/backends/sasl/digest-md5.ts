/**
 * DIGEST-MD5, as ZooKeeper's Java client, kazoo and a server with JAAS use it: realm `zk-sasl-md5`, quality `auth`.
 *
 * Strength  it is there for those who speak nothing else: whoever hears an exchange can guess passwords at the rate of
 *           MD5, and the server has to keep what is as good as the password. Use SCRAM-SHA-256, or TLS around it.
 * Encoding  a name or a password that ISO 8859-1 can hold is hashed in it, also under charset=utf-8 (RFC 2831,
 *           2.1.2.1); pure-sasl hashes UTF-8 always, so a server takes both.
 * Source    RFC 2831; DigestMD5Server.java and DigestMD5Client.java of OpenJDK 17.
 */
import { isSame, md5 } from './io/hashes.ts'
import { TOKEN_BYTES_MAX, WRONG_PROOF, saslError } from './mechanism.ts'
import type { ClientExchange, ServerExchange, ServerStep } from './mechanism.ts'

/** The realm, which ZooKeeper calls the host of its service. */
const DIGEST_REALM = 'zk-sasl-md5'
/** The service, as the client names it. */
const DIGEST_URI = `zookeeper/${DIGEST_REALM}`
const QUALITY = 'auth'
const FIRST_COUNT = '00000001'
/** Most directives of one message. */
const DIRECTIVES_MAX = 32

/** The facts that both proofs are made of. */
export interface DigestFacts {
  readonly user: string
  readonly realm: string
  readonly nonce: string
  readonly clientNonce: string
  readonly count: string
  readonly quality: string
  readonly uri: string
  /** Whom it wants to act as; undefined if it does not say. */
  readonly authorization?: string | undefined
}

type Encode = (text: string) => Buffer

const asUtf8: Encode = (text) => Buffer.from(text)
const asLatin1IfItCan: Encode = (text) => Buffer.from(text, /^[\0-\xff]*$/.test(text) ? 'latin1' : 'utf8')

/**
 * The proof of one end.
 *
 * @param prover - whose it is
 * @param encode - how name and password are hashed
 */
export function digestProof(
  facts: DigestFacts,
  password: string,
  prover: 'client' | 'server',
  encode: Encode = asLatin1IfItCan,
): string {
  const { user, realm, nonce, clientNonce, count, quality, uri, authorization } = facts
  const secret = md5(encode(user), ':', encode(realm), ':', encode(password))
  const more = authorization === undefined ? [] : [':', authorization]
  const key = md5(secret, ':', nonce, ':', clientNonce, ...more).toString('hex')
  const what = md5(prover === 'client' ? 'AUTHENTICATE:' : ':', uri).toString('hex')
  return md5([key, nonce, count, clientNonce, quality, what].join(':')).toString('hex')
}

/**
 * The server's half.
 *
 * @param nonce - that nobody has had before
 * @param passwordOf - null if there is no such user
 */
export function digestServer(nonce: string, passwordOf: (user: string) => string | null): ServerExchange {
  let isChallenged = false
  let isOver = false
  const refused = (reason: string, user: string | null = null): ServerStep => ({ kind: 'refused', user, reason })
  return {
    step: (token) => {
      if (!isChallenged) {
        isChallenged = true
        const parts = [`realm="${DIGEST_REALM}"`, `nonce="${nonce}"`, `qop="${QUALITY}"`, 'charset=utf-8']
        return { kind: 'challenge', token: Buffer.from([...parts, 'algorithm=md5-sess'].join(',')) }
      }
      if (isOver) return refused('it goes on after the end of its exchange')
      isOver = true
      const fields = directivesOf(token)
      const facts = fields === null ? null : factsOf(fields)
      const proof = fields?.get('response') ?? ''
      if (facts === null || !/^[0-9a-f]{32}$/.test(proof)) return refused('its answer is not one of DIGEST-MD5')
      const wrong = wrongFact(facts, nonce)
      if (wrong !== null) return refused(wrong)
      const password = passwordOf(facts.user)
      // The same work, whether there is such a user or not.
      const encode = [asLatin1IfItCan, asUtf8].find((one) => {
        return isProof(digestProof(facts, password ?? nonce, 'client', one), proof)
      })
      if (password === null || encode === undefined) return refused(WRONG_PROOF, password === null ? null : facts.user)
      const answer = digestProof(facts, password, 'server', encode)
      return { kind: 'proved', user: facts.user, token: Buffer.from(`rspauth=${answer}`) }
    },
  }
}

/**
 * The client's half.
 *
 * @param clientNonce - that nobody has had before
 */
export function digestClient(user: string, password: string, clientNonce: string): ClientExchange {
  let facts: DigestFacts | null = null
  return {
    begin: () => new Uint8Array(),
    answer: (token) => {
      const fields = directivesOf(token)
      if (fields === null) return Promise.reject(saslError('the server sent what is no message of DIGEST-MD5'))
      if (facts !== null) {
        const isProved = isProof(digestProof(facts, password, 'server'), fields.get('rspauth') ?? '')
        if (isProved) return Promise.resolve(null)
        return Promise.reject(saslError(`the server does not know the password of ${user}: its proof is wrong`))
      }
      const problem = problemOf(fields)
      if (problem !== null) return Promise.reject(saslError(`the server's challenge ${problem}`))
      const realm = fields.get('realm') ?? DIGEST_REALM
      const nonce = fields.get('nonce') ?? ''
      const made = { user, realm, nonce, clientNonce, count: FIRST_COUNT, quality: QUALITY, uri: DIGEST_URI }
      facts = made
      return Promise.resolve(Buffer.from(answerText(made, digestProof(made, password, 'client'))))
    },
  }
}

/** Says what is wrong with a challenge, or null. */
function problemOf(fields: ReadonlyMap<string, string>): string | null {
  if ((fields.get('nonce') ?? '') === '') return 'has no nonce'
  if (fields.get('algorithm') !== 'md5-sess') return 'is not of the algorithm md5-sess'
  const qualities = (fields.get('qop') ?? QUALITY).split(',').map((quality) => quality.trim())
  return qualities.includes(QUALITY) ? null : 'does not offer qop=auth'
}

function answerText(facts: DigestFacts, proof: string): string {
  return [
    'charset=utf-8',
    `username=${quoted(facts.user)}`,
    `realm=${quoted(facts.realm)}`,
    `nonce=${quoted(facts.nonce)}`,
    `nc=${facts.count}`,
    `cnonce=${quoted(facts.clientNonce)}`,
    `digest-uri=${quoted(facts.uri)}`,
    `qop=${facts.quality}`,
    `response=${proof}`,
  ].join(',')
}

function factsOf(fields: ReadonlyMap<string, string>): DigestFacts | null {
  const [user, nonce, clientNonce, count, uri] = ['username', 'nonce', 'cnonce', 'nc', 'digest-uri'].map((name) => {
    return fields.get(name)
  })
  if (user === undefined || nonce === undefined || clientNonce === undefined) return null
  if (count === undefined || uri === undefined) return null
  const [realm, quality] = [fields.get('realm') ?? '', fields.get('qop') ?? QUALITY]
  return { user, realm, nonce, clientNonce, count, quality, uri, authorization: fields.get('authzid') }
}

/** Says which fact is not what this server can go by, or null. */
function wrongFact(facts: DigestFacts, nonce: string): string | null {
  const { realm, uri, quality, count, authorization, user } = facts
  if (facts.nonce !== nonce || count !== FIRST_COUNT) return 'it answers another challenge'
  if (realm !== DIGEST_REALM) return `its realm is not ${DIGEST_REALM}`
  if (uri.toLowerCase() !== DIGEST_URI) return `its digest-uri is not ${DIGEST_URI}`
  if (quality !== QUALITY) return 'it asks for another quality than auth'
  return authorization === undefined || authorization === user ? null : 'it wants to act as somebody else'
}

/** The directives of a message; null if it is none. One that stands there twice makes it none. */
function directivesOf(token: Uint8Array): ReadonlyMap<string, string> | null {
  if (token.length === 0 || token.length > TOKEN_BYTES_MAX) return null
  const text = textOf(token)
  const fields = new Map<string, string>()
  const directive = /[ \t]*([a-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,[ \t,]*|$)/iy
  while (directive.lastIndex < text.length) {
    const [found, name = '', inQuotes, plain = ''] = directive.exec(text) ?? []
    if (found === undefined) return null
    const key = name.toLowerCase()
    if (fields.has(key) || fields.size >= DIRECTIVES_MAX) return null
    fields.set(key, inQuotes?.replace(/\\(.)/gs, '$1') ?? plain)
  }
  return fields
}

/** Bytes that are not UTF-8 are ISO 8859-1, which is what a message without a charset is in. */
function textOf(token: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(token)
  } catch {
    return Buffer.from(token).toString('latin1')
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

function isProof(one: string, other: string): boolean {
  return isSame(Buffer.from(one), Buffer.from(other))
}
