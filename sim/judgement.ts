/**
 * The transaction that a request must become in a given state: the contract of the node model, written a second time.
 *
 * Model     each part of a write is looked at in turn, on top of the effects of the parts before it. The first one that
 *           is refused refuses all.
 * Source    core/backend.ts; the order of the checks is ZooKeeper's, so that a request that is wrong twice gets the
 *           same error.
 */
import { parentOf, sequenceSuffix } from '../src/core/path.ts'
import { CreateFlag, Err, OpCode } from '../src/backends/wire/codes.ts'
import type { MultiOperation, Request } from '../src/backends/wire/records.ts'
import type { TxnBody, TxnHeader } from '../src/backends/wire/transactions.ts'
import { sameBytes } from './ledger.ts'
import { FIRST_PATHS, isOver, nextVersion } from './model.ts'
import type { Model, NodeKind } from './model.ts'

/** The outcome of one part: a line that says everything but the data. */
export interface Part {
  readonly text: string
  readonly data: Uint8Array | null
}

interface Facts {
  readonly kind: NodeKind
  readonly czxid: bigint
  readonly version: number
  readonly creates: number
  readonly children: number
}

type WritePart = MultiOperation | Extract<Request, { readonly op: typeof OpCode.create }>
type CreatePart = Extract<WritePart, { readonly body: { readonly flags: number } }>

/** A request that no client sends in these words: a request of the leader to itself, and the ends of a session. */
export type LeadersRequest =
  | { readonly op: typeof OpCode.createSession | typeof OpCode.closeSession }
  | { readonly op: typeof OpCode.deleteContainer; readonly body: { readonly path: string } }

const KINDS: ReadonlyMap<number, { readonly kind: NodeKind; readonly isSequential: boolean }> = new Map([
  [CreateFlag.persistent, { kind: 'persistent', isSequential: false }],
  [CreateFlag.ephemeral, { kind: 'ephemeral', isSequential: false }],
  [CreateFlag.persistentSequential, { kind: 'persistent', isSequential: true }],
  [CreateFlag.ephemeralSequential, { kind: 'ephemeral', isSequential: true }],
  [CreateFlag.container, { kind: 'container', isSequential: false }],
  [CreateFlag.persistentWithTtl, { kind: 'ttl', isSequential: false }],
  [CreateFlag.persistentSequentialWithTtl, { kind: 'ttl', isSequential: true }],
])

/** The characters that a path may have, and its form. */
const VALID_PATH = /^\/$|^(\/(?!\.{1,2}(\/|$))[^/\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]+)+$/
/** A time to live ends before this many milliseconds. */
const TTL_MS_END = 2n ** 40n

/** The state after the parts that were looked at so far. */
class StateDraft {
  readonly #model: Model
  readonly #header: Pick<TxnHeader, 'clientId' | 'zxid'>
  readonly #facts = new Map<string, Facts | null>()

  constructor(model: Model, header: Pick<TxnHeader, 'clientId' | 'zxid'>) {
    this.#model = model
    this.#header = header
  }

  /** The outcome of a part, or the number of the error that refuses it. */
  judge(part: WritePart): Part | number {
    switch (part.op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        return this.#create(part)
      case OpCode.delete:
        return this.#delete(part.body.path, part.body.version)
      case OpCode.setData:
        return this.#set(part.body.path, part.body.version, part.body.data)
      case OpCode.check: {
        const { path, version } = part.body
        if (!VALID_PATH.test(path)) return Err.badArguments
        const node = this.#get(path)
        if (node === null) return Err.noNode
        return isVersion(version, node) ? { text: `check ${path}`, data: null } : Err.badVersion
      }
      case OpCode.checkCreation: {
        const { path, version, czxid } = part.body
        if (!VALID_PATH.test(path)) return Err.badArguments
        const node = this.#get(path)
        if (node === null) return Err.noNode
        if (node.czxid !== czxid) return Err.badVersion
        return isVersion(version, node) ? { text: `check ${path}`, data: null } : Err.badVersion
      }
    }
  }

  #create(part: CreatePart): Part | number {
    const mode = modeOf(part)
    if (mode === null) return Err.badArguments
    if (mode.kind === 'ephemeral' && !this.#model.isOpen(this.#header.clientId)) {
      return this.#model.localSessions === 'only' ? Err.ephemeralOnLocalSession : Err.sessionExpired
    }
    const { path: prefix, data } = part.body
    if (!prefix.includes('/')) return Err.badArguments
    const parentPath = prefix.slice(0, prefix.lastIndexOf('/')) || '/'
    const parent = this.#get(parentPath)
    if (parent === null) return Err.noNode
    const path = mode.isSequential ? prefix + sequenceSuffix(parent.creates) : prefix
    if (!VALID_PATH.test(path)) return Err.badArguments
    if (this.#get(path) !== null) return Err.nodeExists
    if (parent.kind === 'ephemeral') return Err.noChildrenForEphemerals
    this.#facts.set(parentPath, { ...parent, creates: (parent.creates + 1) | 0, children: parent.children + 1 })
    this.#facts.set(path, { kind: mode.kind, czxid: this.#header.zxid, version: 0, creates: 0, children: 0 })
    return { text: `create ${mode.kind} ${path}`, data }
  }

  #delete(path: string, version: number): Part | number {
    if (!path.includes('/') || FIRST_PATHS.includes(path)) return Err.badArguments
    const node = this.#get(path)
    if (node === null) return Err.noNode
    if (!isVersion(version, node)) return Err.badVersion
    if (node.children > 0) return Err.notEmpty
    const parent = this.#get(parentOf(path))
    if (parent !== null) this.#facts.set(parentOf(path), { ...parent, children: parent.children - 1 })
    this.#facts.set(path, null)
    return { text: `delete ${path}`, data: null }
  }

  #set(path: string, wanted: number, data: Uint8Array | null): Part | number {
    if (!VALID_PATH.test(path)) return Err.badArguments
    const node = this.#get(path)
    if (node === null) return Err.noNode
    if (!isVersion(wanted, node)) return Err.badVersion
    const version = nextVersion(node.version)
    this.#facts.set(path, { ...node, version })
    return { text: `set ${path} to version ${version}`, data }
  }

  #get(path: string): Facts | null {
    const drafted = this.#facts.get(path)
    if (drafted !== undefined) return drafted
    const node = this.#model.node(path)
    if (node === null) return null
    const { kind, czxid, version, creates, deletes } = node
    return { kind, czxid, version, creates, children: creates - deletes }
  }
}

/**
 * The outcome that a write must have.
 *
 * @param model - with everything before it, and nothing else
 * @param header - its session, and where it stands in the order
 * @returns its parts; null if it is no write of nodes
 */
export function judge(
  model: Model,
  request: Request,
  header: Pick<TxnHeader, 'clientId' | 'zxid'>,
): readonly Part[] | null {
  const draft = new StateDraft(model, header)
  switch (request.op) {
    case OpCode.multi: {
      const parts: Part[] = []
      for (const operation of request.body) {
        if (isUnreadable(operation)) return [errorPart(Err.marshallingError)]
        const part = draft.judge(inMulti(operation))
        if (typeof part !== 'number') parts.push(part)
        else return request.body.map((_, i) => refusal(i, parts.length, part))
      }
      return parts
    }
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.setData: {
      const part = draft.judge(request)
      return [typeof part === 'number' ? errorPart(part) : part]
    }
    default:
      return null
  }
}

/**
 * The number of the error that refuses one of these, or `Err.ok`.
 *
 * @param model - with everything before it, and nothing else
 * @param timeMs - the leader's wall clock in milliseconds since 1970
 */
export function judgeLeaders(model: Model, request: LeadersRequest, sessionId: bigint, timeMs: number): number {
  switch (request.op) {
    case OpCode.createSession:
      return model.isOpen(sessionId) ? Err.systemError : Err.ok
    case OpCode.closeSession:
      return model.isOpen(sessionId) ? Err.ok : Err.sessionExpired
    case OpCode.deleteContainer: {
      const node = model.node(request.body.path)
      if (node === null) return Err.noNode
      if (node.creates !== node.deletes) return Err.notEmpty
      return isOver(node, timeMs) ? Err.ok : Err.badVersion
    }
  }
}

/** The parts of a transaction, in the words of {@link judge}. */
export function partsOf(txn: TxnBody): readonly Part[] {
  switch (txn.type) {
    case OpCode.multi:
      return txn.body.flatMap(partsOf)
    case OpCode.create:
    case OpCode.create2: {
      const kind = txn.body.ephemeral ? 'ephemeral' : 'persistent'
      return [{ text: `create ${kind} ${txn.body.path}`, data: txn.body.data }]
    }
    case OpCode.createContainer:
      return [{ text: `create container ${txn.body.path}`, data: txn.body.data }]
    case OpCode.createTTL:
      return [{ text: `create ttl ${txn.body.path}`, data: txn.body.data }]
    case OpCode.delete:
    case OpCode.deleteContainer:
      return [{ text: `delete ${txn.body.path}`, data: null }]
    case OpCode.setData:
      return [{ text: `set ${txn.body.path} to version ${txn.body.version}`, data: txn.body.data }]
    case OpCode.check:
      return [{ text: `check ${txn.body.path}`, data: null }]
    case OpCode.error:
      return [errorPart(txn.body.err)]
    default:
      return []
  }
}

/** Whether a transaction says what was judged, data and all. */
export function sameParts(a: readonly Part[], b: readonly Part[]): boolean {
  return a.length === b.length && a.every(({ text, data }, i) => {
    const other = b[i]
    return text === other?.text && sameData(data, other.data)
  })
}

/** The kind of node that a create makes, outside of a multi; null if it contradicts itself. */
function modeOf({ op, body }: CreatePart): { readonly kind: NodeKind; readonly isSequential: boolean } | null {
  const mode = KINDS.get(body.flags)
  if (mode === undefined || (mode.kind === 'ttl') !== (op === OpCode.createTTL)) return null
  if (op === OpCode.createTTL && (body.ttl < 1n || body.ttl >= TTL_MS_END)) return null
  if (op === OpCode.createContainer) return { ...mode, kind: 'container' }
  return mode.kind === 'container' ? { ...mode, kind: 'persistent' } : mode
}

/** A plain create with the flag of a time to live: the reference looks for the time in the bytes of a multi. */
function isUnreadable({ op, body }: MultiOperation): boolean {
  return 'flags' in body && op !== OpCode.createTTL && KINDS.get(body.flags)?.kind === 'ttl'
}

/** In a multi, the flag alone says what a create makes. */
function inMulti(part: MultiOperation): WritePart {
  if (!('flags' in part.body) || KINDS.get(part.body.flags)?.kind === 'ttl') return part
  return { op: part.body.flags === CreateFlag.container ? OpCode.createContainer : OpCode.create, body: part.body }
}

function sameData(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? (a?.length ?? 0) === (b?.length ?? 0) : sameBytes(a, b)
}

function refusal(index: number, refused: number, err: number): Part {
  return errorPart(index < refused ? Err.ok : index === refused ? err : Err.runtimeInconsistency)
}

function errorPart(err: number): Part {
  return { text: `error ${err}`, data: null }
}

function isVersion(wanted: number, { version }: Facts): boolean {
  return wanted === -1 || wanted === version
}
