/**
 * A session on etcd: a lease with the calls, the watches and the state that belong to it.
 *
 * Order     one request at a time, in the order of the calls; reads that follow one another go into one
 *           request, at one revision. All reads are linearizable, so a session never reads an older state.
 * Watches   the reply of a read is held until the stream has delivered what it shows to the watches (watch-check.ts).
 * Outcome   a write whose request has left and whose answer did not come is `unknown`, and never sent again. Reads,
 *           and what has not left, wait for the next member.
 * Lease     an answered keep-alive proves that the session lived when it was sent (lease-keeper.ts).
 */
import type { Children, Created, CreateOptions, NodeData, Operation, OperationResult } from '../../core/backend.ts'
import type { Session, SessionState, Stat, Watcher } from '../../core/backend.ts'
import { Deadline } from '../../core/async.ts'
import { CALLS_MAX, CLOSED, EXPIRED, FULL, WAITED } from '../../core/session/call-queue.ts'
import type { CallFailure } from '../../core/session/call-queue.ts'
import { CLOSE_MS_MAX } from '../../core/session/closing.ts'
import { EventQueue } from '../../core/session/event-queue.ts'
import { trustedUntilMs } from '../../core/session/lease-rule.ts'
import { SessionStates } from '../../core/session/states.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import { Fifo } from '../../core/fifo.ts'
import { ArmedWatch, ArmedWatches } from './armed-watches.ts'
import { ReadCall, WriteCall, failure, lostAnswer } from './calls.ts'
import type { Call } from './calls.ts'
import { Status } from './grpc.ts'
import { RpcError } from './io/channel.ts'
import type { Channel } from './io/channel.ts'
import type { Keys } from './keys.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { LeaseOwner, OpenedLease } from './lease-keeper.ts'
import { Methods } from './messages.ts'
import type { TxnRequest, TxnResponse } from './messages.ts'
import { ReadPlan } from './read-plan.ts'
import type { Hints } from './snapshot.ts'
import type { Turns } from './turns.ts'
import { WatchCheck } from './watch-check.ts'
import type { Change, HubListener, WatchHub } from './watch-hub.ts'
import { SessionGone, SessionWrites } from './session-writes.ts'

/** The parts that the sessions of a backend share. */
export interface Shared {
  readonly channel: Channel
  readonly keys: Keys
  readonly hub: WatchHub
  readonly hints: Hints
  readonly turns: Turns
  readonly requestTimeoutMs: number
}

/** The settings of one session. */
export interface SessionOptions {
  readonly callTimeoutMs: number
  readonly onError: (error: unknown) => void
}

/** A request waits for its answer no longer than this part of the time-out. */
const REQUEST_PART = 2 / 3

/** Operations of one transaction that are for reads; the others are for what watches wait for. */
const READ_OPS_MAX = 64
const OPS_A_READ = 3

/** A session. */
export class EtcdSession implements Session, HubListener, LeaseOwner {
  readonly id: bigint
  readonly timeoutMs: number
  readonly #shared: Shared
  readonly #callTimeoutMs: number
  readonly #queue: EventQueue
  readonly #watches: ArmedWatches
  readonly #check: WatchCheck
  readonly #keeper: LeaseKeeper
  readonly #writer: SessionWrites
  readonly #states: SessionStates
  /** Called, and not yet sent. */
  readonly #waiting = new Fifo<Call>()
  /** Calls that are being done, or were not done because no member was in touch; they come before those that wait. */
  #current: Call[] = []
  #isPumping = false
  #suspendedAtMs = 0
  #closing: Promise<void> | null = null
  readonly #overdue = new Deadline(() => this.#overdueMs(), () => this.#failOverdue())

  /** Makes a session of a lease that was granted. */
  constructor(shared: Shared, lease: OpenedLease, options: SessionOptions) {
    this.id = lease.id
    this.timeoutMs = lease.timeoutMs
    this.#shared = shared
    this.#callTimeoutMs = options.callTimeoutMs
    const queue = new EventQueue(options.onError)
    this.#queue = queue
    this.#states = new SessionStates(queue)
    this.#watches = new ArmedWatches((task) => queue.push(task), (callback) => queue.call(callback))
    this.#keeper = new LeaseKeeper(shared.channel, shared.keys, lease, this)
    const keeper = this.#keeper
    this.#check = new WatchCheck(shared.keys, shared.hub, this.#watches, {
      get endpoint() {
        return keeper.endpoint
      },
      read: (request) => this.#send(request, false),
      now: () => this.#now(),
      mark: () => this.#mark(),
    })
    const isOver = (): boolean => this.#states.isOver
    this.#writer = new SessionWrites(shared.keys, shared.hints, shared.turns, {
      id: lease.id,
      get isOver() {
        return isOver()
      },
      send: (request, writes) => this.#send(request, writes),
    })
  }

  get state(): SessionState {
    return this.#states.current
  }

  get leaseDeadlineMs(): number {
    return this.#states.isOver ? -Infinity : trustedUntilMs(this.#keeper.answeredSentMs, this.timeoutMs)
  }

  /** Begins to keep it alive. */
  start(): void {
    this.#keeper.start()
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#states.listen(listener)
  }

  async create(path: string, data: Uint8Array, { mode, ttlMs }: CreateOptions): Promise<Created> {
    const ttl = ttlMs === undefined ? {} : { ttlMs }
    const [result] = await this.#write([{ type: 'create', path, data, mode, ...ttl }], path)
    return result as Extract<OperationResult, { type: 'create' }>
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#read('get', path, watch)
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#read('exists', path, watch)
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#read('children', path, watch)
  }

  async set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    const [result] = await this.#write([{ type: 'set', path, data, version }], path)
    return (result as Extract<OperationResult, { type: 'set' }>).stat
  }

  async delete(path: string, version: number): Promise<void> {
    await this.#write([{ type: 'delete', path, version }], path)
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    return this.#write(operations, null)
  }

  sync(path: string): Promise<void> {
    return this.#read('sync', path)
  }

  unwatch(path: string, watch: Watcher): void {
    this.#watches.unwatch(path, watch)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  onChanges(revision: bigint, changes: readonly Change[]): void {
    const isEnd = changes.some((change) => change.type === 'session-over' && change.session === this.id)
    if (isEnd) this.onGone()
    else this.#watches.onChanges(revision, changes)
  }

  onGap(): void {
    if (this.#states.current.status === 'connected') void this.#check.missed()
  }

  onBroken(): void {
    this.#keeper.probe()
  }

  onProblem(error: unknown): void {
    this.#queue.report(error)
  }

  onAlive(): void {
    if (this.#states.isOver) return
    this.#shared.hub.hurry(this.#keeper.endpoint)
    if (this.#states.current.status === 'suspended') {
      this.#overdue.stop()
      this.#states.set({ status: 'connected' })
    }
    void this.#pump()
    void this.#check.alive()
  }

  onLost(): void {
    if (this.#states.current.status !== 'connected') return
    this.#suspendedAtMs = performance.now()
    this.#states.set({ status: 'suspended', deadlineMs: this.leaseDeadlineMs })
    if (this.#callTimeoutMs !== Infinity) this.#overdue.start()
  }

  onGone(): void {
    if (!this.#states.isOver) this.#finish({ status: 'expired' }, EXPIRED)
  }

  #read<T>(kind: WatchedRead | 'sync', path: string, watch?: Watcher): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const armed = watch === undefined || kind === 'sync' ? null : new ArmedWatch(kind, path, watch)
      this.#submit(new ReadCall(kind, path, armed, { resolve, reject }))
    })
  }

  #write(operations: readonly Operation[], path: string | null): Promise<OperationResult[]> {
    return new Promise((resolve, reject) => {
      this.#submit(new WriteCall(operations, path, { resolve, reject }))
    })
  }

  #submit(call: Call): void {
    if (this.#states.isOver) {
      call.fail(this.#states.current.status === 'closed' ? CLOSED : EXPIRED)
    } else if (this.#current.length + this.#waiting.length >= CALLS_MAX) {
      call.fail(FULL)
    } else {
      if (call instanceof ReadCall && call.watch !== null) this.#watches.reading(call.watch)
      this.#waiting.push(call)
      if (this.#states.current.status === 'connected') void this.#pump()
      else if (this.#callTimeoutMs !== Infinity) this.#overdue.start()
    }
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return
    this.#isPumping = true
    // The calls of one turn go together.
    await Promise.resolve()
    while (this.#states.current.status === 'connected' && this.#take()) {
      const [first] = this.#current
      const endpoint = this.#keeper.endpoint
      try {
        if (first instanceof WriteCall) await this.#doWrite(first)
        else await this.#doReads(this.#current as ReadCall[])
        this.#current = []
      } catch (error) {
        this.#onFailure(error, endpoint)
      }
    }
    this.#isPumping = false
    if (this.#states.current.status === 'suspended' && this.#callTimeoutMs !== Infinity) this.#overdue.start()
  }

  /** Takes the next write, or the next reads, unless there is something to be done again. */
  #take(): boolean {
    while (this.#current.length === 0 || this.#current.length * OPS_A_READ < READ_OPS_MAX) {
      const next = this.#waiting.peek()
      const fits = this.#current.length === 0 || (next instanceof ReadCall && this.#current[0] instanceof ReadCall)
      if (next === undefined || !fits) break
      this.#waiting.shift()
      this.#current.push(next)
    }
    return this.#current.length > 0
  }

  async #doWrite(call: WriteCall): Promise<void> {
    const results = await this.#writer.write(call.operations, call.path === null)
    call.isSent = false
    this.#inOrder(() => call.resolve(results))
  }

  async #doReads(calls: readonly ReadCall[]): Promise<void> {
    const plan = new ReadPlan(this.#shared.keys)
    const isOpen = plan.session(this.id)
    const reads = calls.map((call) => call.plan(plan))
    const looks = this.#check.plan(plan)
    const { responses = [], header } = await this.#send({ compare: [], success: plan.ops, failure: [] }, false)
    if (!isOpen(responses)) throw new SessionGone()
    const revision = header?.revision ?? 0n
    await this.#check.settle(looks, { plan, responses, revision })
    for (const [index, call] of calls.entries()) {
      const read = reads[index]
      this.#inOrder(() => call.answer(() => read?.(responses) ?? null, revision, this.#watches, this.#shared.hints))
    }
  }

  /** The revision that etcd is at. */
  async #now(): Promise<bigint> {
    const plan = new ReadPlan(this.#shared.keys)
    plan.session(this.id)
    const { header } = await this.#send({ compare: [], success: plan.ops, failure: [] }, false)
    return header?.revision ?? 0n
  }

  /** Puts the session's key once more, for the stream to tell of. Returns the revision. */
  async #mark(): Promise<bigint> {
    const key = this.#shared.keys.session(this.id)
    const alive = { result: 'greater', key, target: 'create', createRevision: 0n } as const
    const put = { key, ignoreValue: true, ignoreLease: true }
    const { succeeded, header } = await this.#send({ compare: [alive], success: [{ put }], failure: [] }, false)
    if (succeeded !== true) throw new SessionGone()
    return header?.revision ?? 0n
  }

  async #send(request: TxnRequest, writes: boolean): Promise<TxnResponse> {
    // The caller was told that this was not sent.
    if (this.#states.isOver) throw new SessionGone()
    const [call] = this.#current
    if (writes && call instanceof WriteCall) call.isSent = true
    const waitMs = Math.min(this.#shared.requestTimeoutMs, this.timeoutMs * REQUEST_PART)
    try {
      const answer = await this.#shared.channel.call(this.#keeper.endpoint, Methods.txn, request, waitMs)
      this.#keeper.served()
      if (writes && answer.succeeded !== true && call instanceof WriteCall) call.isSent = false
      return answer
    } catch (error) {
      const isKnown = error instanceof RpcError && error.failure !== 'lost'
      if (writes && isKnown && call instanceof WriteCall) call.isSent = false
      throw error
    }
  }

  /** Calls that could not be done: refused for good, to be done at another member, or of unknown outcome. */
  #onFailure(error: unknown, endpoint: number): void {
    if (this.#states.isOver) {
      this.#current = []
    } else if (error instanceof SessionGone || isLeaseGone(error)) {
      this.#keeper.stop()
      for (const call of this.#current) call.isSent = false
      this.onGone()
    } else if (error instanceof RpcError && error.failure !== 'refused') {
      const lost = this.#current.filter((call) => call.isSent)
      this.#current = this.#current.filter((call) => !call.isSent)
      for (const call of lost) {
        this.#inOrder(() => call.fail(lostAnswer(error)))
      }
      this.onLost()
      this.#keeper.failed(endpoint, error.message)
    } else {
      const calls = this.#current
      this.#current = []
      for (const call of calls) this.#inOrder(() => this.#reject(call, error))
    }
  }

  #reject(call: Call, error: unknown): void {
    if (call instanceof ReadCall && call.watch !== null) this.#watches.drop(call.watch)
    call.reject(error instanceof RpcError ? failure(error, call.path) : error)
  }

  /** Does something after every event that has arrived before. */
  #inOrder(task: () => void): void {
    if (this.#queue.idle) task()
    else this.#queue.push(task)
  }

  #overdueMs(): number {
    const calledAtMs = (this.#current[0] ?? this.#waiting.peek())?.calledAtMs ?? Infinity
    return Math.max(calledAtMs, this.#suspendedAtMs) + this.#callTimeoutMs
  }

  #failOverdue(): void {
    if (this.#states.current.status !== 'suspended') return
    while (this.#overdueMs() <= performance.now()) {
      // One that may still be answered is not overdue: it has a deadline of its own.
      if (this.#isPumping) return
      const call = this.#current.shift() ?? this.#waiting.shift()
      if (call instanceof ReadCall && call.watch !== null) this.#watches.drop(call.watch)
      call?.fail(WAITED)
    }
    if (this.#overdueMs() !== Infinity) this.#overdue.start()
  }

  #finish(state: SessionState, reason: CallFailure): void {
    this.#keeper.stop()
    this.#overdue.stop()
    this.#watches.clear()
    this.#states.set(state)
    const calls = [...this.#current, ...this.#waiting.takeAll()]
    this.#current = []
    for (const call of calls) call.fail(reason)
    this.#shared.hub.remove(this)
  }

  async #close(): Promise<void> {
    if (this.#states.isOver) return
    this.#finish({ status: 'closed' }, CLOSED)
    await this.#revoke()
  }

  /** Revokes the lease at one member after the other, for a limited time. It ends by itself if none confirms. */
  async #revoke(): Promise<void> {
    const { channel } = this.#shared
    const endMs = performance.now() + Math.min(CLOSE_MS_MAX, this.timeoutMs)
    for (let i = 0; i < channel.endpointCount; i++) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) return
      try {
        await channel.call(this.#keeper.endpoint + i, Methods.leaseRevoke, { id: this.id }, leftMs)
        return
      } catch (error) {
        if (error instanceof RpcError && error.failure === 'refused') return
      }
    }
  }
}

function isLeaseGone(error: unknown): boolean {
  return error instanceof RpcError && error.status === Status.notFound && /lease not found/.test(error.message)
}
