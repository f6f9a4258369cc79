/**
 * Shared value: one value that all processes see and any of them may set, without a schema or a history.
 *
 * Model     the value is a node's data. Each process keeps a copy, and is notified of changes. As long as there is no
 *           node the value is the seed, the same in each process.
 * Safety    nobody goes back to an older value than it has seen, also where the node was deleted and made again
 *           (Curator's readers stay on the old one then). `trySet` replaces only the value that this process saw last:
 *           the very node where the engine compares creations, otherwise one of its version. `set` replaces any.
 * Cost      a read of `current` is local; a change costs each process 1 event + 1 read; a set: 1 round trip.
 * Source    Curator SharedValue.
 */
import type { Client, Data } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import type { IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { SharedCell } from './shared-cell.ts'
import type { SharedChange } from './shared-cell.ts'

/** Options of a {@link SharedValue}. */
export interface SharedValueOptions {
  /** The value as long as nobody has set one; no bytes by default. */
  readonly seed?: Data
}

const OPTIONS = optionNames<SharedValueOptions>({ seed: true })

/** One value of bytes. */
export class SharedValue implements AsyncDisposable {
  /** The node that holds the value. */
  readonly path: string
  readonly #cell: SharedCell<Uint8Array>

  /**
   * Makes a shared value and begins to read.
   *
   * @param client - through which to read and write; it closes the value when it closes
   * @param path - the node that holds the value
   * @param options - the seed
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: SharedValueOptions = {}) {
    validateClient(client, 'SharedValue')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'SharedValue')
    const seed = bytesOf('seed', options.seed ?? '')
    this.path = path
    this.#cell = new SharedCell(client, path, { what: 'SharedValue', seed, encode: (value) => value, decode: same })
  }

  /** The value that this process knows; undefined until it was read once. Do not modify. */
  get current(): Uint8Array | undefined {
    return this.#cell.current
  }

  /** Its version; null if it is the seed, or was not read yet. */
  get version(): number | null {
    return this.#cell.version
  }

  /** Whether `current` may be older than what the servers have. */
  get stale(): boolean {
    return this.#cell.stale
  }

  /**
   * Waits until the value was read once.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  ready(options: TimedWaitOptions = {}): Promise<Uint8Array> {
    return this.#cell.ready(options)
  }

  /**
   * Reads the value from the servers: not older than any write that was confirmed before the call.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  get(options: TimedWaitOptions = {}): Promise<Uint8Array> {
    return this.#cell.get(options)
  }

  /**
   * Sets the value, whatever it is. `current` is the new value when this resolves.
   *
   * @param value - bytes, or a string that is stored as UTF-8
   * @param options - the signal and the time limit of the attempt
   * @throws CoordinationError `CONNECTION_LOSS`, `SESSION_EXPIRED` (`unknown` if it cannot be found out what became of
   * it); `PAYLOAD_TOO_LARGE`; `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); a refusal of
   * the servers
   * @throws TypeError or RangeError for a wrong argument
   */
  async set(value: Data, options: TimedWaitOptions = {}): Promise<void> {
    return this.#cell.set(bytesOf('value', value), options)
  }

  /**
   * Sets the value if it is still the one that this process has seen last.
   *
   * @param value - bytes, or a string that is stored as UTF-8
   * @param options - the signal and the time limit of the attempt
   * @returns whether it was set; false: another process was quicker, and `current` will follow
   * @throws CoordinationError as {@link SharedValue.set}; `unknown` also if the answer was lost and the value is there:
   * it may be that of another who has set the same
   * @throws TypeError or RangeError for a wrong argument
   */
  async trySet(value: Data, options: TimedWaitOptions = {}): Promise<boolean> {
    return this.#cell.trySet(bytesOf('value', value), options)
  }

  /**
   * Listens to changes. A slow listener is not called for each, but always for the last.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present value; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if the value or the client was closed
   */
  subscribe(
    listener: (change: SharedChange<Uint8Array>) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Unsubscribe {
    return this.#cell.subscribe(listener, options)
  }

  /**
   * Iterates over changes. Ends when the value or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with the present value; true by default
   * @throws CoordinationError `CLIENT_CLOSED` if the value or the client was closed
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<SharedChange<Uint8Array>> {
    return this.#cell.iterate(options)
  }

  /** Ends subscriptions, iterations and watches. Idempotent. */
  close(): Promise<void> {
    return this.#cell.close()
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function same(bytes: Uint8Array): Uint8Array {
  return bytes
}

/** A copy of the caller's bytes. */
function bytesOf(name: string, value: unknown): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(value)
  if (value instanceof Uint8Array) return value.slice()
  throw new TypeError(`${name} must be a string or a Uint8Array, got ${textOf(value)}`)
}
