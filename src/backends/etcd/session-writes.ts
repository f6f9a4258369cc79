/**
 * Writes, each as one transaction that compares and then writes.
 *
 * Retry     a transaction that found something else than was known has changed nothing, and has read what is there
 *           instead: the operations are judged again, by that. Somebody else has written meanwhile, so of all who try
 *           one succeeds. A transaction whose answer is lost is not sent again by anybody.
 * New       of a node that is to be created and was never seen, a write assumes that there is none: that saves a read
 *           before nearly every create, and costs nothing where it is wrong.
 * Turns     creates under one parent get in each other's way, so those of one process take turns, and for
 *           those of others a create goes with more than one number (ladder.ts).
 * Session   every transaction compares that the session's key is there, so a session that is over writes nothing.
 */
import type { Operation, OperationResult } from '../../core/backend.ts'
import { delay } from '../../core/async.ts'
import { CoordinationError } from '../../core/errors.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { parentOf } from '../../core/path.ts'
import { Draft } from './draft.ts'
import type { Keys } from './keys.ts'
import { Ladder } from './ladder.ts'
import { TXN_OPS_MAX } from './messages.ts'
import type { Compare, RequestOp, TxnRequest, TxnResponse } from './messages.ts'
import { ReadPlan } from './read-plan.ts'
import { assumingNew, covers, needsOf, planOf } from './snapshot.ts'
import type { Hints, Needs, Snapshot } from './snapshot.ts'
import type { Turns } from './turns.ts'

/** The session of a write, as the write uses it. */
export interface WriterPort {
  readonly id: bigint
  /** Whether the session is over, so that nothing may be sent for it. */
  readonly isOver: boolean
  /**
   * Sends a transaction.
   *
   * @param writes - whether it may change something
   */
  send(request: TxnRequest, writes: boolean): Promise<TxnResponse>
}

/** Thrown when the servers have ended the session. Nothing was written. */
export class SessionGone extends Error {}

/** Refused transactions of one write after which it pauses before the next. */
const EAGER_TRIES = 1

/** Transactions of one write that may be refused; more of them mean that a key of ours was tampered with. */
const TRIES_MAX = 100

/** Longest such pause, in milliseconds. */
const PAUSE_MS_MAX = 250

/** How many operations stand before those of a plan: the read of the session's key. */
const OFFSET = 1

/** Does writes for one session. */
export class SessionWrites {
  readonly #keys: Keys
  readonly #hints: Hints
  readonly #turns: Turns
  readonly #port: WriterPort
  readonly #ladder = new Ladder()

  /** Makes the writer of a session, which shares hints and turns with the others of its backend. */
  constructor(keys: Keys, hints: Hints, turns: Turns, port: WriterPort) {
    this.#keys = keys
    this.#hints = hints
    this.#turns = turns
    this.#port = port
  }

  /**
   * Does operations, all of them at one revision or none.
   *
   * @throws CoordinationError of the first operation that is refused, or if they are too many; RpcError;
   * {@link SessionGone}
   */
  async write(operations: readonly Operation[], isMulti: boolean): Promise<OperationResult[]> {
    const creation = operations.find(({ type }) => type === 'create')
    if (creation === undefined) return this.#write(operations, isMulti)
    const end = await this.#turns.take(parentOf(creation.path))
    try {
      return await this.#write(operations, isMulti)
    } finally {
      end()
    }
  }

  async #write(operations: readonly Operation[], isMulti: boolean): Promise<OperationResult[]> {
    const needs = needsOf(operations)
    const hinted = assumingNew(operations, this.#hints.about(needs))
    let isFresh = !covers(hinted, needs)
    let snapshot = isFresh ? await this.#read(needs) : hinted
    for (let tries = 1; ; tries++) {
      const drafts = this.#drafts(operations, snapshot, isMulti, isFresh)
      const committed = drafts.length === 0 ? null : await this.#commit(drafts)
      if (committed !== null && 'results' in committed) return committed.results
      this.#ladder.missed(operations)
      if (tries === TRIES_MAX) throw contended(tries)
      if (tries > EAGER_TRIES) await delay(fullJitterMs(tries - EAGER_TRIES, PAUSE_MS_MAX))
      if (this.#port.isOver) throw new SessionGone()
      const found = committed?.found ?? null
      snapshot = found !== null && covers(found, needs) ? found : await this.#read(needs)
      isFresh = true
    }
  }

  /** Drafts of operations, one for each rung of the ladder; none if they are refused by what may be out of date. */
  #drafts(operations: readonly Operation[], snapshot: Snapshot, isMulti: boolean, isFresh: boolean): Draft[] {
    const author = { session: this.#port.id, nowMs: Date.now() }
    const draft = (known: Snapshot): Draft => new Draft(this.#keys, known, author, operations, isMulti)
    try {
      return this.#ladder.rungs(operations, snapshot).map(draft)
    } catch (error) {
      if (isFresh || !(error instanceof CoordinationError)) throw error
      return []
    }
  }

  async #commit(drafts: readonly Draft[]): Promise<{ results: OperationResult[] } | { found: Snapshot | null }> {
    const id = this.#port.id
    const sessionPlan = new ReadPlan(this.#keys)
    const isOpen = sessionPlan.session(id)
    const plan = planOf(drafts[0]?.needs ?? new Map(), this.#keys, OFFSET)
    const fits = OFFSET + plan.ops.length <= TXN_OPS_MAX
    const reads: RequestOp[] = [...sessionPlan.ops, ...(fits ? plan.ops : [])]
    const answer = await this.#port.send(this.#transaction(drafts, reads), true)
    let { succeeded, responses = [] } = answer
    for (const [rung, draft] of drafts.entries()) {
      if (rung > 0) ({ succeeded, responses = [] } = responses[0]?.txn ?? {})
      if (succeeded !== true) continue
      const revision = answer.header?.revision ?? 0n
      if (drafts.length > 1) this.#ladder.stoodOn(rung)
      draft.note(this.#hints, revision)
      return { results: draft.results(revision, responses) }
    }
    if (!isOpen(responses)) throw new SessionGone()
    return { found: fits ? this.#noted(plan.snapshot(responses), answer) : null }
  }

  /** Each rung is tried where the one above does not apply; where none does, the nodes are read instead. */
  #transaction(drafts: readonly Draft[], reads: readonly RequestOp[]): TxnRequest {
    const key = this.#keys.session(this.#port.id)
    const alive: Compare = { result: 'greater', key, target: 'create', createRevision: 0n }
    let failure = reads
    let transaction: TxnRequest = { compare: [], success: reads, failure: [] }
    for (const draft of drafts.toReversed()) {
      const compare = [alive, ...draft.compares()]
      const success = draft.operations()
      refuseTooMany(Math.max(compare.length, success.length))
      transaction = { compare, success, failure }
      failure = [{ txn: transaction }]
    }
    return transaction
  }

  async #read(needs: Needs): Promise<Snapshot> {
    const sessionPlan = new ReadPlan(this.#keys)
    const isOpen = sessionPlan.session(this.#port.id)
    const plan = planOf(needs, this.#keys, OFFSET)
    const success = [...sessionPlan.ops, ...plan.ops]
    refuseTooMany(success.length)
    const answer = await this.#port.send({ compare: [], success, failure: [] }, false)
    const { responses = [] } = answer
    if (!isOpen(responses)) throw new SessionGone()
    return this.#noted(plan.snapshot(responses), answer)
  }

  #noted(snapshot: Snapshot, { header }: TxnResponse): Snapshot {
    for (const [path, known] of snapshot) this.#hints.note(path, header?.revision ?? 0n, known)
    return snapshot
  }
}

function refuseTooMany(count: number): void {
  if (count <= TXN_OPS_MAX) return
  const message = `these operations take ${count} of etcd's, and a transaction of it has at most ${TXN_OPS_MAX}`
  throw new CoordinationError('PAYLOAD_TOO_LARGE', message, { outcome: 'not-sent' })
}

function contended(tries: number): CoordinationError {
  const message = `${tries} transactions found something else than had been read just before, so none was done`
  return new CoordinationError('SYSTEM_ERROR', message, { outcome: 'rejected' })
}
