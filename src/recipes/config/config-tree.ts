/**
 * Config tree: a tree of values under one path, each validated and changed on its own.
 *
 * Model     a key is a path below the root, such as `payments/limits`; its value is that node's data. A node without
 *           data is a folder and has no value.
 * Safety    each published state existed at one moment, for all keys together. Otherwise as {@link ConfigCenter}.
 * Cost      reads are local; a change costs each process 1 event + 1 read for each key that changed.
 * Source    Curator TreeCache.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown, validateText } from '../../core/options.ts'
import type { ConfigEntry, ConfigFormatOptions, ConfigState, InvalidValue, PublishOptions } from './config-values.ts'
import { ConfigStore } from './config-store.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import type { Written } from '../engine/compare-and-set.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'

/** A change of one or more values. */
export interface ConfigTreeChange<T> {
  /** All values in force, by key. */
  readonly values: ConfigState<T>
  /** Keys whose value is new or was written again, sorted. */
  readonly changed: readonly string[]
  /** Keys that have no value any more, sorted. */
  readonly removed: readonly string[]
  /** How many states before it this consumer did not get, because it was slow; their changes are in this one. */
  readonly missed: number
  /** Whether everything was read again after a reconnect. */
  readonly resync: boolean
}

const OPTIONS = optionNames<ConfigFormatOptions<unknown>>({ schema: true, format: true, codec: true })

/** Validated values by key. */
export class ConfigTree<T> implements AsyncDisposable {
  readonly #store: ConfigStore<T>

  /**
   * Makes a tree and begins to read.
   *
   * @param client - through which to read and write; it closes the tree when it closes
   * @param path - the root; it need not exist
   * @param options - how values are stored and checked
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: ConfigFormatOptions<T> = {}) {
    refuseUnknown(options, OPTIONS, 'ConfigTree')
    this.#store = new ConfigStore('ConfigTree', client, path, Infinity, options)
  }

  /** Whether the values may be older than what the servers have. */
  get stale(): boolean {
    return this.#store.stale
  }

  /**
   * Waits until all values were read once.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  async ready(options: TimedWaitOptions = {}): Promise<void> {
    await this.#store.ready(options)
  }

  /**
   * The value in force for a key.
   *
   * @returns undefined if there is none, or nothing was read yet
   */
  get(key: string): T | undefined {
    return this.#store.state?.get(checkedKey(key))?.value
  }

  /** All values in force with their versions, by key; empty until they were read once. Does not change: ask again. */
  all(): ReadonlyMap<string, ConfigEntry<T>> {
    return withoutRoot(this.#store.state ?? new Map<string, ConfigEntry<T>>())
  }

  /**
   * Publishes a value; as {@link ConfigCenter.publish}. A write by force does not wait for the first reading: `get`
   * tells of it once that is done.
   *
   * @param key - a path below the root, without a leading `/`
   * @throws CoordinationError as {@link ConfigCenter.publish}
   * @throws TypeError if the key is no such path
   */
  async publish(key: string, value: T, options: PublishOptions = {}): Promise<Written> {
    return this.#store.write(checkedKey(key), value, options, this.#store.sendPlain(key))
  }

  /**
   * Removes a value; a node that has children becomes a folder. A key without a value is none to remove, and no error.
   *
   * @param key - a path below the root, without a leading `/`
   * @param options - as for {@link ConfigTree.publish}
   * @throws CoordinationError `BAD_VERSION`; otherwise as {@link ConfigCenter.publish}
   */
  async remove(key: string, options: PublishOptions = {}): Promise<void> {
    return this.#store.remove(checkedKey(key), options)
  }

  /**
   * Listens to changes. A slow listener is not called for each, but always for the last.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the values that are in force; true by default
   * @returns ends the listening
   */
  subscribe(
    listener: (change: ConfigTreeChange<T>) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Unsubscribe {
    return this.#store.subscribe<ConfigTreeChange<T>>(describe, listener, options)
  }

  /**
   * Iterates over changes; the latest wins. Ends when the tree or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with the values that are in force; true by default
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<ConfigTreeChange<T>> {
    return this.#store.iterate<ConfigTreeChange<T>>(describe, options)
  }

  /**
   * Listens to stored values that were refused; the last good ones stay in force.
   *
   * @param listener - gets the faults, the key, and the version to replace
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
}

function describe<T>({ previous, current, missed, resync }: Delivery<ConfigState<T>>): ConfigTreeChange<T> {
  const values = withoutRoot(current)
  const changed = [...values.keys()].filter((key) => previous?.get(key) !== values.get(key))
  const removed = [...(previous?.keys() ?? [])].filter((key) => key !== '' && !values.has(key))
  return { values, changed: changed.sort(), removed: removed.sort(), missed, resync }
}

/** The root is where the tree hangs, and no key of it. */
function withoutRoot<T>(state: ConfigState<T>): ConfigState<T> {
  if (!state.has('')) return state
  return new Map([...state].filter(([key]) => key !== ''))
}

function checkedKey(key: string): string {
  validateText('key', key)
  return key
}
