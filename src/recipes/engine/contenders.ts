/**
 * ENGINE: ordered contenders, the family of locks in which a pure predicate decides who is admitted.
 *
 * The story of a lock:
 *
 *  1. A recipe gives its names of nodes and its rule (contender.ts); the options are checked (acquire-options.ts).
 *  2. One wait holds everything that can end this acquisition: signal, time limit, session, client (wait.ts).
 *  3. An ephemeral sequential node is created, over lost answers (protected-writes.ts). It is the contender. The list
 *     of the children leaves together with it.
 *  4. The contender enters the view of the queue that all contenders of its client share (queue-view.ts).
 *  5. A round begins (round.ts). The view has the list; names of no contender are reported (foreign-names.ts).
 *  6. The predicate looks at the queue. It admits the contender, or says what could: the end of one other, or any
 *     change of the queue.
 *  7. Not admitted: the round waits for that, or for news of the own node, which is watched from then on. Then the next
 *     round begins.
 *  8. Admitted: the session is shown to live (lease-proof.ts).
 *  9. If others wait in line for any change, the contender calls the next one by a write to its own node (line.ts).
 * 10. The caller gets a lease (lease.ts), which stands on the ownership of the node (ownership.ts).
 * 11. A release deletes the node, and is repeated until that is confirmed (cleanups.ts). A wait that ends early does
 *     the same. Either wakes one other.
 *
 * Safety    a grant needs: a list that shows our node, everyone before it in that list gone or admitted beside it, its
 *           session live and with half of a lease left; and if there was a wait, our node seen there, of the same
 *           creation, by a read whose watch has not fired. Events come in the order of the changes, so it was there
 *           when the last one before it went. Identity of a node is our UUID and its owner (CURATOR-498, 604, 620).
 *           Without a wait the list is as good as new; a node that was put there under our name since keeps others out
 *           as ours did, and the lease, which looks at its node first of all, is lost.
 * Liveness  each waiter watches one other, by a read that arms nothing when that one is gone, or by that one's own
 *           watch if it is of the same client; it lists again after a reconnect, and when its own node was deleted by
 *           somebody (then it queues again, at the end).
 * Serial    one loop per contender; a round's callbacks ring that round's bell, without effect when it is over.
 * Cost      uncontended: 1 round trip, and the lease watches the own node; waiting: 1 watch beside the one on the own
 *           node; hand-over: 1 event, and 1 read where others stood before the one that went: a list, or a look at
 *           the only one. Contenders of one client share their lists, whatever their number.
 * Source    ZooKeeper recipes, "Locks"; Curator LockInternals.
 */
import type { Created, NodeData } from '../../core/backend.ts'
import { assert } from '../../core/assert.ts'
import { abortable } from '../../core/async.ts'
import type { Client, Data } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { refuseUnknown } from '../../core/options.ts'
import { joinPath, nameOf, validatePath } from '../../core/path.ts'
import { readEach } from '../../core/read-each.ts'
import { refuseReentry } from './reentry.ts'
import { checkContendOptions, checkTryContendOptions } from './acquire-options.ts'
import type { ContendOptions, OnSessionLoss, TryContendOptions } from './acquire-options.ts'
import { Cleanups } from './cleanups.ts'
import { ANY_CHANGE } from './contender.ts'
import type { AdmissionRule, Contender, ContenderNames } from './contender.ts'
import type { ProtectedCreate } from './protected-writes.ts'
import { deleteNode, deletion, ownedNode, protectedCreate } from './protected-writes.ts'
import type { Lease } from './lease.ts'
import { NodeLease } from './lease.ts'
import { proveLease } from './lease-proof.ts'
import { REVOKE_OPTIONS, Revocation, checkContender, checkReason, requestAll } from './revocation.ts'
import type { ContenderRef, RevokeOptions } from './revocation.ts'
import { QueueView, indexIn, readQueue } from './queue-view.ts'
import { Line } from './line.ts'
import { Round } from './round.ts'
import type { Entrant } from './round.ts'
import { NodeWatch } from './ownership.ts'
import type { TimedWaitOptions } from './wait.ts'
import { Wait, sessionOver } from './wait.ts'
import { withinWait } from './within-wait.ts'

/** One contender of a queue, as read from its node. */
export interface ContenderInfo {
  /** Its node. */
  readonly path: string
  /** The kind of its claim, such as `lock`. */
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
  /** The data of its node. */
  readonly data: Uint8Array
}

/** The data of a contender's node, and whether it can be asked to release. */
type Entry = Pick<ContendOptions, 'data' | 'revocable'>

/** Chooses from those that hold whom a request to nobody in particular is for. */
export type ChooseHolders = (
  holders: readonly ContenderInfo[],
  signal: AbortSignal,
) => readonly ContenderInfo[] | Promise<readonly ContenderInfo[]>

/** The queue of one lock, and a way into it. */
export class Contenders {
  /** The parent of the contenders. */
  readonly path: string
  readonly #client: Client
  readonly #names: ContenderNames
  readonly #rule: AdmissionRule

  /**
   * Makes a queue's client side; nothing is sent.
   *
   * @param client - on whose session contenders live
   * @param path - parent of the contenders; made as a container when it is needed
   * @param names - how contenders are named
   * @param rule - decides who is admitted
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string, names: ContenderNames, rule: AdmissionRule) {
    validatePath(path)
    this.path = path
    this.#client = client
    this.#names = names
    this.#rule = rule
  }

  /**
   * Waits until a new contender is admitted.
   *
   * @param options - the limits of the wait; the node is removed, or left to the clean-ups, before this rejects
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  async acquire(options: ContendOptions): Promise<Lease> {
    checkContendOptions(options)
    const { onSessionLoss = 'reject', onReentry = 'error' } = options
    if (onReentry === 'error') refuseReentry({ client: this.#client, path: this.path, kind: this.#names.kind })
    const wait = new Wait(this.#client, this.path, options, true)
    wait.observe('acquire', this.#names.kind)
    try {
      for (;;) {
        const { isPatient } = wait
        const lease = await (isPatient ? this.#queueUp(wait, options, onSessionLoss) : this.#tryOnce(wait, options))
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
  async tryAcquire(options: TryContendOptions): Promise<Lease | null> {
    checkTryContendOptions(options)
    const wait = new Wait(this.#client, this.path, options)
    wait.observe('tryAcquire', this.#names.kind)
    try {
      return wait.tried(await this.#tryOnce(wait, options))
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Lists the queue, first come first. It is read in parts, so one who leaves meanwhile is not in it.
   *
   * @param options - the signal and the time limit of the reading
   */
  async list(options: TimedWaitOptions): Promise<ContenderInfo[]> {
    return withinWait(this.#client, { what: 'contenders', path: this.path }, options, (signal) => this.#list(signal))
  }

  /**
   * Asks contenders to give up: those whose nodes were there when it was called.
   *
   * @param options - whom and why, and the limits of the call
   * @param choose - who of those that hold is meant, if none is named
   * @returns those that were asked
   */
  async revoke(options: RevokeOptions, choose: ChooseHolders): Promise<ContenderInfo[]> {
    refuseUnknown(options, REVOKE_OPTIONS, 'revoke')
    const { reason, contender, ...limits } = options
    checkReason(reason)
    const one = contender === undefined ? null : checkContender(contender, this.path)
    return withinWait(this.#client, { what: 'revoke', path: this.path }, limits, async (signal, wait) => {
      // Our server may be behind: who holds by now is to be asked, too.
      await this.#client.sync(this.path, { signal })
      const queue = await this.#list(signal)
      const asked = one === null
        ? await choose(queue.filter(({ holds }) => holds), signal)
        : queue.filter(({ path, token }) => path === one.path && token === one.czxid)
      return requestAll(this.#client, asked, reason ?? '', wait)
    })
  }

  /** Deletes the node of a contender, and no other in its place. */
  async evict(contender: ContenderRef, options: TimedWaitOptions): Promise<void> {
    const node = checkContender(contender, this.path)
    await withinWait(this.#client, { what: 'evict', path: this.path }, options, (signal) => {
      return deleteNode(this.#client, node, signal)
    })
  }

  async #list(signal: AbortSignal): Promise<ContenderInfo[]> {
    const queue = await readQueue(this.#client, this.path, this.#names.parse, { signal })
    const infos = await readEach([...queue.keys()], (index) => this.#describe(queue, index), signal)
    return infos.filter((info) => info !== null)
  }

  /** Queues once; on the next session too if it is to queue again. Null: it has to be done again. */
  async #queueUp(wait: Wait, entry: Entry, onSessionLoss: OnSessionLoss): Promise<Lease | null> {
    if (onSessionLoss === 'reject') return this.#contend(wait, entry)
    // A wait of its own, that ends with the session.
    const turn = new Wait(this.#client, this.path, { signal: wait.signal }, true)
    try {
      return await this.#contend(turn, entry)
    } catch (error) {
      wait.check()
      if (!isCoordinationError(turn.explain(error), 'SESSION_EXPIRED')) throw turn.explain(error)
      return null
    } finally {
      turn.close()
    }
  }

  /** Queues only if it would be admitted at once. */
  async #tryOnce(wait: Wait, entry: Entry): Promise<Lease | null> {
    const { signal } = wait
    const refreshing = [this.#client.sync(this.path, { signal }), this.#view().refresh()] as const
    const [, queue] = await abortable(Promise.all(refreshing), signal)
    const sequence = ((queue.at(-1)?.sequence ?? -1) + 1) | 0
    const candidate: Contender = { name: '', kind: this.#names.kind, sequence }
    if (!this.#rule.admit([...queue, candidate], queue.length).granted) return null
    return this.#contend(wait, entry)
  }

  /** Queues once. Null: our node was deleted by somebody, or (impatient) it would have to wait; it is gone then. */
  async #contend(wait: Wait, { data = '', revocable = false }: Entry): Promise<Lease | null> {
    const writable = revocable ? { isWritable: true } as const : {}
    const request = { parent: this.path, ...this.#names.newPrefix(), ...writable, data }
    const entrant = await this.#enter(request, wait, { data, isRevocable: revocable })
    if (entrant === null) return null
    try {
      wait.bindSession(entrant.node.sessionId)
      const lease = await this.#untilAdmitted(entrant, wait)
      if (lease === null) await this.#leave(entrant)
      return lease
    } catch (error) {
      await this.#leave(entrant)
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
    return QueueView.of(this.#client, this.path, this.#names.parse)
  }

  /** Creates a contender and takes it into the view, whose list leaves together with the creation. Null: as there. */
  async #enter(
    request: ProtectedCreate,
    wait: Wait,
    { data, isRevocable }: { readonly data: Data; readonly isRevocable: boolean },
  ): Promise<Entrant | null> {
    const view = this.#view()
    const enough = view.expect()
    try {
      const creating = this.#create(request, wait)
      view.readAhead()
      const created = await creating
      if (created === null) return null
      const contender = this.#names.parse(nameOf(created.path))
      assert(contender !== null, `${created.path} is named as a contender`)
      const watch = new NodeWatch()
      view.enter(contender.name, watch)
      const revocation = isRevocable ? new Revocation(this.#client, created.path) : null
      return { node: ownedNode(created.path, created.stat), contender, data, revocation, watch, view }
    } finally {
      enough()
    }
  }

  async #leave({ node, watch }: Entrant): Promise<void> {
    await Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, node))
    this.#client.unwatch(node.path, watch.fire)
    watch.retire()
  }

  /** Rounds of looking, deciding and waiting. Null: the own node is gone, or there is no patience to wait. */
  async #untilAdmitted(entrant: Entrant, wait: Wait): Promise<Lease | null> {
    const { view, contender, node, watch, revocation } = entrant
    const line = new Line(this.#rule)
    // Whether it is there is shown by the list; requests to a contender may have come before.
    let isOwnThere = revocation === null ? null : this.#watchOwn(entrant, wait)
    for (;;) {
      const round = new Round(this.#client, entrant)
      try {
        const showing = wait.insist(() => abortable(view.showing(contender), wait.signal))
        const [isThere, queue] = await Promise.all([isOwnThere ?? true, showing])
        wait.check()
        const own = queue === null ? -1 : indexIn(queue, contender)
        if (!isThere || queue === null || own === -1) return null
        const admission = this.#rule.admit(queue, own)
        if (!admission.granted) {
          if (!wait.isPatient) return null
          isOwnThere ??= this.#watchOwnFrom(round, entrant, wait)
          if (admission.watch === ANY_CHANGE) await line.wait(round, queue, own, wait)
          else await round.waitFor(admission.watch, wait)
        } else {
          const isFollowed = own + 1 < queue.length
          if (isFollowed) await line.callNext(this.#client, entrant, wait)
          if (!(await proveLease(this.#client, node, wait))) throw sessionOver(node.path)
          const options = { kind: contender.kind, revocation, isArmed: isOwnThere !== null }
          if (!round.isOwnTouched) return new NodeLease(this.#client, node, watch, options)
        }
        if (round.isOwnTouched) isOwnThere = this.#watchOwn(entrant, wait)
      } finally {
        round.end()
      }
    }
  }

  /** Arms the watch on the own node, and looks whether that is there. It leaves together with what a round reads. */
  async #watchOwn({ node, watch, revocation }: Entrant, wait: Wait): Promise<boolean> {
    this.#client.unwatch(node.path, watch.fire)
    try {
      const get = (): Promise<NodeData> => this.#client.get(node.path, { watch: watch.fire, signal: wait.signal })
      const read = await wait.insist(get)
      const isOwn = read.stat.czxid === node.czxid
      if (isOwn) revocation?.see(read)
      return isOwn
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return false
      throw error
    }
  }

  /** Begins to watch the own node while a round waits, which ends if that is not there. */
  #watchOwnFrom(round: Round, entrant: Entrant, wait: Wait): Promise<boolean> {
    const isThere = this.#watchOwn(entrant, wait)
    const ring = (): void => round.ring()
    isThere.then((is) => is || ring(), ring)
    return isThere
  }

  async #describe(queue: readonly Contender[], position: number): Promise<ContenderInfo | null> {
    const contender = queue[position]
    if (contender === undefined) return null
    const path = joinPath(this.path, contender.name)
    try {
      const { data, stat } = await this.#client.get(path)
      const holds = this.#rule.admit(queue, position).granted
      const { ctime: sinceMs, czxid: token, ephemeralOwner: sessionId } = stat
      return { path, kind: contender.kind, position, holds, sinceMs, token, sessionId, data }
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }
}
