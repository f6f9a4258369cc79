/**
 * Who this client is, told to each server that it is attached to before anything else; answered in order.
 *
 * Refusal   a server that does not take an identity ends the connection. For one of the application the session cannot
 *           go on as it is; one of the dialect is left out from then on.
 */
import { CoordinationError } from '../../core/errors.ts'
import type { Connection } from './connection.ts'
import { Err, OpCode, Xid, errorCodeOf } from '../wire/codes.ts'
import type { Dialect } from './dialect.ts'
import type { AuthRequest } from '../wire/records.ts'

/** A server did not take an identity. */
export interface IntroductionRefusal {
  readonly message: string
  /** For the application, if it was one of its identities. */
  readonly error: CoordinationError | null
}

type Owner = 'application' | 'dialect'

/** The introductions of one session. */
export class ClientIntroductions {
  readonly #auth: readonly AuthRequest[]
  readonly #dialect: Pick<Dialect, 'auth' | 'refused'>
  /** Whose the identities are that the present server has not answered. */
  #owed: Owner[] = []

  constructor(auth: readonly AuthRequest[], dialect: Pick<Dialect, 'auth' | 'refused'>) {
    this.#auth = auth
    this.#dialect = dialect
  }

  /** Whether the present server has taken all of them. */
  get areDone(): boolean {
    return this.#owed.length === 0
  }

  /** The session was attached by a connection. */
  begin(connection: Connection): void {
    this.#owed = []
    for (const auth of this.#auth) this.#tell(connection, auth, 'application')
    for (const auth of this.#dialect.auth) this.#tell(connection, auth, 'dialect')
  }

  /** Tells the present server of another identity of the dialect. */
  add(connection: Connection, auth: AuthRequest): void {
    this.#tell(connection, auth, 'dialect')
  }

  /** The oldest was answered. Null: it was taken. */
  answered({ server }: Connection, err: number): IntroductionRefusal | null {
    const owner = this.#owed.shift()
    if (err === Err.ok) return null
    const message = `${server} refused to know this client: ${errorCodeOf(err)} (${err})`
    if (owner === 'dialect') this.#dialect.refused()
    const error = owner === 'dialect' ? null : new CoordinationError('NO_AUTH', message, { outcome: 'not-sent' })
    return { message, error }
  }

  #tell(connection: Connection, body: AuthRequest, owner: Owner): void {
    this.#owed.push(owner)
    connection.send({ xid: Xid.auth, op: OpCode.auth, body }, false)
  }
}
