/**
 * Atomic counter: one whole number that any number of processes change, without losing a change.
 *
 * Model     the number is a node's data. A change is read, computed and written back with compare-and-set; whoever was
 *           overtaken does it again. After some tries it takes a lock beside the counter (`<path>-lock`) and goes on
 *           under that, so that a crowd queues instead of overtaking each other. Others need not hold it: it calms, and
 *           does not protect.
 * Safety    each change that is confirmed was made once, on the number that it says was before. One whose answer was
 *           lost, and whose fate the node does not show, is reported as `unknown`, and is not made again.
 * Cost      alone: 2 round trips, and 3 on ZooKeeper; overtaken: 3 more each time, and from the fourth time on a place
 *           in the queue.
 * Source    Curator DistributedAtomicLong and DistributedAtomicInteger, whose bytes these are.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { UPDATE_ATTEMPTS_MAX, updateVersioned, writeVersioned } from '../engine/compare-and-set.ts'
import type { Admission, AdmissionRule, Contender } from '../engine/contender.ts'
import { Contenders } from '../engine/contenders.ts'
import { curatorNames } from '../engine/curator-names.ts'
import { handBack } from '../engine/hand-back.ts'
import { readSynced } from '../engine/protected-writes.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import type { Bits } from './integer-bytes.ts'
import { decodeInteger, encodeInteger, rangeOf } from './integer-bytes.ts'

/** Options of an {@link AtomicCounter}. */
export interface AtomicCounterOptions {
  /** How long the number is: 64 bits by default, as Curator's DistributedAtomicLong, or 32 as its Integer. */
  readonly bits?: Bits
}

/** The result of a change. */
export interface Counted {
  /** The number before it. */
  readonly before: bigint
  /** The number after it. */
  readonly after: bigint
}

const OPTIONS = optionNames<AtomicCounterOptions>({ bits: true })
const LOCK_NAMES = curatorNames('lock')
const FIRST_HOLDS: AdmissionRule = { admit: firstHolds, hasLine: false }
/** How often a change is tried before it queues for the lock. */
const FREE_TRIES = 4

/** A number for all processes. */
export class AtomicCounter {
  /** The node that holds the number. */
  readonly path: string
  readonly #client: Client
  readonly #bits: Bits
  readonly #lock: Contenders

  /**
   * Makes a counter's client side; nothing is sent.
   *
   * @param client - through which to read and write
   * @param path - the node that holds the number; made with the first change, 0 before that
   * @param options - how long the number is
   * @throws TypeError if the path is none, or `/`, or for a wrong option
   */
  constructor(client: Client, path: string, options: AtomicCounterOptions = {}) {
    validateClient(client, 'AtomicCounter')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node that can be created, got "/"')
    refuseUnknown(options, OPTIONS, 'AtomicCounter')
    const { bits = 64 } = options
    if (![32, 64].includes(bits)) throw new TypeError(`bits must be 32 or 64, got ${textOf(bits)}`)
    this.path = path
    this.#client = client
    this.#bits = bits
    this.#lock = new Contenders(client, `${path}-lock`, LOCK_NAMES, FIRST_HOLDS)
  }

  /**
   * Reads the number from the servers: not older than any change that was confirmed before the call.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`), `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  get(options: TimedWaitOptions = {}): Promise<bigint> {
    return this.#waiting('get', options, async (signal) => {
      const found = await readSynced(this.#client, this.path, signal)
      return this.#decode(found?.data)
    })
  }

  /**
   * Adds to the number.
   *
   * @param delta - how much; may be negative
   * @param options - the signal and the time limit of the attempt
   * @returns the number before and after it; no two changes of one counter get the same step
   * @throws CoordinationError `INVALID_VALUE` (`not-sent`: the sum does not fit; `corrupt`: no number is stored),
   * `CONNECTION_LOSS`, `SESSION_EXPIRED` (`unknown` if it cannot be found out whether it was added: it is not added
   * again then), `BAD_VERSION` (outcome `rejected`) if others were quicker 34 times; `ABORTED`, `TIMEOUT`,
   * `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong argument
   */
  async add(delta: bigint | number, options: TimedWaitOptions = {}): Promise<Counted> {
    const step = this.#checked('delta', delta)
    return this.#change('add', options, (before) => before + step)
  }

  /**
   * Sets the number if it is what it is expected to be. A counter that was never changed is 0.
   *
   * @param expected - the number that the counter must hold
   * @param next - the new number
   * @param options - the signal and the time limit of the attempt
   * @returns whether it was set; false: it was another number at some moment after the call
   * @throws CoordinationError as {@link AtomicCounter.add}
   * @throws TypeError or RangeError for a wrong argument
   */
  async compareAndSet(
    expected: bigint | number,
    next: bigint | number,
    options: TimedWaitOptions = {},
  ): Promise<boolean> {
    const [from, to] = [this.#checked('expected', expected), this.#checked('next', next)]
    const other = new Error('another number is there')
    try {
      await this.#change('compareAndSet', options, (before) => {
        if (before !== from) throw other
        return to
      })
      return true
    } catch (error) {
      if (error === other) return false
      throw error
    }
  }

  /**
   * Sets the number, whatever it is.
   *
   * @param value - the new number
   * @param options - the signal and the time limit of the attempt
   * @throws CoordinationError `CONNECTION_LOSS`, `SESSION_EXPIRED` (`unknown` if it cannot be found out what became of
   * it); `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong argument
   */
  async set(value: bigint | number, options: TimedWaitOptions = {}): Promise<void> {
    const bytes = encodeInteger(this.#checked('value', value), this.#bits)
    await this.#waiting('set', options, (signal) => writeVersioned(this.#client, this.path, bytes, 'any', signal))
  }

  /** Makes a change freely, and under the lock if others are quicker again and again. */
  #change(what: string, options: TimedWaitOptions, change: (before: bigint) => bigint): Promise<Counted> {
    return this.#waiting(what, options, async (signal) => {
      try {
        return await this.#attempts(change, FREE_TRIES, signal)
      } catch (error) {
        if (!isCoordinationError(error, 'BAD_VERSION')) throw error
      }
      const lease = await this.#lock.acquire({ signal, onSessionLoss: 'queue-again' })
      try {
        return await this.#attempts(change, UPDATE_ATTEMPTS_MAX, signal)
      } finally {
        await handBack(this.#client, lease.release())
      }
    })
  }

  async #attempts(change: (before: bigint) => bigint, attemptsMax: number, signal: AbortSignal): Promise<Counted> {
    let counted: Counted | undefined
    await updateVersioned(this.#client, this.path, (found) => {
      const before = this.#decode(found?.data)
      const after = this.#fitting(before, change(before))
      counted = { before, after }
      return Promise.resolve(encodeInteger(after, this.#bits))
    }, signal, { attemptsMax, isOptimistic: true })
    // An update that resolves has called it.
    return counted as Counted
  }

  #decode(data: Uint8Array = new Uint8Array()): bigint {
    return decodeInteger(data, this.#bits, this.path)
  }

  #fitting(before: bigint, after: bigint): bigint {
    const [min, max] = rangeOf(this.#bits)
    if (after >= min && after <= max) return after
    const { path } = this
    const message = `${path} is ${before}, and ${after} does not fit in ${String(this.#bits)} bits`
    throw new CoordinationError('INVALID_VALUE', message, { outcome: 'not-sent', path })
  }

  #checked(name: string, value: unknown): bigint {
    const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))
    if (!isWhole) throw new TypeError(`${name} must be a bigint or a safe whole number, got ${textOf(value)}`)
    const [min, max] = rangeOf(this.#bits)
    const checked = BigInt(value)
    if (checked >= min && checked <= max) return checked
    throw new RangeError(`${name} must fit in ${String(this.#bits)} bits, got ${checked}`)
  }

  #waiting<R>(what: string, options: TimedWaitOptions, task: (signal: AbortSignal) => Promise<R>): Promise<R> {
    return withinWait(this.#client, { what, path: this.path }, options, task)
  }
}

function firstHolds(queue: readonly Contender[], own: number): Admission {
  const predecessor = queue[own - 1]
  return predecessor === undefined ? { granted: true } : { granted: false, watch: predecessor.name }
}
