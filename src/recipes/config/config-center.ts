/**
 * Config center: one value for many processes, validated, and changed without a restart.
 *
 * Model     the value is a node's data. Each process keeps a copy, and is notified when it changes.
 * Safety    subscribers converge to the last valid value and never go back to an older write; steps in between may be
 *           skipped, and are counted. While there is no server the last value stays in force, and `stale` is true.
 * Roll-out  optional: a value for some processes first, by their ids or labels; see rollout.ts.
 * History   optional: each published value with who, when and why, in the transaction that writes it.
 * Writes    compare-and-set with the version that was read, so that nobody undoes a change that they have not seen.
 * Cost      a read is local; a change costs each process 1 event + 1 read; publish: 1 round trip.
 * Source    Curator NodeCache; ZooKeeper Programmer's Guide, "Watches".
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import type { ChangeValue, ConfigFormatOptions, ConfigState, InvalidValue } from './config-values.ts'
import type { PublishOptions, Updated } from './config-values.ts'
import { ConfigHistory, checkHistoryRead, checkHistoryVersion, checkNote } from './config-history.ts'
import type { HistoryEntry, HistoryOptions, HistoryReadOptions, PublishNote } from './config-history.ts'
import { ConfigFallback, checkFallback } from './config-fallback.ts'
import type { ConfigSource, FallbackOptions } from './config-fallback.ts'
import { RecordPaths } from './config-records.ts'
import { ConfigStore } from './config-store.ts'
import type { ValueChange } from './json-diff.ts'
import { ConfigRollout } from './rollout.ts'
import { RolloutFollower } from './rollout-follower.ts'
import type { StagedPolicy } from './rollout-plans.ts'
import { checkMember, checkSelection } from './rollout-records.ts'
import type { RolloutMember, RolloutSelection } from './rollout-records.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { codecOf } from './config-formats.ts'
import { frozenCopy } from '../engine/json-values.ts'
import type { Written } from '../engine/compare-and-set.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { WAIT_OPTIONS } from '../engine/wait.ts'
import { textOf } from '../../core/value-text.ts'

/** Options of a {@link ConfigCenter}. */
export interface ConfigCenterOptions<T, D> extends ConfigFormatOptions<T>, FallbackOptions {
  /** The value for as long as there is none. */
  readonly default?: D
  /**
   * Whether what this process publishes is recorded, in the transaction that writes the value; see
   * {@link ConfigCenter.history}. By default it is not.
   */
  readonly history?: boolean | HistoryOptions
  /**
   * The part of this process in roll-outs: it has a staged value that is chosen for it, and says which value it
   * has. It keeps a history then. By default it has the value for all.
   */
  readonly member?: RolloutMember
}

/** Options of {@link ConfigCenter.rollback}; all but `waitMs`, `signal`, `ifVersion` and `force` need a history. */
export interface ConfigRollbackOptions extends PublishOptions, PublishNote {
  /**
   * The fate of a staged value: `keep` leaves it in force where it is, `withdraw` ends its roll-out in the
   * same transaction. Without it the write is refused while a value is staged (`VALUE_STAGED`).
   */
  readonly staged?: StagedPolicy
}

/** Options of {@link ConfigCenter.publish}. */
export interface ConfigPublishOptions extends ConfigRollbackOptions {
  /** Stages the value for these processes, and leaves the value for all as it is. */
  readonly rollout?: RolloutSelection
}

/** Options of {@link ConfigCenter.update}. */
export interface ConfigUpdateOptions extends TimedWaitOptions, Pick<ConfigRollbackOptions, 'staged'> {}

/** The result of a publish. With a roll-out, `version` is that of the value for all, which it left as it is. */
export interface Published extends Written {
  /** The version of its entry in the history; absent without one. */
  readonly historyVersion?: number
}

/** A change of the value. `D` is the type of the default, or undefined if there is none. */
export interface ConfigChange<T, D = undefined> {
  /** The value in force from now on; the default if there is none. */
  readonly value: T | D
  /** The version of the value for all; null if there is none. */
  readonly version: number | null
  /** zxid of its write, or of the withdrawal of a staged value that was in force before it; null without a value. */
  readonly zxid: bigint | null
  /** How it was come by; `staged` if it is one that is chosen for this process. */
  readonly source: ConfigSource
  /** The version of the staged value in the history; null if it is not one. */
  readonly staged: number | null
  /** How many changes before it this consumer did not get, because it was slow. */
  readonly missed: number
  /** Whether it was read again after a reconnect: then there may have been changes that nobody saw, or none at all. */
  readonly resync: boolean
}

const OPTIONS = optionNames<ConfigCenterOptions<unknown, unknown>>({
  default: true,
  schema: true,
  format: true,
  codec: true,
  history: true,
  cacheTo: true,
  loadFrom: true,
  fallBackMs: true,
  member: true,
})

const PUBLISH_OPTIONS = optionNames<ConfigPublishOptions>({
  ifVersion: true,
  force: true,
  rollout: true,
  staged: true,
  author: true,
  comment: true,
  waitMs: true,
  signal: true,
})

const ROLLBACK_OPTIONS: ReadonlySet<string> = new Set([...PUBLISH_OPTIONS].filter((name) => name !== 'rollout'))
const UPDATE_OPTIONS = optionNames<ConfigUpdateOptions>({ staged: true, waitMs: true, signal: true })
const STAGED_POLICIES: readonly StagedPolicy[] = ['keep', 'withdraw']

/** One validated value. */
export class ConfigCenter<T, D = undefined> implements AsyncDisposable {
  readonly #store: ConfigStore<T>
  readonly #default: D | undefined
  readonly #history: ConfigHistory<T> | null
  readonly #fallback: ConfigFallback<T> | null
  readonly #follower: RolloutFollower<T> | null
  readonly #rollout: ConfigRollout<T> | null

  /**
   * Makes a center and begins to read.
   *
   * @param client - through which to read and write; it closes the center when it closes
   * @param path - the node that holds the value
   * @param options - how values are stored and checked, and the default
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: ConfigCenterOptions<T, D> = {}) {
    refuseUnknown(options, OPTIONS, 'ConfigCenter')
    this.#default = options.codec === undefined ? frozenCopy(options.default) : options.default
    const format = codecOf(options).format ?? null
    this.#fallback = checkFallback(options) ? new ConfigFallback(client, path, format, options) : null
    this.#follower = followerOf(client, path, options)
    const hooks = { listener: this.#fallback, overlay: this.#follower }
    this.#store = new ConfigStore('ConfigCenter', client, path, 0, options, hooks)
    this.#history = historyOf(client, path, this.#store, options)
    this.#rollout = this.#history === null ? null : new ConfigRollout(client, this.#store, this.#history)
    this.#follower?.start(this.#store)
    this.#fallback?.start(this.#store, options.fallBackMs)
  }

  /**
   * The roll-out of a value for some processes first.
   *
   * @throws TypeError if this center keeps no history
   */
  get rollout(): ConfigRollout<T> {
    if (this.#rollout !== null) return this.#rollout
    throw new TypeError('rollout needs a ConfigCenter with the option history')
  }

  /**
   * The value in force: the latest valid one, or the default if there is none. Undefined until it was read once. Its
   * arrays and plain objects are frozen, unless a codec of the caller made it: everybody gets the same.
   */
  get current(): T | D | undefined {
    const { state } = this.#store
    return state === undefined ? undefined : this.#changeTo(state).value
  }

  /** The version of the value for all, which `current` is unless `source` says `staged`; null if there is no value. */
  get version(): number | null {
    return this.#store.state?.get('')?.version ?? null
  }

  /** How `current` was come by; undefined until it was. */
  get source(): ConfigSource | undefined {
    const { state } = this.#store
    return state === undefined ? undefined : this.#changeTo(state).source
  }

  /** Whether `current` may be older than what the servers have: before it was read, and while no server is in touch. */
  get stale(): boolean {
    return this.#store.stale
  }

  /**
   * Waits until the value was read once, or something stands in for it since no server answers.
   *
   * @param options - the signal and the time limit of the wait
   * @returns the value in force
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  async ready(options: TimedWaitOptions = {}): Promise<T | D | undefined> {
    return this.#changeTo(await this.#store.ready(options)).value
  }

  /**
   * Reads the value from the servers: not older than any write that was acknowledged before the call. `current` follows
   * by itself. It is the staged one where that is chosen for this process.
   *
   * @param options - the signal and the time limit of the wait
   * @returns the value, or the default if there is none
   * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`), `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async get(options: TimedWaitOptions = {}): Promise<T | D | undefined> {
    const follower = this.#follower
    const staged = follower === null ? null : await this.#store.asking(options, (signal) => {
      return follower.read(this.#store, signal)
    })
    if (staged !== null) return staged.value
    const entry = await this.#store.read('', options)
    return entry === null ? this.#default : entry.value
  }

  /**
   * Publishes a new value; makes the node and its parents if they are missing. It is refused unless the version is
   * still the one that this process has seen or written last. `current` is the new value when this resolves, unless a
   * staged one is in force here.
   *
   * @param value - encoded, then checked as every reader will check it
   * @param options.rollout - for whom to stage it, instead of publishing it for all; see {@link ConfigCenter.rollout}
   * @param options.staged - the fate of a staged value: `keep` or `withdraw`
   * @param options.ifVersion - the version that the node must have instead; null: it must not exist
   * @param options.force - write whatever is there
   * @param options.author - who publishes, for the history
   * @param options.comment - why, for the history
   * @returns version and zxid of the write, and the version of its entry in the history
   * @throws CoordinationError `BAD_VERSION`, `VALUE_STAGED` (outcome `rejected`); `NO_NODE` if there is no value which
   * another could be staged beside; `INVALID_VALUE`, `PAYLOAD_TOO_LARGE` (`not-sent`); `CONNECTION_LOSS`,
   * `SESSION_EXPIRED` (`unknown` only if it cannot be found out what became of it); `ABORTED`,
   * `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  async publish(value: T, options: ConfigPublishOptions = {}): Promise<Published> {
    const { rollout, ...others } = options
    const { note, staged, rest } = this.#splitNote('publish', others)
    if (rollout !== undefined) return this.#stage(value, rollout, others)
    if (this.#history === null) return this.#store.write('', value, rest, this.#store.sendPlain(''))
    return this.#store.write('', value, rest, this.#history.sendPublish(note, staged))
  }

  async #stage(value: T, rollout: RolloutSelection, options: ConfigRollbackOptions): Promise<Published> {
    const history = this.#recorded('a roll-out')
    checkSelection(rollout)
    const { note, staged, rest } = this.#splitNote('publish', options)
    if (staged === 'keep') throw new TypeError("rollout and staged: 'keep' exclude each other: one value is staged")
    const { version, zxid, historyVersion } = await this.#store.writeAside(
      value,
      rest,
      history.sendStage(rollout, note, staged),
    )
    return { version, zxid, historyVersion }
  }

  /**
   * Changes the value: reads it from the servers, lets `change` make the next one, and writes that if nobody has
   * written in between; otherwise all again, after a short random pause. `current` is the new value when this resolves.
   *
   * @param change - gets the stored value, or null if there is none (the default does not count), and returns the next
   * one, or a promise of it. It is called once per attempt, so it should do nothing else; its error ends the
   * update, and nothing is written
   * @param options - the signal and the time limit of the update
   * @returns the value that was stored, with version and zxid of the write
   * @throws CoordinationError `BAD_VERSION` (outcome `rejected`) if others were quicker 30 times; `CONNECTION_LOSS`,
   * `SESSION_EXPIRED` (`unknown` if it cannot be found out whether the change was made: it is not made again then);
   * `INVALID_VALUE` (`corrupt`: the stored value; `not-sent`: the next one), `PAYLOAD_TOO_LARGE`; `ABORTED`, `TIMEOUT`,
   * `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong argument
   */
  async update(change: ChangeValue<T>, options: ConfigUpdateOptions = {}): Promise<Updated<T>> {
    refuseUnknown(options, UPDATE_OPTIONS, 'update')
    const { staged, ...rest } = options
    this.#checkStaged(staged)
    if (this.#history === null) return this.#store.update('', change, rest, this.#store.changePlain(''))
    return this.#store.update('', change, rest, this.#history.changeBytes(staged))
  }

  /**
   * Lists what was published, the newest first: each value with its version, time, author and comment. A value that a
   * process without history has written since is listed first, with version null.
   *
   * @param options.limit - how many entries at most
   * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`: the head of the records), `ABORTED`, `TIMEOUT`,
   * `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   * @throws TypeError if this center keeps no history, or for a wrong option
   */
  async history(options: HistoryReadOptions = {}): Promise<readonly HistoryEntry<T>[]> {
    checkHistoryRead(options)
    const history = this.#recorded('history')
    return this.#store.asking(options, (signal) => history.list(options, signal))
  }

  /**
   * Compares two values of the history.
   *
   * @param a - the version to begin from
   * @param b - the version to compare it with
   * @returns the places at which they differ; empty if they are equal
   * @throws CoordinationError `NO_NODE` if a version is not kept; `INVALID_VALUE` if a value does not pass; otherwise
   * as {@link ConfigCenter.history}
   * @throws TypeError or RangeError for a wrong argument
   */
  async diff(a: number, b: number, options: TimedWaitOptions = {}): Promise<readonly ValueChange[]> {
    checkHistoryVersion('a', a)
    checkHistoryVersion('b', b)
    refuseUnknown(options, WAIT_OPTIONS, 'diff')
    const history = this.#recorded('diff')
    return this.#store.asking(options, (signal) => history.diff(a, b, signal))
  }

  /**
   * Publishes the value of an older version again, byte by byte as it was stored, with its format and comment. It is a
   * new entry of the history. The same conditions hold as for {@link ConfigCenter.publish}.
   *
   * @param version - of the history
   * @param options - as for a publish; `comment` replaces that of the version
   * @throws CoordinationError `NO_NODE` if the version is not kept; otherwise as {@link ConfigCenter.publish}
   * @throws TypeError or RangeError for a wrong argument
   */
  async rollback(version: number, options: ConfigRollbackOptions = {}): Promise<Published> {
    checkHistoryVersion('version', version)
    const history = this.#recorded('rollback')
    const { note, staged, rest } = this.#splitNote('rollback', options)
    let send = history.sendPublish(note, staged)
    const find = async (signal: AbortSignal): Promise<Uint8Array> => {
      const kept = await history.find(version, signal)
      send = history.sendRollback(kept, note, staged)
      return kept.bytes
    }
    return this.#store.writeBytes('', rest, find, (bytes, expected, signal) => send(bytes, expected, signal))
  }

  /**
   * Listens to changes. A slow listener is not called for each, but always for the last.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the value that is in force; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if the center or the client was closed
   */
  subscribe(
    listener: (change: ConfigChange<T, D>) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Unsubscribe {
    return this.#store.subscribe((delivery) => this.#describe(delivery), listener, options)
  }

  /**
   * Iterates over changes; the latest wins, and `missed` counts those it replaced. Ends when the center or the client
   * closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with the value that is in force; true by default
   * @throws CoordinationError `CLIENT_CLOSED` if the center or the client was closed
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<ConfigChange<T, D>> {
    return this.#store.iterate((delivery) => this.#describe(delivery), options)
  }

  /**
   * Listens to stored values that were refused; the last good one stays in force.
   *
   * @param listener - gets the faults, and the version to replace
   * @returns ends the listening
   */
  onInvalid(listener: (invalid: InvalidValue) => void | Promise<void>): Unsubscribe {
    return this.#store.onInvalid(listener)
  }

  /** Ends subscriptions, iterations and watches. Idempotent. */
  close(): Promise<void> {
    return this.#store.close()
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Takes the note out of the options of a publish. */
  #splitNote(
    what: string,
    options: ConfigRollbackOptions,
  ): { readonly note: PublishNote; readonly staged?: StagedPolicy; readonly rest: PublishOptions } {
    refuseUnknown(options, what === 'publish' ? PUBLISH_OPTIONS : ROLLBACK_OPTIONS, what)
    const { author, comment, staged, ...rest } = options
    const note = { ...(author === undefined ? {} : { author }), ...(comment === undefined ? {} : { comment }) }
    if (Object.keys(note).length > 0) this.#recorded('a publish with author or comment')
    checkNote(note)
    this.#checkStaged(staged)
    return { note, rest, ...(staged === undefined ? {} : { staged }) }
  }

  #checkStaged(staged: StagedPolicy | undefined): void {
    if (staged === undefined) return
    this.#recorded('the option staged')
    if (!STAGED_POLICIES.includes(staged)) {
      throw new TypeError(`staged must be one of ${STAGED_POLICIES.join(', ')}, got ${textOf(staged)}`)
    }
  }

  #recorded(what: string): ConfigHistory<T> {
    if (this.#history !== null) return this.#history
    throw new TypeError(`${what} needs a ConfigCenter with the option history`)
  }

  #describe({ current, missed, resync }: Delivery<ConfigState<T>>): ConfigChange<T, D> {
    return { ...this.#changeTo(current), missed, resync }
  }

  #changeTo(state: ConfigState<T>): Omit<ConfigChange<T, D>, 'missed' | 'resync'> {
    const entry = state.get('')
    const here = this.#follower?.of(state) ?? null
    if (here !== null) {
      const { value, zxid, version: staged } = here
      return { value, zxid, version: entry?.version ?? null, source: 'staged', staged }
    }
    const standIn = this.#fallback?.of(state)
    if (entry !== undefined) {
      const withdrawnAt = this.#follower?.withdrawalOf(state) ?? 0n
      const zxid = withdrawnAt > entry.zxid ? withdrawnAt : entry.zxid
      return { ...entry, zxid, source: standIn?.source ?? 'servers', staged: null }
    }
    const nowhere = { version: null, zxid: null, staged: null }
    if (standIn !== undefined) return { ...standIn, ...nowhere }
    // Without a default, D is undefined.
    const value = this.#default as D
    return { value, ...nowhere, source: value === undefined ? 'none' : 'default' }
  }
}

function historyOf<T>(
  client: Client,
  path: string,
  store: ConfigStore<T>,
  { history, member }: Pick<ConfigCenterOptions<T, unknown>, 'history' | 'member'>,
): ConfigHistory<T> | null {
  const option = history ?? member !== undefined
  if (option === false) return null
  return new ConfigHistory(client, path, store.format, option === true ? {} : option)
}

function followerOf<T>(
  client: Client,
  path: string,
  { history, member }: Pick<ConfigCenterOptions<T, unknown>, 'history' | 'member'>,
): RolloutFollower<T> | null {
  if (member === undefined) return null
  checkMember(member)
  if (history === false) throw new TypeError('member needs the option history, and excludes history: false')
  return new RolloutFollower(client, path, new RecordPaths(path), member)
}
