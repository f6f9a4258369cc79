/**
 * Group membership: who is there, as everyone sees it.
 *
 * Model     an ephemeral node per member under `path`, named by the member's id. It is there as long as the member's
 *           session.
 * Safety    an id has one member: a second one is refused. Each published list existed at one moment, and has in it
 *           what is registered and nothing else (not even oneself, before one is).
 * Liveness  a member that lost its session registers again by itself; others see an update with a new incarnation, or a
 *           leave and a join if its old session ended first.
 * Format    a member's data are stored after a UUID of its handle and a line feed; JSON in UTF-8, or the codec's
 *           bytes, or nothing.
 * Cost      join: 1 round trip; a change costs each watcher 1 event + 1 or 2 reads.
 * Source    ZooKeeper recipes, "Group Membership"; Curator GroupMember.
 */
import type { NodeData } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateText } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import { readEach } from '../../core/read-each.ts'
import type { Codec } from '../engine/codec.ts'
import { invalidValue, jsonCodec } from '../engine/codec.ts'
import type { Delivery, Describe, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { deepFreeze } from '../engine/json-values.ts'
import { namedListener } from '../engine/listener.ts'
import { unmarkData } from '../engine/marked-data.ts'
import { Member, checkJoinOptions } from './member.ts'
import type { JoinOptions } from './member.ts'
import type { MirrorSnapshot } from '../engine/mirror.ts'
import { Mirror } from '../engine/mirror.ts'
import { checkCodec, checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { clientClosed } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** Options of a {@link GroupMembership}. */
export interface GroupMembershipOptions<T> {
  /** How the data of members become bytes; JSON by default. */
  readonly codec?: Codec<T>
}

/** A member as others see it. */
export interface MemberInfo<T> {
  /** Its name. */
  readonly id: string
  /** The data that it registered; undefined if there are none, or they cannot be decoded (which is reported). */
  readonly data: T | undefined
  /** zxid of its registration: a member that registered again has a new one. */
  readonly incarnation: bigint
  /** The session that it lives on. */
  readonly sessionId: bigint
  /** When it registered, in milliseconds since 1970 by the leader's clock. */
  readonly sinceMs: number
}

/** A change of the group. */
export interface GroupChange<T> {
  /** All members, sorted by id. */
  readonly members: readonly MemberInfo<T>[]
  /** Those who were not there before. */
  readonly joined: readonly MemberInfo<T>[]
  /** Those who are not there any more, as they were. */
  readonly left: readonly MemberInfo<T>[]
  /** Those with new data or a new incarnation, as they are. */
  readonly updated: readonly MemberInfo<T>[]
  /** How many states before it this consumer did not get, because it was slow; their changes are in this one. */
  readonly missed: number
  /** Whether all was read again after a reconnect. */
  readonly resync: boolean
}

const OPTIONS = optionNames<GroupMembershipOptions<unknown>>({ codec: true })

/** A group. */
export class GroupMembership<T = unknown> implements AsyncDisposable {
  /** The parent of the members' nodes. */
  readonly path: string
  readonly #client: Client
  readonly #codec: Codec<T>
  /** Whether data are of JSON, and ours to freeze. */
  readonly #isJson: boolean
  readonly #infos = new WeakMap<NodeData, MemberInfo<T>>()
  readonly #members = new Set<Member<T>>()
  #mirror: Mirror | null = null
  #isClosed = false

  /**
   * Makes a group's client side; nothing is sent.
   *
   * @param client - through which to join and to read; it closes the group when it closes
   * @param path - the group; its node is made when somebody joins, and removed by the servers when nobody is left
   * @param options - how the data of members are stored
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: GroupMembershipOptions<T> = {}) {
    validateClient(client, 'GroupMembership')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'GroupMembership')
    checkCodec(options.codec)
    this.path = path
    this.#client = client
    this.#codec = options.codec ?? jsonCodec<T>()
    this.#isJson = options.codec === undefined
  }

  /**
   * Registers a member.
   *
   * @param id - its name: one segment of a path, nobody else's in this group
   * @param options.data - the data of the member's node
   * @param options.signal - ends the attempt; a node that it has made is removed before this rejects
   * @param options.waitMs - longest attempt in milliseconds; no limit by default. If it is given, and another has the
   * id, it waits for that one to go: above all for the node of the older session of a process that was started again
   * @param options.onSessionLoss - `reject` by default; `queue-again` goes on over losses of the session and of touch
   * @returns a handle that registers again by itself when its session is lost, until `leave()`
   * @throws CoordinationError `MEMBER_EXISTS` if another has the id, even one that crashed whose session still lives,
   * at once or when `waitMs` have passed; `ABORTED`, `TIMEOUT`, `INVALID_VALUE`, `PAYLOAD_TOO_LARGE`, `CLIENT_CLOSED`,
   * a refusal of the servers, and with `reject` `SESSION_EXPIRED`, `CONNECTION_LOSS`
   * @throws TypeError if the id cannot be a node's name; TypeError or RangeError for a wrong option
   */
  async join(id: string, options: JoinOptions<T> = {}): Promise<Member<T>> {
    checkJoinOptions(options)
    validateText('id', id)
    this.#throwIfClosed()
    const path = joinPath(this.path, id)
    validatePath(path, 'id')
    if (id.includes('/')) throw new TypeError(`id must be one segment of a path, got ${JSON.stringify(id)}`)
    const encode = (data: T | undefined): Uint8Array => this.#encode(data, path)
    const member = await Member.join<T>(this.#client, path, id, encode, options)
    this.#members.add(member)
    member.subscribe(({ state }) => {
      if (state === 'left' || state === 'lost') this.#members.delete(member)
    })
    return member
  }

  /**
   * Reads the members from the servers, not older than any change that was acknowledged before the call. They are read
   * in parts, so the list need not have existed at one moment; the lists of `subscribe` have.
   *
   * @param options - the signal and the time limit of the wait
   * @returns all members, sorted by id
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async members(options: TimedWaitOptions = {}): Promise<MemberInfo<T>[]> {
    this.#throwIfClosed()
    return withinWait(this.#client, { what: 'members', path: this.path }, options, async (signal) => {
      const names = await this.#names(signal)
      const infos = await readEach(names, (name) => this.#readMember(name), signal)
      return infos.filter((info) => info !== null)
    })
  }

  /**
   * Listens to changes of the group. A slow listener is not called for each, but missed changes are in the next.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present members, all of them as joined; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if the group or the client was closed
   */
  subscribe(listener: (change: GroupChange<T>) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    this.#throwIfClosed()
    const named = namedListener('GroupMembership', this.path, listener)
    return this.#watched().feed.subscribe(this.path, this.#describe, named, options)
  }

  /**
   * Iterates over changes of the group. Ends when the group or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with the present members, all of them as joined; true by default
   * @throws CoordinationError `CLIENT_CLOSED` if the group or the client was closed
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<GroupChange<T>> {
    checkIterate(options)
    this.#throwIfClosed()
    return this.#watched().feed.iterate(this.path, this.#describe, options)
  }

  /**
   * Ends subscriptions, iterations and watches, and leaves with every member that joined through this object.
   * Idempotent.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    const members = [...this.#members]
    await Promise.all([this.#mirror?.close(), ...members.map((member) => member.leave())])
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #throwIfClosed(): void {
    if (this.#isClosed || this.#client.state.status === 'closed') throw clientClosed(this.path)
  }

  #watched(): Mirror {
    this.#mirror ??= new Mirror(this.#client, this.path, 1)
    return this.#mirror
  }

  async #names(signal: AbortSignal): Promise<readonly string[]> {
    try {
      await this.#client.sync(this.path, { signal })
      return (await this.#client.children(this.path, { signal })).names
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return []
      throw error
    }
  }

  async #readMember(name: string): Promise<MemberInfo<T> | null> {
    try {
      return this.#infoOf(name, await this.#client.get(joinPath(this.path, name)))
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }

  readonly #describe: Describe<MirrorSnapshot, GroupChange<T>> = ({ previous, current, missed, resync }) => {
    const before = this.#membersIn(previous)
    const after = this.#membersIn(current)
    const joined = [...after.values()].filter(({ id }) => !before.has(id))
    const left = [...before.values()].filter(({ id }) => !after.has(id))
    const updated = [...after.values()].filter((info) => before.has(info.id) && before.get(info.id) !== info)
    const isChanged = joined.length + left.length + updated.length > 0
    if (previous !== undefined && !isChanged && !resync) return null
    return { members: [...after.values()], joined, left, updated, missed, resync }
  }

  #membersIn(snapshot: Delivery<MirrorSnapshot>['previous']): Map<string, MemberInfo<T>> {
    const members = new Map<string, MemberInfo<T>>()
    for (const [id, node] of snapshot?.nodes ?? []) if (id !== '') members.set(id, this.#infoOf(id, node))
    return members
  }

  /** A member's description; the same object for the same node, so that it is decoded once and can be compared. */
  #infoOf(id: string, node: NodeData): MemberInfo<T> {
    const known = this.#infos.get(node)
    if (known !== undefined) return known
    const { czxid: incarnation, ephemeralOwner: sessionId, ctime: sinceMs } = node.stat
    const info = Object.freeze({ id, data: this.#decode(id, node.data), incarnation, sessionId, sinceMs })
    this.#infos.set(node, info)
    return info
  }

  #encode(data: T | undefined, path: string): Uint8Array {
    try {
      return data === undefined ? new Uint8Array() : this.#codec.encode(data)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw invalidValue(path, [{ message }], 'not-sent')
    }
  }

  #decode(id: string, bytes: Uint8Array): T | undefined {
    const marked = unmarkData(bytes)
    if (marked?.data.length === 0) return undefined
    try {
      if (marked === null) throw new TypeError('its data do not begin with the mark of a member')
      // The codec vouches for the type: members have no schema.
      const data = this.#codec.decode(marked.data) as T
      return this.#isJson ? deepFreeze(data) : data
    } catch (cause) {
      const path = joinPath(this.path, id)
      const message = `the data of member ${JSON.stringify(id)} cannot be decoded`
      this.#client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path, cause }))
      return undefined
    }
  }
}
