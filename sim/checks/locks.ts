/**
 * Locks: the grants and losses that clients were told of, held against the queues in the committed log.
 *
 * L1   who is given a lock is at the head of its queue at that instant, in the one order of transactions: so no two
 *      tenures of a lock overlap.
 * L2   tokens grow from grant to grant. A fenced resource accepts no write of a holder after one of a later holder,
 *      and refuses none of the latest.
 * L3   contenders of a fair lock stand in the order of their creation, and nobody is granted before an earlier one has
 *      ended.
 * L4   the end of a contender wakes at most one other, and nobody watches the list. (An event for a watch that was just
 *      given up may still be on its way: that wakes nobody.)
 * L5   no holder believes by its own clock that it holds when its node is gone, and the signal of its lease has told
 *      it: the next one is granted at that instant or later.
 * L6   an attempt has at most one node, and whoever neither holds, waits nor owes a clean-up has none.
 * L7   a contender ends by the process that made it, by an operator, or with its session; and by its own process only
 *      when its holder gives it up. A node at the path after that is another's.
 * L8   a lease is lost before its signal says so.
 * R3   at the end no contender is left.
 *
 * Operators delete what somebody holds, and put back what has ended. Whoever is struck so believes what it believes
 *           until it hears of it. A node that they put back holds nothing, and stands where its number says.
 * Apart     the queue is kept from transactions alone: order is that of zxids, not of sequence numbers.
 */
import type { WatchEvent } from '../../src/core/backend.ts'
import { compareSequence, nameOf, parentOf, sequenceOf } from '../../src/core/path.ts'
import { EventType, OpCode } from '../../src/backends/wire/codes.ts'
import type { WatcherEvent } from '../../src/backends/wire/records.ts'
import type { Transaction } from '../../src/backends/wire/transactions.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ApiCall, RecordedSession } from '../recorded-session.ts'
import type { Tap, TapConnection, TapObserver } from '../tap.ts'

/** How a lock is kept: contenders below its path (in an election others may watch them too), or one node at it. */
export type LockKind = 'fair' | 'election' | 'exclusive'

/** The parts of the run that the check looks at. */
export interface LocksCheckOptions {
  /** Runs something on the clock of a node. */
  readonly clocks: Pick<Kernel, 'as' | 'nowMs'>
  readonly ledger: Ledger
  readonly tap: Tap
  readonly owners: Pick<Owners, 'isOperator' | 'isSameProcess'>
  readonly probes: Probes
  /** The locks, by path. */
  readonly locks: ReadonlyMap<string, LockKind>
  /** Whether a session may end the contender of a token that is not its process's own, as an operator may. */
  readonly mayEvict?: (token: bigint, sessionId: bigint) => boolean
}

/** The part of a contender that other checks may look at. */
export type SeenContender = Readonly<Pick<Contender, 'owner' | 'tenure' | 'isOver' | 'isMeddledWith'>>

/** A node that holds or waits, from its creation to its end. */
interface Contender {
  readonly path: string
  readonly token: bigint
  readonly owner: bigint
  /** Its place among those who ever were at the head; 0 before it is. */
  tenure: number
  isOver: boolean
  /** An operator ended it, or one who may evict. */
  isStruck: boolean
  /** Operators were here while it stood in line, or since the queue was empty: who wakes whom is their doing too. */
  isMeddledWith: boolean
  /** Another was struck while it stood in line. */
  isBesideStruck: boolean
  /** The clients, but its own, whose watches were called at its end; one for each call. */
  readonly woken: string[]
}

interface Queue {
  readonly path: string
  readonly kind: LockKind
  /** Those who are there, first come first. */
  contenders: Contender[]
  tenures: number
  /** The token of the last grant that a client was given. */
  granted: bigint
  /** The tenure of the last write that a resource accepted. */
  written: number
  /** Operators were here since it was empty. */
  isMeddledWith: boolean
}

/** The part of a lease that the check looks at. */
type SeenLease = Pick<Lease, 'path' | 'token' | 'state' | 'leaseDeadlineMs' | 'signal'>

/** A lease in the hands of a client, and in which life of its process. */
interface Holding {
  readonly lease: SeenLease
  readonly node: SimNode
  readonly incarnation: number
}

/** The attempts of a client that go on. */
export interface Attempts {
  /** The tokens of the leases that are not given back. */
  readonly tokens: ReadonlySet<bigint>
  /** By lock, how many wait for a lease. */
  readonly acquiring: ReadonlyMap<string, number>
}

const NONE: Attempts = Object.freeze({ tokens: new Set<bigint>(), acquiring: new Map<string, number>() })

/** The name of a contender: it has the mark of the attempt that made it. */
const MARK = /^_c_([0-9a-f-]{36})-/

/** A process that stood still needs this long to be told what it missed, in milliseconds. */
const AWAKE_MS = 100

export class LocksCheck implements Check, LedgerListener, TapObserver {
  readonly name = 'locks'
  readonly covers = ['L1', 'L2', 'L3', 'L4', 'L5', 'L6', 'L7', 'L8', 'R3']
  readonly #clocks: Pick<Kernel, 'as' | 'nowMs'>
  readonly #ledger: Ledger
  readonly #owners: LocksCheckOptions['owners']
  readonly #probes: Probes
  readonly #queues: ReadonlyMap<string, Queue>
  readonly #mayEvict: (token: bigint, sessionId: bigint) => boolean
  /** Everyone who ever contended, by token. */
  readonly #contenders = new Map<bigint, Contender>()
  /** By path, the contender that was there last. */
  readonly #latest = new Map<string, Contender>()
  /** Marks and sessions of the attempts that have a node now: who takes its session for over begins again. */
  readonly #marks = new Set<string>()
  /** Marks of the attempts whose answer was lost. */
  readonly #unanswered = new Set<string>()
  readonly #holdings = new Map<bigint, Holding>()

  /** Checks the locks of a world that has not run yet. */
  constructor({ clocks, ledger, tap, owners, probes, locks, mayEvict = () => false }: LocksCheckOptions) {
    this.#mayEvict = mayEvict
    this.#clocks = clocks
    this.#ledger = ledger
    this.#owners = owners
    this.#probes = probes
    this.#queues = new Map([...locks].map(([path, kind]) => {
      return [path, { path, kind, contenders: [], tenures: 0, granted: 0n, written: 0, isMeddledWith: false }]
    }))
    ledger.listen(this)
    tap.observe(this)
  }

  committed({ transaction, changes }: Replayed): void {
    for (const change of changes) {
      const queue = this.#queueOf(change.path)
      if (queue === null || change.type === 'changed') continue
      if (this.#owners.isOperator(transaction.header.clientId)) {
        for (const meddledWith of [queue, ...queue.contenders]) meddledWith.isMeddledWith = true
      }
      if (change.type === 'created') this.#enter(queue, change, transaction.header.zxid)
      else this.#end(queue, change, transaction)
    }
  }

  notified(connection: TapConnection, { type, path }: WatcherEvent): void {
    if (type === EventType.nodeChildrenChanged && this.#queues.get(path)?.kind === 'fair') {
      this.#fail(`L4: ${connection.client.name} watches the list of ${path}`)
    }
  }

  fired(session: Pick<RecordedSession, 'id' | 'node'>, { type, path }: WatchEvent): void {
    const contender = this.#latest.get(path)
    if (type !== 'deleted' || contender === undefined || this.#queues.has(path)) return
    if (session.id !== contender.owner) contender.woken.push(session.node.name)
    if (contender.isMeddledWith || contender.isBesideStruck || this.#queueOf(path)?.kind === 'election') return
    if (contender.woken.length > 1) this.#fail(`L4: the end of ${path} woke ${contender.woken.join(' and ')}`)
  }

  settled(_session: unknown, { path, outcome, isWrite }: ApiCall): void {
    const mark = isWrite && outcome === 'unknown' ? MARK.exec(nameOf(path))?.[1] : undefined
    if (mark !== undefined) this.#unanswered.add(mark)
  }

  /** To be told, in the same event, of every lease that a client was given. */
  granted(path: string, lease: SeenLease, node: SimNode): void {
    const queue = this.#queues.get(path)
    const contender = this.#contenders.get(lease.token)
    const what = `the lease ${hex(lease.token)} of ${path} in the hands of ${node.name}`
    if (queue === undefined || contender?.tenure === undefined || contender.tenure === 0) {
      this.#fail(`L1: ${what} was never at the head of the queue: ${this.describe(path)}`)
    }
    const isLate = lease.token <= queue.granted
    if (isLate && !contender.isStruck) this.#fail(`L2: ${what} came behind ${hex(queue.granted)}`)
    const holding = { lease, node, incarnation: node.incarnation }
    // At this instant it was made; whoever is given it acts on it.
    if (!this.#believes(holding)) this.#fail(`L5: ${what} was past its deadline when it was granted`)
    const head = this.#headFor(queue, contender)
    if (head !== contender && !contender.isStruck) {
      this.#fail(`L3: ${what} was granted while ${head?.path ?? 'nobody'} is at the head`)
    }
    if (!isLate) queue.granted = lease.token
    this.#holdings.set(lease.token, holding)
    if (this.#unanswered.has(MARK.exec(nameOf(contender.path))?.[1] ?? '')) this.#probes.hit('lock-adopted')
  }

  /** To be told before a lease is released: from then on its holder believes nothing. */
  releasing({ token }: Pick<SeenLease, 'token'>): void {
    this.#holdings.delete(token)
    if (this.isStruck(token)) this.#probes.hit('lease-struck')
  }

  /** To be told, from within its signal, of a lease that is lost. */
  lost({ token, path, state }: Pick<SeenLease, 'path' | 'token' | 'state'>): void {
    if (state !== 'lost') this.#fail(`L8: ${path} with token ${hex(token)} says that it is lost, and is ${state}`)
  }

  /** A contender as it is by now, by its token; null if there was none. */
  contender(token: bigint): SeenContender | null {
    return this.#contenders.get(token) ?? null
  }

  /** Whether an operator, or one who may evict, has ended the tenure of a token. */
  isStruck(token: bigint): boolean {
    return this.#contenders.get(token)?.isStruck === true
  }

  /**
   * To be told when a release has resolved, with the session that is live then, or was when its client was closed: of
   * another one nobody can say more.
   */
  released({ token, path, state, signal }: Omit<SeenLease, 'leaseDeadlineMs'>, sessionId: bigint | null): void {
    if (signal.aborted) this.lost({ token, path, state })
    const contender = this.#contenders.get(token)
    if (state === 'released' && contender?.owner === sessionId && !contender.isOver) {
      this.#fail(`L1: ${path} with token ${hex(token)} counts as released, and is still there`)
    }
  }

  /** To be called for every write under a lease, with the answer of the fenced resource. */
  wrote(path: string, token: bigint, isAccepted: boolean): void {
    const queue = this.#queues.get(path)
    const tenure = this.#contenders.get(token)?.tenure ?? 0
    if (queue === undefined || tenure === 0) {
      this.#fail(`L2: a write under ${hex(token)} of ${path}, which never held it`)
    }
    if (isAccepted && tenure < queue.written) {
      this.#fail(`L2: a write of tenure ${tenure} of ${path} was accepted behind one of tenure ${queue.written}`)
    }
    if (!isAccepted && tenure >= queue.written) {
      this.#fail(`L2: a write of tenure ${tenure} of ${path}, the latest, was refused`)
    }
    if (isAccepted) queue.written = tenure
    else this.#probes.hit('fenced-write-refused')
  }

  /**
   * To be told when a client owes no clean-up: then each attempt that has ended has no node.
   *
   * @param sessionId - its live session
   * @param going - its attempts that have not ended
   */
  owesNothing(sessionId: bigint, { tokens, acquiring }: Attempts = NONE): void {
    for (const { path, contenders } of this.#queues.values()) {
      const unclaimed = contenders.filter(({ owner, token }) => owner === sessionId && !tokens.has(token))
      const left = unclaimed[acquiring.get(path) ?? 0]
      if (left !== undefined) {
        this.#fail(`L6: ${left.path} is left behind by session ${hex(sessionId)}, which owes nothing`)
      }
    }
  }

  /** Who is in a queue now, for a message. */
  describe(path: string): string {
    const { contenders = [] } = this.#queues.get(path) ?? {}
    return contenders.map((each) => `${each.path} of session ${hex(each.owner)}`).join(', ') || 'nobody is there'
  }

  atEnd(): void {
    for (const { contenders } of this.#queues.values()) {
      if (contenders[0] !== undefined) this.#fail(`R3: ${contenders[0].path} is left`)
    }
  }

  #queueOf(path: string): Queue | null {
    const own = this.#queues.get(path)
    if (own !== undefined) return own.kind === 'exclusive' ? own : null
    const parent = this.#queues.get(parentOf(path))
    return parent?.kind === 'exclusive' ? null : (parent ?? null)
  }

  #enter(queue: Queue, { path }: ModelChange, token: bigint): void {
    const owner = this.#ledger.model.node(path, token)?.owner ?? 0n
    const { isMeddledWith } = queue
    const begins = { tenure: 0, isOver: false, isStruck: false, isBesideStruck: false, woken: [] }
    const contender: Contender = { path, token, owner, isMeddledWith, ...begins }
    const isRestored = this.#owners.isOperator(owner)
    const last = queue.contenders.findLast((other) => !this.#owners.isOperator(other.owner))
    if (last !== undefined && !isRestored && isBefore(path, last.path)) {
      this.#fail(`L3: ${path} was created behind ${last.path}`)
    }
    const mark = MARK.exec(nameOf(path))?.[1]
    if (mark !== undefined && !isRestored) {
      const attempt = `${mark} ${owner}`
      if (this.#marks.has(attempt)) this.#fail(`L6: the attempt ${mark} made ${path}, and has another node`)
      this.#marks.add(attempt)
    }
    this.#contenders.set(token, contender)
    this.#latest.set(path, contender)
    const after = queue.contenders.findIndex((other) => queue.kind !== 'exclusive' && isBefore(path, other.path))
    queue.contenders.splice(after === -1 ? queue.contenders.length : after, 0, contender)
    this.#promote(queue)
  }

  #end(queue: Queue, { path }: ModelChange, { header, txn }: Transaction): void {
    const contender = queue.contenders.find((each) => each.path === path)
    if (contender === undefined) this.#fail(`${path} ended, and was in no queue`)
    contender.isOver = true
    contender.isStruck = this.#owners.isOperator(header.clientId) || this.#mayEvict(contender.token, header.clientId)
    // One that waited may still watch the one before it, as does its successor by now.
    if (contender.isStruck) for (const each of queue.contenders) each.isBesideStruck = true
    if (txn.type !== OpCode.closeSession) this.#expectEndedByOwner(contender, header.clientId)
    const mark = MARK.exec(nameOf(path))?.[1]
    if (mark !== undefined) this.#marks.delete(`${mark} ${contender.owner}`)
    queue.contenders = queue.contenders.filter((each) => each !== contender)
    if (queue.contenders.length === 0) queue.isMeddledWith = false
    if (!contender.isStruck) this.#expectNoBelief(contender)
    this.#promote(queue)
  }

  #expectEndedByOwner({ path, token, owner, isStruck }: Contender, sessionId: bigint): void {
    if (isStruck) return
    const what = `${path} with token ${hex(token)} of session ${hex(owner)}`
    if (!this.#owners.isSameProcess(owner, sessionId)) this.#fail(`L7: ${what} was deleted by ${hex(sessionId)}`)
    const lease = this.#holdings.get(token)?.lease
    if (lease?.signal.aborted === false) this.#fail(`L7: ${what} was deleted by its own process, whose lease it is`)
  }

  /**
   * The first in the queue, but for nodes that operators have put back after a contender came: it may have read the
   * queue before, and may rely on it that only the end of it grows. It has seen the nodes that were there before it.
   */
  #headFor({ contenders }: Queue, { token }: Contender): Contender | undefined {
    return contenders.find((other) => !this.#owners.isOperator(other.owner) || other.token < token)
  }

  /** Whoever is first holds from now on. Nobody believes to hold by what operators have put back. */
  #promote(queue: Queue): void {
    const head = queue.contenders.find(({ owner }) => !this.#owners.isOperator(owner))
    if (head === undefined || head.tenure > 0) return
    queue.tenures += 1
    head.tenure = queue.tenures
  }

  /** A lease that is not being released has ended: its holder has been told, unless it stands still. */
  #expectNoBelief({ token, path }: Contender): void {
    const holding = this.#holdings.get(token)
    if (holding === undefined) return
    this.#holdings.delete(token)
    const { lease, node, incarnation } = holding
    const who = `${path} is gone, and ${node.name}`
    if (this.#believes(holding)) this.#fail(`L5: ${who} still believes that it holds`)
    const isAwake = node.isUp && node.incarnation === incarnation && node.pausedUntilMs + AWAKE_MS < this.#clocks.nowMs
    if (isAwake && !lease.signal.aborted) this.#fail(`L5: ${who} was not told`)
  }

  /** Whether a holder would say at this instant, by its own clock, that the lock cannot be another's. */
  #believes({ lease, node, incarnation }: Holding): boolean {
    if (!node.isUp || node.incarnation !== incarnation) return false
    return this.#clocks.as(node, () => performance.now() < lease.leaseDeadlineMs)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

/** Whether a contender of a fair lock is served before another, or is the other. */
function isBefore(path: string, other: string): boolean {
  return compareSequence(sequenceOf(path) ?? 0, sequenceOf(other) ?? 0) <= 0
}
