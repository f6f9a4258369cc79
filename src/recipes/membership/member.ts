/**
 * Membership: one member's registration in a group, which renews itself.
 *
 * Model     a kept node (engine/kept-node.ts) named by the member's id, which holds what the member says of itself.
 * Safety    an id is one member's: another's node is never taken over, overwritten or deleted.
 * Signal    `signal` belongs to one registration: after the handle has registered again there is another one. Read it
 *           again whenever work begins.
 * Source    Curator GroupMember.
 */
import type { Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { nameOf } from '../../core/path.ts'
import { checkSessionLoss } from '../engine/acquire-options.ts'
import type { OnSessionLoss } from '../engine/acquire-options.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { KeptNode, standingChange } from '../engine/kept-node.ts'
import type { KeptState, Standing } from '../engine/kept-node.ts'
import { namedListener } from '../engine/listener.ts'
import { checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** Options of {@link GroupMembership.join}. */
export interface JoinOptions<T> extends TimedWaitOptions {
  /** The data of the member's node; none by default. */
  readonly data?: T
  /**
   * The fate of the call if the session ends, or no server is in touch, before it has registered: `reject` by default,
   * or `queue-again`, for as long as the wait lasts.
   */
  readonly onSessionLoss?: OnSessionLoss
}

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

/** A state of a member, as its subscribers get it. */
export interface MemberNotice {
  /** Where it stands. */
  readonly state: MemberState
  /** zxid of the creation of its node: another registration has another. */
  readonly incarnation: bigint
  /** Whether it has registered again since the notice before. */
  readonly rejoined: boolean
  /** With state `lost`: why. */
  readonly error?: unknown
}

/** Makes the bytes to store of a member's data. */
type Encode<T> = (data: T | undefined) => Uint8Array

const JOIN_OPTIONS = optionNames<JoinOptions<unknown>>({ data: true, onSessionLoss: true, waitMs: true, signal: true })

const STATES = Object.freeze({
  registered: 'joined',
  suspect: 'suspect',
  registering: 'rejoining',
  withdrawn: 'left',
  lost: 'lost',
}) satisfies Record<KeptState, MemberState>

/**
 * Checks the options of a join.
 *
 * @throws TypeError with the option's name and value
 */
export function checkJoinOptions(options: JoinOptions<unknown>): void {
  refuseUnknown(options, JOIN_OPTIONS, 'join')
  checkSessionLoss(options.onSessionLoss)
}

/** A member's handle; made by `GroupMembership.join`. */
export class Member<T> implements AsyncDisposable {
  /** The member's name in the group. */
  readonly id: string
  /** Its node. */
  readonly path: string
  readonly #client: Client
  readonly #node: KeptNode
  readonly #encode: Encode<T>

  private constructor(client: Client, id: string, node: KeptNode, encode: Encode<T>) {
    this.id = id
    this.path = node.path
    this.#client = client
    this.#node = node
    this.#encode = encode
  }

  /**
   * Registers a member.
   *
   * @param client - on whose session
   * @param path - the member's node
   * @param id - its name
   * @param encode - makes the bytes to store; may throw
   * @param options - the data of its node, and the limits of the wait
   */
  static async join<T>(
    client: Client,
    path: string,
    id: string,
    encode: Encode<T>,
    options: JoinOptions<T>,
  ): Promise<Member<T>> {
    const { data, ...waiting } = options
    const node = await KeptNode.keep(client, path, encode(data), { ...waiting, taken: memberExists })
    return new Member(client, id, node, encode)
  }

  /** Where it stands at this instant. */
  get state(): MemberState {
    return STATES[this.#node.state]
  }

  /**
   * Aborted when the present registration can no longer be relied on: at a local deadline before the servers could end
   * it, or when its node is deleted, the session over or the client closed; never by `leave()`. See `lossReason`. After
   * another registration there is another signal.
   */
  get signal(): AbortSignal {
    return this.#node.signal
  }

  /** zxid of the creation of its node. It grows with each registration, and is what other members see too. */
  get incarnation(): bigint {
    return this.#node.incarnation
  }

  /**
   * Replaces what the member says of itself. Updates that come faster than they can be stored replace each other.
   *
   * @param data - the new data
   * @param options - the signal and the time limit of the wait; the data are stored all the same
   * @returns resolves when these or later data are stored
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `PAYLOAD_TOO_LARGE`, `INVALID_VALUE`, or why the membership ended:
   * `MEMBER_EXISTS`, `CLIENT_CLOSED`, or a refusal of the servers
   */
  async update(data: T, options: TimedWaitOptions = {}): Promise<void> {
    await withinWait(this.#client, { what: 'update', path: this.path }, options, async (_, wait) => {
      this.#node.throwIfEnded()
      await this.#node.store(this.#encode(data), wait)
    })
  }

  /**
   * Leaves the group. Idempotent. Resolves when the servers have confirmed it or the session is over (`left`), or when
   * they refused it or the client closed before, whose `close()` waits a little for it (`suspect`); it never rejects.
   */
  leave(): Promise<void> {
    return this.#node.withdraw()
  }

  /** Leaves the group. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave()
  }

  /**
   * Listens to the states of the membership; the latest state wins.
   *
   * @param listener - called with each notice; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present state; true by default
   * @returns ends the listening
   */
  subscribe(listener: (notice: MemberNotice) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    return this.#node.feed.subscribe(this.path, describe, namedListener('a member', this.path, listener), options)
  }

  /**
   * Iterates over the states of the membership; the latest state wins. Ends after the final state.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   */
  watch(options: IterateOptions = {}): AsyncGenerator<MemberNotice, void, undefined> {
    checkIterate(options)
    return this.#watch(options)
  }

  async *#watch(options: IterateOptions): AsyncGenerator<MemberNotice, void, undefined> {
    for await (const notice of this.#node.feed.iterate(this.path, describe, options)) {
      yield notice
      if (notice.state === 'left' || notice.state === 'lost') return
    }
  }
}

function describe(delivery: Delivery<Standing>): MemberNotice | null {
  const change = standingChange(delivery)
  if (change === null) return null
  const { state, incarnation, isAgain, error } = change
  return { state: STATES[state], incarnation, rejoined: isAgain, ...(error === undefined ? {} : { error }) }
}

function memberExists(path: string, { ctime, ephemeralOwner }: Stat): CoordinationError {
  const id = JSON.stringify(nameOf(path))
  const since = new Date(ctime).toISOString()
  const message = `another member has the id ${id} since ${since}, on session `
    + `0x${ephemeralOwner.toString(16)}. If a process left it that was started again, it goes when that session ends: `
    + 'join({ waitMs }) waits for that'
  return new CoordinationError('MEMBER_EXISTS', message, { outcome: 'rejected', path })
}
