/**
 * Once only: work that is done once for all processes, whose result they share; for idempotency keys, migrations, and
 * what is dear to make.
 *
 * Model     the result is a node. Whoever finds none queues for a lock beside it, looks again, does the work, and
 *           writes the result in one multi with the check of its lease.
 * Safety    one result is recorded per key, and everybody is given that one. Work whose process dies or loses its lease
 *           records nothing and is done again by the next: it has to stand that, or be guarded by `token`.
 * Many      of the callers of one client one queues at a time; those who wait behind it are given the result that it
 *           found or recorded, since that was there while they called. So ten thousand of them cost two reads each.
 * Failure   work that throws records nothing; its caller gets the error, and the next caller does the work again.
 * Expiry    with `ttlMs` a result is over that long after it was recorded, by the clock of the servers; whoever asks
 *           next does the work again and replaces it. Nobody else removes it.
 * Cost      a result that is there: 2 round trips. Otherwise that of a fair lock, and 3 more; 1 more with `ttlMs`.
 * Source    Stripe, "Idempotent requests"; the lease check of transactions on Chubby and etcd.
 */
import type { NodeData, Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, requireFunction, validateTime } from '../../core/options.ts'
import { parentOf, validatePath } from '../../core/path.ts'
import { validateClient } from '../../core/validate-client.ts'
import type { Codec } from '../engine/codec.ts'
import { ValueFormat, jsonCodec } from '../engine/codec.ts'
import type { Admission, AdmissionRule, Contender } from '../engine/contender.ts'
import { Contenders } from '../engine/contenders.ts'
import { curatorNames } from '../engine/curator-names.ts'
import { handBack } from '../engine/hand-back.ts'
import type { Lease } from '../engine/lease.ts'
import { markData, newMark, unmarkData } from '../engine/marked-data.ts'
import { checkCodec } from '../engine/option-checks.ts'
import { CREATE_ATTEMPTS_MAX, isOutcomeUnknown, readSynced } from '../engine/protected-writes.ts'
import { Turn } from '../engine/turns.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** Options of {@link onceOnly}. */
export interface OnceOptions<T> extends TimedWaitOptions {
  /** How long a result is good for, in milliseconds, from when it was recorded; forever by default. */
  readonly ttlMs?: number
  /** How results become bytes; JSON by default. */
  readonly codec?: Codec<T>
}

/** Given to the work of {@link onceOnly}. */
export interface OnceWork {
  /** Aborted when the work should stop: its lease is lost, so that another may do it, or its caller has given up. */
  readonly signal: AbortSignal
  /** Grows with each time that the work is done; for what the work writes to, which refuses a smaller one. */
  readonly token: bigint
}

const OPTIONS = optionNames<OnceOptions<unknown>>({ ttlMs: true, codec: true, waitMs: true, signal: true })
const LOCK_NAMES = curatorNames('lock')
const FIRST_HOLDS: AdmissionRule = { admit: firstHolds, hasLine: false }
const NOTHING = new Uint8Array()

/**
 * Does work once for all processes that name the same path, and gives all of them its result.
 *
 * @param client - through which to look, to queue and to record
 * @param path - names the work, such as `/once/migration-7`; holds its result
 * @param work - is called if no result is recorded, by one process at a time, and waited for once it has begun. Its
 * result is recorded; `undefined` too
 * @param options - how long the result is good for, how it is stored, and the limits of the wait
 * @returns the recorded result, of this call or of an earlier one
 * @throws CoordinationError `LEASE_LOST` if the lease was lost before the result was recorded: it is not, and the next
 * caller does the work again; `INVALID_VALUE` (`corrupt`: a recorded result; `not-sent`: one that cannot be stored),
 * `PAYLOAD_TOO_LARGE`, `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED` (`unknown`: whether
 * it was recorded); a refusal of the servers; and what `work` throws: nothing is recorded then
 * @throws TypeError or RangeError for a wrong argument
 */
export async function onceOnly<T>(
  client: Client,
  path: string,
  work: (given: OnceWork) => T | PromiseLike<T>,
  options: OnceOptions<T> = {},
): Promise<T> {
  validateClient(client, 'onceOnly')
  validatePath(path)
  if (path === '/') throw new TypeError('path must be a node that can be created, got "/"')
  requireFunction('work', work)
  refuseUnknown(options, OPTIONS, 'onceOnly')
  const { ttlMs, codec = jsonCodec<T>(), ...ends } = options
  checkCodec(codec)
  if (ttlMs !== undefined) validateTime('ttlMs', ttlMs)
  const key = new Key<T>(client, path, new ValueFormat<T>(codec, undefined), ttlMs ?? Infinity)
  return withinWait(client, { what: 'onceOnly', path, isUnlimited: true }, ends, (signal) => key.run(work, signal))
}

/** The knowledge of a key that those callers of one client share who wait for it. */
interface Shared {
  waiting: number
  /** The result that was there last, as it is stored; its time-out is over for who has a shorter one. */
  result: { readonly data: Uint8Array; readonly ttlMs: number } | null
}

const sharedOf = new WeakMap<Client, Map<string, Shared>>()

/** One call. */
class Key<T> {
  readonly #client: Client
  readonly #path: string
  readonly #format: ValueFormat<T>
  readonly #ttlMs: number
  readonly #lock: Contenders
  readonly #mark = newMark()

  constructor(client: Client, path: string, format: ValueFormat<T>, ttlMs: number) {
    this.#client = client
    this.#path = path
    this.#format = format
    this.#ttlMs = ttlMs
    this.#lock = queueOf(client, path)
  }

  async run(work: (given: OnceWork) => T | PromiseLike<T>, signal: AbortSignal): Promise<T> {
    const found = await readSynced(this.#client, this.#path, signal)
    // The clock of this process only decides whether to look closer.
    if (found !== null && Date.now() - found.stat.mtime < this.#ttlMs) return this.#valueOf(found.data)
    return this.#inTurn(signal, async (shared) => {
      const lease = await this.#lock.acquire({ signal, onSessionLoss: 'queue-again' })
      const tell = (data: Uint8Array): void => {
        shared.result = { data, ttlMs: this.#ttlMs }
      }
      try {
        return await this.#runUnder(lease, work, signal, tell)
      } finally {
        await handBack(this.#client, lease.release())
      }
    })
  }

  /** Lets those of one client queue one after the other, until one of them has a result for all who wait. */
  async #inTurn(signal: AbortSignal, queue: (shared: Shared) => Promise<T>): Promise<T> {
    const ofClient = sharedOf.get(this.#client) ?? new Map<string, Shared>()
    sharedOf.set(this.#client, ofClient)
    const shared = ofClient.get(this.#path) ?? { waiting: 0, result: null }
    ofClient.set(this.#path, shared)
    // Whoever comes now has not looked since: what was there before may be over.
    const before = shared.result
    shared.waiting += 1
    let turn: Turn | null = null
    try {
      turn = await Turn.take(this.#client, this.#lock.path, signal)
      const { result } = shared
      const isGood = result !== null && result !== before && result.ttlMs <= this.#ttlMs
      return isGood ? await this.#valueOf(result.data) : await queue(shared)
    } finally {
      turn?.end()
      shared.waiting -= 1
      if (shared.waiting === 0) ofClient.delete(this.#path)
    }
  }

  async #runUnder(
    lease: Lease,
    work: (given: OnceWork) => T | PromiseLike<T>,
    signal: AbortSignal,
    tell: (data: Uint8Array) => void,
  ): Promise<T> {
    const found = await readSynced(this.#client, this.#path, signal)
    if (found !== null && !(await this.#isOver(found, lease, signal))) {
      tell(found.data)
      return this.#valueOf(found.data)
    }
    const value = await work({ signal: AbortSignal.any([signal, lease.signal]), token: lease.token })
    const encoded = value === undefined ? null : await this.#format.encode(value, this.#path)
    const bytes = markData(this.#mark, encoded?.bytes ?? NOTHING)
    const other = await this.#record(bytes, found, lease, signal)
    tell(other ?? bytes)
    if (other !== null) return this.#valueOf(other)
    return encoded === null ? value : encoded.value
  }

  /** Whether a result is over, by the time at which this caller joined the queue, which the servers say. */
  async #isOver({ stat }: NodeData, lease: Lease, signal: AbortSignal): Promise<boolean> {
    if (this.#ttlMs === Infinity) return false
    const place = await this.#client.exists(lease.path, { signal })
    if (place === null) throw lost(lease, this.#path)
    return place.ctime - stat.mtime >= this.#ttlMs
  }

  /** Records a result if the lease is still held; answers with the one that another has recorded instead, if so. */
  async #record(
    data: Uint8Array,
    before: NodeData | null,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    const path = this.#path
    const write: Operation = before === null
      ? { type: 'create', path, data, mode: 'persistent' }
      : { type: 'set', path, data, version: before.stat.version }
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#client.multi([lease.check(), write], { signal })
        return null
      } catch (error) {
        if (!isCoordinationError(error)) throw error
        if (error.index === 0) throw lost(lease, path, error)
        if (isCoordinationError(error, 'NO_NODE') && before === null) {
          await this.#client.makePath(parentOf(path), { mode: 'persistent', signal })
          continue
        }
        const isThere = isCoordinationError(error, 'NODE_EXISTS', 'BAD_VERSION')
        if (!isThere && !isOutcomeUnknown(error)) throw error
        const found = await this.#readBack(error, signal)
        if (found !== null && unmarkData(found)?.mark === this.#mark) return null
        if (isThere) return found
        lease.throwIfLost()
        if (attempt === CREATE_ATTEMPTS_MAX) throw error
      }
    }
  }

  async #readBack(unknown: CoordinationError, signal: AbortSignal): Promise<Uint8Array | null> {
    try {
      return (await readSynced(this.#client, this.#path, signal))?.data ?? null
    } catch {
      throw unknown
    }
  }

  async #valueOf(data: Uint8Array): Promise<T> {
    const { data: bytes } = unmarkData(data) ?? { data }
    // The type is the word of whoever names the key, as it is for every result.
    if (bytes.length === 0) return undefined as T
    return this.#format.read(bytes, this.#path, 'corrupt')
  }
}

/** Those who do the work of a path, or wait to. */
export function queueOf(client: Client, path: string): Contenders {
  return new Contenders(client, `${path}-lock`, LOCK_NAMES, FIRST_HOLDS)
}

function lost(lease: Lease, path: string, cause?: unknown): CoordinationError {
  const message = `the lease of ${lease.path} was lost before the result of ${path} was recorded: it is done again`
  return new CoordinationError('LEASE_LOST', message, { outcome: 'lost', path, cause })
}

function firstHolds(queue: readonly Contender[], own: number): Admission {
  const predecessor = queue[own - 1]
  return predecessor === undefined ? { granted: true } : { granted: false, watch: predecessor.name }
}
