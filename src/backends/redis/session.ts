/**
 * A session on Redis.
 *
 * Model     one connection at a time that scripts are sent on; calls made while there is none wait for the next one,
 *           calls in flight when it is lost fail, since nobody can tell what became of them. The scripts of an older
 *           connection that reach the server late are refused there: each connection has a generation of its own.
 * Order     replies come in the order of the calls. Each tells its position, and brings what the session has not seen
 *           up to there; that is shown to the watches before the reply is settled, so no reply shows what a watch was
 *           not told of. Where something is missing, every later reply is held until all that is watched was read
 *           again.
 * Lease     an answered write, tick or sync proves that the session lived when it was sent (session/lease-rule.ts).
 */
import type { Children, Created, CreateOptions, NodeData, Operation, OperationResult } from '../../core/backend.ts'
import type { OpenOptions, Session, SessionState, Stat, Watcher } from '../../core/backend.ts'
import { Deadline } from '../../core/async.ts'
import { CLOSED, CallQueue, EXPIRED, FULL } from '../../core/session/call-queue.ts'
import type { CallFailure } from '../../core/session/call-queue.ts'
import { CoordinationError } from '../../core/errors.ts'
import { untilConfirmed } from '../../core/session/closing.ts'
import { EventQueue } from '../../core/session/event-queue.ts'
import { givenUpAtMs, trustedUntilMs } from '../../core/session/lease-rule.ts'
import { SessionStates } from '../../core/session/states.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { UNREADABLE, failCall, operationArguments, ownCall } from './calls.ts'
import type { Call } from './calls.ts'
import type { Hub } from './hub.ts'
import type { Link } from './link.ts'
import { OrderedReplies } from './ordered-replies.ts'
import { ScriptOutbox } from './outbox.ts'
import { numberOf } from './position.ts'
import type { Position, Transaction } from './position.ts'
import { childrenOf, dataOf, foreign, isBefore, present, readsOf, resultsOf, sizeOf } from './reply.ts'
import { statOf, textOf, unexpected } from './reply.ts'
import type { Reply } from './reply.ts'
import { SCRIPTS } from './io/script.ts'
import type { ScriptName } from './io/script.ts'
import { ServerError } from './server-error.ts'
import { registrationOf } from './watches.ts'
import type { Watch } from './watches.ts'

/** Part of the session time-out between two renewals. */
const RENEWAL_PART = 1 / 4
/** Part of the session time-out after which a server that answers nothing is left. */
const SILENCE_PART = 1 / 2
/** Part of the session time-out that a server has to take the session up again; at least `ATTEMPT_MS_MIN`. */
const ATTEMPT_PART = 1 / 3
const ATTEMPT_MS_MIN = 100
/** Largest pause between two attempts to reconnect, in milliseconds. */
const PAUSE_MS_MAX = 1_000

/** Registrations of watches that a tick looks at, at most, and that it takes away. */
const [AUDITED_MAX, STALE_MAX] = [16, 256]

/** The answers with which a new session begins. */
export interface Birth {
  /** The connection on which it was opened. */
  readonly link: Link
  /** The answer of the script that opens sessions. */
  readonly reply: Reply
  /** The position in it. */
  readonly position: Position
  /** When that script was sent, on `performance.now()`. */
  readonly sentAtMs: number
  /** The session time-out in milliseconds. */
  readonly timeoutMs: number
}

/** A session, over any number of connections. */
export class RedisSession implements Session {
  readonly id: bigint
  readonly timeoutMs: number
  readonly #hub: Hub
  readonly #sid: string
  readonly #queue: EventQueue
  readonly #replies: OrderedReplies
  readonly #calls: CallQueue<Call>
  readonly #outbox: ScriptOutbox
  readonly #states: SessionStates
  readonly #stopFeed: () => void
  readonly #beat: Deadline
  readonly #silence: Deadline
  readonly #expiry: Deadline
  /** Null while no server is in touch, and when it is over. */
  #link: Link | null = null
  #isOver = false
  /** Number of the attempt that took the present link; each gets its own, whether it succeeds or not. */
  #generation = 1
  /** When the latest answered renewal was sent. */
  #answeredSentMs: number
  #renewalSentMs: number
  #heardMs = performance.now()
  #beatMs = performance.now()
  /** Whether a tick is on its way that asks whether the session has ended. */
  #isDoubted = false
  /** Whether it was told that a key of the session is not as it must be. */
  #hasComplained = false
  /** Ends an attempt to reconnect. */
  readonly #ending = new AbortController()
  #pause: ReturnType<typeof setTimeout> | undefined
  #closed: Promise<void> | null = null

  /** Takes over a session that was just opened. */
  constructor(hub: Hub, birth: Birth, { callTimeoutMs, onError }: OpenOptions) {
    const { timeoutMs, position } = birth
    this.#hub = hub
    this.#sid = textOf(birth.reply.payload)
    this.id = numberOf(this.#sid)
    this.timeoutMs = timeoutMs
    this.#queue = new EventQueue(onError)
    this.#states = new SessionStates(this.#queue)
    this.#calls = new CallQueue(callTimeoutMs ?? Infinity, (call, failure, sent) => this.#fail(call, failure, sent))
    this.#outbox = new ScriptOutbox(this.#calls, (script, args, count) => this.#run(script, args, count))
    this.#replies = new OrderedReplies(this.#queue, hub, position, {
      check: (names) => {
        if (this.#link !== null) this.#outbox.addUrgent(ownCall('check', names, false, () => undefined))
      },
      fetch: () => this.#tick(false, () => this.#replies.fetched()),
    })
    this.#answeredSentMs = birth.sentAtMs
    this.#renewalSentMs = birth.sentAtMs
    const beatMs = Math.min(hub.settings.tickMs, timeoutMs * RENEWAL_PART)
    this.#beat = new Deadline(() => this.#beatMs + beatMs, () => this.#onBeat())
    this.#silence = new Deadline(() => this.#heardMs + timeoutMs * SILENCE_PART, () => {
      this.#drop('the server does not answer')
    })
    this.#expiry = new Deadline(() => givenUpAtMs(this.#answeredSentMs, timeoutMs), () => {
      this.#expire()
    })
    this.#expiry.start()
    this.#stopFeed = hub.feed.listen(this.#sid, {
      onHeard: (transaction) => this.#onFeed(transaction),
      onProblem: (error) => this.#queue.report(error),
    })
    this.#adopt(birth.link)
    this.#outbox.open()
  }

  get state(): SessionState {
    return this.#states.current
  }

  get leaseDeadlineMs(): number {
    return this.#isOver ? -Infinity : trustedUntilMs(this.#answeredSentMs, this.timeoutMs)
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#states.listen(listener)
  }

  async create(path: string, data: Uint8Array, { mode, ttlMs }: CreateOptions): Promise<Created> {
    const operation: Operation = { type: 'create', path, data, mode, ...(ttlMs === undefined ? {} : { ttlMs }) }
    const [result] = await this.#write([operation], path, false)
    if (result?.type !== 'create') throw unexpected('nothing for a create')
    return { path: result.path, stat: result.stat }
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#read('get', path, watch, (reply) => present(dataOf(reply, path), path))
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#read('exists', path, watch, (reply) => statOf(reply, path))
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#read('children', path, watch, (reply) => present(childrenOf(reply, path), path))
  }

  async set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    const [result] = await this.#write([{ type: 'set', path, data, version }], path, false)
    if (result?.type !== 'set') throw unexpected('nothing for a set')
    return result.stat
  }

  async delete(path: string, version: number): Promise<void> {
    await this.#write([{ type: 'delete', path, version }], path, false)
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    return this.#write(operations, '', true)
  }

  sync(path: string): Promise<void> {
    return this.#call('tick', path, ['1', '0'], () => undefined)
  }

  unwatch(path: string, watch: Watcher): void {
    this.#replies.watches.unwatch(path, watch)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  // --- calls on their way -------------------------------------------------------------------------------------------

  #write(operations: readonly Operation[], path: string, isMulti: boolean): Promise<OperationResult[]> {
    const args = operations.flatMap(operationArguments)
    return this.#call('write', path, args, ({ payload }) => resultsOf(payload, operations, isMulti))
  }

  #read<T>(kind: WatchedRead, path: string, callback: Watcher | undefined, read: (reply: Reply) => T): Promise<T> {
    const watch = callback === undefined ? null : { kind, path, callback, seen: null, live: true }
    const name = callback === undefined ? '' : registrationOf(kind, path)
    return this.#call('read', path, [kind, path, name], read, watch)
  }

  #call<T>(
    script: ScriptName,
    path: string,
    args: readonly (string | Buffer)[],
    read: (reply: Reply) => T,
    watch: Watch | null = null,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (reply: Reply): void => {
        try {
          resolve(read(reply))
        } catch (error) {
          reject(error)
        }
      }
      const renews = script === 'write' || (script === 'tick' && args[0] === '1')
      this.#submit({ script, path, args, watch, audited: [], renews, settle, reject, request: 0, sentAtMs: 0 })
    })
  }

  #submit(call: Call): void {
    if (this.#isOver) {
      failCall(call, this.#closed === null ? EXPIRED : CLOSED, false)
      return
    }
    if (this.#outbox.isFull) {
      failCall(call, FULL, false)
      return
    }
    if (call.watch !== null) this.#replies.watches.reading(call.watch)
    this.#outbox.add(call)
  }

  /** @param count - how many calls it answers: of reads there may be more than one */
  #run(script: ScriptName, args: readonly (string | Buffer)[], count: number): void {
    const link = this.#link
    if (link === null) return
    const seen = this.#replies.last
    link.run(SCRIPTS[script], [...this.#head(), ...args]).then(
      (reply) => {
        if (link !== this.#link) return
        this.#outbox.answered(script, sizeOf(reply))
        if (isBefore(reply, seen)) {
          // A server that lacks what another has told, or keys that were put back: the attachment tells which.
          this.#drop('the server answers from before what it has told')
          return
        }
        const replies = script === 'read' ? readsOf(reply, count) : [reply]
        for (const one of replies) if (link === this.#link) this.#onReply(one)
      },
      (error: unknown) => {
        if (link !== this.#link) return
        this.#outbox.answered(script, 0)
        for (let i = 0; i < count; i++) if (link === this.#link) this.#onRefusal(error)
      },
    ).catch((error: unknown) => {
      this.#queue.report(error)
      if (link === this.#link) this.#drop('what it answered cannot be understood')
    })
  }

  /** The arguments that all scripts begin with. */
  #head(): string[] {
    return [this.#hub.now(), this.#sid, String(this.#generation), this.#replies.last.text]
  }

  #fail(call: Call, failure: CallFailure, sent: boolean): void {
    if (call.watch !== null) this.#replies.watches.failed(call.watch, sent)
    // After every event that was fired before.
    if (this.#queue.idle) failCall(call, failure, sent)
    else this.#queue.push(() => failCall(call, failure, sent))
  }

  // --- answers ------------------------------------------------------------------------------------------------------

  #onReply(reply: Reply): void {
    const call = this.#calls.takeAnswered()
    if (call === undefined) return
    this.#heardMs = performance.now()
    try {
      this.#judge(call, reply)
    } catch (error) {
      this.#fail(call, UNREADABLE, true)
      throw error
    }
    this.#resume()
  }

  #judge(call: Call, reply: Reply): void {
    if (reply.status === 'EXPIRED') {
      this.#fail(call, EXPIRED, false)
      this.#expire()
    } else if (reply.status === 'MOVED') {
      this.#fail(call, { code: 'CONNECTION_LOSS', message: 'attached elsewhere', outcome: 'not-sent' }, false)
      this.#drop('the session is attached elsewhere')
    } else if (reply.status === 'CORRUPT') {
      this.#onCorrupt(call, foreign(textOf(reply.payload), call.path === '' ? undefined : call.path))
    } else if (reply.status === 'ORDER' || (this.#outbox.isRepeating && call.script === 'read')) {
      this.#outbox.again(call)
    } else {
      this.#onAnswer(call, reply)
    }
  }

  #onAnswer(call: Call, reply: Reply): void {
    this.#outbox.done(call)
    if (call.renews && call.sentAtMs > this.#answeredSentMs) this.#answeredSentMs = call.sentAtMs
    if (call.script === 'check') this.#replies.checked(reply)
    else this.#replies.answered(call, reply)
  }

  /** A key that every script needs was written by somebody else: nothing was done. */
  #onCorrupt(call: Call, error: CoordinationError): void {
    const { code, message } = error
    this.#fail(call, { code, message, outcome: 'corrupt' }, false)
    if (call.script === 'write') this.#outbox.uncounted()
    if (call.script === 'check') this.#drop(message)
    // Without a renewal it ends, and nobody may have called anything.
    if (call.path !== '' || this.#hasComplained) return
    this.#hasComplained = true
    this.#queue.report(error)
  }

  #onRefusal(error: unknown): void {
    if (!(error instanceof ServerError)) {
      // The link is lost, and tells so; or what it brought cannot be understood, and then it is of no use.
      if (error instanceof CoordinationError && error.code === 'CONNECTION_LOSS') return
      throw error
    }
    const call = this.#calls.takeAnswered()
    if (call === undefined) return
    this.#heardMs = performance.now()
    if (error.reason === 'forgotten') {
      this.#outbox.again(call)
    } else {
      this.#fail(call, error.failure, error.unknown)
      // The server has not counted a write that failed.
      if (call.script === 'write') this.#outbox.uncounted()
      if (error.reason === 'elsewhere') this.#hub.movedTo(error.address)
      if (error.reason === 'elsewhere' || call.script === 'check') this.#drop(error.sentence)
    }
    this.#resume()
  }

  #resume(): void {
    if (this.#link === null) return
    const isGoingOn = this.#outbox.resume(() => this.#link?.forgetScripts())
    if (!isGoingOn) this.#drop('the server counts the requests of this session otherwise')
  }

  #onFeed(transaction: Transaction | null): void {
    if (this.#isOver || this.#link === null) return
    if (transaction === null) this.#replies.fetch()
    else if (transaction.changes.some(({ type, path }) => type === 'ended' && path === this.#sid)) this.#ask()
    else this.#replies.heard(transaction)
  }

  /** Asks whether the session is over, as the channel says: its own word is not enough. */
  #ask(): void {
    if (this.#isDoubted) return
    this.#isDoubted = true
    this.#tick(false, () => (this.#isDoubted = false))
  }

  // --- connection and time ------------------------------------------------------------------------------------------

  #onBeat(): void {
    this.#beatMs = performance.now()
    this.#beat.start()
    const { watches, lastTold } = this.#replies
    this.#hub.feed.wasTold(this.#sid, lastTold)
    const [stale, audited] = [watches.takeStale(STALE_MAX), watches.toAudit(AUDITED_MAX)]
    const renews = this.#beatMs - this.#renewalSentMs >= this.timeoutMs * RENEWAL_PART * 0.9
    this.#tick(renews, (isDone) => (isDone ? undefined : watches.keepStale(stale)), stale, audited)
  }

  /** A tick of ours, which waits for no data, takes away `stale` registrations and looks at the `audited`. */
  #tick(renews: boolean, done: (isDone: boolean) => void, stale: string[] = [], audited: string[] = []): void {
    if (renews) this.#renewalSentMs = performance.now()
    const args = [renews ? '1' : '0', '0', String(stale.length), ...stale, ...audited]
    this.#outbox.addUrgent(ownCall('tick', args, renews, (reply) => done(reply !== null), audited))
  }

  /** Begins to use a link. */
  #adopt(link: Link): void {
    this.#link = link
    this.#heardMs = performance.now()
    this.#beatMs = this.#heardMs
    this.#renewalSentMs = this.#answeredSentMs
    this.#beat.start()
    this.#silence.start()
    link.whenLost((reason) => {
      if (link === this.#link) this.#onLost(reason)
    })
  }

  /** Leaves a connection that is no longer usable. */
  #drop(reason: string): void {
    this.#link?.close()
    if (this.#link !== null) this.#onLost(reason)
  }

  #onLost(reason: string): void {
    this.#unlink()
    this.#calls.failInFlight({ code: 'CONNECTION_LOSS', message: `connection lost: ${reason}`, outcome: 'not-sent' })
    this.#outbox.close()
    this.#states.set({ status: 'suspended', deadlineMs: this.leaseDeadlineMs })
    this.#redial(1)
  }

  #unlink(): void {
    this.#link?.close()
    this.#link = null
    this.#replies.detached()
    this.#beat.stop()
    this.#silence.stop()
    clearTimeout(this.#pause)
  }

  #redial(failures: number): void {
    this.#pause = setTimeout(() => {
      this.#attach().catch(() => {
        if (!this.#isOver) this.#redial(failures + 1)
      })
    }, fullJitterMs(failures, Math.min(PAUSE_MS_MAX, this.timeoutMs / 8)))
  }

  async #attach(): Promise<void> {
    const attemptMs = Math.max(ATTEMPT_MS_MIN, this.timeoutMs * ATTEMPT_PART)
    const ending = this.#ending.signal
    const { link, reply, sentAtMs } = await this.#hub.dial(attemptMs, (dialed) => this.#claim(dialed), ending)
    if (this.#isOver) {
      link.close()
    } else if (reply.status === 'EXPIRED') {
      link.close()
      this.#expire()
    } else if (reply.status === 'MOVED') {
      link.close()
      this.#redial(1)
    } else {
      this.#answeredSentMs = Math.max(sentAtMs, this.#answeredSentMs)
      this.#adopt(link)
      this.#states.set({ status: 'connected' })
      this.#outbox.open()
      this.#replies.attached(reply)
    }
  }

  async #claim(link: Link): Promise<{ link: Link; reply: Reply; sentAtMs: number }> {
    const sentAtMs = performance.now()
    this.#generation += 1
    const args = [...this.#head(), String(this.#outbox.lastRequest), this.#replies.last.text]
    const reply = await link.run(SCRIPTS.attach, args)
    if (reply.status === 'CORRUPT') throw foreign(textOf(reply.payload))
    return { link, reply, sentAtMs }
  }

  #expire(): void {
    if (this.#isOver) return
    this.#end(EXPIRED, { status: 'expired' })
    this.#unlink()
  }

  async #close(): Promise<void> {
    if (this.#isOver) return
    const link = this.#link
    this.#link = null
    this.#end(CLOSED, { status: 'closed' })
    this.#unlink()
    // Without a server in touch nobody can be told: the session ends at its time-out.
    if (link !== null) await this.#tellClose(link)
  }

  /** Resolves when the server has answered, when the connection is lost, or when it took too long. */
  async #tellClose(link: Link): Promise<void> {
    await untilConfirmed(link.run(SCRIPTS.end, [this.#hub.now(), this.#sid, '', '']))
    link.close()
  }

  #end(failure: CallFailure, state: SessionState): void {
    this.#isOver = true
    this.#ending.abort()
    this.#stopFeed()
    this.#expiry.stop()
    this.#replies.end()
    const unsent = this.#outbox.takeUnsent()
    this.#calls.failAll(failure)
    for (const call of unsent) this.#fail(call, failure, false)
    this.#states.set(state)
  }
}
