/**
 * The reads of one transaction, so that all of them are of one revision, and the decoders of their answers.
 */
import { isValidPath, joinPath } from '../../core/path.ts'
import type { Keys } from './keys.ts'
import { readKey, readRange } from './messages.ts'
import type { KeyValue, RangeResponse, RequestOp, TxnResponse } from './messages.ts'
import { decodeNode, foreign, notANode } from './node-value.ts'
import type { ChildCounts, NodeState } from './node-value.ts'

/** A node as it was read. */
export interface NodeRead {
  readonly state: NodeState
  readonly data: Uint8Array
}

/** The contents of a key with a count of children. */
export interface CountRead {
  readonly creates: number
  /** When it was last changed; 0 if there is none. */
  readonly counted: bigint
}

/** Takes its answer out of the answers of a plan. */
export type Answer<T> = (responses: Responses) => T

type Responses = NonNullable<TxnResponse['responses']>

const NO_BYTES = new Uint8Array()
/** Names that need no closer look: printable ASCII that does not begin with a dot. */
const PLAIN_NAME = /^[!-\-0-~][ -.0-~]*$/
const INT32 = /^-?\d{1,10}$/

/** Reads to be done together. */
export class ReadPlan {
  readonly ops: RequestOp[] = []
  readonly #keys: Keys
  readonly #offset: number

  /** @param offset - how many operations stand before these in the transaction */
  constructor(keys: Keys, offset = 0) {
    this.#keys = keys
    this.#offset = offset
  }

  /** A node, or null. */
  node(path: string): Answer<NodeRead | null> {
    return this.#first(readKey(this.#keys.node(path)), (kv) => (kv === undefined ? null : nodeOf(kv, path)))
  }

  /** When a node was made and last changed; zeros if there is none. */
  revisions(path: string): Answer<{ readonly created: bigint; readonly modified: bigint }> {
    return this.#first(readKey(this.#keys.node(path), true), (kv) => {
      return { created: kv?.createRevision ?? 0n, modified: kv?.modRevision ?? 0n }
    })
  }

  /** The count of the children that a node ever had. */
  count(path: string): Answer<CountRead> {
    const key = this.#keys.count(path)
    return this.#first(readKey(key), (kv) => countOf(kv, key, path))
  }

  /** When the count of a node's children was last changed; 0 if there is none. */
  counted(path: string): Answer<bigint> {
    return this.#first(readKey(this.#keys.count(path), true), (kv) => kv?.modRevision ?? 0n)
  }

  /** How many children a node has. */
  numChildren(path: string): Answer<number> {
    return this.#add(readRange(this.#keys.children(path), 'countOnly'), (range) => Number(range?.count ?? 0))
  }

  /** The names of a node's children, sorted by code unit. */
  names(path: string): Answer<string[]> {
    const range = this.#keys.children(path)
    return this.#add(readRange(range, 'keysOnly'), (answer) => {
      const names = (answer?.kvs ?? []).map(({ key = '' }) => key.slice(range.key.length)).sort()
      const odd = names.find((name) => !PLAIN_NAME.test(name) && !isName(name, path))
      if (odd !== undefined) throw foreign(range.key + odd, path)
      return names
    })
  }

  /** Whether a session is open. */
  session(id: bigint): Answer<boolean> {
    return this.#first(readKey(this.#keys.session(id), true), (kv) => kv !== undefined)
  }

  #first<T>(op: RequestOp, read: (kv: KeyValue | undefined) => T): Answer<T> {
    return this.#add(op, (range) => read(range?.kvs?.[0]))
  }

  #add<T>(op: RequestOp, read: (range: RangeResponse | undefined) => T): Answer<T> {
    const index = this.#offset + this.ops.length
    this.ops.push(op)
    return (responses) => read(responses[index]?.range)
  }
}

/** The counts that go into a node's stat. */
export function countsOf({ creates, counted }: CountRead, numChildren: number): ChildCounts {
  return { creates, pzxid: counted, numChildren }
}

function isName(name: string, path: string): boolean {
  return name !== '' && !name.includes('/') && isValidPath(joinPath(path, name))
}

function nodeOf(kv: KeyValue, path: string): NodeRead {
  const { value = NO_BYTES, createRevision: created = 0n, modRevision: modified = 0n, lease = 0n } = kv
  const { header, data } = decodeNode(value, path)
  if (header.isEphemeral && lease === 0n) throw notANode(path)
  return { state: { ...header, created, modified, lease, dataLength: data.length }, data }
}

function countOf(kv: KeyValue | undefined, key: string, path: string): CountRead {
  if (kv === undefined) return { creates: 0, counted: 0n }
  const text = Buffer.from(kv.value ?? NO_BYTES).toString()
  const creates = INT32.test(text) ? Number(text) : NaN
  // As this package writes it, since it is compared as text.
  if (String(creates | 0) !== text) throw foreign(key, path)
  return { creates, counted: kv.modRevision ?? 0n }
}
