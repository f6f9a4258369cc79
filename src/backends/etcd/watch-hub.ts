/**
 * The stream of changes: one for all sessions of a backend, over every node and session under its prefix.
 *
 * Model     a stream is opened after the last revision that was delivered, and opened again there when it breaks: by
 *           the revisions of events and of the answer that it was created, never by progress notifications, which can
 *           overtake events (etcd-io/etcd#15220).
 * Gap       where that revision is compacted away, the changes since are lost: the stream begins again, and
 *           its listeners are told to look for themselves.
 * Doubt     a stream can be silent because nothing happens or because its member is frozen or cut off. Nobody can tell
 *           from here, so listeners compare what they wait for with reads of their own, and have the stream moved to
 *           another member when it lags behind them.
 * Source    server/etcdserver/api/v3rpc/watch.go of etcd 3.4.
 */
import { Deadline, deferred } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { Status } from './grpc.ts'
import type { Channel } from './io/channel.ts'
import { RpcError } from './io/channel.ts'
import type { Keys } from './keys.ts'
import { Methods } from './messages.ts'
import type { KeyEvent, WatchResponse } from './messages.ts'
import { BORN_WITH_THIS_VALUE, decodeNode } from './node-value.ts'

/** A change of a node, or the end of a session. */
export type Change =
  | { readonly type: 'created' | 'changed' | 'deleted'; readonly path: string }
  | { readonly type: 'session-over'; readonly session: bigint }

/** A listener of the stream. */
export interface HubListener {
  /** The changes of one revision, in order. */
  onChanges(revision: bigint, changes: readonly Change[]): void
  /** Changes were missed: look at everything that is waited for. */
  onGap(): void
  /** The connection of the stream is lost; it will be opened again by itself. */
  onBroken(): void
  /** Something is wrong that does not mend itself; one listener is told. */
  onProblem(error: unknown): void
}

/** How long a member has to answer that the stream is created, in milliseconds. */
const CREATE_WAIT_MS = 2_000

/** Longest pause before the stream is opened again, in milliseconds. */
const PAUSE_MS_MAX = 500

const NO_VALUE = new Uint8Array()

interface Waiting {
  readonly revision: bigint
  readonly resolve: (isDelivered: boolean) => void
}

/** The stream of one backend. */
export class WatchHub {
  readonly #channel: Channel
  readonly #keys: Keys
  readonly #listeners = new Set<HubListener>()
  /** Everything up to here was delivered; 0 if it is not known yet. */
  #position = 0n
  #before = 0n
  #missed = false
  /** Whether it was told that somebody else writes nodes. */
  #hasComplained = false
  #endpoint: number
  #stream: { readonly close: () => void; readonly openedAtMs: number } | null = null
  #isCreated = false
  #created: Deferred<undefined> = deferred()
  #failures = 0
  /** Those who wait for the delivery of a revision. */
  readonly #waiting = new Set<Waiting>()
  #pause: ReturnType<typeof setTimeout> | undefined
  readonly #patience = new Deadline(() => (this.#stream?.openedAtMs ?? 0) + CREATE_WAIT_MS, () => {
    this.#onEnd(new RpcError('lost', `no watch was created within ${CREATE_WAIT_MS} ms`))
  })

  /** Makes a hub whose stream is opened for its first listener. */
  constructor(channel: Channel, keys: Keys) {
    this.#channel = channel
    this.#keys = keys
    this.#endpoint = Math.floor(Math.random() * channel.endpointCount)
  }

  /**
   * Adds a listener, who hears of everything after the instant at which this resolves.
   *
   * @throws RpcError if etcd does not allow it
   */
  async add(listener: HubListener): Promise<void> {
    this.#listeners.add(listener)
    if (this.#stream === null && this.#pause === undefined) this.#open()
    await this.#created.promise
  }

  /** The revision that was delivered before the latest one. */
  get deliveredBefore(): bigint {
    return this.#before
  }

  /**
   * Waits until all that happened up to a revision was delivered; it may be one of which the stream says nothing.
   *
   * @param limitMs - longest wait in milliseconds
   * @returns false if it was not, within that time; at once if there is no stream, or it has lost its place
   */
  async hasDelivered(revision: bigint, limitMs: number): Promise<boolean> {
    if (!this.#isCreated) return false
    if (this.#position >= revision) return true
    const { promise, resolve } = deferred<boolean>()
    const waiting = { revision, resolve }
    const endMs = performance.now() + limitMs
    const limit = new Deadline(() => endMs, () => resolve(false))
    this.#waiting.add(waiting)
    limit.start()
    const isDelivered = await promise
    limit.stop()
    this.#waiting.delete(waiting)
    return isDelivered
  }

  /** Takes a listener away; the last one ends the stream. */
  remove(listener: HubListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
    this.#close()
    clearTimeout(this.#pause)
    this.#pause = undefined
    this.#position = 0n
    this.#created = deferred()
  }

  /**
   * Opens the stream again at another member, unless it is younger than the doubt.
   *
   * @param sinceMs - since when it has been found lagging, on `performance.now()`
   * @param endpoint - one that is known to serve
   */
  restart(sinceMs: number, endpoint: number): void {
    if (this.#listeners.size === 0 || (this.#stream?.openedAtMs ?? Infinity) > sinceMs) return
    this.#endpoint = endpoint
    this.#close()
    this.#open()
  }

  /** Somebody found a member that serves: a stream that waits for its next attempt waits no longer. */
  hurry(endpoint: number): void {
    if (this.#pause === undefined) return
    clearTimeout(this.#pause)
    this.#endpoint = endpoint
    this.#open()
  }

  #open(): void {
    this.#pause = undefined
    const { key, end } = this.#keys.watched
    const start = this.#position === 0n ? {} : { startRevision: this.#position + 1n }
    this.#isCreated = false
    const close = this.#channel.stream(this.#endpoint, Methods.watch, { create: { key, rangeEnd: end, ...start } }, {
      onMessage: (message) => this.#onMessage(message),
      onEnd: (error) => this.#onEnd(error),
    })
    this.#stream = { close, openedAtMs: performance.now() }
    this.#patience.start()
  }

  #close(): void {
    this.#patience.stop()
    this.#stream?.close()
    this.#stream = null
    this.#isCreated = false
    for (const { resolve } of this.#waiting) resolve(false)
  }

  #onMessage(message: WatchResponse): void {
    if (message.canceled === true) this.#onCanceled(message)
    else if (message.created === true) this.#onCreated(message.header?.revision ?? 0n)
    else this.#deliver(message.events ?? [])
  }

  #onCreated(revision: bigint): void {
    this.#patience.stop()
    this.#isCreated = true
    this.#failures = 0
    if (this.#position === 0n) this.#position = revision
    this.#created.resolve(undefined)
    if (!this.#missed) return
    this.#missed = false
    for (const listener of [...this.#listeners]) listener.onGap()
  }

  #onCanceled({ compactRevision = 0n, cancelReason = '' }: WatchResponse): void {
    if (compactRevision > 0n) {
      this.#position = 0n
      this.#missed = true
      this.#close()
      this.#open()
    } else {
      this.#channel.forgetToken()
      this.#onEnd(new RpcError('refused', `the watch was canceled: ${cancelReason}`, Status.permissionDenied))
    }
  }

  #onEnd(error: RpcError): void {
    const wasCreated = this.#isCreated
    this.#close()
    // The first time it may be the token's fault, which etcd does not tell of a stream.
    if (error.failure === 'refused' && this.#failures > 0) {
      this.#created.reject(error)
      this.#created.promise.catch(() => undefined)
      this.#created = deferred()
      if (wasCreated) this.#report(error)
    }
    this.#failures += 1
    this.#endpoint += 1
    if (this.#listeners.size === 0) return
    this.#pause = setTimeout(() => this.#open(), fullJitterMs(this.#failures, PAUSE_MS_MAX))
    if (wasCreated) for (const listener of [...this.#listeners]) listener.onBroken()
  }

  /** A message holds all that happened at each of its revisions. */
  #deliver(events: readonly KeyEvent[]): void {
    let revision = 0n
    let changes: Change[] = []
    const flush = (): void => {
      if (revision <= this.#position) return
      this.#before = this.#position
      this.#position = revision
      for (const listener of [...this.#listeners]) listener.onChanges(revision, changes)
      for (const waiting of this.#waiting) if (waiting.revision <= revision) waiting.resolve(true)
    }
    for (const event of events) {
      const at = event.kv?.modRevision ?? 0n
      if (at !== revision) {
        flush()
        revision = at
        changes = []
      }
      changes.push(...this.#changesOf(event))
    }
    flush()
  }

  #changesOf({ type, kv }: KeyEvent): Change[] {
    const key = this.#keys.read(kv?.key ?? '')
    if (kv === undefined || key === null) return []
    if ('session' in key) return type === 'delete' ? [{ type: 'session-over', session: key.session }] : []
    const { path } = key
    if (type === 'delete') return [{ type: 'deleted', path }]
    if (kv.createRevision === kv.modRevision) return [{ type: 'created', path }]
    const isNew = this.#isReborn(kv.value, path)
    return isNew ? [{ type: 'deleted', path }, { type: 'created', path }] : [{ type: 'changed', path }]
  }

  #isReborn(value: Uint8Array = NO_VALUE, path: string): boolean {
    try {
      return decodeNode(value, path).header.czxid === BORN_WITH_THIS_VALUE
    } catch (error) {
      // Whoever reads the node is told too; this is for those who only watch, and once.
      if (!this.#hasComplained) this.#report(error)
      this.#hasComplained = true
      return false
    }
  }

  #report(error: unknown): void {
    const [listener] = this.#listeners
    listener?.onProblem(error)
  }
}
