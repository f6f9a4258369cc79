/**
 * The output of a server: the work its host must do, and its status.
 */
import type { Vote } from '../../wire/packets.ts'
import type { ServerMessage } from '../../wire/records.ts'
import type { AuditRecord, AuthFailure } from './ports.ts'
import type { DurableMark, PersistOperation } from './zab/journal.ts'
import type { LinkEnd, Outgoing, SnapshotSource } from './zab/outbox.ts'

/** The work of one turn, for a host; server.ts states the order. */
export interface Ready {
  /** Servers to which a link is wanted. */
  readonly dial: readonly number[]
  readonly sendNow: readonly Outgoing[]
  readonly persist: readonly PersistOperation[]
  readonly sendAfterPersist: readonly Outgoing[]
  /** A snapshot to store beside all this, if one is due. Nothing waits for it. */
  readonly snapshot: SnapshotSource | null
  /** Messages for clients, in order, by the number of their connection. */
  readonly replies: readonly { readonly connection: number; readonly message: ServerMessage }[]
  /** Connections of clients to close, after their replies. */
  readonly close: readonly number[]
  /** Links to peers to close, after everything that is sent on them. */
  readonly closeLinks: readonly LinkEnd[]
  /** Events, for people and tests. */
  readonly events: readonly ServerEvent[]
  /** Everything up to here is durable once `persist` is. */
  readonly mark: DurableMark
  /**
   * This server is to end after this, and to start again with what its files hold up to here: what they hold after it
   * was never committed, and is applied. Null if all is well.
   */
  readonly rewindTo: bigint | null
}

/** Something in the life of a server that an operator wants to know. */
export type ServerEvent =
  | { readonly type: 'looking'; readonly round: number; readonly reason: string }
  | { readonly type: 'elected'; readonly vote: Vote; readonly supporters: readonly number[]; readonly round: number }
  | { readonly type: 'synchronised'; readonly mode: 'DIFF' | 'TRUNC' | 'SNAP'; readonly from: bigint }
  | { readonly type: 'serving'; readonly role: 'LEADING' | 'FOLLOWING' | 'OBSERVING'; readonly epoch: number }
  /** It has found no leader, and clients that say so can read here, up to this zxid. */
  | { readonly type: 'read-only'; readonly zxid: bigint }
  /** Its leader does not have what its files hold after `to`, and what it applied as it read them: it undoes that. */
  | { readonly type: 'rewinding'; readonly to: bigint; readonly applied: bigint }
  | { readonly type: 'expired'; readonly sessionId: bigint }
  /** Another configuration is in force here: the text of its servers, one per line, and its version. */
  | { readonly type: 'reconfigured'; readonly version: bigint; readonly text: string }
  /** A link to another server was closed here: too much waited to be sent on it, or it brought what cannot be read. */
  | { readonly type: 'link-dropped'; readonly peer: number; readonly reason: string }
  /** An error in what was done for one client: that client has lost its connection, or its request is refused. */
  | { readonly type: 'client-failed'; readonly sessionId: bigint; readonly error: unknown }
  /** A client got no session: its address has as many as it may have. */
  | { readonly type: 'session-refused'; readonly address: string }
  | AuditRecord
  | AuthFailure

/** The status of a server. */
export interface ServerStatus {
  /** Its id. */
  readonly myid: number
  /** Its present role. */
  readonly role: 'LOOKING' | 'LEADING' | 'FOLLOWING' | 'OBSERVING'
  /** The leader it follows, or itself; null while it is looking. */
  readonly leader: number | null
  /** Whether clients are served. */
  readonly serving: boolean
  /** Whether it has no majority, and clients that say so can read here all the same. */
  readonly readOnly: boolean
  /** Epoch of the last leader it was synchronised with. */
  readonly epoch: number
  /** zxid of the last transaction that it has applied; while it is read-only, of the last one that can be read. */
  readonly zxid: bigint
  /** zxid of the last transaction in its log. */
  readonly loggedZxid: bigint
  /** Sessions of the whole ensemble, as far as this server knows. */
  readonly sessions: number
  /** Sessions that this server alone knows. */
  readonly localSessions: number
  /** Clients that are connected here. */
  readonly connections: number
  /** Watches that are armed here. */
  readonly watches: number
  /** Nodes of the tree, as far as this server knows. */
  readonly nodes: number
}
