/**
 * Config center: one value for many processes, validated, and changed without a restart.
 *
 * Model     the value is a node's data. Each process keeps a copy, and is told when it changes.
 * Safety    subscribers converge to the last valid value and never go back to an older write; steps in between may be
 *           skipped, and are counted. While there is no server the last value stays in force, and `stale` is true.
 * Writes    compare-and-set with the version that was read, so that nobody undoes a change that they have not seen.
 * Cost      a read is local; a change costs each process 1 event + 1 read; publish: 1 round trip.
 * Source    Curator NodeCache; ZooKeeper Programmer's Guide, "Watches".
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import type { ChangeValue, ConfigFormatOptions, ConfigState, InvalidValue } from './config-store.ts'
import type { PublishOptions, Updated } from './config-store.ts'
import { ConfigStore } from './config-store.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { frozenCopy } from '../engine/json-values.ts'
import type { Written } from '../engine/compare-and-set.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'

/** Options of a {@link ConfigCenter}. */
export interface ConfigCenterOptions<T, D> extends ConfigFormatOptions<T> {
  /** The value for as long as there is none. */
  readonly default?: D
}

/** A change of the value. `D` is the type of the default, or undefined if there is none. */
export interface ConfigChange<T, D = undefined> {
  /** The value in force from now on; the default if there is none. */
  readonly value: T | D
  /** Its version; null if there is no value. */
  readonly version: number | null
  /** zxid of its write; null if there is no value. */
  readonly zxid: bigint | null
  /** How many changes before it this consumer did not get, because it was slow. */
  readonly missed: number
  /** Whether it was read anew after a reconnect: then there may have been changes that nobody saw, or none at all. */
  readonly resync: boolean
}

const OPTIONS = optionNames<ConfigCenterOptions<unknown, unknown>>({ default: true, schema: true, codec: true })

/** One validated value; see the head of this file. */
export class ConfigCenter<T, D = undefined> implements AsyncDisposable {
  readonly #store: ConfigStore<T>
  readonly #default: D | undefined

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
    this.#store = new ConfigStore('ConfigCenter', client, path, 0, options)
  }

  /**
   * The value in force: the latest valid one, or the default if there is none. Undefined until it was read once. Its
   * arrays and plain objects are frozen, unless a codec of the caller made it: everybody gets the same.
   */
  get current(): T | D | undefined {
    const { state } = this.#store
    return state === undefined ? undefined : this.#changeTo(state).value
  }

  /** The version of `current`; null if there is no value. */
  get version(): number | null {
    return this.#store.state?.get('')?.version ?? null
  }

  /** Whether `current` may be older than what the servers have: before it was read, and while no server is in touch. */
  get stale(): boolean {
    return this.#store.stale
  }

  /**
   * Waits until the value was read once.
   *
   * @param options - what ends the wait
   * @returns the value in force
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  async ready(options: TimedWaitOptions = {}): Promise<T | D | undefined> {
    return this.#changeTo(await this.#store.ready(options)).value
  }

  /**
   * Reads the value from the servers: not older than any write that was acknowledged before the call. `current` follows
   * by itself.
   *
   * @param options - what ends the wait
   * @returns the value, or the default if there is none
   * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`), `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async get(options: TimedWaitOptions = {}): Promise<T | D | undefined> {
    const entry = await this.#store.read('', options)
    return entry === null ? this.#default : entry.value
  }

  /**
   * Publishes a new value; makes the node and its parents if they are missing. It is refused unless the version is
   * still the one that this process has seen or written last. `current` is the new value when this resolves.
   *
   * @param value - encoded, then checked as every reader will check it
   * @param options.ifVersion - the version that the node must have instead; null: it must not exist
   * @param options.force - write whatever is there
   * @returns version and zxid of the write
   * @throws CoordinationError `BAD_VERSION` (outcome `rejected`); `INVALID_VALUE`, `PAYLOAD_TOO_LARGE` (`not-sent`);
   * `CONNECTION_LOSS`, `SESSION_EXPIRED` (`unknown` only if it cannot be found out what became of it); `ABORTED`,
   * `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); what the servers refused
   * @throws TypeError or RangeError for a wrong option
   */
  publish(value: T, options: PublishOptions = {}): Promise<Written> {
    return this.#store.write('', value, options)
  }

  /**
   * Changes the value: reads it from the servers, lets `change` make the next one, and writes that if nobody has
   * written in between; otherwise all again, after a short random pause. `current` is the new value when this resolves.
   *
   * @param change - gets the stored value, or null if there is none (the default does not count), and returns the next
   * one, or a promise of it. It is called once per attempt, so it should do nothing else; what it throws ends the
   * update, and nothing is written
   * @param options - what ends the update
   * @returns the value that was stored, with version and zxid of the write
   * @throws CoordinationError `BAD_VERSION` (outcome `rejected`) if others were quicker 30 times; `CONNECTION_LOSS`,
   * `SESSION_EXPIRED` (`unknown` if it cannot be found out whether the change was made: it is not made again then);
   * `INVALID_VALUE` (`corrupt`: the stored value; `not-sent`: the next one), `PAYLOAD_TOO_LARGE`; `ABORTED`, `TIMEOUT`,
   * `CLIENT_CLOSED` (it may have taken effect); what the servers refused
   * @throws TypeError or RangeError for a wrong argument
   */
  update(change: ChangeValue<T>, options: TimedWaitOptions = {}): Promise<Updated<T>> {
    return this.#store.update('', change, options)
  }

  /**
   * Listens to changes. A slow listener is not called for each, but always for the last.
   *
   * @param listener - called one change at a time; what it throws goes to the client's `onError`
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
   * @param listener - gets what is wrong, and the version to replace
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

  #describe({ current, missed, resync }: Delivery<ConfigState<T>>): ConfigChange<T, D> {
    return { ...this.#changeTo(current), missed, resync }
  }

  #changeTo(state: ConfigState<T>): Pick<ConfigChange<T, D>, 'value' | 'version' | 'zxid'> {
    const entry = state.get('')
    if (entry !== undefined) return entry
    // Without a default, D is undefined.
    return { value: this.#default as D, version: null, zxid: null }
  }
}
