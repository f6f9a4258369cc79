/**
 * Membership: one member's registration in a group, which renews itself.
 *
 * Model     an ephemeral node named by the member's id. Its data begin with a mark of this handle, so that the node is
 *           known again after a lost reply or a lost session. One loop registers, stores new data and registers again.
 * Safety    a node of another creation and with another mark is never adopted, and every write of a node of ours checks
 *           its czxid: what was put in its place is neither overwritten nor deleted. A node that an older session of
 *           this handle left is replaced by one atomic delete and create, so that others see an update and no leave.
 * Signal    `signal` belongs to one registration: it aborts when that can no longer be relied on, and after the handle
 *           has registered anew there is another one. Read it anew whenever work begins.
 * Source    Curator PersistentNode, GroupMember; and what was reported of them (CURATOR-506, 297).
 */
import { abortable, deferred, delay } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { refuseUnknown } from '../../core/options.ts'
import type { CleanupTask } from '../engine/cleanups.ts'
import { Cleanups } from '../engine/cleanups.ts'
import type { IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { Feed } from '../engine/feed.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import { checkIdentity, deletion, isGone, isOutcomeUnknown } from '../engine/protected-writes.ts'
import { ownedNode, readSynced } from '../engine/protected-writes.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { namedListener } from '../engine/listener.ts'
import { markData, newMark } from '../engine/marked-data.ts'
import { claim, isOwn, isPassing, untilFree } from './member-claim.ts'
import type { Claimant, JoinOptions } from './member-claim.ts'
import { checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import { NodeWatch, Ownership } from '../engine/ownership.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { WAIT_OPTIONS, Wait, Waits, clientClosed, sessionOver } from '../engine/wait.ts'

/**
 * Where a member stands.
 *
 * - `joined`: registered, and the servers answer.
 * - `suspect`: no server is in touch; registered until the signal says otherwise. Or a leave is not confirmed: not yet,
 *   or never if the client closed before. Then the end of its session ends it.
 * - `rejoining`: the registration was lost; the handle registers again as soon as it can.
 * - `left`: over by `leave()`, confirmed. Final.
 * - `lost`: over because it cannot register again, above all since another has the id now, or since the client closed.
 *   Final, and so already when the listeners of the signal of a client that closes run.
 */
export type MemberState = 'joined' | 'suspect' | 'rejoining' | 'left' | 'lost'

/** What a member tells of itself. */
export interface MemberNotice {
  /** Where it stands. */
  readonly state: MemberState
  /** zxid of the creation of its node: another registration has another. */
  readonly incarnation: bigint
  /** Whether it has registered anew since the notice before. */
  readonly rejoined: boolean
  /** With state `lost`: why. */
  readonly error?: unknown
}

/** Makes the bytes to store of a member's data. */
type Encode<T> = (data: T | undefined) => Uint8Array

/** What is to be stored, and how often that has changed. */
interface Wanted {
  readonly bytes: Uint8Array
  readonly revision: number
}

/** A state of the machine, for the feed. */
interface Standing {
  readonly state: MemberState
  readonly incarnation: bigint
  readonly registrations: number
  readonly error?: unknown
}

const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 2_000
const NOTHING_STORED = -1

/** A member's handle; made by `GroupMembership.join`. */
export class Member<T> implements AsyncDisposable {
  /** The member's name in the group. */
  readonly id: string
  /** Its node. */
  readonly path: string
  readonly #client: Client
  readonly #encode: Encode<T>
  readonly #patience: Pick<JoinOptions<T>, 'waitMs' | 'onSessionLoss'>
  readonly #mark = newMark()
  readonly #feed: Feed<Standing>
  readonly #ending = new AbortController()
  readonly #joined = deferred<undefined>()
  readonly #ends: (() => void)[] = []
  #wanted: Wanted
  /** The revision that the node holds. */
  #stored = NOTHING_STORED
  #version = 0
  #ownership: Ownership | null = null
  #node: OwnedNode | null = null
  #registrations = 0
  /** Whether a claim is on its way or failed, so that there may be a node of ours that is not known here. */
  #isClaiming = false
  /** The latest write of the node, which may yet make one. */
  #writing: Promise<unknown> = Promise.resolve()
  #wake = deferred<undefined>()
  /** Settled and replaced with each revision that was stored, and at the end. */
  #progress: Deferred<undefined> = deferred()
  #end: 'left' | 'lost' | null = null
  #error: unknown
  /** Who has the id while this one waits for it. */
  #obstacle: CoordinationError | null = null
  #leaving: Promise<void> | null = null

  private constructor(client: Client, path: string, id: string, encode: Encode<T>, options: JoinOptions<T>) {
    this.id = id
    this.path = path
    this.#client = client
    this.#encode = encode
    this.#patience = options
    this.#wanted = { bytes: this.#bytesOf(options.data), revision: 0 }
    this.#feed = new Feed((error) => client.report(error))
    this.#joined.promise.catch(() => undefined)
  }

  /**
   * Registers a member.
   *
   * @param client - on whose session
   * @param path - the member's node
   * @param id - its name
   * @param encode - makes the bytes to store; may throw
   * @param options - what it says of itself, and what ends the wait
   */
  static async join<T>(
    client: Client,
    path: string,
    id: string,
    encode: Encode<T>,
    options: JoinOptions<T>,
  ): Promise<Member<T>> {
    const wait = new Wait(client, path, options)
    let member: Member<T> | null = null
    try {
      const made = new Member(client, path, id, encode, options)
      member = made
      void made.#run()
      await abortable(made.#joined.promise, wait.signal)
      made.#ends.push(
        client.own({ close: () => made.#closeWithClient() }),
        client.onState(() => made.#tell()),
      )
      made.#tell()
      return made
    } catch (error) {
      // Whoever has the id, it is not us: nothing of ours is there.
      if (member !== null && !isCoordinationError(error, 'MEMBER_EXISTS')) await member.#withdraw()
      const reason = wait.explain(error)
      const obstacle = member === null ? null : member.#obstacle
      throw isCoordinationError(reason, 'TIMEOUT') ? (obstacle ?? reason) : reason
    } finally {
      wait.close()
    }
  }

  /** Where it stands at this instant. */
  get state(): MemberState {
    if (this.#end !== null) return this.#end
    if (this.#ending.signal.aborted) return 'suspect'
    if (this.#ownership === null || this.#ownership.signal.aborted) return 'rejoining'
    return this.#client.state.status === 'connected' && this.#ownership.isProven ? 'joined' : 'suspect'
  }

  /**
   * Aborted when the present registration can no longer be relied on: at a local deadline before the servers could end
   * it, or when its node is deleted, the session over or the client closed; never by `leave()`. See `lossReason`. A
   * registration anew has a new signal.
   */
  get signal(): AbortSignal {
    return this.#ownership === null ? this.#ending.signal : this.#ownership.signal
  }

  /** zxid of the creation of its node. It grows with each registration, and is what other members see too. */
  get incarnation(): bigint {
    return this.#node?.czxid ?? 0n
  }

  /**
   * Replaces what the member says of itself. Updates that come faster than they can be stored replace each other.
   *
   * @param data - the new data
   * @param options - what ends the wait; the data are stored all the same
   * @returns resolves when these or later data are stored
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `PAYLOAD_TOO_LARGE`, `INVALID_VALUE`, or why the membership ended:
   * `MEMBER_EXISTS`, `CLIENT_CLOSED`, or what the servers refused
   */
  async update(data: T, options: TimedWaitOptions = {}): Promise<void> {
    refuseUnknown(options, WAIT_OPTIONS, 'update')
    const wait = new Wait(this.#client, this.path, options)
    try {
      this.#throwIfEnded()
      const revision = this.#wanted.revision + 1
      this.#wanted = { bytes: this.#bytesOf(data), revision }
      this.#wake.resolve(undefined)
      while (this.#stored < revision) {
        this.#throwIfEnded()
        await abortable(this.#progress.promise, wait.signal)
      }
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Leaves the group. Idempotent. Resolves when the servers have confirmed it or the session is over (`left`), or when
   * they refused it or the client closed before, whose `close()` waits a little for it (`suspect`); it never rejects.
   */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  /** Leaves the group. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave()
  }

  /**
   * Listens to what becomes of the membership; the latest state wins.
   *
   * @param listener - what it throws goes to the client's `onError`
   * @param options.emitInitial - whether to begin with the present state; true by default
   * @returns ends the listening
   */
  subscribe(listener: (notice: MemberNotice) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    return this.#feed.subscribe(this.path, describe, namedListener('a member', this.path, listener), options)
  }

  /**
   * Iterates over what becomes of the membership; the latest state wins. Ends after the final state was told.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   */
  watch(options: IterateOptions = {}): AsyncGenerator<MemberNotice, void, undefined> {
    checkIterate(options)
    return this.#watch(options)
  }

  async *#watch(options: IterateOptions): AsyncGenerator<MemberNotice, void, undefined> {
    for await (const notice of this.#feed.iterate(this.path, describe, options)) {
      yield notice
      if (notice.state === 'left' || notice.state === 'lost') return
    }
  }

  /** The one loop: register if there is no registration, store what is wanted, wait. */
  async #run(): Promise<void> {
    let retryMs = RETRY_MIN_MS
    while (!this.#ending.signal.aborted) {
      try {
        if (this.#ownership === null || this.#node === null || this.#ownership.isLost) await this.#register()
        else if (this.#stored < this.#wanted.revision) await this.#store(this.#ownership, this.#node)
        else await this.#idle()
        retryMs = RETRY_MIN_MS
      } catch (error) {
        if (this.#ending.signal.aborted) return
        if (!this.#isPassing(error)) return this.#fail(error)
        if (isCoordinationError(error, 'MEMBER_EXISTS')) await this.#waitForId(error)
        await delay(retryMs * Math.random(), this.#ending.signal).catch(() => undefined)
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
      }
    }
  }

  /** Whether an error may be gone at another attempt, and another attempt is wanted. */
  #isPassing(error: unknown): boolean {
    const { waitMs = 0, onSessionLoss } = this.#patience
    if (this.#registrations > 0) return isPassing(error)
    if (isCoordinationError(error, 'MEMBER_EXISTS')) return waitMs > 0
    return onSessionLoss === 'queue-again' && isPassing(error)
  }

  async #waitForId(obstacle: CoordinationError): Promise<void> {
    this.#obstacle = obstacle
    await untilFree(this.#client, this.path, this.#ending.signal)
  }

  async #idle(): Promise<void> {
    await abortable(this.#wake.promise, this.#ending.signal)
    this.#wake = deferred()
  }

  async #register(): Promise<void> {
    const { bytes, revision } = this.#wanted
    this.#isClaiming = true
    const { stat, isFresh } = await claim(this.#claimant(), bytes)
    const node = ownedNode(this.path, stat)
    const { signal } = this.#ending
    const isLive = await proveLease(this.#client, node, { signal, insist: (step) => step() })
    if (!isLive && this.#registrations === 0 && !this.#queuesAgain) throw sessionOver(this.path)
    // Left meanwhile: the clean-up looks for the node.
    if (signal.aborted || !isLive) return
    this.#isClaiming = false
    this.#obstacle = null
    this.#node = node
    this.#version = stat.version
    this.#stored = isFresh ? revision : NOTHING_STORED
    this.#registrations += 1
    this.#ownership = new Ownership(this.#client, this.#node, new NodeWatch(), (reason) => this.#onLost(reason))
    this.#ownership.begin(false)
    this.#joined.resolve(undefined)
    this.#advance()
    this.#tell()
  }

  #claimant(): Claimant {
    const { signal } = this.#ending
    const queuesAgain = this.#registrations > 0 || this.#queuesAgain
    const onWrite = (writing: Promise<unknown>): void => void this.#write(writing).catch(() => undefined)
    return { client: this.#client, path: this.path, mark: this.#mark, known: this.#node, queuesAgain, signal, onWrite }
  }

  /**
   * Stores the wanted data in the node of this registration. Its version too is compared, so that a write with a lost
   * answer cannot take effect after a later one.
   */
  async #store(ownership: Ownership, node: OwnedNode): Promise<void> {
    const { path } = node
    const { bytes: data, revision } = this.#wanted
    try {
      const set = { type: 'set', path, data, version: this.#version } as const
      const [, stored] = await this.#write(this.#client.multi([checkIdentity(node), set], { signal: ownership.signal }))
      if (stored?.type === 'set') this.#version = stored.stat.version
      this.#stored = revision
      this.#advance()
    } catch (error) {
      if (ownership.signal.aborted) return
      if (isGone(error)) return ownership.lose('node-deleted')
      if (!isCoordinationError(error, 'BAD_VERSION') && !isOutcomeUnknown(error)) throw error
      const found = await readSynced(this.#client, path, this.#ending.signal)
      if (found?.stat.czxid !== node.czxid) return ownership.lose('node-deleted')
      this.#version = found.stat.version
      // The loop pauses before it tries again.
      if (isOutcomeUnknown(error)) throw error
    }
  }

  /** Too much is refused at once: sent by the loop, it would be refused where no caller hears it. */
  #bytesOf(data: T | undefined): Uint8Array {
    const { path } = this
    const bytes = markData(this.#mark, this.#encode(data))
    const { dataBytesMax } = this.#client.capabilities
    if (bytes.length <= dataBytesMax) return bytes
    const message = `the data of ${path} take ${String(bytes.length)} bytes, more than ${String(dataBytesMax)}`
    throw new CoordinationError('PAYLOAD_TOO_LARGE', message, { outcome: 'not-sent', path })
  }

  /** Remembers a write that must be known to be over before its effect can be cleaned up. */
  #write<R>(writing: Promise<R>): Promise<R> {
    this.#writing = writing.catch(() => undefined)
    return abortable(writing, this.#ending.signal)
  }

  get #queuesAgain(): boolean {
    return this.#patience.onSessionLoss === 'queue-again'
  }

  #onLost(reason: string): void {
    this.#tell()
    if (reason !== 'client-closed') this.#wake.resolve(undefined)
  }

  #fail(error: unknown): void {
    const isOwed = this.#registrations > 0
    this.#error = error
    this.#finish('lost')
    this.#joined.reject(error)
    if (isOwed) void Cleanups.of(this.#client).run(this.#removal())
  }

  async #leave(): Promise<void> {
    if (this.#end !== null) return
    this.#ending.abort(clientClosed(this.path))
    this.#ownership?.end()
    const isConfirmed = await Cleanups.of(this.#client).run(this.#removal())
    this.#finish(isConfirmed ? 'left' : null)
  }

  async #withdraw(): Promise<void> {
    if (this.#end === null) this.#finish('left')
    await Cleanups.of(this.#client).confirmOrHandOver(this.#removal())
  }

  /**
   * Work on behalf of the member must stop before another can have its id, so the signal comes first; and before that
   * the state, for those who ask it in the listener.
   */
  async #closeWithClient(): Promise<void> {
    void Waits.of(this.#client).end()
    if (this.#leaving !== null) return this.#leaving
    this.#error = clientClosed(this.path)
    this.#end = 'lost'
    this.#ownership?.lose('client-closed')
    this.#finish('lost')
    await Cleanups.of(this.#client).confirmOrHandOver(this.#removal())
  }

  /** Deletes the node that is known to be ours, or the one that a claim made whose answer is not known here. */
  #removal(): CleanupTask {
    const node = this.#node
    if (!this.#isClaiming) return node === null ? nothingToRemove : deletion(this.#client, node)
    return async (signal, giveUp) => {
      await abortable(this.#writing, signal)
      const found = await readSynced(this.#client, this.path, signal)
      if (found === null || !isOwn({ mark: this.#mark, known: this.#node }, found)) return
      await deletion(this.#client, ownedNode(this.path, found.stat))(signal, giveUp)
    }
  }

  /** Ends it. Null: it is not known whether the node is gone; the end of its session will see to that. */
  #finish(end: 'left' | 'lost' | null): void {
    this.#end = end
    this.#ending.abort(clientClosed(this.path))
    this.#ownership?.end()
    this.#ownership?.retire()
    for (const stop of this.#ends.splice(0)) stop()
    this.#tell()
    this.#advance()
    if (end === null) this.#feed.close()
  }

  #advance(): void {
    this.#progress.resolve(undefined)
    this.#progress = deferred()
  }

  #tell(): void {
    const error = this.#error === undefined ? {} : { error: this.#error }
    const { state, incarnation } = this
    this.#feed.publish({ state, incarnation, registrations: this.#registrations, ...error }, false)
  }

  #throwIfEnded(): void {
    if (this.#end === null && !this.#ending.signal.aborted) return
    if (this.#error instanceof Error) throw this.#error
    throw clientClosed(this.path)
  }
}

function nothingToRemove(): Promise<void> {
  return Promise.resolve()
}

function describe({ previous, current }: { previous: Standing | undefined; current: Standing }): MemberNotice | null {
  const { state, incarnation, registrations, error } = current
  const rejoined = previous !== undefined && previous.registrations !== registrations
  if (!rejoined && previous?.state === state && previous.incarnation === incarnation) return null
  return { state, incarnation, rejoined, ...(error === undefined ? {} : { error }) }
}
