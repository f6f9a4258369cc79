/**
 * The client's half of a session: matches replies with requests, keeps the session attached to some server, and
 * delivers watches.
 *
 * Model     one session, at most one connection at a time. Calls made while no server is in touch wait for the next
 *           one; calls in flight when a connection is lost fail, since nobody can tell what became of them.
 * Order     replies come in the order of the requests; a watch callback is called before the reply of any later read
 *           resolves. For that, everything that arrives after an event queues up after it (session/event-queue.ts);
 *           while no event waits, a reply resolves its promise directly.
 * Lease     the servers end a session when they have heard nothing for its time-out T, counted from when they
 *           *received* something, which is not before we sent it. lease.ts has the proofs that they have.
 *           Without one for too long the session is given up here (core/session/lease-rule.ts).
 * Source    ClientCnxn.java of ZooKeeper 3.8.
 */
import type { Children, Created, CreateOptions, NodeData, Operation, OperationResult } from '../../core/backend.ts'
import type { Session, SessionState, Stat, Watcher } from '../../core/backend.ts'
import { Deadline, abortedError, deferred, whenAborted } from '../../core/async.ts'
import { CLOSED, CallQueue, EXPIRED, FULL } from '../../core/session/call-queue.ts'
import { CoordinationError } from '../../core/errors.ts'
import { untilConfirmed } from '../../core/session/closing.ts'
import { EventQueue } from '../../core/session/event-queue.ts'
import { givenUpAtMs } from '../../core/session/lease-rule.ts'
import { SessionStates } from '../../core/session/states.ts'
import type { Dialer } from './channel.ts'
import { ClientAttempts, unopened } from './attempts.ts'
import { BetterServer } from './better-server.ts'
import { Call, createCall, multiOperation, oversizeOf } from './calls.ts'
import { readChildren, readCreated, readData, readNothing, readResults, readStat } from './calls.ts'
import { Connection } from './connection.ts'
import type { ConnectionOwner } from './connection.ts'
import { ClientIdentity } from './identity.ts'
import { ClientIntroductions } from './introductions.ts'
import type { IntroductionRefusal } from './introductions.ts'
import type { ClientSessionOptions } from './options.ts'
import { ClientOutbox } from './outbox.ts'
import { SaslProof, unproved } from './sasl-proof.ts'
import { ClientWatches } from './watches.ts'
import { Err, OpCode, WatcherType, Xid } from '../wire/codes.ts'
import { OwnDialect, recognition } from './dialect.ts'
import type { Dialect, PlainRequests } from './dialect.ts'
import { OPEN_ACL } from '../wire/records.ts'
import type { ConnectResponse, Reply, ReplyBodies, Request, RequestBodies, ServerMessage } from '../wire/records.ts'
import { Xids } from './xids.ts'

/**
 * Opens a new session: asks each server once, until one answers.
 *
 * @param dialer - reaches the servers
 * @returns the session, attached
 * @throws CoordinationError `CONNECTION_LOSS` with outcome `not-sent` if none answered; `NO_AUTH` if one refused to
 * know us; `ABORTED` if the signal was aborted
 */
export async function openClientSession(dialer: Dialer, options: ClientSessionOptions): Promise<Session> {
  const { signal } = options
  if (signal?.aborted === true) throw abortedError(signal)
  const session = new ClientSession(dialer, options)
  const unlisten = signal === undefined ? null : whenAborted(signal, () => session.abandon(abortedError(signal)))
  try {
    await session.open()
  } finally {
    unlisten?.()
  }
  return session
}

type Phase = 'opening' | 'attached' | 'detached' | 'over'

class ClientSession implements Session, ConnectionOwner {
  readonly #dialer: Dialer
  readonly #options: ClientSessionOptions
  readonly #identity: ClientIdentity
  readonly #queue: EventQueue
  readonly #watches: ClientWatches
  readonly #opened = deferred<undefined>()
  readonly #calls: ClientOutbox
  readonly #xids = new Xids()
  readonly #states: SessionStates
  readonly #dialect: Dialect
  readonly #introductions: ClientIntroductions
  readonly #sasl: SaslProof
  readonly #search: BetterServer
  readonly #attempts: ClientAttempts
  readonly #expiry = new Deadline(
    () => givenUpAtMs(this.#answeredSentMs, this.timeoutMs),
    () => {
      this.#expire()
    },
  )

  /** When the latest ping, write or sync that was answered was sent. */
  #answeredSentMs = -Infinity
  /** How it is linked: `opening` until the first server answers, `over` once expired or closed. */
  #phase: Phase = 'opening'
  /** Whether `openClientSession` has been answered. */
  #isOpen = false
  #connection: Connection | null = null
  #closing: { readonly xid: number; readonly end: () => void } | null = null
  #closed: Promise<void> | null = null

  constructor(dialer: Dialer, options: ClientSessionOptions) {
    this.#dialer = dialer
    this.#options = options
    this.#identity = new ClientIdentity(options.sessionTimeoutMs)
    this.#attempts = new ClientAttempts(dialer)
    this.#search = new BetterServer(dialer, () => this.#calls, (reason) => {
      this.#drop(reason)
    })
    this.#queue = new EventQueue(options.onError)
    this.#states = new SessionStates(this.#queue)
    const requests = this.#plainRequests(false)
    this.#dialect = options.dialect?.(requests, this.#plainRequests(true)) ?? new OwnDialect(requests)
    this.#introductions = new ClientIntroductions(options.auth ?? [], this.#dialect)
    this.#sasl = new SaslProof(options.sasl ?? null, () => this.#xids.next(), (connection, response, refusal) => {
      this.#inOrder(() => {
        if (connection !== this.#connection) return
        if (refusal === null) this.#attach(connection, response)
        else this.#refused(refusal)
      })
    })
    this.#watches = new ClientWatches((path) => this.#disarm(path), (callback) => this.#queue.call(callback))
    const calls = new CallQueue<Call>(options.callTimeoutMs ?? Infinity, (call, failure, sent) => {
      if (call.arms) this.#watches.answered(call, null)
      call.fail(failure, sent)
    })
    const send = (call: Call): void => {
      this.#connection?.send(call.request, call.renews && this.#dialect.lease.areCallsPings)
    }
    const { answerMsMax = null } = options
    const onLate = (): void => this.#violated(`no answer for ${answerMsMax ?? 0} ms, but to pings`)
    const limit = answerMsMax === null ? null : { answerMsMax, onLate }
    this.#calls = new ClientOutbox(calls, send, this.#dialect.inFlightMax, limit)
  }

  get id(): bigint {
    return this.#identity.id
  }

  get timeoutMs(): number {
    return this.#identity.timeoutMs
  }

  get state(): SessionState {
    return this.#states.current
  }

  get leaseDeadlineMs(): number {
    if (this.#phase === 'over') return -Infinity
    this.#dialect.lease.want()
    return this.#dialect.lease.deadlineMs
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#states.listen(listener)
  }

  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created> {
    return this.#dialect.create(path, data, options)
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#call(OpCode.getData, { path, watch: watch !== undefined }, path, readData, watch)
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#call(OpCode.exists, { path, watch: watch !== undefined }, path, readStat, watch)
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#call(OpCode.getChildren2, { path, watch: watch !== undefined }, path, readChildren, watch)
  }

  set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    return this.#call(OpCode.setData, { path, data, version }, path, readStat)
  }

  delete(path: string, version: number): Promise<void> {
    return this.#call(OpCode.delete, { path, version }, path, readNothing)
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    return this.#dialect.multi(operations)
  }

  sync(path: string): Promise<void> {
    return this.#dialect.sync(path)
  }

  unwatch(path: string, watch: Watcher): void {
    this.#watches.unwatch(path, watch)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Asks the servers in turn, each once; see {@link openClientSession}. */
  open(): Promise<undefined> {
    this.#dial()
    return this.#opened.promise
  }

  /** Gives up an opening that is under way; without effect once it is open. */
  abandon(error: CoordinationError): void {
    if (this.#isOpen || this.#phase === 'over') return
    this.#unlink('over')
    this.#calls.failAll(CLOSED)
    this.#opened.reject(error)
  }

  onConnectResponse(connection: Connection, response: ConnectResponse): void {
    this.#inOrder(() => {
      if (connection === this.#connection) this.#onConnectResponse(connection, response)
    })
  }

  onMessage(connection: Connection, message: ServerMessage): void {
    // The hot path: no closure for a reply while no event waits. The answer to setWatches calls callbacks.
    if (message.kind === 'reply' && message.reply.xid !== Xid.setWatches && this.#queue.idle) {
      this.#onReply(connection, message.reply)
      return
    }
    this.#queue.push(() => {
      if (message.kind === 'reply') this.#onReply(connection, message.reply)
      else if (message.kind === 'event') this.#onEvent(connection, message.event.type, message.event.path)
    })
  }

  onLost(connection: Connection, reason: string): void {
    this.#inOrder(() => {
      if (connection === this.#connection) this.#onLost(reason)
    })
  }

  /** Does something after every event that has arrived before. */
  #inOrder(task: () => void): void {
    if (this.#queue.idle) task()
    else this.#queue.push(task)
  }

  #call<O extends keyof RequestBodies, T>(
    op: O,
    body: RequestBodies[O],
    path: string,
    read: (body: ReplyBodies[O], zxid: bigint) => T,
    watch?: Watcher,
    { isUrgent = false, isBound = false } = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const request = { xid: this.#xids.next(), op, body } as Request
      this.#submit(new Call(request, path, watch, { read, resolve, reject }, isBound), isUrgent)
    })
  }

  #plainRequests(isBound: boolean): PlainRequests {
    return {
      acl: this.#options.acl ?? OPEN_ACL,
      isAnonymous: (this.#options.auth ?? []).length === 0 && this.#options.sasl === undefined,
      create: (path, data, options, acl) => {
        const { op, body } = createCall(path, data, options, acl)
        return this.#call(op, body, path, readCreated, undefined, { isBound })
      },
      exists: (path) => this.exists(path),
      set: (path, data, version) => this.set(path, data, version),
      delete: (path, version, named, isUrgent) => {
        return this.#call(OpCode.delete, { path, version }, named, readNothing, undefined, { isUrgent, isBound })
      },
      multi: (operations, aclOf) => {
        const body = operations.map((operation) => multiOperation(operation, aclOf(operation)))
        const oversize = oversizeOf(body, this.#options.requestBytesMax ?? Infinity)
        if (oversize !== null) return Promise.reject(oversize)
        const read = (results: ReplyBodies[typeof OpCode.multi], zxid: bigint): OperationResult[] => {
          return readResults(results, operations, zxid, this.id)
        }
        return this.#call(OpCode.multi, body, '', read, undefined, { isBound })
      },
      sync: (path, isUrgent) => {
        return this.#call(OpCode.sync, { path }, path, readNothing, undefined, { isUrgent, isBound })
      },
      watchOn: (path, czxid) => (this.#phase === 'attached' ? this.#watches.on(path, czxid) : 'none'),
      introduce: (auth) => {
        if (this.#phase === 'attached' && this.#connection !== null) this.#introductions.add(this.#connection, auth)
      },
    }
  }

  #submit(call: Call, isUrgent: boolean): void {
    if (this.#phase === 'over') {
      call.fail(this.#closed === null ? EXPIRED : CLOSED, false)
      return
    }
    if (this.#calls.isFull) {
      call.fail(FULL, false)
      return
    }
    if (call.arms) this.#watches.reading(call)
    if (isUrgent) this.#calls.addUrgent(call)
    else this.#calls.add(call)
  }

  #disarm(path: string): void {
    if (this.#phase !== 'attached') return
    const body = { path, type: WatcherType.any }
    // Its error is of no interest: the server had nothing armed.
    this.#call(OpCode.removeWatches, body, path, readNothing).catch(readNothing)
  }

  #onReply(connection: Connection, reply: Reply): void {
    if (connection !== this.#connection) return
    if (this.#closing !== null) {
      if (reply.xid === this.#closing.xid) this.#closing.end()
      return
    }
    if (this.#sasl.takes(connection, reply)) return
    this.#identity.saw(reply.zxid)
    this.#watches.replied(reply.zxid, reply.xid === Xid.setWatches && reply.err === Err.ok)
    if (reply.xid < 0) {
      this.#onOwnReply(connection, reply)
      return
    }
    const call = this.#calls.first
    if (call?.request.xid !== reply.xid) {
      this.#violated(`a reply to request ${reply.xid} out of turn`)
      return
    }
    this.#calls.answered()
    if (call.renews) {
      this.#answeredSentMs = Math.max(this.#answeredSentMs, call.sentAtMs)
      this.#dialect.lease.answered(call.sentAtMs)
    }
    if (call.arms) this.#watches.answered(call, call.armedBy(reply), call.shownBy(reply))
    call.settle(reply)
    if (reply.err === Err.sessionExpired) this.#expire()
    else if (reply.err === Err.sessionMoved) this.#drop('the session has moved to another server')
    else if (reply.err === Err.sessionClosedRequireSaslAuth) this.#refused(unproved(connection))
  }

  /** A reply to what the application did not ask for. */
  #onOwnReply(connection: Connection, { xid, err }: Reply): void {
    if (xid === Xid.ping) {
      const sentMs = connection.takePingSentMs() ?? -Infinity
      this.#answeredSentMs = Math.max(this.#answeredSentMs, sentMs)
      this.#dialect.lease.ponged(sentMs)
    } else if (xid === Xid.auth) {
      this.#onAuthReply(connection, err)
    } else if (xid !== Xid.setWatches) {
      this.#violated(`a reply to request ${xid}`)
    } else if (err !== Err.ok) {
      this.#violated(`setWatches was refused with error ${err}`)
    }
  }

  #onAuthReply(connection: Connection, err: number): void {
    const refusal = this.#introductions.answered(connection, err)
    if (refusal !== null) this.#refused(refusal)
    else if (this.#introductions.areDone) this.#open()
  }

  #refused({ message, error }: IntroductionRefusal): void {
    if (error === null || this.#isOpen) {
      if (error !== null) this.#queue.report(error)
      this.#drop(message)
    } else this.abandon(error)
  }

  #open(): void {
    this.#isOpen = true
    this.#opened.resolve(undefined)
  }

  #onEvent(connection: Connection, type: number, path: string): void {
    if (connection !== this.#connection) return
    this.#watches.fire(type, path)
  }

  #violated(what: string): void {
    const message = `server ${this.#connection?.server ?? ''} broke the protocol: ${what}`
    this.#queue.report(new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt' }))
    this.#drop(message)
  }

  /** Leaves a connection that is no longer usable. */
  #drop(reason: string): void {
    this.#connection?.close()
    this.#onLost(reason)
  }

  #dial(): void {
    const share = this.#attempts.shareMs(this.timeoutMs)
    const attemptMs = this.#phase === 'opening' ? this.#options.connectTimeoutMs ?? share : share
    const request = this.#identity.connectRequest(this.#options.readOnly ?? false)
    this.#connection = new Connection(this.#dialer, request, attemptMs, this)
  }

  #onConnectResponse(connection: Connection, response: ConnectResponse): void {
    if (this.#closing !== null) return
    const oddity = this.#identity.oddityOf(response)
    if (this.#phase === 'attached' || this.#sasl.isUnderWay(connection)) {
      this.#violated('a second answer to the connect request')
    } else if (response.timeOut <= 0 && this.#phase === 'opening') this.#drop('the server opened no session')
    else if (response.timeOut <= 0) this.#expire()
    else if (oddity !== null) this.#violated(oddity)
    else if (this.#options.sasl === undefined || connection.isInProcess) this.#attach(connection, response)
    else this.#sasl.begin(connection, response)
  }

  #attach(connection: Connection, response: ConnectResponse): void {
    const opening = this.#phase === 'opening'
    const isNew = this.#identity.isProvisional
    this.#identity.accept(response)
    this.#phase = 'attached'
    this.#attempts.attached()
    if (isNew) this.#answeredSentMs = Math.max(this.#answeredSentMs, connection.connectSentMs)
    this.#dialect.lease.attached(connection.connectSentMs, response.timeOut, isNew && !response.readOnly)
    this.#expiry.start()
    // First of all: servers that want to know who it is answer nothing before.
    this.#introductions.begin(connection)
    connection.attached(response.timeOut, response.timeOut * this.#dialect.lease.pingPart, isNew)
    this.#search.start(response.readOnly)
    // ClientCnxn's order: watches first, so that what fires is told before any answer to what waited.
    for (const body of this.#watches.toRearm()) {
      connection.send({ xid: Xid.setWatches, op: OpCode.setWatches, body }, false)
    }
    if (this.#introductions.areDone) this.#open()
    if (!opening) this.#states.set({ status: 'connected' })
    this.#calls.open(this.#dialect.recognise === undefined ? null : recognition(this.#xids.next(), (isOurs) => {
      this.#dialect.recognise?.(isOurs)
      this.#connection?.pingAfter(this.timeoutMs * this.#dialect.lease.pingPart)
    }))
  }

  #onLost(reason: string): void {
    this.#connection = null
    this.#search.stop()
    if (this.#closing !== null) {
      this.#closing.end()
      return
    }
    this.#attempts.lost()
    if (this.#phase === 'attached') {
      this.#phase = 'detached'
      this.#dialect.recognise?.(false)
      this.#calls.close({ code: 'CONNECTION_LOSS', message: `lost connection: ${reason}`, outcome: 'not-sent' })
      this.#dialect.lease.detached()
      this.#states.set({ status: 'suspended', deadlineMs: this.#dialect.lease.deadlineMs })
    }
    if (this.#phase === 'opening' && this.#attempts.areInVain) {
      this.#unlink('over')
      const message = `none of ${this.#dialer.serverCount} servers opened a session; the last: ${reason}`
      this.#opened.reject(unopened(message))
      return
    }
    this.#attempts.next(this.timeoutMs, () => {
      this.#dial()
    })
  }

  /** Leaves the servers for good, or for the moment, without a word to them. */
  #unlink(phase: Phase): void {
    this.#phase = phase
    this.#connection?.close()
    this.#connection = null
    this.#expiry.stop()
    this.#search.stop()
    this.#attempts.stop()
  }

  #expire(): void {
    this.#unlink('over')
    this.#calls.failAll(EXPIRED)
    this.#watches.clear()
    this.#states.set({ status: 'expired' })
    if (!this.#isOpen) this.#opened.reject(unopened('the session ended before it was open'))
  }

  async #close(): Promise<void> {
    if (this.#phase === 'over') return
    const connection = this.#phase === 'attached' ? this.#connection : null
    this.#phase = 'over'
    this.#expiry.stop()
    this.#calls.failAll(CLOSED)
    this.#watches.clear()
    this.#states.set({ status: 'closed' })
    // Without a server in touch nobody can be told: the servers end the session at its time-out.
    if (connection !== null) await this.#tellClose(connection)
    this.#unlink('over')
  }

  /** Resolves when the server has answered, when the connection is lost, or when it took too long. */
  async #tellClose(connection: Connection): Promise<void> {
    const { promise, resolve } = deferred<undefined>()
    const xid = this.#xids.next()
    this.#closing = { xid, end: () => resolve(undefined) }
    connection.send({ xid, op: OpCode.closeSession, body: null }, false)
    await untilConfirmed(promise)
  }
}
