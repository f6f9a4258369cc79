/**
 * What is read in one transaction, so that all of it is of one revision: a list of reads, and what their answers mean.
 */
import type { Keys } from './keys.ts'
import { readKey, readRange } from './messages.ts'
import type { KeyValue, RangeResponse, RequestOp, TxnResponse } from './messages.ts'
import { decodeNode } from './node-value.ts'
import type { ChildCounts, NodeState } from './node-value.ts'

/** A node as it was read. */
export interface NodeRead {
  readonly state: NodeState
  readonly data: Uint8Array
}

/** What a key with a count of children says. */
export interface CountRead {
  readonly creates: number
  /** When it was last changed; 0 if there is none. */
  readonly counted: bigint
}

/** Takes its answer out of the answers of a plan. */
export type Answer<T> = (responses: Responses) => T

type Responses = NonNullable<TxnResponse['responses']>

const NO_BYTES = new Uint8Array()

/** Reads to be done together; see the head of this file. */
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
    return this.#first(readKey(this.#keys.count(path)), countOf)
  }

  /** How many children a node has. */
  numChildren(path: string): Answer<number> {
    return this.#add(readRange(this.#keys.children(path), 'countOnly'), (range) => Number(range?.count ?? 0))
  }

  /** The names of a node's children, sorted by code unit. */
  names(path: string): Answer<string[]> {
    const range = this.#keys.children(path)
    return this.#add(readRange(range, 'keysOnly'), (answer) => {
      return (answer?.kvs ?? []).map(({ key = '' }) => key.slice(range.key.length)).sort()
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

function nodeOf(kv: KeyValue, path: string): NodeRead {
  const { value = NO_BYTES, createRevision: created = 0n, modRevision: modified = 0n, lease = 0n } = kv
  const { header, data } = decodeNode(value, path)
  return { state: { ...header, created, modified, lease, dataLength: data.length }, data }
}

function countOf(kv: KeyValue | undefined): CountRead {
  return { creates: Number(Buffer.from(kv?.value ?? NO_BYTES).toString()) | 0, counted: kv?.modRevision ?? 0n }
}
