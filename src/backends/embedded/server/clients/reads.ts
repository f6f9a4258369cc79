/**
 * Answers from a server's own state: reads, and the watches that they arm at one instant with the reading.
 *
 * Rights    getData, the two getChildren and getAllChildrenNumber need READ, getACL needs READ or ADMIN; exists needs
 *           nothing, and neither does a watch. A client that a list shuts out gets no watch.
 * Limits    the length of an answer is known before it is built. One that is too long, or a watch too many of its
 *           connection, refuses the one request.
 * Paths     are looked up as they are: one that is not well formed names no node. The empty one is the root.
 * Source    FinalRequestProcessor.java of ZooKeeper 3.8.
 */
import { AddWatchMode, Err, OWN_SERVER, OpCode, Perm, WatcherType } from '../../../wire/codes.ts'
import type {
  ReadOperation,
  ReadRequest,
  ReadResult,
  ReplyBodies,
  Request,
  StatRecord,
  WatcherEvent,
} from '../../../wire/records.ts'
import { isPermitted, visibleAcl } from '../state/acl.ts'
import { clientInfoOf } from '../state/identities.ts'
import type { Identity } from '../state/identities.ts'
import type { TreeNode } from '../state/node.ts'
import type { State } from '../state/state.ts'
import type { Watches } from './watches.ts'

type Body = ReplyBodies[keyof ReplyBodies]

/** The client that reads. */
export interface Reader {
  /** The number of the connection, to which watches belong. */
  readonly connection: number
  readonly sessionId: bigint
  readonly identities: readonly Identity[]
}

/** The sources of the answers to reads. */
export interface Readable {
  readonly state: State
  readonly watches: Watches
  /** Longest answer, in bytes. */
  readonly responseBytesMax: number
  /** Whether a majority stands behind the answers of this server to pings and syncs. */
  readonly isConfirmed: boolean
}

/** An answer: an error number or a body, after events of watches that could not be armed again. */
export interface ReadAnswer {
  readonly err: number
  readonly body: Body
  readonly events: readonly WatcherEvent[]
}

const NO_EVENTS: readonly WatcherEvent[] = Object.freeze([])
/** The stat of a node that is nowhere but in the answer. */
const NO_STAT: StatRecord = Object.freeze({
  czxid: 0n,
  mzxid: 0n,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  dataLength: 0,
  numChildren: 0,
  pzxid: 0n,
})
/** Bytes of a name besides its characters. */
const LENGTH_BYTES = 4
/** Bytes of a part of a multiRead besides its data: a header, a length and a stat. */
const PART_BYTES = 81
const WATCHER_TYPES: ReadonlySet<number> = new Set(Object.values(WatcherType))

/** Answers a request that changes nothing but watches. */
export function answerRead(request: Request, reader: Reader, from: Readable): ReadAnswer {
  const { state, watches, responseBytesMax } = from
  switch (request.op) {
    case OpCode.exists:
      return exists(request.body, reader, from)
    case OpCode.getData: {
      const node = readable(request.body.path, Perm.read, reader, state)
      if (typeof node === 'number') return refused(node)
      const { path, watch } = request.body
      if (node.dataLength > responseBytesMax) return beyondLimit()
      if (watch && !watches.watchData(path, reader.connection)) return beyondLimit()
      return answered({ data: node.data, stat: node.stat() })
    }
    case OpCode.getChildren:
    case OpCode.getChildren2: {
      const node = readable(request.body.path, Perm.read, reader, state)
      if (typeof node === 'number') return refused(node)
      const { path, watch } = request.body
      if (namesBytes(node) > responseBytesMax) return beyondLimit()
      if (watch && !watches.watchChildren(path, reader.connection)) return beyondLimit()
      const { children } = node
      return answered(request.op === OpCode.getChildren ? { children } : { children, stat: node.stat() })
    }
    case OpCode.getAcl: {
      const node = readable(request.body.path, Perm.read | Perm.admin, reader, state)
      if (typeof node === 'number') return refused(node)
      return answered({ acl: visibleAcl(node.acl, reader.identities), stat: node.stat() })
    }
    case OpCode.getAllChildrenNumber: {
      const node = readable(request.body.path, Perm.read, reader, state)
      if (typeof node === 'number') return refused(node)
      const { path } = request.body
      const below = state.tree.descendantCount(nodePath(path))
      // For the empty path the reference counts the root, too.
      return answered({ totalNumber: path === '' ? below + 1 : below })
    }
    case OpCode.getEphemerals:
      return ephemerals(request.body.prefixPath, reader, from)
    case OpCode.multiRead:
      return multiRead(request.body, reader, from)
    case OpCode.whoAmI:
      return answered({ clientInfo: clientInfoOf(reader.identities) })
    case OpCode.sync:
      return answered({ path: request.body.path })
    default:
      return answerWatches(request, reader, state, watches)
  }
}

function answerWatches(request: Request, { connection }: Reader, state: State, watches: Watches): ReadAnswer {
  switch (request.op) {
    case OpCode.setWatches:
    case OpCode.setWatches2: {
      const events = watches.setWatches(request.body, connection, state.tree)
      return events === null ? beyondLimit() : { err: Err.ok, body: null, events }
    }
    case OpCode.addWatch: {
      const { path, mode } = request.body
      if (mode !== AddWatchMode.persistent && mode !== AddWatchMode.persistentRecursive) {
        return refused(Err.marshallingError)
      }
      const kind = mode === AddWatchMode.persistent ? 'persistent' : 'recursive'
      return watches.watchLasting(path, kind, connection) ? answered({ err: Err.ok }) : beyondLimit()
    }
    case OpCode.checkWatches:
    case OpCode.removeWatches: {
      const { path, type } = request.body
      if (!WATCHER_TYPES.has(type)) return refused(Err.marshallingError)
      // The reference goes up the path, if that helps, and a path without a slash leads nowhere.
      const isLost = request.op === OpCode.checkWatches && watches.hasRecursive && path !== '' && !path.includes('/')
      if (isLost) return refused(Err.marshallingError)
      const isThere =
        request.op === OpCode.checkWatches ? watches.isWatched(path, type) : watches.remove(path, type, connection)
      return refused(isThere ? Err.ok : Err.noWatcher)
    }
    default:
      return refused(Err.unimplemented)
  }
}

function exists(
  { path, watch }: ReadRequest,
  { connection }: Reader,
  { state, watches, isConfirmed }: Readable,
): ReadAnswer {
  if (path.includes('\0')) return refused(Err.badArguments)
  if (path === OWN_SERVER && isConfirmed) return answered({ stat: NO_STAT })
  if (watch && !watches.watchExist(path, connection)) return beyondLimit()
  const stat = state.tree.stat(nodePath(path))
  return stat === null ? refused(Err.noNode) : answered({ stat })
}

/** Each part stands for itself, except for the length of all together: a few bytes can ask for a large node. */
function multiRead(
  parts: readonly ReadOperation[],
  reader: Reader,
  { state, responseBytesMax }: Readable,
): ReadAnswer {
  const results: ReadResult[] = []
  let bytes = 0
  for (const { op, body } of parts) {
    const node = readable(body.path, Perm.read, reader, state)
    bytes += PART_BYTES
    if (typeof node === 'number') {
      results.push({ op: OpCode.error, err: node })
      continue
    }
    bytes += op === OpCode.getData ? node.dataLength : namesBytes(node)
    if (bytes > responseBytesMax) return beyondLimit()
    const isData = op === OpCode.getData
    results.push(isData ? { op, data: node.data, stat: node.stat() } : { op, children: node.children })
  }
  return answered(results)
}

/** Those of the reader's own session, by the beginning of their path, in order. */
function ephemerals(prefix: string, { sessionId }: Reader, { state, responseBytesMax }: Readable): ReadAnswer {
  const isAny = ['', '/'].includes(prefix.trim())
  const paths: string[] = []
  let bytes = 0
  for (const path of state.tree.ephemeralsOf(sessionId)) {
    if (!isAny && !path.startsWith(prefix)) continue
    bytes += path.length + LENGTH_BYTES
    if (bytes > responseBytesMax) return beyondLimit()
    paths.push(path)
  }
  return answered({ ephemerals: paths })
}

/** Bytes of the names of a node's children in an answer: roughly, for those that are not ASCII. */
function namesBytes(node: TreeNode): number {
  return node.childChars + LENGTH_BYTES * node.numChildren
}

function readable(path: string, perms: number, { identities }: Reader, state: State): TreeNode | number {
  const node = state.tree.get(nodePath(path))
  if (node === undefined) return Err.noNode
  return isPermitted(node.acl, perms, identities) ? node : Err.noAuth
}

function nodePath(path: string): string {
  return path === '' ? '/' : path
}

function answered(body: Body): ReadAnswer {
  return { err: Err.ok, body, events: NO_EVENTS }
}

/** An answer that is too long, or a watch too many: the request is refused, and the connection stays. */
export function beyondLimit(): ReadAnswer {
  return refused(Err.quotaExceeded)
}

function refused(err: number): ReadAnswer {
  return { err, body: null, events: NO_EVENTS }
}
