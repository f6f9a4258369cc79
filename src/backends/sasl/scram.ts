/**
 * SCRAM-SHA-256: each end proves to the other that it knows the password, and the server keeps none.
 *
 * Server    it keeps a verifier: salt, rounds, and two keys. Whoever steals it can guess passwords at the rate of the
 *           rounds, and cannot log in with it; a client is checked with two hashes and no rounds.
 * Client    the rounds are done in a thread of the pool. A hostile server can ask for few of them, which makes guessing
 *           cheap, or for very many: both are refused.
 * Binding   no channel is bound: let the certificate of TLS say who the server is.
 * Source    RFC 5802, RFC 7677.
 */
import { hmac, isSame, saltedPassword, sha256 } from './io/hashes.ts'
import { TOKEN_BYTES_MAX, WRONG_PROOF, namedToken, saslError } from './mechanism.ts'
import type { ClientExchange, ServerExchange, ServerStep } from './mechanism.ts'
import { prepared } from './prepared-text.ts'

/** Rounds of a new verifier. */
export const SCRAM_ROUNDS = 600_000
/** Fewest rounds, as RFC 7677 has it, and most: about a second of a core. */
export const SCRAM_ROUNDS_MIN = 4_096
export const SCRAM_ROUNDS_MAX = 2_000_000
/** Length of a key, in bytes. */
export const SCRAM_KEY_BYTES = 32
/** Longest salt, in bytes. */
export const SCRAM_SALT_BYTES_MAX = 1_024

/** No channel is bound, and nobody acts as somebody else. */
const PLAIN_HEADER = 'n,,'
const NONCE = /^[\x21-\x2b\x2d-\x7e]{1,1024}$/
const ROUNDS = /^[1-9]\d{0,9}$/

/** Stands for a password at a server. */
export interface ScramVerifier {
  readonly salt: Uint8Array
  readonly rounds: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** The keys that a client makes of a password. */
export interface ScramKeys {
  readonly clientKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** An exchange, once the server has sent its challenge. */
interface Begun {
  readonly user: string
  readonly isKnown: boolean
  readonly header: string
  readonly verifier: ScramVerifier
  readonly nonces: string
  /** The messages so far that the proofs cover. */
  readonly start: string
}

/** Makes the keys, in a thread of the pool. */
export type MakeScramKeys = (password: string, salt: Uint8Array, rounds: number) => Promise<ScramKeys>

/** See {@link MakeScramKeys}. */
export const scramKeys: MakeScramKeys = async (password, salt, count) => {
  const salted = await saltedPassword(prepared(password), salt, count, SCRAM_KEY_BYTES)
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') }
}

/** Makes the keys once for each password, salt and count of rounds, of which it keeps the last: for reconnects. */
export function rememberedScramKeys(): MakeScramKeys {
  let last: { readonly of: string; readonly keys: Promise<ScramKeys> } | null = null
  return (password, salt, count) => {
    const of = sha256(`${count} ${base64(salt)} ${password}`).toString('hex')
    if (last?.of !== of) last = { of, keys: scramKeys(password, salt, count) }
    return last.keys
  }
}

/** Makes a verifier. */
export async function scramVerifier(password: string, salt: Uint8Array, count = SCRAM_ROUNDS): Promise<ScramVerifier> {
  const { clientKey, serverKey } = await scramKeys(password, salt, count)
  return { salt, rounds: count, storedKey: sha256(clientKey), serverKey }
}

/**
 * The server's half.
 *
 * @param nonce - that nobody has had before
 * @param verifierOf - null if there is no such user
 * @param strangerOf - a verifier, the same each time, for a user that there is not: it looks like one who exists
 */
export function scramServer(
  nonce: string,
  verifierOf: (user: string) => ScramVerifier | null,
  strangerOf: (user: string) => ScramVerifier,
): ServerExchange {
  let begun: Begun | null = null
  let isOver = false
  const refused = (reason: string, user: string | null = null): ServerStep => {
    isOver = true
    return { kind: 'refused', user, reason }
  }
  return {
    step: (token) => {
      if (isOver) return refused('it goes on after the end of its exchange')
      const text = textOf(token)
      if (text === null) return refused('its token is not one of SCRAM-SHA-256')
      if (begun === null) {
        const first = firstOf(text)
        if (typeof first === 'string') return refused(first)
        const { user, header, bare, clientNonce } = first
        const known = verifierOf(user)
        const verifier = known ?? strangerOf(user)
        const answer = `r=${clientNonce}${nonce},s=${base64(verifier.salt)},i=${verifier.rounds}`
        const nonces = clientNonce + nonce
        begun = { user, isKnown: known !== null, header, verifier, nonces, start: `${bare},${answer}` }
        return { kind: 'challenge', token: Buffer.from(answer) }
      }
      const [, bare = '', binding, bothNonces = '', proof = ''] = FINAL.exec(text) ?? []
      const { user, isKnown, header, verifier, nonces, start } = begun
      if (binding !== base64(Buffer.from(header))) return refused('its final message does not fit its first')
      if (bothNonces !== nonces) return refused('its nonce is another')
      const message = `${start},${bare}`
      const clientKey = xor(bytesOf(proof), hmac(verifier.storedKey, message))
      const isProved = clientKey !== null && isSame(sha256(clientKey), verifier.storedKey)
      if (!isProved || !isKnown) return refused(WRONG_PROOF, isKnown ? user : null)
      isOver = true
      return { kind: 'proved', user, token: Buffer.from(`v=${base64(hmac(verifier.serverKey, message))}`) }
    },
  }
}

/**
 * The client's half.
 *
 * @param clientNonce - that nobody has had before
 * @param keysOf - makes the keys
 */
export function scramClient(
  user: string,
  password: string,
  clientNonce: string,
  keysOf: MakeScramKeys = scramKeys,
): ClientExchange {
  const bare = `n=${prepared(user).replace(/[=,]/g, (one) => (one === ',' ? '=2C' : '=3D'))},r=${clientNonce}`
  let signature: Uint8Array | null = null
  const answerTo = async (text: string): Promise<Uint8Array | null> => {
    if (signature !== null) {
      const [, proof = ''] = /^v=([^,]*)(?:,.*)?$/s.exec(text) ?? []
      if (isSame(bytesOf(proof), signature)) return null
      throw saslError(`the server does not know the password of ${user}: its proof is wrong`)
    }
    const { nonce, salt, count } = challengeOf(text, clientNonce)
    const { clientKey, serverKey } = await keysOf(password, salt, count)
    const final = `c=${base64(Buffer.from(PLAIN_HEADER))},r=${nonce}`
    const message = `${bare},${text},${final}`
    const proof = xor(clientKey, hmac(sha256(clientKey), message))
    signature = hmac(serverKey, message)
    return Buffer.from(`${final},p=${base64(proof ?? clientKey)}`)
  }
  return {
    begin: () => namedToken('SCRAM-SHA-256', PLAIN_HEADER + bare),
    answer: async (token) => {
      const text = textOf(token)
      if (text === null) throw saslError('the server sent what is no message of SCRAM-SHA-256')
      return answerTo(text)
    },
  }
}

const FIRST = /^([ny],(?:a=([^,]*))?,)(n=([^,]*),r=([^,]*)(?:,.*)?)$/s
const FINAL = /^(c=([^,]*),r=([^,]*)(?:,[^,]*)*?),p=([^,]*)$/s
const CHALLENGE = /^r=([^,]*),s=([^,]*),i=([^,]*)(?:,.*)?$/s

/** The parts of a client's first message, or what is wrong with it. */
function firstOf(text: string): string | Record<'user' | 'header' | 'bare' | 'clientNonce', string> {
  if (text.startsWith('p=')) return 'it wants to bind a channel'
  const [, header, actAs, bare, name = '', clientNonce = ''] = FIRST.exec(text) ?? []
  if (header === undefined || bare === undefined || !NONCE.test(clientNonce)) {
    return 'its first message is not one of SCRAM-SHA-256'
  }
  const [user, other] = [unescaped(name), unescaped(actAs ?? name)]
  if (user === null || user === '') return 'its user has no name'
  return user === other ? { user, header, bare, clientNonce } : 'it wants to act as somebody else'
}

function challengeOf(text: string, clientNonce: string): { nonce: string; salt: Uint8Array; count: number } {
  const [, nonce = '', salt = '', count = ''] = CHALLENGE.exec(text) ?? []
  if (/^(?:realm|nonce)=/.test(text)) {
    throw saslError('the server answers with DIGEST-MD5, and SCRAM-SHA-256 was asked for: name the weaker to use it')
  }
  if (!nonce.startsWith(clientNonce) || nonce.length <= clientNonce.length || !NONCE.test(nonce)) {
    throw saslError("the server's challenge is not one of SCRAM-SHA-256, or answers somebody else")
  }
  const bytes = bytesOf(salt)
  if (bytes.length === 0 || bytes.length > SCRAM_SALT_BYTES_MAX) throw saslError("the server's salt is no salt")
  const number = ROUNDS.test(count) ? Number(count) : 0
  if (number < SCRAM_ROUNDS_MIN || number > SCRAM_ROUNDS_MAX) {
    const bounds = `${SCRAM_ROUNDS_MIN} to ${SCRAM_ROUNDS_MAX}`
    throw saslError(`the server asks for ${number || 'no number of'} rounds; ${bounds} are done`)
  }
  return { nonce, salt: bytes, count: number }
}

function textOf(token: Uint8Array): string | null {
  if (token.length === 0 || token.length > TOKEN_BYTES_MAX) return null
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(token)
  } catch {
    return null
  }
}

function unescaped(name: string): string | null {
  return /=(?!2C|3D)/.test(name) ? null : name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** Bytes of text that is base64 and nothing else; none if it is not. */
function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  return base64(bytes) === text ? bytes : new Uint8Array()
}

/** Null if they are of different lengths. */
function xor(one: Uint8Array, other: Uint8Array): Uint8Array | null {
  return one.length === other.length ? one.map((byte, index) => byte ^ (other[index] ?? 0)) : null
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
