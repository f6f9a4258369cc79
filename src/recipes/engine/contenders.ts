/**
 * ENGINE: ordered contenders, the family of locks in which a pure predicate decides who is admitted.
 *
 * Model     one ephemeral sequential node per contender under `path`, named as contender-names.ts says. Their order is
 *           that of the sequence numbers, across the wrap of the counter. The predicate sees the whole queue and either
 *           admits a contender or names the one other whose change could admit it.
 * Safety    a grant needs: a list that shows our node, everyone before it in that list gone, our node still there and
 *           of the same creation, its session live and with half of a lease left. Identity of a node is our UUID and
 *           its owner (CURATOR-498, 604, 620).
 * Liveness  each waiter watches one other, by a read that arms nothing when that one is gone, or by that one's own
 *           watch if it is of the same client; it lists again after a reconnect, and when its own node was deleted by
 *           somebody (then it queues again, at the end).
 * Serial    one loop per contender; a round's callbacks ring that round's bell, without effect when it is over.
 * Cost      uncontended: 2 round trips; waiting: 1 watch beside the one on the own node; hand-over: 1 event + 1 read.
 *           Contenders of one client share their lists, whatever their number.
 * Source    ZooKeeper recipes, "Locks"; Curator LockInternals.
 */
import type { Created, NodeData, WatchEvent } from '../../core/backend.ts'
import { assert } from '../../core/assert.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Client, Data } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { joinPath, nameOf, parentOf, validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { Cleanups } from './cleanups.ts'
import { contenderOf, newContenderPrefix } from './contender-names.ts'
import type { Contender, LockLayout } from './contender-names.ts'
import type { OwnedNode, ProtectedCreate } from './protected-writes.ts'
import { deletion, ownedNode, protectedCreate } from './protected-writes.ts'
import type { Lease } from './lease.ts'
import { NodeLease } from './lease.ts'
import { proveLease } from './lease-proof.ts'
import { QueueView, contendersIn, indexIn } from './queue-view.ts'
import type { QueueListener } from './queue-view.ts'
import { NodeWatch } from './ownership.ts'
import type { TimedWaitOptions } from './wait.ts'
import { WAIT_OPTIONS, Wait, sessionOver } from './wait.ts'

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

/** Options of a try for a lock. */
export interface TryAcquireOptions extends TimedWaitOptions {
  /** What the node of this contender says to people and tools that look at the queue; empty by default. */
  readonly data?: Data
}

/** What becomes of a wait whose session ends. */
export type OnSessionLoss = 'reject' | 'queue-again'

/** Options of a wait for a lock. */
export interface AcquireOptions extends TryAcquireOptions {
  /**
   * What to do when the session ends during the wait, and the place in the queue with it: `reject` with
   * `SESSION_EXPIRED`, or `queue-again` on the next session, at the end. Each lock says what it does by default.
   */
  readonly onSessionLoss?: OnSessionLoss
}

const TRY_OPTIONS = optionNames<TryAcquireOptions>({ waitMs: true, signal: true, data: true })
const ACQUIRE_OPTIONS = optionNames<AcquireOptions>({ waitMs: true, signal: true, data: true, onSessionLoss: true })
const ON_SESSION_LOSS: readonly OnSessionLoss[] = ['reject', 'queue-again']

/**
 * Checks the options of a try.
 *
 * @throws TypeError with the option's name and value
 */
export function checkTryOptions(options: TryAcquireOptions): void {
  refuseUnknown(options, TRY_OPTIONS, 'tryAcquire')
  checkData(options.data)
}

/**
 * Checks the options of a wait.
 *
 * @throws TypeError with the option's name and value
 */
export function checkAcquireOptions(options: AcquireOptions): void {
  refuseUnknown(options, ACQUIRE_OPTIONS, 'acquire')
  checkData(options.data)
  checkSessionLoss(options.onSessionLoss)
}

/** Checks what to do when a session ends. */
export function checkSessionLoss(value: OnSessionLoss | undefined): void {
  if (value === undefined || ON_SESSION_LOSS.includes(value)) return
  throw new TypeError(`onSessionLoss must be 'reject' or 'queue-again', got ${textOf(value)}`)
}

function checkData(data: Data | undefined): void {
  if (data === undefined || typeof data === 'string' || data instanceof Uint8Array) return
  throw new TypeError(`data must be a string or a Uint8Array, got ${textOf(data)}`)
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
  readonly contender: Contender
  readonly watch: NodeWatch
  readonly view: QueueView
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
   * @throws TypeError or RangeError for a wrong option
   */
  async acquire(options: AcquireOptions): Promise<Lease> {
    checkAcquireOptions(options)
    const { data = '', onSessionLoss = 'reject' } = options
    const wait = new Wait(this.#client, this.path, options, true)
    try {
      for (;;) {
        const lease = await (wait.isPatient ? this.#queueUp(wait, data, onSessionLoss) : this.#tryOnce(wait, data))
        if (lease !== null) return lease
        if (!wait.isPatient) wait.timeOut()
        wait.check()
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
   * @throws CoordinationError as {@link Contenders.acquire}, and `CONNECTION_LOSS`
   */
  async tryAcquire(options: TryAcquireOptions): Promise<Lease | null> {
    checkTryOptions(options)
    const wait = new Wait(this.#client, this.path, options)
    try {
      return await this.#tryOnce(wait, options.data ?? '')
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
    refuseUnknown(options, WAIT_OPTIONS, 'contenders')
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

  /** Queues once; on the next session too if it is to queue again. Null: it has to be done again. */
  async #queueUp(wait: Wait, data: Data, onSessionLoss: OnSessionLoss): Promise<Lease | null> {
    if (onSessionLoss === 'reject') return this.#contend(wait, data)
    // A wait of its own, that ends with the session.
    const turn = new Wait(this.#client, this.path, { signal: wait.signal }, true)
    try {
      return await this.#contend(turn, data)
    } catch (error) {
      wait.check()
      if (!isCoordinationError(turn.explain(error), 'SESSION_EXPIRED')) throw turn.explain(error)
      return null
    } finally {
      turn.close()
    }
  }

  /** Queues only if it would be admitted at once. */
  async #tryOnce(wait: Wait, data: Data): Promise<Lease | null> {
    const { signal } = wait
    const refreshing = [this.#client.sync(this.path, { signal }), this.#view().refresh()] as const
    const [, queue] = await abortable(Promise.all(refreshing), signal)
    const sequence = ((queue.at(-1)?.sequence ?? -1) + 1) | 0
    const candidate: Contender = { name: '', kind: this.#kind, sequence }
    if (!this.#admit([...queue, candidate], queue.length).granted) return null
    return this.#contend(wait, data)
  }

  /** Queues once. Null: our node was deleted by somebody, or (impatient) it would have to wait; it is gone then. */
  async #contend(wait: Wait, data: Data): Promise<Lease | null> {
    const { mark, rest } = newContenderPrefix(this.#layout, this.#kind)
    const request = { parent: this.path, mark, rest, data }
    const created = await this.#create(request, wait)
    if (created === null) return null
    const place = this.#enter(created)
    try {
      wait.bindSession(place.node.sessionId)
      const lease = await this.#untilAdmitted(place, wait)
      if (lease === null) await this.#leave(place)
      return lease
    } catch (error) {
      await this.#leave(place)
      throw error
    }
  }

  /** Creates a contender. Null: the session ended before there was a place to lose, and the wait is patient. */
  async #create(request: ProtectedCreate, wait: Wait): Promise<Created | null> {
    try {
      return await protectedCreate(this.#client, request, wait)
    } catch (error) {
      wait.check()
      if (!wait.isPatient || !isCoordinationError(error, 'SESSION_EXPIRED')) throw error
      return null
    }
  }

  #view(): QueueView {
    return QueueView.of(this.#client, this.path)
  }

  #enter({ path, stat }: Created): Place {
    const watch = new NodeWatch()
    const contender = contenderOf(nameOf(path))
    assert(contender !== null, `${path} is named as a contender`)
    const view = QueueView.enter(this.#client, this.path, contender.name, watch)
    return { node: ownedNode(path, stat), contender, watch, view }
  }

  async #leave({ node, watch }: Place): Promise<void> {
    await Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, node))
    this.#client.unwatch(node.path, watch.fire)
    watch.retire()
  }

  /** Rounds of looking, deciding and waiting. Null: the own node is gone, or there is no patience to wait. */
  async #untilAdmitted(place: Place, wait: Wait): Promise<Lease | null> {
    const { view, contender, node, watch } = place
    let isOwnThere = this.#watchOwn(place, wait)
    let hasWaited = false
    for (;;) {
      const round = new Round(this.#client, place)
      try {
        const showing = wait.insist(() => abortable(view.showing(contender), wait.signal))
        const [isThere, queue] = await Promise.all([isOwnThere, showing])
        wait.check()
        const own = queue === null ? -1 : indexIn(queue, contender)
        if (!isThere || queue === null || own === -1) return null
        const admission = this.#admit(queue, own)
        if (!admission.granted) {
          if (!wait.isPatient) return null
          hasWaited = true
          await round.waitFor(admission.watch, wait)
        } else {
          if (hasWaited && !(await this.#isThere(place, wait))) return null
          if (!(await proveLease(this.#client, node, wait))) throw sessionOver(node.path)
          if (!round.isOwnTouched) return new NodeLease(this.#client, node, watch)
        }
        if (round.isOwnTouched) isOwnThere = this.#watchOwn(place, wait)
      } finally {
        round.end()
      }
    }
  }

  /** Arms the watch on the own node. It rides along with the first list, so it costs no round trip of its own. */
  async #watchOwn({ node, watch }: Place, wait: Wait): Promise<boolean> {
    this.#client.unwatch(node.path, watch.fire)
    try {
      const get = (): Promise<NodeData> => this.#client.get(node.path, { watch: watch.fire, signal: wait.signal })
      const { stat } = await wait.insist(get)
      return stat.czxid === node.czxid
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return false
      throw error
    }
  }

  /** Whether the own node is there at this instant, whatever of its watch is on its way. */
  async #isThere({ node }: Place, wait: Wait): Promise<boolean> {
    const stat = await wait.insist(() => this.#client.exists(node.path, { signal: wait.signal }))
    return stat?.czxid === node.czxid
  }

  async #read(signal: AbortSignal): Promise<Contender[]> {
    try {
      return contendersIn((await this.#client.children(this.path, { signal })).names)
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
class Round implements QueueListener {
  readonly #client: Client
  readonly #place: Place
  readonly #bell = deferred<undefined>()
  readonly #ends: (() => void)[]
  #ownTouched = false

  constructor(client: Client, place: Place) {
    this.#client = client
    this.#place = place
    place.watch.listen(this.#touchOwn)
    this.#ends = [() => place.watch.release(this.#touchOwn), place.view.listen(this)]
  }

  /** Whether the watch on the own node has fired or has to be proven after a reconnect. */
  get isOwnTouched(): boolean {
    return this.#ownTouched
  }

  /** Waits for news of a contender; not at all if that is gone already. */
  async waitFor(name: string, wait: Wait): Promise<void> {
    const { node, view } = this.#place
    this.#ends.push(view.follow(name, this))
    if (!view.isLocal(name)) {
      const path = joinPath(parentOf(node.path), name)
      const watch = (event: WatchEvent): void => {
        if (event.type === 'deleted') view.remove(name)
        this.ring()
      }
      this.#ends.push(() => this.#client.unwatch(path, watch))
      try {
        await wait.insist(() => this.#client.get(path, { watch, signal: wait.signal }))
      } catch (error) {
        if (!isCoordinationError(error, 'NO_NODE')) throw error
        return view.remove(name)
      }
    }
    await abortable(this.#bell.promise, wait.signal)
  }

  ring(): void {
    this.#bell.resolve(undefined)
  }

  reconnected(): void {
    this.#touchOwn()
  }

  end(): void {
    for (const end of this.#ends) end()
  }

  readonly #touchOwn = (): void => {
    this.#ownTouched = true
    this.ring()
  }
}
