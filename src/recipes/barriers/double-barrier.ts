/**
 * Double barrier: so many processes begin a piece of work together, and end it together.
 *
 * Model     one ephemeral node per member under `path`. Who finds `count` of them makes the persistent node `ready`,
 *           which opens the round: members whose nodes are older than it are in. A round is over when none of them is
 *           left; then `ready` is removed, and the next one may open.
 * Safety    `ready` is made in one multi with a check of `count` members: one that died after it was counted opens
 *           nothing, and one that died before it and was not counted is not in. A `ready` that is older than a member's
 *           own node is that of the round before, and lets nobody in. It is removed as that very node, never the one of
 *           the next round.
 * Liveness  a `ready` that was left behind by a crash is removed by whoever comes next.
 * Cost      enter: 4 round trips and 1 watch; 1 more for the last one. leave: 4 round trips, and 1 watch, 1 event and
 *           1 list for each member that is waited for.
 * Source    ZooKeeper recipes, "Double Barriers"; Curator DistributedDoubleBarrier, kazoo DoubleBarrier.
 */
import { abortable } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, nameOf, validatePath } from '../../core/path.ts'
import { Bell } from '../engine/bell.ts'
import { Cleanups } from '../engine/cleanups.ts'
import { newMark } from '../engine/marked-data.ts'
import type { NodeIdentity, OwnedNode } from '../engine/protected-writes.ts'
import { checkIdentity, deletion, isGone, ownedNode, protectedCreate } from '../engine/protected-writes.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { removeThis, untilGone } from './gate-node.ts'

/** Options of {@link DoubleBarrier}. */
export interface DoubleBarrierOptions {
  /** How many members open a round, 1 to 100; the same in every process. */
  readonly count: number
}

const OPTIONS = optionNames<DoubleBarrierOptions>({ count: true })

/** Each member is one operation of the multi that opens a round, and etcd takes 128 by default. */
const COUNT_MAX = 100

/** The node that opens a round. */
export const READY = 'ready'

/** Where a member has its place: its node, and the `ready` of its round; null if that was removed at once. */
interface Place {
  readonly member: OwnedNode
  readonly round: NodeIdentity | null
}

/** How a member's look at the barrier ended. */
type Meeting =
  | { readonly type: 'in'; readonly round: NodeIdentity | null }
  | { readonly type: 'too-late'; readonly round: NodeIdentity }
  | { readonly type: 'gone' }

/** A gate for so many at a time, on both sides of their work. An object is one member. */
export class DoubleBarrier {
  /** The parent of the members' nodes. */
  readonly path: string
  readonly #client: Client
  readonly #count: number
  readonly #ready: string
  #isEntering = false
  #isIn = false
  /** The latest, until everybody of its round has left. */
  #place: Place | null = null

  /**
   * Makes one member's side of a double barrier; nothing is sent.
   *
   * @param client - on whose session the member's node lives
   * @param path - the barrier; nothing else may be below it
   * @param options - the count
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: DoubleBarrierOptions) {
    validateClient(client, 'DoubleBarrier')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node below the root, got "/"')
    refuseUnknown(options, OPTIONS, 'DoubleBarrier')
    const count: unknown = (options as Partial<DoubleBarrierOptions> | undefined)?.count
    validateInteger('count', count, 1, COUNT_MAX)
    this.path = path
    this.#client = client
    this.#count = count
    this.#ready = joinPath(path, READY)
  }

  /**
   * Waits until `count` members are here, and goes in with them. While a round is under way it waits for the next one.
   *
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @throws CoordinationError `ALREADY_HELD` if this member is in, or on its way in; `ABORTED`, `TIMEOUT`,
   * `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or a refusal of the servers; in each case it is not in, and
   * its node is removed. If the round opened at that moment, the others treat it as one that has left
   * @throws TypeError or RangeError for a wrong option
   */
  async enter(options: TimedWaitOptions = {}): Promise<void> {
    await this.#during(options, 'enter', async (wait) => {
      if (this.#isIn || this.#isEntering) throw this.#notOut()
      this.#isEntering = true
      try {
        while (!(await this.#attempt(wait, options.waitMs === 0))) wait.check()
      } finally {
        this.#isEntering = false
      }
    })
  }

  /**
   * Ends this member's work, and waits until all others of its round have ended theirs. A member whose session ends has
   * left. Not at all if this member is not in.
   *
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or what the
   * servers refused. In each case this member's node is removed, or being removed: the others do not wait for it. To
   * wait again for them, call it again
   * @throws TypeError or RangeError for a wrong option
   */
  async leave(options: TimedWaitOptions = {}): Promise<void> {
    await this.#during(options, 'leave', async (wait) => {
      const place = this.#place
      if (place === null) return
      this.#isIn = false
      await abortable(Cleanups.of(this.#client).run(deletion(this.#client, place.member)), wait.signal)
      if (place.round !== null) await this.#untilOver(place.round, wait, options.waitMs === 0)
      if (this.#place === place) this.#place = null
    })
  }

  /** Comes with a node of its own, and is in by it, or withdraws it. False: it is to come again. */
  async #attempt(wait: Wait, isOnce: boolean): Promise<boolean> {
    const request = { parent: this.path, mark: `${newMark()}-`, rest: 'member-', data: '' }
    const { path, stat } = await wait.insist(() => protectedCreate(this.#client, request, wait))
    const member = ownedNode(path, stat)
    try {
      const meeting = await this.#meet(member, wait, isOnce)
      if (meeting.type === 'in') {
        this.#place = { member, round: meeting.round }
        this.#isIn = true
      } else if (meeting.type === 'too-late') await this.#untilOver(meeting.round, wait, isOnce)
      return meeting.type === 'in'
    } catch (error) {
      await Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, member))
      throw error
    }
  }

  /** Waits for the round to open, and opens it if enough are there. Curator's and kazoo's members are met alike. */
  async #meet(member: OwnedNode, wait: Wait, isOnce: boolean): Promise<Meeting> {
    for (let hasOpened = false; ;) {
      // As of before this look: an event may be called before the code that awaits the read of the state before it.
      const wasOpened = hasOpened
      const bell = new Bell(this.#client)
      try {
        const watch = bell.on(this.#ready, ({ type }) => {
          if (type === 'created') hasOpened = true
        })
        const found = await wait.insist(() => this.#client.exists(this.#ready, { watch, signal: wait.signal }))
        if (found !== null) {
          const round = { path: this.#ready, czxid: found.czxid }
          if (found.czxid > member.czxid) return await this.#inIfCounted(member, round, wait)
          if (await this.#stepBack(member, round, wait)) return { type: 'too-late', round }
          continue
        }
        // Created after our node was there, and removed by somebody who leaves, as kazoo does first.
        if (wasOpened) return await this.#inIfCounted(member, null, wait)
        const names = await this.#members(wait)
        if (!names.includes(nameOf(member.path))) return { type: 'gone' }
        if (names.length >= this.#count) await this.#open(member, names, wait)
        else {
          if (isOnce) wait.timeOut(`${names.length} of ${this.#count} members are there`)
          await bell.heard(wait)
        }
      } finally {
        bell.end()
      }
    }
  }

  /**
   * A member that is there after the round has opened was there when it did; so was one that the round names, which may
   * be gone by now. Of any other that is gone nobody knows.
   */
  async #inIfCounted(member: OwnedNode, round: NodeIdentity | null, wait: Wait): Promise<Meeting> {
    const { signal } = wait
    const found = await wait.insist(() => this.#client.exists(member.path, { signal }))
    const isThere = found?.czxid === member.czxid
    const isCounted = isThere || (round !== null && (await this.#names(round, member, wait)))
    return isCounted ? { type: 'in', round } : { type: 'gone' }
  }

  /** Whether a round that is still under way names a member. */
  async #names({ path, czxid }: NodeIdentity, member: OwnedNode, wait: Wait): Promise<boolean> {
    try {
      const { data, stat } = await wait.insist(() => this.#client.get(path, { signal: wait.signal }))
      return stat.czxid === czxid && new TextDecoder().decode(data).split('\n').includes(nameOf(member.path))
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return false
      throw error
    }
  }

  /**
   * Withdraws a member that came during a round, as long as that is under way: once it is over, others may count on the
   * member.
   */
  async #stepBack(member: OwnedNode, round: NodeIdentity, wait: Wait): Promise<boolean> {
    const remove = { type: 'delete', path: member.path, version: -1 } as const
    try {
      await wait.insist(() => this.#client.multi([checkIdentity(round), remove], { signal: wait.signal }))
    } catch (error) {
      if (isGone(error)) return false
      if (!isCoordinationError(error, 'NO_NODE')) throw error
    }
    return true
  }

  /** Opens the round if the members are still there; otherwise there is something new to look at. */
  async #open(member: OwnedNode, names: readonly string[], wait: Wait): Promise<void> {
    const others = names.filter((name) => name !== nameOf(member.path)).slice(0, this.#count - 1)
    const paths = [member.path, ...others.map((name) => joinPath(this.path, name))]
    const checks = paths.map((path) => ({ type: 'check', path, version: -1 }) as const)
    const data = new TextEncoder().encode(paths.map(nameOf).join('\n'))
    const create = { type: 'create', path: this.#ready, data, mode: 'persistent' } as const
    try {
      await wait.insist(() => this.#client.multi([...checks, create], { signal: wait.signal }))
    } catch (error) {
      if (!isCoordinationError(error, 'NO_NODE', 'NODE_EXISTS')) throw error
    }
  }

  /** Waits until nobody is left who was in a round, and removes its `ready`. */
  async #untilOver(round: NodeIdentity, wait: Wait, isOnce: boolean): Promise<void> {
    for (;;) {
      const member = await this.#someoneIn(round, wait)
      if (member === null) break
      if (isOnce) wait.timeOut(`${member.path} is still in`)
      await untilGone(this.#client, member, wait)
    }
    await removeThis(this.#client, round, wait)
  }

  /** A member that was there before the round opened. Who has seen `ready` sees each of them that is still there. */
  async #someoneIn(round: NodeIdentity, wait: Wait): Promise<NodeIdentity | null> {
    for (const name of await this.#members(wait)) {
      const path = joinPath(this.path, name)
      const stat = await wait.insist(() => this.#client.exists(path, { signal: wait.signal }))
      if (stat !== null && stat.czxid < round.czxid) return { path, czxid: stat.czxid }
    }
    return null
  }

  async #members(wait: Wait): Promise<string[]> {
    try {
      const { names } = await wait.insist(() => this.#client.children(this.path, { signal: wait.signal }))
      return names.filter((name) => name !== READY)
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return []
      throw error
    }
  }

  #notOut(): CoordinationError {
    const message = `this member of ${this.path} is ${this.#isIn ? 'in' : 'entering'} already: leave() comes first`
    return new CoordinationError('ALREADY_HELD', message, { outcome: 'not-sent', path: this.path })
  }

  #during(options: TimedWaitOptions, what: string, run: (wait: Wait) => Promise<void>): Promise<void> {
    const call = { what, path: this.path, isUnlimited: true }
    return withinWait(this.#client, call, options, (_signal, wait) => run(wait))
  }
}
