/**
 * Ownership: the time for which an ephemeral node of ours can be relied on, as far as this process can know.
 *
 * Model     begins with a node that the live session owns; lost at the first of: its session is over, the local
 *           deadline passed, somebody deleted the node, the client closed. A lost ownership never comes back.
 * Safety    the deadline counts from when the last answered request was sent, and lies safely before the servers could
 *           end the session (`client.leaseDeadlineMs`). A timer that comes late tells of a stalled process: what the
 *           sockets hold is read first, and if no answer in it moves the deadline, the node is lost (CURATOR-206,
 *           redlock#309).
 * Cost      one timer and one watch; after a reconnect one read.
 */
import type { NodeData, Stat, WatchEvent } from '../../core/backend.ts'
import { Deadline } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import type { OwnedNode } from './protected-writes.ts'

/**
 * Why something held was lost.
 *
 * - `session-expired`: the session that owned the node is over.
 * - `deadline-passed`: no answer of the servers came in time to be sure that the session still lives.
 * - `node-deleted`: somebody else deleted the node.
 * - `client-closed`: the client was closed from here.
 */
export type LossReason = 'session-expired' | 'deadline-passed' | 'node-deleted' | 'client-closed'

/** The `cause` of an error with code `LEASE_LOST`. */
export interface LossCause {
  /** Why it was lost. */
  readonly reason: LossReason
}

/**
 * Tells why the signal of a lease or of a membership was aborted.
 *
 * @param signal - `lease.signal` or `member.signal`
 * @returns the reason, or null if the signal is not aborted, or was aborted by something else
 */
export function lossReason(signal: AbortSignal): LossReason | null {
  const error: unknown = signal.reason
  if (!(error instanceof CoordinationError) || error.code !== 'LEASE_LOST') return null
  const cause = error.cause
  return isLossCause(cause) ? cause.reason : null
}

function isLossCause(cause: unknown): cause is LossCause {
  return typeof cause === 'object' && cause !== null && 'reason' in cause
}

/**
 * The watch on an own node. It can be armed together with the request that makes the node or looks at it, before it is
 * known who will care for its events: those wait here.
 */
export class NodeWatch {
  #listener: ((event: WatchEvent) => void) | null = null
  #unheard: WatchEvent | null = null
  #follower: ((event: WatchEvent | null) => void) | null = null

  /** The callback to arm. */
  readonly fire = (event: WatchEvent): void => {
    if (this.#listener === null) this.#unheard = event
    else this.#listener(event)
    this.#follower?.(event)
  }

  /** Whom to tell after the owner of each event, and (by null) that the owner does not care for the node any more. */
  follow(follower: (event: WatchEvent | null) => void): void {
    this.#follower = follower
  }

  /** Ends the care for the node. Idempotent. */
  retire(): void {
    const follower = this.#follower
    this.#follower = null
    follower?.(null)
  }

  /** Whether there was an event that nobody heard. */
  get hasNews(): boolean {
    return this.#unheard !== null
  }

  /** Whom to tell from now on; at once if there was an event that nobody heard. */
  listen(listener: (event: WatchEvent) => void): void {
    this.#listener = listener
    const event = this.#unheard
    this.#unheard = null
    if (event !== null) listener(event)
  }

  /** Ends the listening of a listener, if it is still the one; an event that comes then is kept for the next. */
  release(listener: (event: WatchEvent) => void): void {
    if (this.#listener === listener) this.#listener = null
  }
}

/** The ownership of one node, until it is lost or ended. */
export class Ownership {
  readonly #client: Client
  readonly #node: OwnedNode
  readonly #watch: NodeWatch
  readonly #onLost: (reason: LossReason) => void
  readonly #onRead: ((read: NodeData) => void) | null
  readonly #controller = new AbortController()
  readonly #deadline: Deadline
  #unlisten: (() => void) | null = null
  #ended = false
  #retired = false
  #lost = false

  /**
   * Makes an ownership; it does nothing before `begin()`.
   *
   * @param client - whose session owns the node
   * @param node - the node
   * @param watch - of the node
   * @param onLost - called once if it is lost, after `isLost` was true and `signal` aborted
   * @param onRead - gets what the node holds whenever it was looked at; null if its data are of no interest
   */
  constructor(
    client: Client,
    node: OwnedNode,
    watch: NodeWatch,
    onLost: (reason: LossReason) => void,
    onRead: ((read: NodeData) => void) | null = null,
  ) {
    this.#client = client
    this.#node = node
    this.#watch = watch
    this.#onLost = onLost
    this.#onRead = onRead
    this.#deadline = new Deadline(() => this.deadlineMs, () => this.lose('deadline-passed'))
  }

  /**
   * Begins to listen, and to look at the clock; it may be lost within this call.
   *
   * @param isArmed - whether the watch is armed on the node already; if not, it will be
   */
  begin(isArmed: boolean): void {
    this.#deadline.start()
    this.#unlisten = this.#client.onState(() => this.#lookAtSession(true))
    this.#watch.listen((event) => this.#hear(event))
    this.#lookAtSession(false)
    if (!isArmed && !this.#ended) void this.#lookAtNode()
  }

  /** Whether it is lost: so already when the listeners of `signal` run. */
  get isLost(): boolean {
    return this.#lost
  }

  /** Aborted when it is lost, with `LEASE_LOST` as the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The instant on `performance.now()` up to which the node is surely there; `-Infinity` when its session is over. */
  get deadlineMs(): number {
    return this.#client.sessionId === this.#node.sessionId ? this.#client.leaseDeadlineMs : -Infinity
  }

  /** Whether it can be shown at this instant that the node is there. */
  get isProven(): boolean {
    return !this.#ended && performance.now() < this.deadlineMs
  }

  /** Gives the node up for lost, unless it ended before. */
  lose(reason: LossReason): void {
    if (this.#ended) return
    this.end()
    this.#lost = true
    const { path } = this.#node
    const cause: LossCause = Object.freeze({ reason })
    const message = `${path} was lost: ${reason}`
    this.#controller.abort(new CoordinationError('LEASE_LOST', message, { outcome: 'lost', path, cause }))
    this.#onLost(reason)
  }

  /** Ends it without a loss. The watch stays armed, for the deletion of the node to consume. Idempotent. */
  end(): void {
    this.#ended = true
    this.#deadline.stop()
    this.#unlisten?.()
  }

  /** Forgets the watch on the node, for good. */
  retire(): void {
    this.#retired = true
    this.#unwatch()
    this.#watch.retire()
  }

  #unwatch(): void {
    this.#client.unwatch(this.#node.path, this.#watch.fire)
  }

  #lookAtSession(isChange: boolean): void {
    const { state } = this.#client
    if (state.status === 'closed') this.lose('client-closed')
    else if (this.#client.sessionId !== this.#node.sessionId) this.lose('session-expired')
    else if (isChange && state.status === 'connected') void this.#lookAtNode()
  }

  #hear(event: WatchEvent): void {
    if (this.#ended) return
    if (event.type === 'deleted') this.lose('node-deleted')
    else void this.#lookAtNode()
  }

  /**
   * Reads the node again and arms the watch again. A read that fails is repeated at the next change of the client's
   * state.
   */
  async #lookAtNode(): Promise<void> {
    this.#unwatch()
    try {
      const stat = await this.#look()
      const isThere = stat?.czxid === this.#node.czxid
      if (this.#retired || (this.#ended && !isThere)) this.#unwatch()
      else if (!isThere) this.lose('node-deleted')
    } catch (error) {
      if (!this.#ended && this.#client.state.status === 'connected') this.#client.report(error)
    }
  }

  /** Null: there is none. */
  async #look(): Promise<Stat | null> {
    const { path, czxid } = this.#node
    const options = { watch: this.#watch.fire }
    if (this.#onRead === null) return this.#client.exists(path, options)
    try {
      const read = await this.#client.get(path, options)
      if (!this.#ended && read.stat.czxid === czxid) this.#onRead(read)
      return read.stat
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }
}
