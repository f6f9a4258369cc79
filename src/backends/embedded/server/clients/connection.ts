/**
 * One client's connection to a server, as the server knows it.
 */
import { Fifo } from '../../../../core/fifo.ts'
import type { Reply, Request, RequestPart, ServerMessage } from '../../../wire/records.ts'
import type { SaslExchange } from '../ports.ts'
import { NO_IDENTITIES } from '../state/identities.ts'
import type { Identity } from '../state/identities.ts'
import type { Rearming } from './rearming.ts'
import { PASSWORD_BYTES } from '../state/session-table.ts'
import type { WriteOperation } from '../writes/prepare.ts'

/** Stands in an answer that has no password to tell. */
export const NO_PASSWORD: Uint8Array = new Uint8Array(PASSWORD_BYTES)

/** One connection. */
export interface Connection {
  readonly id: number
  /** Where the client is; empty if it is in this process. */
  address: string
  phase: 'new' | 'creating' | 'resuming' | 'open'
  /** Whether this server alone knows its session, and has not asked the leader to have every server know it. */
  isLocal: boolean
  /** Whether its local session was closed by its client: nothing more is taken from it. */
  isClosing: boolean
  sessionId: bigint
  passwd: Uint8Array
  timeoutMs: number
  /** The client's identities; a list is replaced, never modified. */
  identities: readonly Identity[]
  /** The exchange of SASL, which there is one of; null before it begins. */
  sasl: SaslExchange | null
  readonly pending: Fifo<Pending>
  /** The request whose parts are being done; null if there is none. */
  rearming: Rearming | null
  /** The latest sync; until it is confirmed, later writes wait to be submitted. */
  lastSync: Pending | null
  unansweredPings: number
  received: number
  sent: number
  /** Operation and number of the request that was answered last; -1 before the first. */
  lastOp: number
  lastXid: number
  lastZxid: bigint
}

/** A request that waits for its turn to be answered. */
export interface Pending {
  readonly xid: number
  readonly op: number
  /** A `sync` waits to be confirmed, a `write` to be applied; `ready` waits for nothing but those before it. */
  kind: 'ready' | 'write' | 'sync'
  /** The client's identities when it came. */
  readonly identities: readonly Identity[]
  /** The read to answer; null if it reads nothing. */
  readonly read: Request | null
  /** Its place in a request that is handled in parts; null if it is whole, or the last part. */
  readonly part: RequestPart | null
  /** The write to submit; null if it is no write. */
  readonly write: WriteOperation | null
  /** A sync's number; 0 for others. */
  readonly syncId: number
  /** The writes that are submitted when this sync is confirmed; null if it is no sync. */
  readonly waiting: Pending[] | null
  /** The error number of a request that is not even tried. */
  readonly refusal: number
  /** Whether the connection ends after the answer. */
  readonly isLast: boolean
  /** The answer of a write, once it is known. */
  answer: Reply | null
}

/** One message for a client. */
export interface ConnectionReply {
  readonly connection: number
  readonly message: ServerMessage
}

/** A connection that has said nothing yet. */
export function newConnection(id: number): Connection {
  return {
    id,
    address: '',
    phase: 'new',
    isLocal: false,
    isClosing: false,
    sessionId: 0n,
    passwd: NO_PASSWORD,
    timeoutMs: 0,
    identities: NO_IDENTITIES,
    sasl: null,
    pending: new Fifo(),
    rearming: null,
    lastSync: null,
    unansweredPings: 0,
    received: 0,
    sent: 0,
    lastOp: -1,
    lastXid: -1,
    lastZxid: 0n,
  }
}
