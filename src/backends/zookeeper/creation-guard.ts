/**
 * Checks of a creation on ZooKeeper, whose own check compares a node's version and nothing else.
 *
 * Model     a sequential create appends the parent's count of child creates to the name. So a multi that begins with a
 *           sequential create under the parent, and the delete of the one name that this create has if nothing was
 *           created there since we looked, is refused as soon as anything was: our node cannot have been made again.
 * Proof     1. the parent's count is read, 2. then the node, and it is the creation that is meant, 3. the multi passes
 *           its first two parts, so no child was created after step 1. The node at the path in step 3 was there in step
 *           2, and is the one that is meant. Both reads may come from a server that lags: the multi is judged by the
 *           leader.
 * Owned     a parent that is removed and made again counts from the start, and may come to the same count. So a node
 *           that this session owns (owned-nodes.ts) is also written in the multi: a node that another session owns
 *           refuses that, however its parent came about. For other nodes the proof holds while the parent stays.
 * Known     an owned node that this session has made, and watches, needs no look: the answer to its create was one, and
 *           its watch, which has not fired, is one that lasts. If the session also knows the count since then
 *           (child-counts.ts), the multi is refused by that as after a look, and is exact; if the count was overtaken,
 *           it goes by the write. Decision 0031.
 * Refusal   after a look is told only after a `sync`: a server that lags may not know the node yet.
 * Crowded   where others create beside our node all the time, the count is never what it was. There an owned node goes
 *           by the look of step 2 and by the write: no node of another recipe is ever touched, and one that somebody
 *           else puts at the path could be only within that one round trip. A node that is not owned has no other way:
 *           after so many attempts its multi is refused, and nothing was done.
 * Cost      one request for a node of which enough is known. For another two round trips (the two reads leave
 *           together), and one more when somebody creates a child in between; one more each time for a node that is not
 *           owned. Checks that wait meanwhile leave in one multi, since each guarded multi is such a create itself.
 * Order     requests that are called after a guarded multi may take effect before it.
 * Source    PrepRequestProcessor.pRequest2TxnCreate, DataNode.copyStat of ZooKeeper 3.8; decision 0010.
 */
import { delay } from '../../core/async.ts'
import type { Operation, OperationResult, Session, Stat } from '../../core/backend.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { joinPath, parentOf, sequenceSuffix } from '../../core/path.ts'
import type { CheckedMulti } from './checked-multi.ts'

/** Most multis that leave as one, and their operations: a refused one costs the others another attempt. */
const BATCH_MULTIS_MAX = 64
const BATCH_OPERATIONS_MAX = 256
/** Most bytes of data that leave as one. */
const BATCH_BYTES_MAX = 256 * 1024

/** Longest pause after the first attempt that failed, in milliseconds, and after many. */
const PAUSE_MS = 2
const PAUSE_MS_MAX = 50

/** Attempts of one multi that may be overtaken: with the pauses, some ten seconds. */
export const OVERTAKEN_MAX = 400

/** How long a parent is treated as crowded after a count of it was overtaken, in milliseconds. */
const CROWDED_MS = 1_000
/** Parents that are remembered as crowded. */
const CROWDED_MAX = 64

const NO_BYTES = new Uint8Array()

type Check = Extract<Operation, { readonly type: 'check' }>

/** The requests of the guard to the servers, in the session's order. None is repeated over a lost connection. */
export interface GuardedRequests extends Pick<Session, 'exists' | 'sync'> {
  /**
   * A multi as the servers know it, without checks of creations.
   *
   * @param isBound - whether it is for the server that is attached now, and for no other
   */
  multi(operations: readonly Operation[], isBound: boolean): Promise<OperationResult[]>
  /** How to do a multi with them by what this session owns; null if it cannot be. */
  plan(operations: readonly Operation[]): CheckedMulti | null
  /**
   * The nodes of such a plan, as far as the session knows them without a look: the count of each parent by which the
   * multi is to be guarded, of none where it was overtaken.
   *
   * @param isCrowded - whether others have just been seen to create under a parent
   * @returns null if they have to be looked at
   */
  known(plan: CheckedMulti, isCrowded: (parent: string) => boolean): ReadonlyMap<string, number> | null
  /** A multi that is guarded by this count of a parent was done (so the count is one more by now), or was refused. */
  counted(parent: string, count: number | null): void
  /** A node that the servers did not let us write was ours. */
  distrust(): void
}

/** A multi that waits for its answer. */
interface Entry {
  readonly operations: readonly Operation[]
  readonly resolve: (results: OperationResult[]) => void
  readonly reject: (error: unknown) => void
  /** Whether the servers did not let us do it by what we own. */
  isDenied: boolean
}

/** The multi that is sent for an entry. */
interface Part {
  readonly entry: Entry
  /** Null: without its checks. */
  readonly plan: CheckedMulti | null
  readonly operations: readonly Operation[]
}

/** The count of child creates as a parent's stat shows it: it gives the next sequential name. */
interface Count {
  readonly parent: string
  /** Twice the count of child creates, as an int32: its highest bit is lost. */
  readonly doubled: number
  /** Whether the count is the greater of the two that double to this. */
  readonly isUpperHalf: boolean
}

/** Whether a multi has to go through a {@link CreationGuard}. */
export function checksCreation(operations: readonly Operation[]): boolean {
  return operations.some((operation) => operation.type === 'check' && operation.czxid !== undefined)
}

/** The guarded multis of one session, one batch at a time. */
export class CreationGuard {
  readonly #requests: GuardedRequests
  readonly #crowded = new CrowdedParents()
  readonly #waiting: Entry[] = []
  #isBusy = false

  constructor(requests: GuardedRequests) {
    this.#requests = requests
  }

  /**
   * Does all of the operations or none; checks may name a creation.
   *
   * @throws CoordinationError as a multi; a check that meets no node or another is refused with its `index`
   */
  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, resolve, reject, isDenied: false })
      if (!this.#isBusy) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    while (this.#waiting.length > 0) {
      await new Batch(this.#requests, this.#crowded, takeBatch(this.#waiting)).settle()
    }
    this.#isBusy = false
  }
}

/** Some multis that leave as one, until each has its answer. */
class Batch {
  readonly #requests: GuardedRequests
  readonly #crowded: CrowdedParents
  #entries: readonly Entry[]
  #isSynced = false
  #failures = 0
  #overtakenCount = 0
  #counts: readonly Count[] = []
  /** The counts of the last attempt that was refused by them. */
  #overtaken: readonly Count[] = []

  constructor(requests: GuardedRequests, crowded: CrowdedParents, entries: readonly Entry[]) {
    this.#requests = requests
    this.#crowded = crowded
    this.#entries = entries
  }

  /** Never rejects: each entry gets its answer or its error. */
  async settle(): Promise<void> {
    try {
      while (this.#entries.length > 0) await this.#step()
    } catch (error) {
      // Nobody's in particular, such as a lost connection.
      for (const { reject } of this.#entries) reject(ofNoOperation(error))
    }
  }

  async #step(): Promise<void> {
    if (await this.#attemptKnown()) return
    const isCrowded = this.#counts.some(({ parent }) => this.#crowded.has(parent))
    if (isCrowded && this.#entries.every((entry) => this.#planOf(entry) === null)) await this.#pause()
    if (!(await this.#look())) return
    const isStillCrowded = this.#counts.some(({ parent }) => this.#crowded.has(parent))
    const owned = isStillCrowded ? this.#entries.filter((entry) => this.#planOf(entry) !== null) : []
    if (owned.length > 0) await this.#attempt(owned, [], false)
    else await this.#attempt(this.#entries, this.#counts, false)
  }

  /** Does without a look what can be done without one. False: nothing can. */
  async #attemptKnown(): Promise<boolean> {
    const counts = new Map<string, number>()
    const entries = this.#entries.filter((entry) => {
      const plan = this.#planOf(entry)
      const known = plan === null ? null : this.#requests.known(plan, (parent) => this.#crowded.has(parent))
      for (const [parent, count] of known ?? []) counts.set(parent, count)
      return known !== null
    })
    if (entries.length === 0) return false
    this.#counts = [...counts].map(([parent, count]) => ({ parent, doubled: (2 * count) | 0, isUpperHalf: count < 0 }))
    // A watch tells of this connection alone.
    await this.#attempt(entries, this.#counts, true)
    return true
  }

  #planOf(entry: Entry): CheckedMulti | null {
    return entry.isDenied ? null : this.#requests.plan(entry.operations)
  }

  /** Reads what the guards need. False: something is refused, and the rest has to be looked at again. */
  async #look(): Promise<boolean> {
    const checks = this.#entries.flatMap(({ operations }) => operations.filter(isCreationCheck))
    const parents = [...new Set(checks.map(({ path }) => parentOf(path)))]
    // The order of the calls is the order of the reads: parents first.
    const [stats, nodes] = await Promise.all([
      Promise.all(parents.map((parent) => this.#requests.exists(parent))),
      Promise.all(checks.map(({ path }) => this.#requests.exists(path))),
    ])
    this.#counts = parents.flatMap((parent, i) => countsOf(parent, stats[i] ?? null, this.#overtaken))
    const counted = new Set(this.#counts.map(({ parent }) => parent))
    const found = new Map<Operation, Stat | null>()
    for (const [i, check] of checks.entries()) {
      found.set(check, counted.has(parentOf(check.path)) ? nodes[i] ?? null : null)
    }
    const refused = this.#entries.filter((entry) => refusalOf(entry, found) !== null)
    if (refused.length === 0) return true
    if (this.#isSynced) {
      for (const entry of refused) this.#reject(entry, refusalOf(entry, found))
    } else {
      await this.#requests.sync('/')
      this.#isSynced = true
    }
    return false
  }

  async #attempt(entries: readonly Entry[], counts: readonly Count[], isBound: boolean): Promise<void> {
    const guards = counts.flatMap(guardOf)
    const parts = entries.map((entry): Part => {
      const plan = this.#planOf(entry)
      return { entry, plan, operations: plan?.operations ?? entry.operations.map(withoutCreation) }
    })
    const operations = [...guards, ...parts.flatMap((part) => part.operations)]
    try {
      const results = await this.#requests.multi(operations, isBound)
      for (const count of counts) this.#requests.counted(count.parent, valueOf(count))
      this.#entries = this.#entries.filter((entry) => !entries.includes(entry))
      if (entries.some(({ isDenied }) => isDenied)) this.#requests.distrust()
      let start = guards.length
      for (const { entry, plan, operations: own } of parts) {
        const mine = results.slice(start, start + own.length)
        entry.resolve(plan?.resultsOf(mine) ?? mine)
        start += own.length
      }
    } catch (error) {
      if (!isCoordinationError(error) || error.index === undefined) throw error
      this.#failures += 1
      if (error.index >= guards.length) {
        this.#refuse(error, parts, error.index - guards.length)
        return
      }
      if (!isCoordinationError(error, 'NO_NODE')) throw error
      // Somebody has created a child, or the parent is gone: the next look tells.
      for (const { parent } of counts) {
        this.#crowded.add(parent)
        this.#requests.counted(parent, null)
      }
      this.#overtaken = counts
      this.#overtakenBy(guards[error.index]?.path ?? '/')
    }
  }

  /** Others create children of this node's parent. Whoever has waited for an end of that for too long is refused. */
  #overtakenBy(child: string): void {
    this.#overtakenCount += 1
    if (this.#overtakenCount < OVERTAKEN_MAX) return
    const parent = parentOf(child)
    for (const entry of this.#entries) {
      const index = entry.operations.findIndex((each) => isCreationCheck(each) && parentOf(each.path) === parent)
      const path = entry.operations[index]?.path
      if (path !== undefined) this.#reject(entry, tooCrowded(path, index))
    }
    this.#overtakenCount = 0
  }

  /**
   * Guarded multis of others are creates too. Without chance two clients that go on at once could keep in step, and the
   * one that is always second would never succeed.
   */
  #pause(): Promise<void> {
    return delay(Math.random() * Math.min(PAUSE_MS_MAX, this.#failures * PAUSE_MS))
  }

  /** One entry's part was refused: that one has its answer, or has to be done in another way. */
  #refuse(error: CoordinationError, parts: readonly Part[], at: number): void {
    let start = 0
    for (const { entry, plan, operations } of parts) {
      const local = at - start
      start += operations.length
      if (at >= start) continue
      const index = plan === null ? local : plan.refusedBy(local, error.code)
      const { code, message, outcome, path } = error
      const where = path === undefined ? {} : { path }
      if (index === null) entry.isDenied = true
      else this.#reject(entry, new CoordinationError(code, message, { outcome, cause: error, index, ...where }))
      return
    }
    throw error
  }

  #reject(entry: Entry, error: unknown): void {
    this.#entries = this.#entries.filter((other) => other !== entry)
    entry.reject(error)
  }
}

/** Parents under which somebody creates all the time. */
class CrowdedParents {
  readonly #untilMs = new Map<string, number>()

  add(parent: string): void {
    this.#untilMs.delete(parent)
    this.#untilMs.set(parent, performance.now() + CROWDED_MS)
    const [oldest] = this.#untilMs.keys()
    if (this.#untilMs.size > CROWDED_MAX && oldest !== undefined) this.#untilMs.delete(oldest)
  }

  has(parent: string): boolean {
    return performance.now() < (this.#untilMs.get(parent) ?? -Infinity)
  }
}

function takeBatch(waiting: Entry[]): Entry[] {
  let count = 0
  let operations = 0
  let bytes = 0
  for (const entry of waiting.slice(0, BATCH_MULTIS_MAX)) {
    operations += entry.operations.length
    for (const operation of entry.operations) bytes += 'data' in operation ? operation.data.length : 0
    if (count > 0 && (operations > BATCH_OPERATIONS_MAX || bytes > BATCH_BYTES_MAX)) break
    count += 1
  }
  return waiting.splice(0, count)
}

function isCreationCheck(operation: Operation): operation is Check & { readonly czxid: bigint } {
  return operation.type === 'check' && operation.czxid !== undefined
}

/** Why an entry cannot be done as things are, or null if it can. */
function refusalOf({ operations }: Entry, found: ReadonlyMap<Operation, Stat | null>): CoordinationError | null {
  for (const [index, operation] of operations.entries()) {
    if (!isCreationCheck(operation)) continue
    const stat = found.get(operation) ?? null
    const isReplaced = operations.slice(0, index).some(({ type, path }) => type === 'create' && path === operation.path)
    if (stat?.czxid === operation.czxid && !isReplaced) continue
    const code = stat === null && !isReplaced ? 'NO_NODE' : 'BAD_VERSION'
    const { path } = operation
    return new CoordinationError(code, `${code} on ${path}`, { outcome: 'rejected', path, index })
  }
  return null
}

/**
 * The count that a parent's stat tells: `cversion` is creates plus deletes, so with the children that are left it is
 * twice the creates, and the int32 loses the highest bit. If a guard has failed though nobody has created anything, it
 * was the other of the two.
 */
function countsOf(parent: string, stat: Stat | null, overtaken: readonly Count[]): Count[] {
  // Without a parent there is no node either, and the check is refused. The root is never made again.
  if (stat === null) return []
  const doubled = (stat.cversion + stat.numChildren) | 0
  const last = overtaken.find((count) => count.parent === parent)
  const isUpperHalf = last !== undefined && last.doubled === doubled && !last.isUpperHalf
  return [{ parent, doubled, isUpperHalf }]
}

/** The count itself, an int32. */
function valueOf({ doubled, isUpperHalf }: Count): number {
  const lower = doubled >>> 1
  return isUpperHalf ? (lower | 0x8000_0000) | 0 : lower
}

function guardOf(count: Count): Operation[] {
  const prefix = joinPath(count.parent, `quorate-check-${crypto.randomUUID()}-`)
  const path = prefix + sequenceSuffix(valueOf(count))
  const guard: Operation[] = [
    { type: 'create', path: prefix, data: NO_BYTES, mode: 'persistent-sequential' },
    { type: 'delete', path, version: -1 },
  ]
  return guard
}

function withoutCreation(operation: Operation): Operation {
  if (!isCreationCheck(operation)) return operation
  const { type, path, version } = operation
  return { type, path, version }
}

function tooCrowded(path: string, index: number): CoordinationError {
  const parent = parentOf(path)
  const message =
    `others create children of ${parent} without end: in ${OVERTAKEN_MAX} attempts it could not be checked that ` +
    `${path} is the node that is meant; nothing was done, try again when there is less to do`
  return new CoordinationError('THROTTLED', message, { outcome: 'rejected', path, index })
}

/** The error of a request of ours, whose path and place mean nothing to the caller. */
function ofNoOperation(error: unknown): unknown {
  if (!isCoordinationError(error)) return error
  const { code, message, outcome } = error
  return new CoordinationError(code, message, { outcome, cause: error })
}
