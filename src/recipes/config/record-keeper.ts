/**
 * Writes a value and its record in one transaction, so that they never disagree, and reads what is recorded.
 *
 * Model     read the value and the head of the records, plan the next value, write all in one multi that compares both;
 *           all again if anything has changed, {@link UPDATE_ATTEMPTS_MAX} times at most.
 * Found     a value is recorded if the head was written with it or after it, and names its version. One that is not
 *           comes from a process that keeps no history: it is recorded first, in a multi of its own.
 * Lost      an entry names the attempt that wrote it. After a lost reply, the entry of that version tells whether the
 *           write took effect. Only when it is gone again, after many others, the outcome stays unknown.
 * Bounds    the oldest entries go in the multi that adds one. Whoever publishes applies its own limits.
 * Cost      3 round trips for a write: `sync`, two reads at once, the multi.
 */
import { assert } from '../../core/assert.ts'
import { delay } from '../../core/async.ts'
import type { NodeData, Operation, Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { joinPath, parentOf } from '../../core/path.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { UPDATE_ATTEMPTS_MAX, nextVersion } from '../engine/compare-and-set.ts'
import type { WrittenNode } from '../engine/compare-and-set.ts'
import { isOutcomeUnknown } from '../engine/protected-writes.ts'
import { EMPTY_HEAD, RecordPaths, decodeEntry, decodeHead, encodeEntry, encodeHead } from './config-records.ts'
import { versionOfName } from './config-records.ts'
import type { RecordEntry, RecordHead, RecordHeader, RecordKind } from './config-records.ts'
import { decodeStaged } from './rollout-records.ts'

/** How much of a history is kept. */
export interface RecordLimits {
  readonly entriesMax: number
  readonly bytesMax: number
}

/** A value and the head of its records as read, at one moment or nearly so; a write compares them. */
export interface RecordState {
  readonly value: NodeData | null
  readonly head: RecordHead
  /** The head's own stat; null if there are no records yet. */
  readonly headStat: Stat | null
  /** Whether the value was written by somebody who keeps no history. */
  readonly isFound: boolean
}

/** A value to be written, and the note of its entry. */
export interface Draft {
  readonly kind: RecordKind
  readonly bytes: Uint8Array
  readonly author: string | null
  readonly comment: string | null
  readonly format: string | null
  /** For a rollback, and each step of a roll-out but the first: the version whose value it is. */
  readonly of: number | null
  /** Whether the value itself is left as it is, and only recorded. */
  readonly isAside?: boolean
  /** The change of the roll-out in the same transaction; none by default. */
  readonly rollout?: RolloutWrite
}

/** A change of the node of the roll-out, in the transaction that writes an entry. */
export interface RolloutWrite {
  /** The new data of its node. */
  readonly data: Uint8Array
  /** The version that its node must have; null: it must not exist. */
  readonly expected: number | null
  /** The version that is staged from now on; null if none is. */
  readonly staged: number | null
}

/** A value that was written, and the version of its entry. */
export interface Recorded extends WrittenNode {
  readonly historyVersion: number
}

/** An entry, and the node that holds it. */
export interface StoredEntry {
  readonly version: number
  /** Null if the node holds no entry. */
  readonly entry: RecordEntry | null
  readonly stat: Stat
}

/** Makes the next value of what is there. It may be called once per attempt; its error ends the write. */
export type Plan = (state: RecordState) => Draft | Promise<Draft>

/** A write with a lost reply, which may have taken effect. */
interface Doubt {
  readonly error: CoordinationError
  /** The creation of the value's node; null if that would have been this write. */
  readonly czxid: bigint | null
}

/** Room in a transaction for the paths, the header of an entry and the head, in bytes. */
const OVERHEAD_BYTES = 16_384

/** The records of one value. */
export class RecordKeeper {
  readonly #client: Client
  readonly #path: string
  readonly #limits: RecordLimits
  /** Where the records are. */
  readonly paths: RecordPaths

  /** Makes it; nothing is sent. */
  constructor(client: Client, path: string, limits: RecordLimits) {
    this.#client = client
    this.#path = path
    this.#limits = limits
    this.paths = new RecordPaths(path)
  }

  /** Reads the value and the head, not older than any write that was acknowledged before the call. */
  async state(signal: AbortSignal): Promise<RecordState> {
    for (;;) {
      const state = await this.#read(signal)
      if (!state.isFound) return state
      // The head may have been read before the value: then another publisher wrote both in between.
      const stat = await this.#client.exists(this.paths.head, { signal })
      if (stat?.mzxid === state.headStat?.mzxid) return state
    }
  }

  /**
   * Reads the newest entries, oldest first, without a gap.
   *
   * @param limit - how many at most
   */
  async entries({ head }: RecordState, limit: number, signal: AbortSignal): Promise<StoredEntry[]> {
    const count = Math.min(limit, head.sizes.length)
    const versions = Array.from({ length: count }, (_, index) => head.last - count + 1 + index)
    const found = await Promise.all(versions.map((version) => this.entry(version, signal)))
    // Those that were dropped meanwhile are the oldest.
    const gap = found.lastIndexOf(null)
    return found.slice(gap + 1).filter((entry) => entry !== null)
  }

  /** Reads what is said of a roll-out; null if there never was one. */
  async staged(signal: AbortSignal): Promise<NodeData | null> {
    return this.#get(this.paths.staged, signal)
  }

  /** Reads the nodes by which processes say which value they have, not older than any acknowledged write. */
  async applied(signal: AbortSignal): Promise<NodeData[]> {
    const { names } = await this.#childrenOf(this.paths.applied, signal)
    const found = await Promise.all(names.map((name) => this.#get(joinPath(this.paths.applied, name), signal)))
    return found.filter((node) => node !== null)
  }

  /** Reads an entry; null if it is not kept. */
  async entry(version: number, signal: AbortSignal): Promise<StoredEntry | null> {
    const path = this.paths.entry(version)
    const found = await this.#get(path, signal)
    if (found === null) return null
    try {
      return { version, entry: decodeEntry(path, found.data), stat: found.stat }
    } catch (error) {
      if (!isCoordinationError(error, 'INVALID_VALUE')) throw error
      return { version, entry: null, stat: found.stat }
    }
  }

  /**
   * Writes the next value, and its entry with it.
   *
   * @param plan - makes it
   * @param signal - ends the attempt; a write that was sent already may still take effect
   * @throws CoordinationError the error of `plan`; `BAD_VERSION` if others were quicker each time; `PAYLOAD_TOO_LARGE`;
   * `CONNECTION_LOSS` or `SESSION_EXPIRED` with outcome `unknown` if the fate of the write cannot be found out; a
   * refusal of the servers
   */
  async change(plan: Plan, signal: AbortSignal): Promise<Recorded> {
    const change = new Change(this.#client, this.#path, this.paths, this.#limits)
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#look(change, signal)
      if ('historyVersion' in found) return found
      try {
        if (found.headStat === null) await this.#makeParents(signal)
        else if (found.isFound) await change.recordFound(found, signal)
        else return await change.commit(found, plan, signal)
      } catch (error) {
        if (!isPassing(error) || attempt === UPDATE_ATTEMPTS_MAX) throw change.explain(error)
        if (isCoordinationError(error, 'NO_NODE')) await this.#makeParents(signal)
        await delay(fullJitterMs(attempt), signal)
      }
    }
  }

  /** Reads what is there before an attempt, and whether an earlier one took effect. */
  async #look(change: Change, signal: AbortSignal): Promise<RecordState | Recorded> {
    try {
      const state = await this.#read(signal)
      return (await change.findDone(state, (version) => this.entry(version, signal))) ?? state
    } catch (error) {
      throw change.unknown ?? error
    }
  }

  async #makeParents(signal: AbortSignal): Promise<void> {
    await this.#client.makePath(this.paths.history, { mode: 'persistent', signal })
    await this.#client.makePath(parentOf(this.#path), { mode: 'persistent', signal })
  }

  /** A value that is newer than the head may also have been written with a newer head: a write compares both. */
  async #read(signal: AbortSignal): Promise<RecordState> {
    await this.#client.sync(this.#path, { signal })
    const { head: headPath } = this.paths
    const [value, stored] = await Promise.all([this.#get(this.#path, signal), this.#get(headPath, signal)])
    if (stored === null) return { value, head: EMPTY_HEAD, headStat: null, isFound: value !== null }
    const said = decodeHead(headPath, stored.data) ?? (await this.#rebuild(signal))
    // Somebody may have deleted the node of a roll-out: then none is under way, whatever the head says.
    const isDeleted = said.staged !== null && (await this.staged(signal)) === null
    const head = isDeleted ? { ...said, staged: null } : said
    const isFound = value !== null && !isRecorded(value.stat, head, stored.stat)
    return { value, head, headStat: stored.stat, isFound }
  }

  /** Makes a head of the entries that are there, for who finds none. */
  async #rebuild(signal: AbortSignal): Promise<RecordHead> {
    const { names } = await this.#childrenOf(this.paths.history, signal)
    const versions = names.map(versionOfName).filter((version) => version !== null).sort((a, b) => b - a)
    const sizes: number[] = []
    const last = versions[0] ?? 0
    for (const version of versions) {
      const stat = await this.#client.exists(this.paths.entry(version), { signal })
      if (stat === null || version !== last - sizes.length) break
      sizes.push(stat.dataLength)
    }
    const staged = await this.staged(signal)
    const record = staged === null ? null : decodeStaged(this.paths.staged, staged.data)
    const isStaged = record?.state === 'staged'
    return { last, sizes: sizes.reverse(), nodeVersion: null, current: 0, staged: isStaged ? record.version : null }
  }

  async #childrenOf(path: string, signal: AbortSignal): Promise<{ readonly names: readonly string[] }> {
    try {
      return await this.#client.children(path, { signal })
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return { names: [] }
      throw error
    }
  }

  async #get(path: string, signal: AbortSignal): Promise<NodeData | null> {
    try {
      return await this.#client.get(path, { signal })
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }
}

/** One write, over all its attempts. */
class Change {
  readonly #client: Client
  readonly #path: string
  readonly #paths: RecordPaths
  readonly #limits: RecordLimits
  /** In the entry of every attempt: it tells them from those of others. */
  readonly #id = crypto.randomUUID()
  /** By the version of the entry: attempts whose reply was lost. */
  readonly #doubts = new Map<number, Doubt>()
  /** Entries that are to be dropped and are not there. */
  readonly #gone = new Set<number>()
  #planned: { readonly state: RecordState; readonly draft: Draft } | null = null

  constructor(client: Client, path: string, paths: RecordPaths, limits: RecordLimits) {
    this.#client = client
    this.#path = path
    this.#paths = paths
    this.#limits = limits
  }

  /** Looks whether an attempt with a lost reply took effect; null: none is known to have. */
  async findDone(
    { head, value }: RecordState,
    read: (version: number) => Promise<StoredEntry | null>,
  ): Promise<Recorded | null> {
    for (const [version, { error, czxid }] of this.#doubts) {
      const found = await read(version)
      if (found?.entry?.header.id === this.#id) {
        const { czxid: zxid } = found.stat
        const { nodeVersion } = found.entry.header
        const done = { version: nodeVersion, zxid, czxid: czxid ?? zxid, historyVersion: version }
        return value?.stat.mzxid === zxid ? done : { ...done, isOvertaken: true }
      }
      if (found !== null) this.#doubts.delete(version)
      // Written, by somebody, and dropped since.
      else if (head.last >= version) throw error
    }
    return null
  }

  /** Records a value that somebody has written who keeps no history. */
  async recordFound(state: RecordState, signal: AbortSignal): Promise<void> {
    const { value } = state
    assert(value !== null, 'a value was found')
    const atMs = value.stat.mtime
    const said = { author: null, comment: null, format: null, of: null }
    const draft: Draft = { kind: 'found', bytes: value.data, ...said }
    const header = this.#header(state, draft, { id: crypto.randomUUID(), nodeVersion: value.stat.version, atMs })
    const whole = encodeEntry({ header, value: value.data })
    const isOmitted = whole.length > this.#client.capabilities.dataBytesMax
    const bytes = isOmitted ? encodeEntry({ header: { ...header, isOmitted }, value: value.data }) : whole
    await this.#send([this.#check(value)], state, draft, { nodeVersion: value.stat.version, entry: bytes }, signal)
  }

  /** Writes what is planned. */
  async commit(state: RecordState, plan: Plan, signal: AbortSignal): Promise<Recorded> {
    const draft = await this.#draft(state, plan)
    this.#refuseTooLarge(draft)
    const { value } = state
    const { nodeVersion, write } = this.#writeOf(value, draft)
    const header = this.#header(state, draft, { id: this.#id, nodeVersion, atMs: null })
    const { version: historyVersion } = header
    const entry = encodeEntry({ header, value: draft.bytes })
    try {
      const zxid = await this.#send(write, state, draft, { nodeVersion, entry }, signal)
      return { version: nodeVersion, zxid, czxid: value?.stat.czxid ?? zxid, historyVersion }
    } catch (error) {
      const czxid = value?.stat.czxid ?? null
      if (isOutcomeUnknown(error)) this.#doubts.set(historyVersion, { error, czxid })
      throw error
    }
  }

  /** The operations on the value's node, and the version that it has then. */
  #writeOf(
    value: NodeData | null,
    { bytes: data, isAside, rollout }: Draft,
  ): { readonly nodeVersion: number; readonly write: Operation[] } {
    const path = this.#path
    const write: Operation[] = []
    let nodeVersion = 0
    if (value === null) {
      if (isAside !== true) write.push({ type: 'create', path, data, mode: 'persistent' })
    } else {
      const { version } = value.stat
      write.push(this.#check(value))
      if (isAside !== true) write.push({ type: 'set', path, data, version })
      nodeVersion = isAside === true ? version : nextVersion(version)
    }
    if (rollout !== undefined) write.push(this.#writeOfRollout(rollout))
    return { nodeVersion, write }
  }

  #writeOfRollout({ data, expected }: RolloutWrite): Operation {
    const path = this.#paths.staged
    if (expected === null) return { type: 'create', path, data, mode: 'persistent' }
    return { type: 'set', path, data, version: expected }
  }

  /** The error of an attempt of which it is not known whether it took effect. */
  get unknown(): CoordinationError | undefined {
    const [doubt] = this.#doubts.values()
    return doubt?.error
  }

  /** That this attempt was not made says nothing of the one before it. */
  explain(error: unknown): unknown {
    return isCoordinationError(error) && error.outcome === 'not-sent' ? (this.unknown ?? error) : error
  }

  /** Plans once for one state: a write that may have taken effect already is not planned again. */
  async #draft(state: RecordState, plan: Plan): Promise<Draft> {
    const before = this.#planned
    if (before !== null && this.#doubts.size > 0 && isSame(before.state, state)) return before.draft
    const draft = await plan(state)
    this.#planned = { state, draft }
    return draft
  }

  #refuseTooLarge({ bytes }: Draft): void {
    const path = this.#path
    const { dataBytesMax } = this.#client.capabilities
    const bytesMax = Math.floor((dataBytesMax - OVERHEAD_BYTES) / 2)
    if (bytes.length <= bytesMax) return
    const sizes = `${String(bytes.length)} bytes; with a history it may have ${String(bytesMax)}`
    const message = `the value of ${path} takes ${sizes}`
    throw new CoordinationError('PAYLOAD_TOO_LARGE', message, { outcome: 'not-sent', path })
  }

  #header(
    { head }: RecordState,
    { kind, author, comment, format, of }: Draft,
    rest: Pick<RecordHeader, 'id' | 'nodeVersion' | 'atMs'>,
  ): RecordHeader {
    return { version: head.last + 1, kind, author, comment, format, of, isOmitted: false, ...rest }
  }

  #check({ stat: { version, czxid } }: NodeData): Operation {
    const identity = this.#client.capabilities.comparesCreations ? { czxid } : {}
    return { type: 'check', path: this.#path, version, ...identity }
  }

  /** Sends the one transaction; answers with its zxid. */
  async #send(
    write: readonly Operation[],
    { head, headStat, value }: RecordState,
    { isAside, rollout }: Draft,
    { nodeVersion, entry }: { readonly nodeVersion: number; readonly entry: Uint8Array },
    signal: AbortSignal,
  ): Promise<bigint> {
    assert(headStat !== null, 'the head was read')
    const version = head.last + 1
    const sizes = [...head.sizes, entry.length]
    const dropped = this.#drop(sizes, version).filter((old) => !this.#gone.has(old))
    const own = isAside === true
      ? { nodeVersion: value === null ? null : head.nodeVersion, current: head.current }
      : { nodeVersion, current: version }
    const staged = rollout === undefined ? head.staged : rollout.staged
    const data = encodeHead({ last: version, sizes, ...own, staged })
    const operations: Operation[] = [
      ...write,
      { type: 'set', path: this.#paths.head, data, version: headStat.version },
      { type: 'create', path: this.#paths.entry(version), data: entry, mode: 'persistent' },
    ]
    const first = operations.length
    for (const old of dropped) operations.push({ type: 'delete', path: this.#paths.entry(old), version: -1 })
    try {
      const results = await this.#client.multi(operations, { signal })
      const made = results[first - 1]
      assert(made?.type === 'create', 'the result of the create of the entry')
      return made.stat.czxid
    } catch (error) {
      const missing = isCoordinationError(error, 'NO_NODE') ? dropped[(error.index ?? 0) - first] : undefined
      if (missing !== undefined) this.#gone.add(missing)
      throw error
    }
  }

  /** Takes the sizes of the oldest entries off until the rest is within the limits; answers with their versions. */
  #drop(sizes: number[], last: number): number[] {
    const { entriesMax, bytesMax } = this.#limits
    const dropped: number[] = []
    let bytes = sizes.reduce((sum, size) => sum + size, 0)
    while (sizes.length > 1 && (sizes.length > entriesMax || bytes > bytesMax)) {
      dropped.push(last - sizes.length + 1)
      bytes -= sizes.shift() ?? 0
    }
    return dropped
  }
}

/** Whether another attempt may succeed. */
function isPassing(error: unknown): boolean {
  // Without an index it is not of the transaction, but what the plan refused.
  const isOfTransaction = isCoordinationError(error) && error.index !== undefined
  if (isOfTransaction && isCoordinationError(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) return true
  return isOutcomeUnknown(error) || isCoordinationError(error, 'SESSION_EXPIRED')
}

/** Whether the head was written with this very value or after it. */
function isRecorded(value: Stat, { nodeVersion }: RecordHead, head: Stat): boolean {
  return value.mzxid <= head.mzxid && value.version === nodeVersion
}

function isSame(a: RecordState, b: RecordState): boolean {
  return a.headStat?.mzxid === b.headStat?.mzxid && a.value?.stat.mzxid === b.value?.stat.mzxid
}
