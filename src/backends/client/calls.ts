/**
 * One call of the session interface on its way: the request that it became, and the meaning of its reply or its
 * failure.
 */
import type { Children, CreateMode, CreateOptions, Created, NodeData, Operation } from '../../core/backend.ts'
import type { OperationResult, Stat, Watcher } from '../../core/backend.ts'
import type { CallFailure } from '../../core/session/call-queue.ts'
import { CoordinationError } from '../../core/errors.ts'
import { refusal } from '../../core/refusal.ts'
import { CreateFlag, Err, OpCode, errorCodeOf } from '../wire/codes.ts'
import type { WatchTable } from './watches.ts'
import { encode } from '../wire/jute.ts'
import { MultiRequest } from '../wire/multi.ts'
import type {
  Acl,
  CreateRequest,
  CreateTtlRequest,
  MultiOperation,
  Reply,
  ReplyBodies,
  Request,
} from '../wire/records.ts'

/** Operations that change nothing on the servers: when their answer is lost, nothing is unknown. */
const READS: ReadonlySet<number> = new Set([
  OpCode.exists,
  OpCode.getData,
  OpCode.getChildren2,
  OpCode.sync,
  OpCode.removeWatches,
])

/** Operations that need a parent. */
const CREATES: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
])

const NO_BYTES = new Uint8Array()

/** xid and operation. */
const REQUEST_HEADER_BYTES = 8
/** Most bytes of UTF-8 per UTF-16 code unit. */
const UTF8_BYTES_MAX = 3
/** More than the numbers, flags and lengths of a part take, or those of an entry of its list; the header is in it. */
const FIXED_BYTES_MAX = 64
/** How much of an odd name is told. */
const SHOWN_CHARS_MAX = 40

/** Stands for a time that is not known. */
const UNDATED_MS = 0

/** The create operations, each with its body. */
type CreateCall =
  | { readonly op: typeof OpCode.create2 | typeof OpCode.createContainer; readonly body: CreateRequest }
  | { readonly op: typeof OpCode.createTTL; readonly body: CreateTtlRequest }

/**
 * How a call ends well. The types of the three belong together; the generic method that makes the call sees to that.
 */
interface CallEnd {
  /** Makes the caller's answer of a successful reply's body and its zxid. */
  readonly read: (body: never, zxid: bigint) => unknown
  /** Fulfils the caller's promise. */
  readonly resolve: (value: never) => void
  /** Rejects it. */
  readonly reject: (error: unknown) => void
}

/** A request with the caller that waits for its reply. */
export class Call {
  readonly request: Request
  /** The path that the caller named; empty for a multi. */
  readonly path: string
  /** When it was sent, or began to wait for a connection, on `performance.now()`. */
  sentAtMs = 0
  /** The callback that the read will arm; null if there is none, or once it was unwatched. */
  watch: Watcher | null
  /** Whether it means what it should on the server that is attached now alone: on no account is it sent to another. */
  readonly isBound: boolean
  readonly #arms: boolean
  readonly #end: CallEnd

  /**
   * Makes a call that is not sent yet.
   *
   * @param watch - the callback that the read arms, if any
   */
  constructor(request: Request, path: string, watch: Watcher | undefined, end: CallEnd, isBound = false) {
    this.isBound = isBound
    this.request = request
    this.path = path
    this.watch = watch ?? null
    this.#arms = watch !== undefined
    this.#end = end
  }

  /** Whether it asks the server to watch; it still does when the callback was unwatched after it was called. */
  get arms(): boolean {
    return this.#arms
  }

  /** Whether it may have changed something on the servers once it was sent. */
  get isWrite(): boolean {
    return !READS.has(this.request.op)
  }

  /** Whether its answer proves that a majority of the servers knows of the session: a read is answered by one alone. */
  get renews(): boolean {
    return this.isWrite || this.request.op === OpCode.sync
  }

  /** Gives the caller what the reply says. The owner has checked that it is the reply to this request. */
  settle(reply: Reply): void {
    if (reply.err === Err.ok) this.#settleOk(reply.body, reply.zxid)
    else if (reply.err === Err.noNode && this.request.op === OpCode.exists) this.#end.resolve(null as never)
    else this.#end.reject(refused(reply.err, this.path, this.request.op))
  }

  /**
   * Rejects the call without a reply.
   *
   * @param sent - whether it may have reached a server; a write is then of unknown outcome
   */
  fail({ code, message, outcome }: CallFailure, sent: boolean): void {
    const ended = sent && this.isWrite ? 'unknown' : outcome
    const where = this.path === '' ? {} : { path: this.path }
    this.#end.reject(new CoordinationError(code, message, { outcome: ended, ...where }))
  }

  /**
   * Where the server armed the watch of a call.
   *
   * @returns null if it armed none
   */
  armedBy(reply: Reply): WatchTable | null {
    const { op } = this.request
    if (reply.err === Err.ok) return op === OpCode.getChildren2 ? 'child' : 'data'
    return reply.err === Err.noNode && op === OpCode.exists ? 'exist' : null
  }

  /** zxid of the creation of the node that a get or an exists has shown; null if it has shown none. */
  shownBy(reply: Reply): bigint | null {
    const { op } = this.request
    if (reply.err !== Err.ok || (op !== OpCode.getData && op !== OpCode.exists)) return null
    return (reply.body as ReplyBodies[typeof OpCode.exists]).stat.czxid
  }

  #settleOk(body: Reply['body'], zxid: bigint): void {
    const { op, body: asked } = this.request
    const error = op === OpCode.multi ? refusedPart(body as ReplyBodies[typeof OpCode.multi], asked) : null
    if (error !== null) {
      this.#end.reject(error)
      return
    }
    try {
      this.#end.resolve(this.#end.read(body as never, zxid) as never)
    } catch (unreadable) {
      this.#end.reject(unreadable)
    }
  }
}

/**
 * The create request for a mode.
 *
 * @param ttlMs - milliseconds to live; there with mode `persistent-with-ttl` only
 * @param acl - the node's access control list
 */
export function createCall(
  path: string,
  data: Uint8Array,
  { mode, ttlMs }: CreateOptions,
  acl: readonly Acl[],
): CreateCall {
  const body = { path, data, acl, flags: FLAGS[mode] }
  if (mode === 'persistent-with-ttl') return { op: OpCode.createTTL, body: { ...body, ttl: BigInt(ttlMs ?? 0) } }
  return { op: mode === 'container' ? OpCode.createContainer : OpCode.create2, body }
}

/** The part of a multi request for an operation. */
export function multiOperation(operation: Operation, acl: readonly Acl[]): MultiOperation {
  switch (operation.type) {
    case 'create':
      return createCall(operation.path, operation.data, operation, acl)
    case 'set':
      return { op: OpCode.setData, body: { path: operation.path, data: operation.data, version: operation.version } }
    case 'delete':
      return { op: OpCode.delete, body: { path: operation.path, version: operation.version } }
    case 'check': {
      const { path, version, czxid } = operation
      if (czxid === undefined) return { op: OpCode.check, body: { path, version } }
      return { op: OpCode.checkCreation, body: { path, version, czxid } }
    }
  }
}

/**
 * Why a multi cannot be sent, or null if it can.
 *
 * @param bytesMax - longest request that the servers take
 */
export function oversizeOf(parts: readonly MultiOperation[], bytesMax: number): CoordinationError | null {
  // Most are far below the limit, and are not encoded to see that.
  if (parts.reduce((sum, part) => sum + partBytesMax(part), 0) <= bytesMax) return null
  const bytes = REQUEST_HEADER_BYTES + encode(MultiRequest, parts).length
  if (bytes <= bytesMax) return null
  const message = `a multi of ${bytes} bytes is longer than the ${bytesMax} that the servers take`
  return new CoordinationError('PAYLOAD_TOO_LARGE', message, { outcome: 'not-sent' })
}

/** No part takes more, whatever its characters are. */
function partBytesMax({ body }: MultiOperation): number {
  const acl = 'acl' in body ? body.acl : []
  const aclBytes = acl.reduce((sum, { scheme, id }) => sum + UTF8_BYTES_MAX * lengthOf(scheme, id), 0)
  const dataBytes = 'data' in body ? (body.data?.length ?? 0) : 0
  return FIXED_BYTES_MAX * (1 + acl.length) + UTF8_BYTES_MAX * body.path.length + dataBytes + aclBytes
}

function lengthOf(...texts: readonly (string | null)[]): number {
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), 0)
}

/** Reads the reply to a create. */
export function readCreated({ path, stat }: { readonly path: string; readonly stat: Stat }): Created {
  return { path, stat }
}

/** Reads the reply to a get; a node without data reads as empty. */
export function readData({ data, stat }: ReplyBodies[typeof OpCode.getData]): NodeData {
  // In one process these bytes are the server's own, and callers write into what they are given.
  return { data: data === null ? NO_BYTES : new Uint8Array(data), stat }
}

/** Reads the reply to an exists or a set. */
export function readStat({ stat }: { readonly stat: Stat }): Stat {
  return stat
}

/**
 * Reads the reply to a children read; the names are sorted, since servers give them in no particular order.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` for what no node is named: it would lead elsewhere as part of a path
 */
export function readChildren({ children, stat }: ReplyBodies[typeof OpCode.getChildren2]): Children {
  const odd = children.find((name) => name.includes('/') || name === '' || name === '.' || name === '..')
  if (odd === undefined) return { names: [...children].sort(), stat }
  throw unlikely(`it lists ${JSON.stringify(odd.slice(0, SHOWN_CHARS_MAX))} as the name of a child`)
}

/** Reads the reply to a delete or a sync, which has no body. */
export function readNothing(): void {
  // Its success is all there is to know.
}

/**
 * Reads the reply to a multi that was not refused.
 *
 * @param operations - the operations that were asked for
 * @param zxid - of its transaction
 * @param sessionId - who asked
 */
export function readResults(
  results: ReplyBodies[typeof OpCode.multi],
  operations: readonly Operation[],
  zxid: bigint,
  sessionId: bigint,
): OperationResult[] {
  const isAsked = results.length === operations.length && results.every(({ op }, index) => {
    return RESULT_TYPES.get(op) === operations[index]?.type
  })
  if (!isAsked && results.every(({ op }) => op !== OpCode.error)) {
    throw unlikely(`it answers a multi of ${operations.length} operations with ${results.length} other results`)
  }
  return results.map((result, index): OperationResult => {
    switch (result.op) {
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        return { type: 'create', path: result.path, stat: result.stat }
      case OpCode.create:
        return {
          type: 'create',
          path: result.path,
          stat: result.stat ?? undatedStat(operations[index], zxid, sessionId),
        }
      case OpCode.setData:
        return { type: 'set', stat: result.stat }
      case OpCode.delete:
        return { type: 'delete' }
      case OpCode.check:
        return { type: 'check' }
      case OpCode.error:
        throw unlikely('a multi has succeeded in part')
    }
  })
}

/** The operation that a result belongs to. */
const RESULT_TYPES: ReadonlyMap<number, Operation['type']> = new Map([
  ...[OpCode.create, OpCode.create2, OpCode.createContainer, OpCode.createTTL].map((op) => [op, 'create'] as const),
  [OpCode.setData, 'set'],
  [OpCode.delete, 'delete'],
  [OpCode.check, 'check'],
])

/** The error for an answer that no server gives which means well. */
function unlikely(what: string): CoordinationError {
  return new CoordinationError('PROTOCOL_VIOLATION', `the server broke the protocol: ${what}`, { outcome: 'corrupt' })
}

/**
 * Fills in when the creates of a multi were made, which ZooKeeper does not say: the clock of the leader is read off a
 * node that is still there, or else this one's is taken.
 *
 * @param multi - its answer
 * @param exists - reads the stat of a node
 */
export async function dated(
  multi: Promise<OperationResult[]>,
  exists: (path: string) => Promise<Stat | null>,
): Promise<OperationResult[]> {
  const results = await multi
  const undated = results.filter((result) => result.type === 'create' && result.stat.ctime === UNDATED_MS)
  if (undated.length === 0) return results
  let ctime = Date.now()
  for (const result of undated) {
    if (result.type !== 'create') continue
    const stat = await exists(result.path).catch(() => null)
    if (stat?.czxid !== result.stat.czxid) continue
    ctime = stat.ctime
    break
  }
  return results.map((result) =>
    undated.includes(result) && result.type === 'create'
      ? { ...result, stat: { ...result.stat, ctime, mtime: ctime } }
      : result,
  )
}

/** The stat of a node as a multi made it, of which ZooKeeper says nothing but the path: all but the times is known. */
function undatedStat(operation: Operation | undefined, zxid: bigint, sessionId: bigint): Stat {
  const [data, mode] = operation?.type === 'create' ? [operation.data, operation.mode] : [NO_BYTES, 'persistent']
  const isEphemeral = mode === 'ephemeral' || mode === 'ephemeral-sequential'
  return {
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: UNDATED_MS,
    mtime: UNDATED_MS,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeralOwner: isEphemeral ? sessionId : 0n,
    dataLength: data.length,
    numChildren: 0,
  }
}

const FLAGS: Readonly<Record<CreateMode, number>> = {
  persistent: CreateFlag.persistent,
  ephemeral: CreateFlag.ephemeral,
  'persistent-sequential': CreateFlag.persistentSequential,
  'ephemeral-sequential': CreateFlag.ephemeralSequential,
  container: CreateFlag.container,
  'persistent-with-ttl': CreateFlag.persistentWithTtl,
}

/** On failure every part is an error: 0 before the refused one, which has its own number, and -2 after it. */
function refusedPart(
  results: ReplyBodies[typeof OpCode.multi],
  operations: readonly MultiOperation[],
): CoordinationError | null {
  for (const [index, result] of results.entries()) {
    if (result.op === OpCode.error && result.err !== Err.ok) {
      const part = operations[index]
      return refused(result.err, part?.body.path ?? '', part?.op ?? OpCode.multi, index)
    }
  }
  return null
}

function refused(err: number, path: string, op: number, index?: number): CoordinationError {
  const code = errorCodeOf(err)
  return refusal(code, path === '' ? undefined : path, {
    index,
    isCreate: CREATES.has(op),
    isRead: READS.has(op),
    outcome: code === 'SESSION_EXPIRED' ? 'session-over' : 'rejected',
    // Every other code stands for one number, or for several that mean the same.
    ...(code === 'SYSTEM_ERROR' ? { cause: new Error(`ZooKeeper's error ${err}`) } : {}),
  })
}
