/**
 * The SASL mechanisms of ZooKeeper's operation `sasl`, and how a client chooses one of them.
 *
 * Choice    that operation carries tokens and no name: a server of ZooKeeper has one mechanism. An empty first token is
 *           DIGEST-MD5, as ZooKeeper's clients begin it. Any other mechanism is named: its name, a NUL, and its first
 *           message (decision 0033). Neither end falls back to another one by itself.
 * Limits    a token is short, and nothing in it makes the other end work much.
 */
import { CoordinationError } from '../../core/errors.ts'

/** A mechanism by its registered name. */
export type SaslMechanism = 'SCRAM-SHA-256' | 'DIGEST-MD5'

/** The mechanisms, the strongest first. */
export const SASL_MECHANISMS: readonly SaslMechanism[] = Object.freeze(['SCRAM-SHA-256', 'DIGEST-MD5'] as const)

/** Longest token that either end takes, in bytes. */
export const TOKEN_BYTES_MAX = 4_096

/** The client's half of one exchange. It sends first. */
export interface ClientExchange {
  /** Makes the first token. */
  begin(): Uint8Array
  /**
   * Answers a token of the server.
   *
   * @returns the next token; null if the server has proved that it knows the password, and the exchange is over
   * @throws CoordinationError `NO_AUTH` if the token breaks the rules, asks for too much, or proves nothing
   */
  answer(token: Uint8Array): Promise<Uint8Array | null>
}

/** The server's answer to one token. */
export type ServerStep =
  | { readonly kind: 'challenge'; readonly token: Uint8Array }
  /** The client has proved who it is; the token proves the server to it. */
  | { readonly kind: 'proved'; readonly user: string; readonly token: Uint8Array }
  /** The user is named only if there is one of that name: it may be a password that was typed in the wrong place. */
  | { readonly kind: 'refused'; readonly user: string | null; readonly reason: string }

/** The server's half of one exchange: it takes a token, until it has proved or refused. */
export interface ServerExchange {
  step(token: Uint8Array): ServerStep
}

/** The reason for every wrong proof, so that nobody learns which users there are. */
export const WRONG_PROOF = 'unknown user or wrong password'

const NUL = 0
const NAME = /^[A-Z0-9_-]{1,20}$/
/** The tag that the tokens of Kerberos begin with. */
const GSS_TAG = 0x60

/** The first token of a mechanism that is named. */
export function namedToken(mechanism: SaslMechanism, message: string): Uint8Array {
  return Buffer.from(`${mechanism}\0${message}`)
}

/**
 * The mechanism that a first token chooses, and the message in it.
 *
 * @returns a refusal if it is none of ours
 */
export function chosenBy(
  token: Uint8Array,
): { readonly mechanism: SaslMechanism; readonly message: Uint8Array } | { readonly refusal: string } {
  if (token.length === 0) return { mechanism: 'DIGEST-MD5', message: token }
  if (token[0] === GSS_TAG) return { refusal: 'Kerberos (GSSAPI) is not spoken here' }
  const end = token.indexOf(NUL)
  const name = end === -1 ? '' : Buffer.from(token.subarray(0, end)).toString('latin1')
  if (!NAME.test(name)) return { refusal: 'its first token names no mechanism' }
  const mechanism = SASL_MECHANISMS.find((known) => known === name)
  if (mechanism === undefined || mechanism === 'DIGEST-MD5') return { refusal: `${name} is not spoken here` }
  return { mechanism, message: token.subarray(end + 1) }
}

/** The error of a client that does not go on with an exchange. */
export function saslError(message: string): CoordinationError {
  return new CoordinationError('NO_AUTH', message, { outcome: 'not-sent' })
}
