/**
 * Distributed queue, for up to 10,000 items at a time (15,000 at most): work that is done at least once.
 *
 * Model     an item is a persistent node. Whoever makes the ephemeral claim of the same name works on it; the item and
 *           its claim are removed together. A claim that ends by itself, with its session, gives the item back.
 * Order     by priority, then in the order of the puts, of those that are due and not claimed. An item that is
 *           given back keeps its place.
 * Safety    an item is confirmed as done to one consumer only (item-lease.ts). How often it was handed out is counted
 *           by the version of its node, in one multi with the claim, so that a crash does not lose the count.
 * Liveness  who waits watches items and claims, so that it hears of new items and of those that come back.
 * Cost      put: 2 round trips; take: 2, and 2 for the lists of names, which serve up to 100 ms; ack: 1. All who wait
 *           look when something changes.
 * Source    kazoo LockingQueue; Curator DistributedQueue with a lockPath; CURATOR-605.
 */
import { abortable } from '../../core/async.ts'
import type { NodeData } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validateSignal, validateText } from '../../core/options.ts'
import { nameOf, validatePath } from '../../core/path.ts'
import { Bell } from '../engine/bell.ts'
import { Cleanups } from '../engine/cleanups.ts'
import type { Codec } from '../engine/codec.ts'
import { ValueFormat, invalidValue, jsonCodec } from '../engine/codec.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { checkCodec } from '../engine/option-checks.ts'
import { CREATE_ATTEMPTS_MAX, deletion, isOutcomeUnknown } from '../engine/protected-writes.ts'
import { Turn } from '../engine/turns.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { claimItem } from './item-claim.ts'
import { ItemLease } from './item-lease.ts'
import { QueueFolders } from './queue-folders.ts'
import { PRIORITY_MAX, entriesOf, newItemPrefix, readDead } from './queue-names.ts'
import type { ItemEntry } from './queue-names.ts'
import { SetBacks } from './set-backs.ts'

/** Options of {@link DistributedQueue}. */
export interface DistributedQueueOptions<T> {
  /** How values are stored; JSON by default. */
  readonly codec?: Codec<T>
  /**
   * How many items there may be, 1 to 15,000; 10,000 by default. A put beyond it is refused with `QUEUE_FULL`. It is
   * looked up before each put, so that puts at the same time may exceed it by as many as they are.
   */
  readonly maxItems?: number
  /** How often an item is handed out before it is put away as dead; without limit by default. */
  readonly attemptsMax?: number
}

/** Options of {@link DistributedQueue.put}. */
export interface PutOptions extends TimedWaitOptions {
  /** 0 to 999, and the smaller the sooner; 100 by default. */
  readonly priority?: number
  /** For how long nobody gets it, in milliseconds, by the wall clocks of who puts and who takes; 0 by default. */
  readonly delayMs?: number
}

/** Options of {@link DistributedQueue.consume}. */
export interface ConsumeOptions {
  /** Ends the consumption: the loop throws `ABORTED`. */
  readonly signal?: AbortSignal
  /** How many items may be in work at a time; 1 by default. */
  readonly concurrency?: number
}

/** An item that is leased to this consumer. Disposed of, it is given back unless it is settled. */
export interface QueueItem<T> extends AsyncDisposable {
  /** Names it in the queue, also as a dead letter. */
  readonly id: string
  /** The value that was put. */
  readonly value: T
  /** How often it has been handed out, this time included: more than 1 if somebody has failed at it, or died. */
  readonly attempt: number
  /** Grows with every time that this item is handed out: a fence for what the work writes. */
  readonly token: bigint
  /** Aborted when the lease is lost, with `LEASE_LOST` as its reason: stop, another may begin. */
  readonly signal: AbortSignal
  /**
   * Makes sure at this instant that nobody else can have the item. It asks the clock and not a timer, so it is right
   * even in the middle of a long task.
   *
   * @throws CoordinationError `LEASE_LOST` with outcome `lost` if the lease is lost, or the item settled
   */
  throwIfLost(): void
  /**
   * The work is done: removes the item.
   *
   * @throws CoordinationError `LEASE_LOST` if the lease is over: the item is not removed, another has it or will;
   * `CONNECTION_LOSS`, `SESSION_EXPIRED` (with outcome `unknown` if it was removed, and may have been by another);
   * `NO_NODE` if somebody deleted it; `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); a
   * refusal of the servers. Whatever it is, the lease is over then
   * @throws TypeError or RangeError for a wrong option
   */
  ack(options?: TimedWaitOptions): Promise<void>
  /** Gives it back, to be handed out again at once; nothing if it is settled or lost. Never rejects. */
  nack(): Promise<void>
  /**
   * Puts it away among the dead letters.
   *
   * @param reason - is kept with it
   * @throws CoordinationError as {@link QueueItem.ack}
   * @throws TypeError or RangeError for a wrong argument
   */
  deadLetter(reason: string, options?: TimedWaitOptions): Promise<void>
}

/** An item that was put away. */
export interface DeadLetter<T> {
  /** The id that it had as an item. */
  readonly id: string
  /** Why. */
  readonly reason: string
  /** How often it had been handed out. */
  readonly attempt: number
  /** The value that was put; undefined if it cannot be decoded. */
  readonly value: T | undefined
}

const OPTIONS = optionNames<DistributedQueueOptions<unknown>>({ codec: true, maxItems: true, attemptsMax: true })
const PUT_OPTIONS = optionNames<PutOptions>({ priority: true, delayMs: true, waitMs: true, signal: true })
const CONSUME_OPTIONS = optionNames<ConsumeOptions>({ signal: true, concurrency: true })

/** The list of 15,000 names, of 65 bytes each, fits into the 1 MB of one answer that ZooKeeper's clients take. */
const ITEMS_MAX = 15_000
const DEFAULTS = Object.freeze({ maxItems: 10_000, attemptsMax: Infinity, priority: 100, delayMs: 0, concurrency: 1 })
const ATTEMPTS_MAX = 1_000_000
const DELAY_MS_MAX = 2 ** 31 - 1
const CONCURRENCY_MAX = 1_000
/** How long a list of names serves: a more urgent item that was put since waits for as long. */
const LIST_MS = 100
/** The longest that a wait relies on a timer for an item that is not due. */
const DUE_LOOK_MS_MAX = 60_000

interface Taken<T> {
  readonly item: QueueItem<T>
  readonly lease: ItemLease
}

/** A queue of work. */
export class DistributedQueue<T> {
  /** The parent of the queue's folders. */
  readonly path: string
  readonly #client: Client
  readonly #format: ValueFormat<T>
  readonly #folders: QueueFolders
  readonly #attemptsMax: number
  /** The items of the latest list that were not tried yet, and when it was read. */
  #entries: ItemEntry[] = []
  #listedAtMs = -Infinity
  /** Whether an item of the latest list was passed over, since there was no room to put it away. */
  #hasPassedOver = false
  #isFullReported = false
  readonly #setBacks = new SetBacks()

  /**
   * Makes a queue's client side; nothing is sent.
   *
   * @param client - on whose session claims live
   * @param path - the queue; its nodes are made when they are needed
   * @param options - codec and limits; the same in every process
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: DistributedQueueOptions<T> = {}) {
    validateClient(client, 'DistributedQueue')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'DistributedQueue')
    const { codec, maxItems = DEFAULTS.maxItems, attemptsMax = DEFAULTS.attemptsMax } = options
    checkCodec(codec)
    validateInteger('maxItems', maxItems, 1, ITEMS_MAX)
    if (attemptsMax !== Infinity) validateInteger('attemptsMax', attemptsMax, 1, ATTEMPTS_MAX)
    this.path = path
    this.#client = client
    this.#format = new ValueFormat(codec ?? jsonCodec(), undefined)
    this.#folders = new QueueFolders(client, path, maxItems)
    this.#attemptsMax = attemptsMax
  }

  /**
   * Puts an item into the queue.
   *
   * @returns its id
   * @throws CoordinationError `QUEUE_FULL`; `INVALID_VALUE` if it cannot be encoded; `CONNECTION_LOSS`,
   * `SESSION_EXPIRED` with outcome `unknown` if the answer was lost and it is not there: it was not put, or is done
   * already; `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  async put(value: T, options: PutOptions = {}): Promise<string> {
    refuseUnknown(options, PUT_OPTIONS, 'put')
    const { priority = DEFAULTS.priority, delayMs = DEFAULTS.delayMs, ...others } = options
    validateInteger('priority', priority, 0, PRIORITY_MAX)
    validateInteger('delayMs', delayMs, 0, DELAY_MS_MAX)
    const { bytes } = await this.#format.encode(value, this.path)
    return this.#during(others, 'put', async (wait) => {
      const { mark, prefix } = newItemPrefix(priority, delayMs === 0 ? 0 : Date.now() + delayMs)
      for (let attempt = 1; ; attempt += 1) {
        await this.#folders.refuseFull('items', wait)
        try {
          return await this.#create(prefix, bytes, wait)
        } catch (error) {
          wait.check()
          if (isOutcomeUnknown(error)) {
            const names = await this.#folders.namesNow('items', wait)
            const found = names.find((name) => name.startsWith(mark))
            if (found === undefined) throw error
            return found
          }
          if (attempt === CREATE_ATTEMPTS_MAX) throw error
          if (isCoordinationError(error, 'NO_NODE')) await this.#folders.make('items', wait)
          else if (wait.isPatient && isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) {
            await wait.pause(attempt)
          } else throw error
        }
      }
    })
  }

  /**
   * Waits for an item, and leases it.
   *
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @returns the item: settle it by `ack`, `nack` or `deadLetter`
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or what the
   * servers refused; in each case nothing is leased
   * @throws TypeError or RangeError for a wrong option
   */
  async take(options: TimedWaitOptions = {}): Promise<QueueItem<T>> {
    return (await this.#take(options)).item
  }

  /**
   * Takes items for as long as the loop goes on. With a concurrency of 1 an item belongs to its turn of the loop: if
   * the turn ends, or throws, and has not settled it, it is given back. With more, the loop goes on while items are in
   * work, and each has to be settled by whoever works on it.
   *
   * @throws CoordinationError from the loop, as {@link DistributedQueue.take}
   * @throws TypeError or RangeError for a wrong option
   */
  consume(options: ConsumeOptions = {}): AsyncGenerator<QueueItem<T>, void, undefined> {
    refuseUnknown(options, CONSUME_OPTIONS, 'consume')
    const { signal, concurrency = DEFAULTS.concurrency } = options
    validateSignal(signal)
    validateInteger('concurrency', concurrency, 1, CONCURRENCY_MAX)
    return this.#consume(signal === undefined ? {} : { signal }, concurrency)
  }

  /**
   * Counts the items, those in work and those that are not due among them.
   *
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   * @throws TypeError or RangeError for a wrong option
   */
  size(options: TimedWaitOptions = {}): Promise<number> {
    return this.#during(options, 'size', async (wait) => {
      await wait.insist(() => this.#client.sync(this.path, { signal: wait.signal }))
      return this.#folders.count('items', wait)
    })
  }

  /**
   * Lists what was put away.
   *
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   * @throws TypeError or RangeError for a wrong option
   */
  deadLetters(options: TimedWaitOptions = {}): Promise<DeadLetter<T>[]> {
    return this.#during(options, 'deadLetters', async (wait) => {
      const names = await this.#folders.namesNow('dead', wait)
      const letters = await Promise.all(names.map((name) => this.#letter(name, wait)))
      return letters.filter((letter) => letter !== null)
    })
  }

  /**
   * Removes a dead letter.
   *
   * @param id - its id
   * @returns whether it was there
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect), `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  removeDeadLetter(id: string, options: TimedWaitOptions = {}): Promise<boolean> {
    validateText('id', id)
    const path = this.#folders.pathOf('dead', id)
    validatePath(path, 'id')
    return this.#during(options, 'removeDeadLetter', async (wait) => {
      try {
        await wait.insist(() => this.#client.delete(path, { signal: wait.signal }))
        return true
      } catch (error) {
        if (isCoordinationError(error, 'NO_NODE')) return false
        throw error
      }
    })
  }

  async *#consume(options: TimedWaitOptions, concurrency: number): AsyncGenerator<QueueItem<T>, void, undefined> {
    const inWork = new Set<ItemLease>()
    for (;;) {
      if (inWork.size >= concurrency) {
        await abortable(Promise.race([...inWork].map(({ over }) => over)), options.signal, this.path)
      }
      const { item, lease } = await this.#take(options)
      inWork.add(lease)
      void lease.over.then(() => inWork.delete(lease))
      try {
        yield item
      } finally {
        if (concurrency === 1) await lease.nack()
      }
    }
  }

  #take(options: TimedWaitOptions): Promise<Taken<T>> {
    return this.#during(options, 'take', async (wait) => {
      const turn = wait.isPatient ? await Turn.take(this.#client, this.path, wait.signal) : null
      try {
        for (;;) {
          const taken = (await this.#claimFirst(wait)) ?? (await this.#list(wait, !wait.isPatient))
          if (taken !== null) return taken
        }
      } finally {
        turn?.end()
      }
    })
  }

  /** Reads the lists, claims what is first, or waits until something has changed. */
  async #list(wait: Wait, isOnce: boolean): Promise<Taken<T> | null> {
    const bell = new Bell(this.#client)
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      const names = await this.#folders.watchedNames('items', wait, bell)
      const claimed = new Set(await this.#folders.watchedNames('claims', wait, bell))
      this.#entries = entriesOf(names.filter((name) => !claimed.has(name)))
      this.#setBacks.keep(names)
      this.#listedAtMs = performance.now()
      this.#hasPassedOver = false
      const taken = await this.#claimFirst(wait)
      if (taken !== null) return taken
      if (isOnce) wait.timeOut('no item is due')
      // Nobody tells of room.
      const nowMs = Date.now()
      const leftMs = Math.min(...this.#entries.map(({ name, dueMs }) => {
        return Math.max(dueMs - nowMs, this.#setBacks.leftMs(name))
      }))
      const isLookDue = this.#hasPassedOver || leftMs < Infinity
      if (isLookDue) timer = setTimeout(bell.ring, Math.min(leftMs, DUE_LOOK_MS_MAX))
      await bell.heard(wait)
      this.#listedAtMs = -Infinity
      return null
    } finally {
      clearTimeout(timer)
      bell.end()
    }
  }

  /** Claims the first item of the list that can be had. Null: there is none, or the list is too old. */
  async #claimFirst(wait: Wait): Promise<Taken<T> | null> {
    while (performance.now() - this.#listedAtMs < LIST_MS) {
      const nowMs = Date.now()
      const place = this.#entries.findIndex(({ name, dueMs }) => dueMs <= nowMs && this.#setBacks.leftMs(name) === 0)
      const [entry] = place === -1 ? [] : this.#entries.splice(place, 1)
      if (entry === undefined) return null
      const taken = await this.#claim(entry.name, wait)
      if (taken !== null) return taken
    }
    return null
  }

  /** Null: another has it, or it is gone, or it was put away, or was to be and there is no room. */
  async #claim(name: string, wait: Wait): Promise<Taken<T> | null> {
    const path = this.#folders.pathOf('items', name)
    const found = await wait.insist(() => dataOf(this.#client, path, wait.signal))
    if (found === null) return null
    const attempt = found.stat.version + 1
    const decoded = await this.#format.decode(found.data, this.path)
    const isDead = 'issues' in decoded || attempt > this.#attemptsMax
    if (isDead && !(await this.#hasRoomForDead(wait))) return null
    const claim = await claimItem(this.#client, this.#folders, name, found, wait)
    if (claim === null) return null
    try {
      if (!(await proveLease(this.#client, claim, wait))) return null
    } catch (error) {
      await Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, claim))
      throw error
    }
    const claimed = { name, folders: this.#folders, bytes: found.data, attempt }
    const lease = new ItemLease(this.#client, claim, { ...claimed, onFull: () => this.#setBacks.note(name) })
    if ('issues' in decoded) {
      const error = invalidValue(path, decoded.issues, 'corrupt')
      this.#client.report(error)
      await putAway(lease, error.message, wait)
    } else if (attempt <= this.#attemptsMax) return { lease, item: itemOf(lease, decoded.value) }
    else await putAway(lease, `handed out ${this.#attemptsMax} times, and never done`, wait)
    return null
  }

  /** An item that cannot be put away is passed over: it must not hold up the others. That is reported once. */
  async #hasRoomForDead(wait: Wait): Promise<boolean> {
    try {
      await this.#folders.refuseFull('dead', wait)
      this.#isFullReported = false
      return true
    } catch (error) {
      if (!isCoordinationError(error, 'QUEUE_FULL')) throw error
      if (!this.#isFullReported) this.#client.report(error)
      this.#isFullReported = true
      this.#hasPassedOver = true
      return false
    }
  }

  /** Makes an item; returns its name. */
  async #create(prefix: string, bytes: Uint8Array, { signal }: Wait): Promise<string> {
    const path = this.#folders.pathOf('items', prefix)
    return nameOf((await this.#client.create(path, bytes, { mode: 'persistent-sequential', signal })).path)
  }

  async #letter(id: string, wait: Wait): Promise<DeadLetter<T> | null> {
    const path = this.#folders.pathOf('dead', id)
    const found = await wait.insist(() => dataOf(this.#client, path, wait.signal))
    const dead = found === null ? null : readDead(found.data)
    if (dead === null) return null
    const decoded = await this.#format.decode(dead.bytes, this.path)
    return { id, ...dead.note, value: 'value' in decoded ? decoded.value : undefined }
  }

  #during<R>(options: TimedWaitOptions, what: string, run: (wait: Wait) => Promise<R>): Promise<R> {
    const call = { what, path: this.path, isUnlimited: true }
    return withinWait(this.#client, call, options, (_signal, wait) => run(wait))
  }
}

function itemOf<T>(lease: ItemLease, value: T): QueueItem<T> {
  const { name: id, attempt } = lease.claimed
  return {
    id, value, attempt,
    token: lease.token,
    signal: lease.signal,
    throwIfLost: () => lease.throwIfLost(),
    ack: (options = {}) => lease.ack(options),
    nack: () => lease.nack(),
    deadLetter: (reason, options = {}) => lease.deadLetter(reason, options),
    [Symbol.asyncDispose]: () => lease.nack(),
  }
}

/** Puts away an item that nobody is to get; no matter if another has it by now. */
async function putAway(lease: ItemLease, reason: string, wait: Wait): Promise<void> {
  try {
    await lease.deadLetter(reason, { signal: wait.signal })
  } catch (error) {
    await lease.nack()
    if (!isCoordinationError(error, 'LEASE_LOST', 'NO_NODE')) throw error
  }
}

async function dataOf(client: Client, path: string, signal: AbortSignal): Promise<NodeData | null> {
  try {
    return await client.get(path, { signal })
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return null
    throw error
  }
}
