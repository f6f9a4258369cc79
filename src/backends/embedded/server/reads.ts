/**
 * What a server answers from its own state: reads, and the watches that they arm at one instant with the reading.
 *
 * Rights    getData, the two getChildren and getAllChildrenNumber need READ, getACL needs READ or ADMIN; exists needs
 *           nothing, and neither does a watch. Whom a list shuts out gets no watch.
 * Paths     are looked up as they are: one that is not well formed names no node. The empty one is the root.
 * Source    FinalRequestProcessor.java of ZooKeeper 3.8.
 */
import { AddWatchMode, Err, OpCode, Perm, WatcherType } from '../../protocol/codes.ts'
import type {
  ReadOperation,
  ReadRequest,
  ReadResult,
  ReplyBodies,
  Request,
  WatcherEvent,
} from '../../protocol/records.ts'
import { isPermitted, visibleAcl } from './acl.ts'
import { clientInfoOf } from './identities.ts'
import type { Identity } from './identities.ts'
import type { TreeNode } from './node.ts'
import type { State } from './state.ts'
import type { Watches } from './watches.ts'

type Body = ReplyBodies[keyof ReplyBodies]

/** Who reads. */
export interface Reader {
  /** The number of the connection, to which watches belong. */
  readonly connection: number
  readonly sessionId: bigint
  readonly identities: readonly Identity[]
}

/** What there is to say: an error number, or a body, behind events of watches that could not be armed again. */
export interface ReadAnswer {
  readonly err: number
  readonly body: Body
  readonly events: readonly WatcherEvent[]
}

const NO_EVENTS: readonly WatcherEvent[] = Object.freeze([])
const WATCHER_TYPES: ReadonlySet<number> = new Set(Object.values(WatcherType))

/**
 * Answers a request that changes nothing but watches.
 *
 * @returns null if the connection would have more watches than a connection may have; it should be closed
 */
export function answerRead(request: Request, reader: Reader, state: State, watches: Watches): ReadAnswer | null {
  switch (request.op) {
    case OpCode.exists:
      return exists(request.body, reader, state, watches)
    case OpCode.getData: {
      const node = readable(request.body.path, Perm.read, reader, state)
      if (typeof node === 'number') return refused(node)
      const { path, watch } = request.body
      if (watch && !watches.watchData(path, reader.connection)) return null
      return answered({ data: node.data, stat: node.stat() })
    }
    case OpCode.getChildren:
    case OpCode.getChildren2: {
      const node = readable(request.body.path, Perm.read, reader, state)
      if (typeof node === 'number') return refused(node)
      const { path, watch } = request.body
      if (watch && !watches.watchChildren(path, reader.connection)) return null
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
      // Of the empty path the reference counts the root, too.
      return answered({ totalNumber: path === '' ? below + 1 : below })
    }
    case OpCode.getEphemerals:
      return answered({ ephemerals: ephemerals(request.body.prefixPath, reader, state) })
    case OpCode.multiRead:
      return multiRead(request.body, reader, state)
    case OpCode.whoAmI:
      return answered({ clientInfo: clientInfoOf(reader.identities) })
    case OpCode.sync:
      return answered({ path: request.body.path })
    default:
      return answerWatches(request, reader, state, watches)
  }
}

function answerWatches(request: Request, { connection }: Reader, state: State, watches: Watches): ReadAnswer | null {
  switch (request.op) {
    case OpCode.setWatches:
    case OpCode.setWatches2: {
      const events = watches.setWatches(request.body, connection, state.tree)
      return events === null ? null : { err: Err.ok, body: null, events }
    }
    case OpCode.addWatch: {
      const { path, mode } = request.body
      if (mode !== AddWatchMode.persistent && mode !== AddWatchMode.persistentRecursive) {
        return refused(Err.marshallingError)
      }
      const kind = mode === AddWatchMode.persistent ? 'persistent' : 'recursive'
      return watches.watchLasting(path, kind, connection) ? answered({ err: Err.ok }) : null
    }
    case OpCode.checkWatches:
    case OpCode.removeWatches: {
      const { path, type } = request.body
      if (!WATCHER_TYPES.has(type)) return refused(Err.marshallingError)
      // The reference goes up the path, if there is any use in that, and what has no slash leads nowhere.
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
  state: State,
  watches: Watches,
): ReadAnswer | null {
  if (path.includes('\0')) return refused(Err.badArguments)
  if (watch && !watches.watchExist(path, connection)) return null
  const stat = state.tree.stat(nodePath(path))
  return stat === null ? refused(Err.noNode) : answered({ stat })
}

/** Each part stands for itself. */
function multiRead(parts: readonly ReadOperation[], reader: Reader, state: State): ReadAnswer {
  return answered(
    parts.map(({ op, body }): ReadResult => {
      const node = readable(body.path, Perm.read, reader, state)
      if (typeof node === 'number') return { op: OpCode.error, err: node }
      return op === OpCode.getData ? { op, data: node.data, stat: node.stat() } : { op, children: node.children }
    }),
  )
}

/** Those of the reader's own session, by the beginning of their path. */
function ephemerals(prefix: string, { sessionId }: Reader, state: State): readonly string[] {
  const paths = [...state.tree.ephemeralsOf(sessionId)].sort()
  return ['', '/'].includes(prefix.trim()) ? paths : paths.filter((path) => path.startsWith(prefix))
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

function refused(err: number): ReadAnswer {
  return { err, body: null, events: NO_EVENTS }
}
