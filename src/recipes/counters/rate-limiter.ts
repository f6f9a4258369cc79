/**
 * Rate limiter: so many per second for a whole fleet, exactly or by blocks.
 *
 * Model     a token bucket (token-bucket.ts) in one node, with its rate. Whoever takes tokens writes the node by
 *           compare-and-set, and waits until the tokens that it took are there. So a call costs one change, whatever it
 *           waits, and callers are served in the order of their changes.
 * Clock     the fleet's (fleet-clock.ts), by the times of writes of the node, which are of the leader's clock (on etcd
 *           of the writer's), and by the time that each writer notes in the bucket. A client first writes the bucket as
 *           it is, and so learns the time, before it takes anything: by an older time it would pay in the past, and the
 *           bucket would fill twice.
 * Safety    by that clock, no more than `burst` and what drops in are given out in any time. A clock that is set
 *           forward fills the bucket once. Tokens whose answer was lost are paid for again, never given twice.
 * Blocks    a process may take more than it needs and give them out itself, within one period; whatever it has not
 *           used by then is lost.
 * Cost      3 round trips per call, as one change of a counter, and 3 more for a client's first; by blocks 3 for each
 *           block. Waiting costs nothing.
 * Source    Redisson RRateLimiter, golang.org/x/time/rate; the bucket: ITU-T I.371.
 */
import type { NodeData } from '../../core/backend.ts'
import { delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { validatePath } from '../../core/path.ts'
import { validateClient } from '../../core/validate-client.ts'
import { Cleanups } from '../engine/cleanups.ts'
import { updateVersioned, writeVersioned } from '../engine/compare-and-set.ts'
import type { WrittenNode } from '../engine/compare-and-set.ts'
import { isOutcomeUnknown, readSynced } from '../engine/protected-writes.ts'
import { Turn } from '../engine/turns.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { FleetClock } from './fleet-clock.ts'
import type { Look } from './fleet-clock.ts'
import { changeRate, decodeBucket, encodeBucket, takeFrom, tokensIn } from './token-bucket.ts'
import type { Bucket, Rate } from './token-bucket.ts'

/** The rate of a {@link RateLimiter}. */
export interface RateOptions {
  /** How many tokens there are per period. */
  readonly limit: number
  /** The period in milliseconds; 1,000 by default. */
  readonly perMs?: number
  /** The most that can be had at once, after a rest; `limit` by default. */
  readonly burst?: number
}

/** Options of a {@link RateLimiter}. */
export interface RateLimiterOptions extends RateOptions {
  /**
   * How many tokens this process takes at a time, if they are there; 1 by default, which is exact. Those that it has
   * not used after `perMs` are lost.
   */
  readonly block?: number
}

const RATE_OPTIONS = optionNames<RateOptions>({ limit: true, perMs: true, burst: true })
const OPTIONS = optionNames<RateLimiterOptions>({ limit: true, perMs: true, burst: true, block: true })

/** The word for what a limiter gives out. */
const RATE = 'rate'
const TOKENS_MAX = 1_000_000
const PERIOD_MS = 1_000
const PERIOD_MS_MAX = 86_400_000
/** Thrown by a try to itself when it would have to wait. */
const NOT_NOW = new Error('the tokens are not there in time')

/** Tokens that were taken, and the way back. */
interface Booking {
  readonly readyAtMs: number
  /** Tokens beyond those that were asked for. */
  readonly left: number
  readonly before: Bucket
  readonly written: WrittenNode
}

/** A booking that is not written yet. */
type Taking = Omit<Booking, 'written'>

/** A rate for all processes. */
export class RateLimiter {
  /** The node that holds the bucket. */
  readonly path: string
  /** The client that it was made for. */
  readonly client: Client
  readonly #rate: Rate
  readonly #block: number
  readonly #clock = new FleetClock()
  #isCompared = false
  /** Tokens of a block that nobody has used, and until when they may be used, an instant on `performance.now()`. */
  #left = 0
  #leftUntilMs = 0

  /**
   * Makes a limiter's client side; nothing is sent.
   *
   * @param client - through which to take tokens
   * @param path - the node that holds the bucket; made with the first call, and stays
   * @param options - the rate, which the first client writes down for all, and whether to take blocks
   * @throws TypeError or RangeError if the path is none, or `/`, or for a wrong option
   */
  constructor(client: Client, path: string, options: RateLimiterOptions) {
    validateClient(client, 'RateLimiter')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node that can be created, got "/"')
    refuseUnknown(options, OPTIONS, 'RateLimiter')
    const { block = 1, ...rate } = Object(options) as RateLimiterOptions
    this.path = path
    this.client = client
    this.#rate = checkRate(rate)
    validateInteger('block', block, 1, this.#rate.burst)
    this.#block = block
  }

  /**
   * Takes tokens, and waits until they are there. Calls are served in the order in which they took; those of one client
   * in the order of the calls.
   *
   * @param tokens - how many, from 1
   * @param options.signal - ends the wait. Tokens that nobody has taken after are given back, others are lost
   * @param options.waitMs - longest wait in milliseconds; no limit by default. If the tokens will not be there by then,
   * the call rejects at once, and takes none
   * @throws CoordinationError `TIMEOUT`, `ABORTED`, `CLIENT_CLOSED`; `INVALID_VALUE` (`rejected`: more than a full
   * bucket holds; `corrupt`: the node holds something else); a refusal of the servers. Tokens may be lost, never given
   * out twice
   * @throws TypeError or RangeError for a wrong argument
   */
  async acquire(tokens = 1, options: TimedWaitOptions = {}): Promise<void> {
    validateInteger('tokens', tokens, 1, TOKENS_MAX)
    const startMs = performance.now()
    await this.#during('acquire', options, async (signal, wait) => {
      const limitMs = options.waitMs === undefined ? Infinity : startMs + options.waitMs
      const booking = await this.#takeInTurn(tokens, limitMs, wait)
      if (booking === null) wait.timeOut('its tokens will not be there in time')
      if (booking === 'left' || booking === null) return wait.check()
      const leftMs = booking.readyAtMs - this.#clock.nowMs
      try {
        if (leftMs > 0) await delay(Math.ceil(leftMs), signal)
      } catch (error) {
        await Cleanups.of(this.client).confirmOrHandOver((ending) => this.#giveBack(booking, ending))
        throw error
      }
    })
  }

  /**
   * Takes tokens if they are there.
   *
   * @param tokens - how many, from 1
   * @param options - the signal and the time limit of the call
   * @returns whether they were taken
   * @throws CoordinationError as {@link RateLimiter.acquire}, and `CONNECTION_LOSS`, `SESSION_EXPIRED`, or
   * `BAD_VERSION` if others were quicker each time; with outcome `unknown` tokens may be lost
   * @throws TypeError or RangeError for a wrong argument
   */
  async tryAcquire(tokens = 1, options: TimedWaitOptions = {}): Promise<boolean> {
    validateInteger('tokens', tokens, 1, TOKENS_MAX)
    return withinWait(this.client, { what: 'tryAcquire', path: this.path, kind: RATE }, options, async (_, wait) => {
      return wait.tried(await this.#takeInTurn(tokens, -Infinity, wait)) !== null
    })
  }

  /**
   * Changes the rate for all clients. The tokens in the bucket stay, as far as they fit.
   *
   * @param rate - from now on
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`,
   * `BAD_VERSION`, `INVALID_VALUE`, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong rate or option
   */
  async setRate(rate: RateOptions, options: TimedWaitOptions = {}): Promise<void> {
    refuseUnknown(rate, RATE_OPTIONS, 'setRate')
    const next = checkRate(Object(rate) as RateOptions)
    const look = this.#clock.look()
    await withinWait(this.client, { what: 'setRate', path: this.path }, options, async (signal) => {
      await updateVersioned(this.client, this.path, (found) => {
        this.#isCompared = true
        return Promise.resolve(encodeBucket(changeRate(this.#read(found, look), next, this.#clock.nowMs)))
      }, signal)
    })
  }

  /**
   * Reads the rate as it holds for all, and how many tokens are there, as far as this client knows the time.
   *
   * @param options - the signal and the time limit of the call
   * @returns `tokens` is negative while tokens that were taken are not there yet
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`,
   * `INVALID_VALUE`
   */
  status(options: TimedWaitOptions = {}): Promise<Required<RateOptions> & { readonly tokens: number }> {
    return withinWait(this.client, { what: 'status', path: this.path }, options, async (signal) => {
      const bucket = this.#read(await readSynced(this.client, this.path, signal), this.#clock.look())
      return { ...bucket.rate, tokens: tokensIn(bucket, this.#clock.nowMs) }
    })
  }

  /** One call of this client at a time, so that they overtake neither each other nor themselves. Null: not in time. */
  async #takeInTurn(tokens: number, limitMs: number, wait: Wait): Promise<Booking | 'left' | null> {
    const turn = await Turn.take(this.client, this.path, wait.signal)
    try {
      if (performance.now() >= this.#leftUntilMs) this.#left = 0
      const missing = tokens - this.#left
      if (missing <= 0) {
        this.#left = -missing
        return 'left'
      }
      for (;;) {
        try {
          return await wait.insist(() => this.#book(missing, limitMs, wait.signal))
        } catch (error) {
          if (!wait.isPatient || !isCoordinationError(error, 'BAD_VERSION')) throw error
        }
      }
    } finally {
      turn.end()
    }
  }

  /** Takes tokens from the bucket. A change whose answer was lost counts as not made, whatever became of it. */
  async #book(tokens: number, limitMs: number, signal: AbortSignal): Promise<Booking | null> {
    const look = this.#clock.look()
    for (;;) {
      let taking: Taking | null = null
      const change = (found: NodeData | null): Promise<Uint8Array> => {
        const bucket = this.#read(found, look)
        taking = this.#takingFrom(bucket, tokens, limitMs)
        // Without a taking the bucket is written as it is, and the next reading tells the time.
        const { left = 0 } = taking ?? {}
        return Promise.resolve(encodeBucket(taking === null ? this.#dated(bucket) : this.#take(bucket, tokens + left)))
      }
      try {
        const written = await updateVersioned(this.client, this.path, change, signal)
        const made = taking as Taking | null
        if (made === null) continue
        this.#left = made.left
        if (made.left > 0) this.#leftUntilMs = performance.now() + made.before.rate.perMs
        return { ...made, written }
      } catch (error) {
        if (error === NOT_NOW) return null
        if (!isOutcomeUnknown(error) || limitMs === -Infinity) throw error
        signal.throwIfAborted()
      }
    }
  }

  /** Null: first it has to be known what time it is. */
  #takingFrom(bucket: Bucket, tokens: number, limitMs: number): Taking | null {
    const { rate } = bucket
    if (tokens > rate.burst) throw tooMany(this.path, tokens, rate)
    if (!this.#clock.isSet) return null
    const { nowMs } = this.#clock
    const wanted = Math.max(tokens, Math.min(this.#block, rate.burst))
    const isBlockThere = takeFrom(bucket, wanted, nowMs).readyAtMs <= nowMs
    const left = isBlockThere ? wanted - tokens : 0
    const { readyAtMs } = takeFrom(bucket, tokens + left, nowMs)
    if (readyAtMs <= nowMs) return { readyAtMs, left, before: bucket }
    if (performance.now() + readyAtMs - nowMs > limitMs) throw NOT_NOW
    return { readyAtMs, left, before: bucket }
  }

  #take(bucket: Bucket, tokens: number): Bucket {
    return takeFrom(bucket, tokens, this.#clock.nowMs).bucket
  }

  /** As it is, with the time that it is. */
  #dated(bucket: Bucket): Bucket {
    return { ...bucket, atMs: this.#clock.nowMs }
  }

  /** The bucket that was read, or a full one; and the time that goes with it. */
  #read(found: NodeData | null, look: Look): Bucket {
    if (found === null) {
      look(null)
      this.#isCompared = true
      return { rate: this.#rate, fullAtMs: 0, atMs: 0 }
    }
    const bucket = decodeBucket(this.path, found.data)
    look({ ...found.stat, notedMs: bucket.atMs })
    this.#compare(bucket.rate)
    return bucket
  }

  /** Says once that this client was made with another rate. */
  #compare(rate: Rate): void {
    const isSame = textOfRate(rate) === textOfRate(this.#rate)
    if (!this.#isCompared && !isSame) {
      const [there, own] = [rate, this.#rate].map(textOfRate)
      const message = `${this.path} has ${there ?? ''}, and this client was made with ${own ?? ''}: the former rules. `
        + 'Make it with that rate, or change it by setRate()'
      this.client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'rejected', path: this.path }))
    }
    this.#isCompared = true
  }

  /** Puts the bucket back as it was, unless somebody has written it since. */
  async #giveBack({ before, written }: Booking, signal: AbortSignal): Promise<void> {
    const { version, czxid } = written
    const expected = this.client.capabilities.comparesCreations ? { version, czxid } : version
    try {
      await writeVersioned(this.client, this.path, encodeBucket(this.#dated(before)), expected, signal)
    } catch (error) {
      if (!isCoordinationError(error, 'BAD_VERSION', 'NO_NODE')) throw error
    }
  }

  #during(
    what: string,
    options: TimedWaitOptions,
    run: (signal: AbortSignal, wait: Wait) => Promise<void>,
  ): Promise<void> {
    return withinWait(this.client, { what, path: this.path, isUnlimited: true, kind: RATE }, options, run)
  }
}

function checkRate({ limit, perMs = PERIOD_MS, burst = limit }: RateOptions): Rate {
  validateInteger('limit', limit, 1, TOKENS_MAX)
  validateInteger('perMs', perMs, 1, PERIOD_MS_MAX)
  validateInteger('burst', burst, 1, TOKENS_MAX)
  return Object.freeze({ limit, perMs, burst })
}

function textOfRate({ limit, perMs, burst }: Rate): string {
  return `${String(limit)} per ${String(perMs)} ms, ${String(burst)} at once`
}

function tooMany(path: string, tokens: number, rate: Rate): CoordinationError {
  const message = `${String(tokens)} tokens of ${path} can never be had: it has ${textOfRate(rate)}`
  return new CoordinationError('INVALID_VALUE', message, { outcome: 'rejected', path })
}
