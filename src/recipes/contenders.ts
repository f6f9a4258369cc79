/**
 * ENGINE: ordered contenders, the family of locks in which a pure predicate decides who is admitted.
 *
 * Model     one ephemeral sequential node per contender under `path`, named as contender-names.ts says. Their order is
 *           that of the sequence numbers, across the wrap of the counter. The predicate sees the whole queue and either
 *           admits a contender or names the one other whose change could admit it.
 * Safety    a grant needs: our node in the list, owned by the session that is live now, before the local deadline of
 *           that session. Identity of a node is our UUID and its owner (CURATOR-498, 604, 620).
 * Liveness  each waiter watches one other, by a read that arms nothing when that one is gone; it lists again on the
 *           event, after a reconnect, and when its own node was deleted by somebody (then it queues again, at the end).
 * Serial    one loop a contender; a round's callbacks ring that round's bell, and ring in vain when it is over.
 * Cost      uncontended: 2 round trips; waiting: 1 watch beside the one on the own node; hand-over: 1 event + 1 read.
 * Source    ZooKeeper recipes, "Locks"; Curator LockInternals.
 */
import type { Children, Created } from '../core/backend.ts'
import { abortable, deferred } from '../core/async.ts'
import type { Client, Data } from '../core/client.ts'
import { isCoordinationError } from '../core/errors.ts'
import { compareSequence, joinPath, nameOf, validatePath } from '../core/path.ts'
import { Cleanups } from './cleanups.ts'
import { contenderOf, newContenderPrefix } from './contender-names.ts'
import type { Contender, LockLayout } from './contender-names.ts'
import type { OwnedNode } from './guarded.ts'
import { deletion, ownedNode, protectedCreate } from './guarded.ts'
import type { Lease } from './lease.ts'
import { NodeLease } from './lease.ts'
import { NodeWatch } from './tenure.ts'
import type { TimedWaitOptions } from './wait.ts'
import { Wait, sessionOver } from './wait.ts'

/** What a predicate says of a contender. */
export type Admission =
  | { readonly granted: true }
  /** Not yet; `watch` names the contender whose end could change that. */
  | { readonly granted: false; readonly watch: string }

/**
 * Decides whether a contender is admitted. Pure.
 *
 * @param queue - all contenders, first come first
 * @param own - the index of the one to decide on
 */
export type Admit = (queue: readonly Contender[], own: number) => Admission

/** Options of a wait for a lock. */
export interface AcquireOptions extends TimedWaitOptions {
  /** What the node of this contender says to people and tools that look at the queue; empty by default. */
  readonly data?: Data
}

/** What there is to know of one contender. */
export interface ContenderInfo {
  /** Its node. */
  readonly path: string
  /** What it asks for, such as `lock`. */
  readonly kind: string
  /** Place in the queue, counted from 0. */
  readonly position: number
  /** Whether it is admitted: holds, rather than waits. */
  readonly holds: boolean
  /** When it came, in milliseconds since 1970 by the leader's clock. */
  readonly sinceMs: number
  /** The token that its lease has or will have. */
  readonly token: bigint
  /** The session that it lives on. */
  readonly sessionId: bigint
  /** What it says of itself. */
  readonly data: Uint8Array
}

/** How many contenders are read at a time by `list()`. */
const READS_IN_FLIGHT_MAX = 128

/** A contender of ours in the queue. */
interface Place {
  readonly node: OwnedNode
  readonly name: string
  readonly watch: NodeWatch
}

/** The queue of one lock, and a way into it; see the head of this file. */
export class Contenders {
  readonly path: string
  readonly #client: Client
  readonly #kind: string
  readonly #admit: Admit
  readonly #layout: LockLayout

  /**
   * Makes a queue's client side; nothing is sent.
   *
   * @param client - on whose session contenders live
   * @param path - parent of the contenders; made as a container when it is needed
   * @param kind - what contenders of this object ask for: lower-case letters
   * @param admit - the rule of this lock
   * @param layout - whose names contenders of this object have
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string, kind: string, admit: Admit, layout: LockLayout) {
    validatePath(path)
    this.path = path
    this.#client = client
    this.#kind = kind
    this.#admit = admit
    this.#layout = layout
  }

  /**
   * Waits until a new contender is admitted.
   *
   * @param options - what ends the wait; the contender's node is removed, or left to the clean-ups, before this rejects
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, or what the servers refused
   */
  async acquire(options: AcquireOptions): Promise<Lease> {
    const wait = new Wait(this.#client, this.path, options)
    try {
      for (;;) {
        const lease = await this.#contend(wait, options.data ?? '', true)
        if (lease !== null) return lease
      }
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Enters the queue only if a contender would be admitted at once.
   *
   * @param options - as for {@link Contenders.acquire}
   * @returns null if it would have to wait; then no node is created, or the one that was overtaken is removed
   */
  async tryAcquire(options: AcquireOptions): Promise<Lease | null> {
    const wait = new Wait(this.#client, this.path, options)
    try {
      const { signal } = wait
      const [, queue] = await Promise.all([this.#client.sync(this.path, { signal }), this.#read(signal)])
      const sequence = ((queue.at(-1)?.sequence ?? -1) + 1) | 0
      const candidate: Contender = { name: '', kind: this.#kind, sequence }
      if (!this.#admit([...queue, candidate], queue.length).granted) return null
      return await this.#contend(wait, options.data ?? '', false)
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Lists the queue, first come first. It is read in parts, so one who leaves meanwhile is not in it.
   *
   * @param options - what ends the reading
   */
  async list(options: TimedWaitOptions): Promise<ContenderInfo[]> {
    const wait = new Wait(this.#client, this.path, options)
    try {
      const queue = await this.#read(wait.signal)
      const infos: ContenderInfo[] = []
      for (let start = 0; start < queue.length; start += READS_IN_FLIGHT_MAX) {
        const indexes = queue.slice(start, start + READS_IN_FLIGHT_MAX).map((_, offset) => start + offset)
        const reading = Promise.all(indexes.map((index) => this.#describe(queue, index)))
        const read = await abortable(reading, wait.signal)
        infos.push(...read.filter((info) => info !== null))
      }
      return infos
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /** Queues once. Null: our node was deleted by somebody, or (impatient) it would have to wait; it is gone then. */
  async #contend(wait: Wait, data: Data, isPatient: boolean): Promise<Lease | null> {
    const { mark, rest } = newContenderPrefix(this.#layout, this.#kind)
    const request = { parent: this.path, mark, rest, data }
    const place = placeOf(await protectedCreate(this.#client, request, wait))
    try {
      wait.bindSession(place.node.sessionId)
      const lease = await this.#untilAdmitted(place, wait, isPatient)
      if (lease === null) await this.#leave(place)
      return lease
    } catch (error) {
      await this.#leave(place)
      throw error
    }
  }

  async #leave(place: Place): Promise<void> {
    await Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, place.node))
    this.#client.unwatch(place.node.path, place.watch.fire)
  }

  /** Rounds of list, decide, watch and wait. Null: the own node is gone, or there is no patience to wait. */
  async #untilAdmitted(place: Place, wait: Wait, isPatient: boolean): Promise<Lease | null> {
    let isOwnThere = this.#watchOwn(place, wait.signal)
    for (;;) {
      const round = new Round(this.#client, place.watch)
      try {
        const [isThere, queue] = await Promise.all([isOwnThere, this.#read(wait.signal)])
        wait.check()
        const own = queue.findIndex(({ name }) => name === place.name)
        if (!isThere || own === -1) return null
        const admission = this.#admit(queue, own)
        if (!admission.granted) {
          if (!isPatient) return null
          await round.waitFor(joinPath(this.path, admission.watch), wait.signal)
        } else if (this.#isProven(place) && !round.isOwnTouched) {
          return new NodeLease(this.#client, place.node, place.watch)
        }
        if (round.isOwnTouched) isOwnThere = this.#watchOwn(place, wait.signal)
      } finally {
        round.end()
      }
    }
  }

  /**
   * A grant is worth something only while the session cannot have ended: after a stall it is proven anew by another
   * round, whose answer moves the deadline (redlock#296).
   */
  #isProven(place: Place): boolean {
    if (this.#client.sessionId !== place.node.sessionId) throw sessionOver(place.node.path)
    return performance.now() < this.#client.leaseDeadlineMs
  }

  /** Arms the watch on the own node. It rides along with the first list, so it costs no round trip of its own. */
  async #watchOwn(place: Place, signal: AbortSignal): Promise<boolean> {
    this.#client.unwatch(place.node.path, place.watch.fire)
    try {
      const { stat } = await this.#client.get(place.node.path, { watch: place.watch.fire, signal })
      return stat.czxid === place.node.czxid
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return false
      throw error
    }
  }

  async #read(signal: AbortSignal): Promise<Contender[]> {
    try {
      return contendersIn(await this.#client.children(this.path, { signal }))
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return []
      throw error
    }
  }

  async #describe(queue: readonly Contender[], position: number): Promise<ContenderInfo | null> {
    const contender = queue[position]
    if (contender === undefined) return null
    const path = joinPath(this.path, contender.name)
    try {
      const { data, stat } = await this.#client.get(path)
      const holds = this.#admit(queue, position).granted
      const { ctime: sinceMs, czxid: token, ephemeralOwner: sessionId } = stat
      return { path, kind: contender.kind, position, holds, sinceMs, token, sessionId, data }
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }
}

/** One round of waiting: a bell that the watched contender, the own node and a reconnect ring. */
class Round {
  readonly #client: Client
  readonly #own: NodeWatch
  readonly #bell = deferred<undefined>()
  readonly #unlisten: () => void
  #watched: string | null = null
  #ownTouched = false

  constructor(client: Client, own: NodeWatch) {
    this.#client = client
    this.#own = own
    this.#unlisten = client.onState(({ status }) => {
      if (status === 'connected') this.#touchOwn()
    })
    own.listen(this.#touchOwn)
  }

  /** Whether the watch on the own node has fired or has to be proven after a reconnect. */
  get isOwnTouched(): boolean {
    return this.#ownTouched
  }

  /** Waits for an event on a contender's node; not at all if that is gone already. */
  async waitFor(path: string, signal: AbortSignal): Promise<void> {
    this.#watched = path
    try {
      await this.#client.get(path, { watch: this.#ring, signal })
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return
      throw error
    }
    await abortable(this.#bell.promise, signal)
  }

  end(): void {
    this.#unlisten()
    this.#own.release(this.#touchOwn)
    if (this.#watched !== null) this.#client.unwatch(this.#watched, this.#ring)
  }

  readonly #touchOwn = (): void => {
    this.#ownTouched = true
    this.#ring()
  }

  readonly #ring = (): void => {
    this.#bell.resolve(undefined)
  }
}

/** The contenders among a parent's children, first come first. */
function contendersIn({ names }: Children): Contender[] {
  const found = names.map(contenderOf).filter((contender) => contender !== null)
  return found.sort((a, b) => compareSequence(a.sequence, b.sequence))
}

function placeOf({ path, stat }: Created): Place {
  return { node: ownedNode(path, stat), name: nameOf(path), watch: new NodeWatch() }
}
