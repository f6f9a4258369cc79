/**
 * A client that proves who it is by SASL, to each server that it is attached to, before anything else: nothing of the
 * application, no watch and no ping is sent before the server has proved that it knows the password too.
 *
 * Limits    the exchange belongs to the attempt to connect, and has to be over in its time; so many tokens, each short.
 */
import { isCoordinationError } from '../../core/errors.ts'
import type { CoordinationError } from '../../core/errors.ts'
import { TOKEN_BYTES_MAX, saslError } from '../sasl/mechanism.ts'
import type { ClientExchange } from '../sasl/mechanism.ts'
import { Err, OpCode, errorCodeOf } from '../wire/codes.ts'
import type { ConnectResponse, Reply } from '../wire/records.ts'
import type { Connection } from './connection.ts'
import type { IntroductionRefusal } from './introductions.ts'

/** Tokens of one exchange: a server that wants more is not asking for a proof. */
const TOKENS_MAX = 4

/** Begins an exchange with one server; rejects if the password cannot be read. */
export type BeginExchange = () => Promise<ClientExchange>

/** An exchange with the present server. */
interface UnderWay {
  readonly connection: Connection
  /** The server's word on the session. */
  readonly response: ConnectResponse
  /** Null until it has begun. */
  exchange: ClientExchange | null
  /** The number of the token that has no answer yet; null while the next one is made. */
  xid: number | null
  tokens: number
}

/** Told that an exchange is over. Null: the server has proved itself too, and the session may be attached. */
export type SaslEnd = (connection: Connection, response: ConnectResponse, refusal: IntroductionRefusal | null) => void

/** The proofs of one session. */
export class SaslProof {
  readonly #begin: BeginExchange | null
  readonly #nextXid: () => number
  readonly #done: SaslEnd
  #underWay: UnderWay | null = null

  /**
   * Makes the proofs of a session.
   *
   * @param begin - null if it proves nothing
   * @param nextXid - gives the number of a request
   */
  constructor(begin: BeginExchange | null, nextXid: () => number, done: SaslEnd) {
    this.#begin = begin
    this.#nextXid = nextXid
    this.#done = done
  }

  /** Whether the server of this connection has given a session, and has not proved itself yet. */
  isUnderWay(connection: Connection): boolean {
    return this.#underWay?.connection === connection
  }

  /** A server has given this connection a session. */
  begin(connection: Connection, response: ConnectResponse): void {
    const own: UnderWay = { connection, response, exchange: null, xid: null, tokens: 0 }
    this.#underWay = own
    void this.#step(own, async () => {
      own.exchange = (await this.#begin?.()) ?? null
      return own.exchange?.begin() ?? null
    })
  }

  /** Whether a reply belongs to an exchange: then it is taken. */
  takes(connection: Connection, reply: Reply): boolean {
    const own = this.#underWay
    if (own?.connection !== connection) return false
    if (own.xid === null || reply.xid !== own.xid) {
      this.#end(own, refusalOf(connection, 'it sent what was not asked for', null))
      return true
    }
    own.xid = null
    const { server } = connection
    if (reply.err !== Err.ok) {
      const reason = `${server} did not take the proof of this client: ${errorCodeOf(reply.err)} (${reply.err})`
      this.#end(own, refusalOf(connection, reason, saslError(`${reason}; are name, password and mechanism right?`)))
      return true
    }
    const token = tokenOf(reply)
    if (token === null) {
      const reason = `${server} does not know this client: SASL is not set up there, or it refused the proof`
      this.#end(own, refusalOf(connection, reason, saslError(reason)))
    } else if (token.length > TOKEN_BYTES_MAX || own.tokens >= TOKENS_MAX) {
      const reason = `${server} sent a token of ${token.length} bytes, or too many`
      this.#end(own, refusalOf(connection, reason, saslError(reason)))
    } else void this.#step(own, () => own.exchange?.answer(token) ?? Promise.resolve(null))
    return true
  }

  async #step(own: UnderWay, make: () => Promise<Uint8Array | null>): Promise<void> {
    let token: Uint8Array | null
    try {
      token = await make()
    } catch (error) {
      const failure = isCoordinationError(error) ? error : saslError(reasonOf(error))
      this.#end(own, refusalOf(own.connection, `${own.connection.server}: ${failure.message}`, failure))
      return
    }
    if (this.#underWay !== own) return
    if (token === null) {
      this.#end(own, null)
      return
    }
    own.xid = this.#nextXid()
    own.tokens += 1
    own.connection.send({ xid: own.xid, op: OpCode.sasl, body: { token } }, false)
  }

  #end(own: UnderWay, refusal: IntroductionRefusal | null): void {
    if (this.#underWay !== own) return
    this.#underWay = null
    this.#done(own.connection, own.response, refusal)
  }
}

/** The refusal of a server that serves nobody who has not proved who he is. */
export function unproved({ server }: Connection): IntroductionRefusal {
  const message = `${server} serves nobody who has not proved who he is (-124): does this client need the option sasl?`
  return { message, error: saslError(message) }
}

function refusalOf({ server }: Connection, message: string, error: CoordinationError | null): IntroductionRefusal {
  return { message: error === null ? `${server}: ${message}` : message, error }
}

function tokenOf({ body }: Reply): Uint8Array | null {
  const isOne = typeof body === 'object' && body !== null && 'token' in body && body.token instanceof Uint8Array
  return isOne ? body.token : null
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
