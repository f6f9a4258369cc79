/**
 * A process that takes part in roll-outs: it has the staged value while that is chosen for it, and says which it has.
 *
 * Model     a mirror of the node of the roll-out, whose latest word is laid over each published state of the values;
 *           and one ephemeral node, which holds which value this process has.
 * Safety    when a roll-out ends with a value for all, this process keeps what it has until it has read that value:
 *           it never goes back to the older one in between. A staged value is taken only while the word on its roll-out
 *           is not older than any value for all that was read, and one that a value for all has followed is never
 *           kept again. A staged value that does not pass is reported, and said to be refused; the value for all stays
 *           in force.
 * Fencing   after a withdrawal the zxid is that of the withdrawal, which is newer than the staged value.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { invalidValue } from '../engine/codec.ts'
import type { Unsubscribe } from '../engine/feed.ts'
import { KeptNode } from '../engine/kept-node.ts'
import { Mirror } from '../engine/mirror.ts'
import type { MirrorSnapshot } from '../engine/mirror.ts'
import { readSynced } from '../engine/protected-writes.ts'
import { byCreation } from '../engine/recognition.ts'
import { Wait } from '../engine/wait.ts'
import type { ConfigStore } from './config-store.ts'
import type { ConfigState, StateOverlay } from './config-values.ts'
import type { RecordPaths } from './config-records.ts'
import { decodeStaged, encodeApplied, isChosen } from './rollout-records.ts'
import type { RolloutMember, StagedRecord } from './rollout-records.ts'

/** The word of the latest reading of a roll-out, where it chooses this process. */
type Word<T> =
  | { readonly state: 'staged'; readonly value: T; readonly version: number; readonly zxid: bigint }
  | {
    readonly state: 'held'
    /** The staged value, in force until the value for all was read. */
    readonly value: T
    readonly version: number
    readonly zxid: bigint
    /** zxid of the write of the value for all that is to be read; older ones may be read on the way. */
    readonly until: bigint
  }
  | { readonly state: 'withdrawn'; readonly zxid: bigint }

/** A staged value that is in force here. */
export interface StagedHere<T> {
  readonly value: T
  /** Its version in the history. */
  readonly version: number
  readonly zxid: bigint
}

export class RolloutFollower<T> implements StateOverlay<T> {
  readonly #client: Client
  readonly #path: string
  readonly #paths: RecordPaths
  readonly #member: RolloutMember
  readonly #closing = new AbortController()
  readonly #laid = new WeakMap<ConfigState<T>, Word<T> | null>()
  readonly #stops: Unsubscribe[] = []
  #mirror: Mirror | null = null
  /** Undefined until the node of the roll-out was read once. */
  #word: Word<T> | null | undefined
  /** The version of the staged value that was refused last. */
  #refused: number | null = null
  #node: KeptNode | null = null
  #said: Uint8Array | null = null

  /**
   * Makes it; nothing is sent.
   *
   * @param path - of the value
   * @param paths - of its records
   * @param member - the id and the labels of this process
   */
  constructor(client: Client, path: string, paths: RecordPaths, member: RolloutMember) {
    this.#client = client
    this.#path = path
    this.#paths = paths
    this.#member = { id: member.id, labels: { ...member.labels } }
  }

  /** Begins to read, and to say what is in force. */
  start(store: ConfigStore<T>): void {
    const { staged } = this.#paths
    const mirror = new Mirror(this.#client, staged, 0, { isSynced: true })
    this.#mirror = mirror
    this.#stops.push(
      mirror.feed.subscribe(staged, (delivery) => delivery, () => this.#take(mirror, store)),
      store.subscribe(({ current }) => current, (state) => this.#say(state), {}),
    )
  }

  get isReady(): boolean {
    return this.#word !== undefined
  }

  get stale(): boolean {
    return this.#mirror?.stale !== false
  }

  lay(state: ConfigState<T>): void {
    this.#laid.set(state, this.#word ?? null)
  }

  /** The staged value that is in force in a state; null if none is. */
  of(state: ConfigState<T>): StagedHere<T> | null {
    const word = this.#laid.get(state)
    if (word?.state === 'staged') return word
    const entry = state.get('')
    return word?.state === 'held' && entry !== undefined && entry.zxid < word.until ? word : null
  }

  /** zxid of the withdrawal of a value that was chosen for this process; 0 if that was not the end of the latest. */
  withdrawalOf(state: ConfigState<T>): bigint {
    const word = this.#laid.get(state)
    return word?.state === 'withdrawn' ? word.zxid : 0n
  }

  /** Reads the staged value that is chosen for this process, not older than any acknowledged write; null: none is. */
  async read(store: ConfigStore<T>, signal: AbortSignal): Promise<{ readonly value: T } | null> {
    const { staged: path } = this.#paths
    const found = await readSynced(this.#client, path, signal)
    const record = found === null ? null : decodeStaged(path, found.data)
    if (record?.state !== 'staged' || !this.#chooses(record)) return null
    const decoded = await store.format.decode(record.value, this.#path)
    return 'issues' in decoded ? null : decoded
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const stop of this.#stops) stop()
    await Promise.all([this.#mirror?.close(), this.#node?.withdraw()])
  }

  #chooses({ selection }: StagedRecord): boolean {
    return isChosen(selection, this.#member, this.#path)
  }

  /** Takes the latest word. While it checks a value, what it has read of the roll-out must not become out of date. */
  async #take(mirror: Mirror, store: ConfigStore<T>): Promise<void> {
    const before = { word: this.#word, refused: this.#refused }
    let snapshot: MirrorSnapshot | undefined
    let word: Word<T> | null = null
    do {
      await mirror.settled()
      snapshot = mirror.snapshot
      const node = snapshot?.nodes.get('')
      const record = node === undefined ? null : this.#recordOf(node.data)
      word = node === undefined || record === null ? null : await this.#wordOf(record, node.stat.mzxid, store)
      if (this.#closing.signal.aborted) return
    } while (!mirror.isSettled || mirror.snapshot !== snapshot)
    this.#word = word
    if (word !== before.word || this.#refused !== before.refused) store.again()
  }

  /** The word of a record for this process; null if it does not concern it. */
  async #wordOf(record: StagedRecord, zxid: bigint, store: ConfigStore<T>): Promise<Word<T> | null> {
    const before = this.#word
    const isChosenHere = this.#chooses(record)
    if (record.state === 'staged' && isChosenHere) {
      if (before?.state === 'staged' && before.version === record.version) return before
      const word = await this.#decode(record, zxid, store)
      if (word !== null) return word
    }
    const until = record.state === 'replaced' ? zxid : record.base
    const { state } = store
    const over = state?.get('')
    const inForce = state === undefined ? null : this.of(state)
    if (inForce !== null && over !== undefined && over.zxid < until) {
      const { value, version, zxid: since } = inForce
      return { state: 'held', value, version, zxid: since, until }
    }
    if (record.state !== 'withdrawn' || !isChosenHere) return null
    return before?.state === 'withdrawn' && before.zxid === zxid ? before : { state: 'withdrawn', zxid }
  }

  async #decode(
    { value: bytes, version }: StagedRecord,
    zxid: bigint,
    store: ConfigStore<T>,
  ): Promise<Word<T> | null> {
    if (version === this.#refused) return null
    const decoded = await store.format.decode(bytes, this.#path)
    if ('value' in decoded) return { state: 'staged', value: decoded.value, version, zxid }
    this.#refused = version
    this.#client.report(invalidValue(`${this.#path}, staged as version ${String(version)}`, decoded.issues, 'corrupt'))
    return null
  }

  #recordOf(bytes: Uint8Array): StagedRecord | null {
    try {
      return decodeStaged(this.#paths.staged, bytes)
    } catch (error) {
      this.#client.report(error)
      return null
    }
  }

  /** Says which value is in force; the latest state wins, and one is said at a time. */
  async #say(state: ConfigState<T>): Promise<void> {
    const entry = state.get('')
    const bytes = encodeApplied({
      id: this.#member.id,
      labels: this.#member.labels ?? {},
      nodeVersion: entry?.version ?? null,
      zxid: entry?.zxid ?? 0n,
      staged: this.of(state)?.version ?? null,
      refused: this.#refused,
    })
    if (this.#said !== null && isSame(this.#said, bytes)) return
    try {
      await this.#store(bytes)
      this.#said = bytes
    } catch (error) {
      this.#said = null
      this.#node = null
      if (!this.#closing.signal.aborted && !isCoordinationError(error, 'CLIENT_CLOSED')) throw error
    }
  }

  async #store(bytes: Uint8Array): Promise<void> {
    const path = this.#paths.appliedBy(this.#member.id)
    const { signal } = this.#closing
    if (this.#node === null) {
      const options = { signal, waitMs: Infinity, onSessionLoss: 'queue-again', recognition: byCreation } as const
      this.#node = await KeptNode.keep(this.#client, path, bytes, { ...options, taken: memberExists })
      if (signal.aborted) await this.#node.withdraw()
      return
    }
    const wait = new Wait(this.#client, path, { signal })
    try {
      await this.#node.store(bytes, wait)
    } finally {
      wait.close()
    }
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function memberExists(path: string): CoordinationError {
  const message = `another process has ${path}: each process that takes part in roll-outs has an id of its own`
  return new CoordinationError('MEMBER_EXISTS', message, { outcome: 'rejected', path })
}
