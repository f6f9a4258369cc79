/**
 * Shared count: one whole number of 32 bits that all processes see and any of them may set.
 *
 * Model     a {@link SharedValue} of 4 bytes, big-endian. To add to a number, take {@link AtomicCounter}.
 * Source    Curator SharedCount.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import type { IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { decodeInteger, encodeInteger } from './integer-bytes.ts'
import { SharedCell } from './shared-cell.ts'
import type { SharedChange } from './shared-cell.ts'

/** Options of a {@link SharedCount}. */
export interface SharedCountOptions {
  /** The value as long as nobody has set one; 0 by default. */
  readonly seed?: number
}

const MIN = -(2 ** 31)
const MAX = 2 ** 31 - 1
const OPTIONS = optionNames<SharedCountOptions>({ seed: true })

/** One number. */
export class SharedCount implements AsyncDisposable {
  /** The node that holds the value. */
  readonly path: string
  readonly #cell: SharedCell<number>

  /**
   * Makes a shared count and begins to read.
   *
   * @param client - through which to read and write; it closes the value when it closes
   * @param path - the node that holds the value
   * @param options - the seed
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: SharedCountOptions = {}) {
    validateClient(client, 'SharedCount')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'SharedCount')
    const { seed = 0 } = options
    validateInteger('seed', seed, MIN, MAX)
    this.path = path
    this.#cell = new SharedCell(client, path, {
      what: 'SharedCount',
      seed,
      encode: (value) => encodeInteger(BigInt(value), 32),
      decode: (bytes) => numberOf(bytes, path),
    })
  }

  /** The value that this process knows; undefined until it was read once. */
  get current(): number | undefined {
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
  ready(options: TimedWaitOptions = {}): Promise<number> {
    return this.#cell.ready(options)
  }

  /**
   * Reads the value from the servers: not older than any write that was confirmed before the call.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`), `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  get(options: TimedWaitOptions = {}): Promise<number> {
    return this.#cell.get(options)
  }

  /**
   * Sets the value, whatever it is. `current` is the new value when this resolves.
   *
   * @param value - a whole number of 32 bits
   * @param options - the signal and the time limit of the attempt
   * @throws CoordinationError `CONNECTION_LOSS`, `SESSION_EXPIRED` (`unknown` if it cannot be found out what became of
   * it); `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong argument
   */
  async set(value: number, options: TimedWaitOptions = {}): Promise<void> {
    validateInteger('value', value, MIN, MAX)
    return this.#cell.set(value, options)
  }

  /**
   * Sets the value if it is still the one that this process has seen last.
   *
   * @param value - a whole number of 32 bits
   * @param options - the signal and the time limit of the attempt
   * @returns whether it was set; false: another process was quicker, and `current` will follow
   * @throws CoordinationError as {@link SharedCount.set}; `unknown` also if the answer was lost and the value is there:
   * it may be that of another who has set the same
   * @throws TypeError or RangeError for a wrong argument
   */
  async trySet(value: number, options: TimedWaitOptions = {}): Promise<boolean> {
    validateInteger('value', value, MIN, MAX)
    return this.#cell.trySet(value, options)
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
    listener: (change: SharedChange<number>) => void | Promise<void>,
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
  watch(options: IterateOptions = {}): AsyncIterableIterator<SharedChange<number>> {
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

/**
 * Reads the number of a node. One without data has none: Curator refuses it too.
 *
 * @param path - of the node, for the error
 * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` for too few bytes
 */
export function numberOf(bytes: Uint8Array, path: string): number {
  if (bytes.length > 0) return Number(decodeInteger(bytes, 32, path))
  throw new CoordinationError('INVALID_VALUE', `${path} is empty, and holds no number`, { outcome: 'corrupt', path })
}
