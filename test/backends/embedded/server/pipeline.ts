/**
 * The way of a request to the state on a leader, in one piece: prepare, encode, decode, apply. Applies may
 * lag.
 */
import { CreateFlag, OpCode } from '../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import type { MultiOperation } from '../../../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import type { Transaction } from '../../../../src/backends/wire/transactions.ts'
import { SERVER_DEFAULTS } from '../../../../src/backends/embedded/server/config.ts'
import { NO_IDENTITIES } from '../../../../src/backends/embedded/server/state/identities.ts'
import type { Identity } from '../../../../src/backends/embedded/server/state/identities.ts'
import { Preparer } from '../../../../src/backends/embedded/server/writes/prepare.ts'
import type { PrepareOptions, WriteOperation } from '../../../../src/backends/embedded/server/writes/prepare.ts'
import { State } from '../../../../src/backends/embedded/server/state/state.ts'
import type { Applied } from '../../../../src/backends/embedded/server/state/state.ts'

/** The session that requests are of unless they say otherwise. */
export const SESSION = 0x100n

/** A request without the session that asks for it. */
export type Wish = WriteOperation

/** Who asks, when, and whether it is refused whatever it is. */
interface WishOptions {
  readonly sessionId?: bigint
  readonly timeMs?: number
  readonly refusal?: number
  readonly identities?: readonly Identity[]
}

/** A leader's preparer and one server's state. */
export class Pipeline {
  readonly state: State
  readonly preparer: Preparer
  /** Every transaction that was prepared, in order. */
  readonly log: Transaction[] = []
  #applied = 0
  #zxid: bigint

  constructor(state = new State(), options: PrepareOptions = SERVER_DEFAULTS) {
    this.state = state
    this.preparer = new Preparer(state, options)
    this.#zxid = state.lastZxid
  }

  /** A pipeline in which {@link SESSION} is open. */
  static withSession(options: Partial<PrepareOptions> = {}): Pipeline {
    const pipeline = new Pipeline(new State(), { ...SERVER_DEFAULTS, ...options })
    pipeline.run(openSession())
    return pipeline
  }

  /** The zxid of the last request. */
  get zxid(): bigint {
    return this.#zxid
  }

  /** Prepares a request and leaves it in the log. */
  prepare(wish: Wish, options: WishOptions = {}): Transaction {
    const { sessionId = SESSION, timeMs = 1000, refusal = 0, identities = NO_IDENTITIES } = options
    this.#zxid += 1n
    const request = { sessionId, xid: Number(this.#zxid), identities, ...wish }
    const transaction = this.preparer.prepare(request, this.#zxid, timeMs, refusal)
    this.log.push(decodeTransaction(encodeTransaction(transaction)))
    return transaction
  }

  /** Takes back the last request, which must not be applied yet. */
  revoke(): void {
    this.preparer.revoke(this.#zxid)
    this.log.pop()
    this.#zxid -= 1n
  }

  /** Applies the oldest transaction that is not applied yet; undefined if there is none. */
  applyNext(): Applied | undefined {
    const transaction = this.log[this.#applied]
    if (transaction === undefined) return undefined
    this.#applied += 1
    const applied = this.state.apply(transaction)
    this.preparer.applied(transaction.header.zxid)
    return applied
  }

  /** Prepares a request, applies it and all before it, and answers with what it did. */
  run(wish: Wish, options: WishOptions = {}): Applied {
    this.prepare(wish, options)
    let last: Applied | undefined
    for (let next = this.applyNext(); next !== undefined; next = this.applyNext()) last = next
    if (last === undefined) throw new Error('nothing was applied')
    return last
  }

  /** The path of what a create made. */
  created(wish: Wish, options: WishOptions = {}): string {
    const { err, body } = this.run(wish, options)
    const path = body !== null && 'path' in body ? body.path : null
    if (err !== 0 || path === null) throw new Error(`create was refused with ${err}`)
    return path
  }
}

export function openSession(): Wish {
  return { op: OpCode.createSession, body: { timeOut: 4000, passwd: Uint8Array.of(1, 2, 3) } }
}

export function closeSession(): Wish {
  return { op: OpCode.closeSession, body: null }
}

type CreateOp = typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer
type CreateWish = Extract<MultiOperation, { op: CreateOp }>

export function create(
  path: string,
  flags: number = CreateFlag.persistent,
  data: Uint8Array | null = null,
): CreateWish {
  return { op: OpCode.create2, body: { path, data, acl: OPEN_ACL, flags } }
}

export function createContainer(path: string): CreateWish {
  return { op: OpCode.createContainer, body: { path, data: null, acl: OPEN_ACL, flags: CreateFlag.container } }
}

export function createTtl(
  path: string,
  ttl: bigint,
  flags: number = CreateFlag.persistentWithTtl,
): Extract<MultiOperation, { op: typeof OpCode.createTTL }> {
  return { op: OpCode.createTTL, body: { path, data: null, acl: OPEN_ACL, flags, ttl } }
}

export function setData(
  path: string,
  data: Uint8Array | null = null,
  version = -1,
): Extract<MultiOperation, { op: typeof OpCode.setData }> {
  return { op: OpCode.setData, body: { path, data, version } }
}

export function remove(path: string, version = -1): Extract<MultiOperation, { op: typeof OpCode.delete }> {
  return { op: OpCode.delete, body: { path, version } }
}

export function check(path: string, version: number): Extract<MultiOperation, { op: typeof OpCode.check }> {
  return { op: OpCode.check, body: { path, version } }
}

export function checkCreation(
  path: string,
  version: number,
  czxid: bigint,
): Extract<MultiOperation, { op: typeof OpCode.checkCreation }> {
  return { op: OpCode.checkCreation, body: { path, version, czxid } }
}

export function multi(...body: MultiOperation[]): Wish {
  return { op: OpCode.multi, body }
}

export function deleteContainer(path: string): Wish {
  return { op: OpCode.deleteContainer, body: { path } }
}
