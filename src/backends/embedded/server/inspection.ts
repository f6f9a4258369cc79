/**
 * A view of one server for operators, as plain data.
 *
 * Cost      the numbers are at hand; each list is built lazily, in proportion to its length. Lists that can be long are
 *           built while they are read, an element at a time: a reader that takes several turns sees the elements that
 *           are there by then, and never more of them than there were at the beginning.
 */
import type { Connection } from './clients/connection.ts'
import type { Connections } from './clients/connections.ts'
import type { LearnerCounts } from './learner-counts.ts'
import type { ZxidDigest } from './state/digest-history.ts'
import type { Replica } from './state/replica.ts'
import { formatSessionId } from './state/session-table.ts'

/** One open session. */
export interface SessionInspection {
  /** `0x` and hexadecimal digits. */
  readonly id: string
  /** The negotiated time-out in milliseconds. */
  readonly timeoutMs: number
  /**
   * When it ends if nothing is heard of it, in milliseconds from now; null of one of the ensemble on a server that does
   * not lead.
   */
  readonly expiresInMs: number | null
}

/** One client that is connected to this server. */
export interface ConnectionInspection {
  /** The number that the host gave it. */
  readonly number: number
  /** The session that it has, creates or resumes, as `0x` and hexadecimal digits; `0x0` before that. */
  readonly sessionId: string
  /** The negotiated time-out in milliseconds; 0 before it is. */
  readonly timeoutMs: number
  /** Where the client is; empty if it is in this process. */
  readonly address: string
  /** Requests that are not answered yet. */
  readonly pending: number
  /** Messages that came from it. */
  readonly received: number
  /** Messages that went to it. */
  readonly sent: number
  /** Operation that was answered last, as a number of `OpCode`; -1 before the first. */
  readonly lastOp: number
  /** The client's number of the request that was answered last; -1 before the first. */
  readonly lastXid: number
  /** zxid of the last answer. */
  readonly lastZxid: bigint
}

/** A view of a leader. */
export interface LeadingInspection extends LearnerCounts {
  /** For how long it has led, in milliseconds. */
  readonly leadingMs: number
  /** Lengths of its proposals in bytes; -1 where there was none. */
  readonly proposalSizes: { readonly last: number; readonly min: number; readonly max: number }
}

/** Texts by text, in no order that means anything; can be read once. */
type Listing = Iterable<readonly [head: string, members: Iterable<string>]>

/** A view of a server. Arrays are sorted: by id, path or number. */
export interface ServerInspection {
  /** Nodes of the tree. ZooKeeper's own count is one higher: it has the root twice. */
  readonly nodes: number
  /** Ephemeral nodes. */
  readonly ephemerals: number
  /** Length of all paths and data, in characters and bytes. */
  readonly dataBytes: number
  /** Requests of all connections that are not answered yet. */
  readonly outstanding: number
  /** Watches of nodes and of children. */
  readonly watches: number
  /** Open sessions of the ensemble. */
  readonly sessions: readonly SessionInspection[]
  /** Sessions that this server alone knows; null if there can be none. */
  readonly localSessions: readonly SessionInspection[] | null
  /** How many sessions have ephemeral nodes. */
  readonly ephemeralOwners: number
  /** Paths of ephemeral nodes by session. */
  readonly ephemeralsBySession: Listing
  /** How many watches of nodes there are, of how many paths, by how many connections; none of children, as below. */
  readonly nodeWatches: { readonly count: number; readonly paths: number; readonly connections: number }
  /** Sessions that watch a node, by path; watches of children are not in it, as in ZooKeeper. */
  readonly watchesByPath: Listing
  /** Paths of watched nodes by session, likewise. */
  readonly watchesBySession: Listing
  /** Digests of the tree after some transactions, the oldest first; none where the storage keeps no digests. */
  readonly digests: readonly ZxidDigest[]
  /** Clients that are connected here. */
  readonly connections: readonly ConnectionInspection[]
  /** Null on a server that does not lead. */
  readonly leading: LeadingInspection | null
  /**
   * The zxid up to which this life of the server has seen that what is in its state is committed. A state that was read
   * from the files of a ZooKeeper goes further until there is a leader.
   */
  readonly confirmedZxid: bigint
}

/** The parts that are looked at. */
export interface Inspected {
  readonly replica: Replica
  readonly connections: Connections
  /** When a session ends if nothing is heard of it; null where that is not known. */
  readonly expiresInMs: (sessionId: bigint) => number | null
  readonly leading: LeadingInspection | null
  /** Whether the server may have sessions that it alone knows. */
  readonly hasLocalSessions: boolean
}

/** Looks at a server. */
export function inspect(inspected: Inspected): ServerInspection {
  const { replica, connections, expiresInMs, leading, hasLocalSessions } = inspected
  const { readable: state, logDigest } = replica
  const { tree } = state
  const all = (): Connection[] => [...connections.all].sort((a, b) => a.id - b.id)
  /** Null of a connection that is gone, whose watches are being cleared away. */
  const sessionOf = (connection: number): string | null => {
    const open = connections.get(connection)
    return open === undefined ? null : formatSessionId(open.sessionId)
  }
  const { watches } = connections
  return {
    nodes: tree.nodeCount,
    ephemerals: tree.ephemeralCount,
    dataBytes: tree.dataBytes,
    watches: watches.count,
    leading,
    confirmedZxid: replica.confirmedZxid,
    get outstanding() {
      return all().reduce((sum, { pending }) => sum + pending.length, 0)
    },
    get sessions() {
      return state.sessions.entries().map(([id, { timeoutMs }]) => {
        return { id: formatSessionId(id), timeoutMs, expiresInMs: expiresInMs(id) }
      })
    },
    get localSessions() {
      if (!hasLocalSessions) return null
      return connections.localSessions.all.map(({ sessionId, timeoutMs, expiresInMs: inMs }) => {
        return { id: formatSessionId(sessionId), timeoutMs, expiresInMs: inMs }
      })
    },
    ephemeralOwners: tree.ephemerals.size,
    get ephemeralsBySession() {
      return listing(tree.ephemerals, formatSessionId, String)
    },
    nodeWatches: {
      count: watches.nodeCount,
      paths: watches.nodesByPath.size,
      connections: watches.nodesByConnection.size,
    },
    get watchesByPath() {
      return listing(watches.nodesByPath, String, sessionOf)
    },
    get watchesBySession() {
      return listing(watches.nodesByConnection, sessionOf, String)
    },
    digests: logDigest?.history ?? [],
    get connections() {
      return all().map(inspectConnection)
    },
  }
}

function inspectConnection(connection: Connection): ConnectionInspection {
  const { id, sessionId, timeoutMs, address, pending, received, sent, lastOp, lastXid, lastZxid } = connection
  return {
    number: id,
    sessionId: formatSessionId(sessionId),
    timeoutMs,
    address,
    pending: pending.length,
    received,
    sent,
    lastOp,
    lastXid,
    lastZxid,
  }
}

type Members<M> = Iterable<M> & { readonly size: number }

function* listing<K, M>(
  groups: ReadonlyMap<K, Members<M>>,
  headOf: (key: K) => string | null,
  memberOf: (member: M) => string | null,
): Generator<readonly [string, Iterable<string>]> {
  for (const [key, members] of firstOf(groups, groups.size)) {
    const head = headOf(key)
    if (head !== null) yield [head, textsOf(members, memberOf)]
  }
}

function* textsOf<M>(members: Members<M>, memberOf: (member: M) => string | null): Generator<string> {
  for (const member of firstOf(members, members.size)) {
    const text = memberOf(member)
    if (text !== null) yield text
  }
}

/** Not those that are added while the others are read, without end. */
function* firstOf<T>(all: Iterable<T>, count: number): Generator<T> {
  let left = count
  for (const one of all) {
    if (left === 0) return
    left -= 1
    yield one
  }
}
