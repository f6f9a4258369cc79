/** The settings that a client's session is opened with. */
import type { MakeDialect } from './dialect.ts'
import type { BeginExchange } from './sasl-proof.ts'
import type { Acl, AuthRequest } from '../wire/records.ts'

/** Options of `openClientSession`. */
export interface ClientSessionOptions {
  /** The session time-out to ask for, in milliseconds; the servers may clamp it. */
  readonly sessionTimeoutMs: number
  /** Longest wait of a call for a server, in milliseconds; until the session is over by default. */
  readonly callTimeoutMs?: number
  /**
   * How long a server that answers pings may leave a call without an answer before the session leaves it, in
   * milliseconds; as long as the connection lasts by default.
   */
  readonly answerMsMax?: number
  /**
   * How long one server has to answer while the session is opened, in milliseconds; by default its share of the
   * time-out.
   */
  readonly connectTimeoutMs?: number
  /** Ends the attempt. */
  readonly signal?: AbortSignal
  /** Who this client is: told to each server before anything else; none by default. */
  readonly auth?: readonly AuthRequest[]
  /** Proves by SASL who this client is, to each server before it is told anything; absent if it proves nothing. */
  readonly sasl?: BeginExchange | undefined
  /** The access control list of every node that is created; the open one by default. */
  readonly acl?: readonly Acl[]
  /** Longest request that the servers take, in bytes; they would end the connection over a longer one. Default any. */
  readonly requestBytesMax?: number
  /** Whether a server without a majority will do, which can be read from only; false by default. */
  readonly readOnly?: boolean
  /** How to speak to the servers; as to our own by default. */
  readonly dialect?: MakeDialect
  /** Gets errors that have no caller, such as a watcher that throws or a server that breaks the protocol. */
  readonly onError: (error: unknown) => void
}
