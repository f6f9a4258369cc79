/**
 * ENGINE: a node of ours that is kept at its path: made, stored to, made again after a loss, and withdrawn.
 *
 * Model     an ephemeral node that is known again after a lost reply or a lost session: by a mark of this handle before
 *           its data, or by its creation (recognition.ts). One loop registers, stores new data and registers again.
 * Safety    a node that is not recognised is never adopted, and every write of a node of ours checks its czxid: what
 *           was put in its place is neither overwritten nor deleted. A node that an older session of this handle left
 *           is replaced by one atomic delete and create, so that others see an update and no end.
 * Signal    `signal` belongs to one registration: it aborts when that can no longer be relied on, and after the handle
 *           has registered again there is another one. Read it again whenever work begins.
 * Source    Curator PersistentNode, GroupMember; and what was reported of them (CURATOR-506, 297).
 */
import type { Stat } from '../../core/backend.ts'
import { abortable, deferred, delay } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import type { OnSessionLoss } from './acquire-options.ts'
import type { CleanupTask } from './cleanups.ts'
import { Cleanups } from './cleanups.ts'
import { Feed } from './feed.ts'
import type { Delivery } from './feed.ts'
import { proveLease } from './lease-proof.ts'
import { claim, isOwn, isPassing, untilFree } from './node-claim.ts'
import type { Claimant } from './node-claim.ts'
import { NodeWatch, Ownership } from './ownership.ts'
import type { OwnedNode } from './protected-writes.ts'
import { checkIdentity, deletion, isGone, isOutcomeUnknown } from './protected-writes.ts'
import { ownedNode, readSynced } from './protected-writes.ts'
import type { TimedWaitOptions } from './wait.ts'
import { byMark } from './recognition.ts'
import type { MakeRecognition, Recognition } from './recognition.ts'
import { Wait, Waits, clientClosed, sessionOver } from './wait.ts'

/**
 * Where a kept node stands.
 *
 * - `registered`: it is there, and the servers answer.
 * - `suspect`: no server is in touch; it is there until the signal says otherwise. Or a withdrawal is not confirmed:
 *   not yet, or never if the client closed before. Then the end of its session ends it.
 * - `registering`: it was lost, and is made again as soon as it can be.
 * - `withdrawn`: over, confirmed. Final.
 * - `lost`: over because it cannot be made again, above all since another has the path now, or since the client closed.
 *   Final, and so already when the listeners of the signal of a client that closes run.
 */
export type KeptState = 'registered' | 'suspect' | 'registering' | 'withdrawn' | 'lost'

/** A state of a kept node, for its feed. */
export interface Standing {
  /** Where it stands. */
  readonly state: KeptState
  /** zxid of its creation; 0 before it was made. */
  readonly incarnation: bigint
  /** How often it was made. */
  readonly registrations: number
  /** With state `lost`: why. */
  readonly error?: unknown
}

/** The state of a kept node, and its changes since a consumer was notified last. */
export interface StandingChange extends Standing {
  /** Whether it was made again since then. */
  readonly isAgain: boolean
}

/** How a node is kept. */
export interface KeepOptions extends TimedWaitOptions {
  /** The fate of the call if the session ends, or no server is in touch, before it is made; `reject` by default. */
  readonly onSessionLoss?: OnSessionLoss
  /** Makes the error that tells of another's node at the path. */
  readonly taken: (path: string, stat: Stat) => CoordinationError
  /** How the node is distinguished from another's; by a mark before its data by default. */
  readonly recognition?: MakeRecognition
}

/** The data to be stored, and how often they have changed. */
interface Wanted {
  readonly bytes: Uint8Array
  readonly revision: number
}

const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 2_000
const NOTHING_STORED = -1

/** A node that is kept. */
export class KeptNode {
  /** Where it is. */
  readonly path: string
  /** Publishes each change of where it stands. */
  readonly feed: Feed<Standing>
  readonly #client: Client
  readonly #options: KeepOptions
  readonly #recognition: Recognition
  readonly #ending = new AbortController()
  /** Resolved when the node is there and holds the data that it was given. */
  readonly #registered = deferred<undefined>()
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
  #end: 'withdrawn' | 'lost' | null = null
  #error: unknown
  /** Tells who has the path while this one waits for it. */
  #obstacle: CoordinationError | null = null
  #withdrawing: Promise<void> | null = null

  private constructor(client: Client, path: string, bytes: Uint8Array, options: KeepOptions) {
    this.path = path
    this.#client = client
    this.#options = options
    this.#recognition = (options.recognition ?? byMark)(client, path)
    this.#wanted = { bytes: this.#toStore(bytes), revision: 0 }
    this.feed = new Feed((error) => client.report(error))
    this.#registered.promise.catch(() => undefined)
  }

  /**
   * Makes the node, and keeps it from then on.
   *
   * @param client - on whose session
   * @param path - where
   * @param bytes - its data, as the caller has them
   * @param options - the limits of the wait, the error for another's node, and how the node is recognised
   * @throws CoordinationError `options.taken` if another has the path, at once or when `waitMs` have passed; the error
   * that ended the wait; `PAYLOAD_TOO_LARGE`; a refusal of the servers. Its node is gone then, or clean-ups remove it
   */
  static async keep(client: Client, path: string, bytes: Uint8Array, options: KeepOptions): Promise<KeptNode> {
    const wait = new Wait(client, path, options)
    let node: KeptNode | null = null
    try {
      const made = new KeptNode(client, path, bytes, options)
      node = made
      void made.#run()
      await abortable(made.#registered.promise, wait.signal)
      made.#ends.push(
        client.own({ close: () => made.#closeWithClient() }),
        client.onState(() => made.#tell()),
      )
      made.#tell()
      return made
    } catch (error) {
      // Whoever has the path, it is not us: nothing of ours is there.
      if (node !== null && error !== node.#obstacle) await node.#giveUp()
      const reason = wait.explain(error)
      const obstacle = node === null ? null : node.#obstacle
      throw isCoordinationError(reason, 'TIMEOUT') ? (obstacle ?? reason) : reason
    } finally {
      wait.close()
    }
  }

  /** Where it stands at this instant. */
  get state(): KeptState {
    if (this.#end !== null) return this.#end
    if (this.#ending.signal.aborted) return 'suspect'
    if (this.#ownership === null || this.#ownership.signal.aborted) return 'registering'
    return this.#client.state.status === 'connected' && this.#ownership.isProven ? 'registered' : 'suspect'
  }

  /** Whether it can be shown at this instant that the node is there: it asks the clock and not a timer. */
  get isProven(): boolean {
    return this.#end === null && this.#ownership?.isProven === true
  }

  /**
   * Aborted when the present registration can no longer be relied on: at a local deadline before the servers could end
   * it, or when its node is deleted, the session over or the client closed; never by `withdraw()`.
   */
  get signal(): AbortSignal {
    return this.#ownership === null ? this.#ending.signal : this.#ownership.signal
  }

  /** zxid of the creation of the node; it grows with each registration. */
  get incarnation(): bigint {
    return this.#node?.czxid ?? 0n
  }

  /**
   * Replaces the data. Those that come faster than they can be stored replace each other.
   *
   * @param bytes - the new data, as the caller has them
   * @param wait - the wait that this call is a part of; the data are stored all the same if it ends
   * @returns resolves when these or later data are stored
   * @throws CoordinationError what ended the wait, `PAYLOAD_TOO_LARGE`, or why the node is kept no more
   */
  async store(bytes: Uint8Array, wait: Wait): Promise<void> {
    this.throwIfEnded()
    const revision = this.#wanted.revision + 1
    this.#wanted = { bytes: this.#toStore(bytes), revision }
    this.#wake.resolve(undefined)
    while (this.#stored < revision) {
      this.throwIfEnded()
      await abortable(this.#progress.promise, wait.signal)
    }
  }

  /**
   * Removes the node, and keeps it no more. Idempotent. Resolves when the servers have confirmed it or the session is
   * over (`withdrawn`), or when they refused it or the client closed before, whose `close()` waits a little for it
   * (`suspect`); it never rejects.
   */
  withdraw(): Promise<void> {
    this.#withdrawing ??= this.#withdraw()
    return this.#withdrawing
  }

  /** Throws the reason if the node is no longer kept. */
  throwIfEnded(): void {
    if (this.#end === null && !this.#ending.signal.aborted) return
    if (this.#error instanceof Error) throw this.#error
    throw clientClosed(this.path)
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
        if (error === this.#obstacle) await untilFree(this.#client, this.path, this.#ending.signal)
        await delay(retryMs * Math.random(), this.#ending.signal).catch(() => undefined)
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
      }
    }
  }

  /** Whether an error may be gone at another attempt, and another attempt is wanted. */
  #isPassing(error: unknown): boolean {
    if (this.#registrations > 0) return isPassing(error)
    if (error === this.#obstacle) return (this.#options.waitMs ?? 0) > 0
    return this.#queuesAgain && isPassing(error)
  }

  async #idle(): Promise<void> {
    await abortable(this.#wake.promise, this.#ending.signal)
    this.#wake = deferred()
  }

  async #register(): Promise<void> {
    const { bytes, revision } = this.#wanted
    this.#isClaiming = true
    const { stat, isOurs, isFresh } = await claim(this.#claimant(), bytes)
    if (!isOurs) {
      this.#obstacle = this.#options.taken(this.path, stat)
      throw this.#obstacle
    }
    const node = ownedNode(this.path, stat)
    const { signal } = this.#ending
    const isLive = await proveLease(this.#client, node, { signal, insist: (step) => step() })
    if (!isLive && this.#registrations === 0 && !this.#queuesAgain) throw sessionOver(this.path)
    // Withdrawn meanwhile: the clean-up looks for the node.
    if (signal.aborted || !isLive) return
    this.#isClaiming = false
    this.#obstacle = null
    this.#node = node
    this.#version = stat.version
    this.#stored = isFresh ? revision : NOTHING_STORED
    this.#registrations += 1
    this.#ownership = new Ownership(this.#client, this.#node, new NodeWatch(), (reason) => this.#onLost(reason))
    this.#ownership.begin(false)
    // A node that an earlier call has left holds its data as yet.
    if (isFresh) this.#registered.resolve(undefined)
    this.#advance()
    this.#tell()
  }

  #claimant(): Claimant {
    const { signal } = this.#ending
    const queuesAgain = this.#registrations > 0 || this.#queuesAgain
    const onWrite = (writing: Promise<unknown>): void => void this.#write(writing).catch(() => undefined)
    const [client, path, known, recognition] = [this.#client, this.path, this.#node, this.#recognition]
    return { client, path, recognition, known, queuesAgain, signal, onWrite }
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
      this.#registered.resolve(undefined)
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
  #toStore(data: Uint8Array): Uint8Array {
    const { path } = this
    const bytes = this.#recognition.stored(data)
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
    return this.#options.onSessionLoss === 'queue-again'
  }

  #onLost(reason: string): void {
    this.#tell()
    if (reason !== 'client-closed') this.#wake.resolve(undefined)
  }

  #fail(error: unknown): void {
    const isOwed = this.#registrations > 0
    this.#error = error
    this.#finish('lost')
    this.#registered.reject(error)
    if (isOwed) void Cleanups.of(this.#client).run(this.#removal())
  }

  async #withdraw(): Promise<void> {
    if (this.#end !== null) return
    this.#ending.abort(clientClosed(this.path))
    this.#ownership?.end()
    const isConfirmed = await Cleanups.of(this.#client).run(this.#removal())
    this.#finish(isConfirmed ? 'withdrawn' : null)
  }

  async #giveUp(): Promise<void> {
    if (this.#end === null) this.#finish('withdrawn')
    await Cleanups.of(this.#client).confirmOrHandOver(this.#removal())
  }

  /**
   * Work on behalf of the node must stop before another can have its path, so the signal comes first; and before that
   * the state, for those who ask it in the listener.
   */
  async #closeWithClient(): Promise<void> {
    void Waits.of(this.#client).end()
    if (this.#withdrawing !== null) return this.#withdrawing
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
      if (found === null || !isOwn({ recognition: this.#recognition, known: this.#node }, found)) return
      await deletion(this.#client, ownedNode(this.path, found.stat))(signal, giveUp)
    }
  }

  /** Ends it. Null: it is not known whether the node is gone; the end of its session will see to that. */
  #finish(end: 'withdrawn' | 'lost' | null): void {
    this.#end = end
    this.#ending.abort(clientClosed(this.path))
    this.#ownership?.end()
    this.#ownership?.retire()
    this.#recognition.end()
    for (const stop of this.#ends.splice(0)) stop()
    this.#tell()
    this.#advance()
    if (end === null) this.feed.close()
  }

  #advance(): void {
    this.#progress.resolve(undefined)
    this.#progress = deferred()
  }

  #tell(): void {
    const error = this.#error === undefined ? {} : { error: this.#error }
    const { state, incarnation } = this
    this.feed.publish({ state, incarnation, registrations: this.#registrations, ...error }, false)
  }
}

/** The change for a consumer of a kept node's feed; null if there is none. */
export function standingChange({ previous, current }: Delivery<Standing>): StandingChange | null {
  const isAgain = previous !== undefined && previous.registrations !== current.registrations
  const isSame = previous?.state === current.state && previous.incarnation === current.incarnation
  return !isAgain && isSame ? null : { ...current, isAgain }
}

function nothingToRemove(): Promise<void> {
  return Promise.resolve()
}
