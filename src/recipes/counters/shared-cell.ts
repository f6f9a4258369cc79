/**
 * The part that {@link SharedValue} and {@link SharedCount} share: a node's data as a value, kept fresh by a mirror and
 * written with compare-and-set.
 *
 * Own writes  are in force here as soon as they are confirmed. A snapshot that was read before that and is delivered
 *             after it is passed over; every later one shows the write, since its event came before its reply.
 */
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { ExpectedVersion, WrittenNode } from '../engine/compare-and-set.ts'
import { seenBy, winVersioned, writeVersioned } from '../engine/compare-and-set.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import type { MirrorSnapshot } from '../engine/mirror.ts'
import { Mirror } from '../engine/mirror.ts'
import { Outlet } from '../engine/outlet.ts'
import { readSynced } from '../engine/protected-writes.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** A value, and of which write it is. */
export interface SharedState<T> {
  /** The value. */
  readonly value: T
  /** The node's version; null if there is no node, and the value is the seed. */
  readonly version: number | null
  /** zxid of the write; null if there is no node. */
  readonly zxid: bigint | null
}

/** A change of a shared value. */
export interface SharedChange<T> extends SharedState<T> {
  /** How many changes before it this consumer did not get, because it was slow. */
  readonly missed: number
  /** Whether it was read again after a reconnect. */
  readonly resync: boolean
}

/** How values become bytes. */
export interface CellFormat<T> {
  /** The recipe, for messages. */
  readonly what: string
  /** The value as long as there is no node. */
  readonly seed: T
  readonly encode: (value: T) => Uint8Array
  /** Throws a CoordinationError for bytes that are no value. */
  readonly decode: (bytes: Uint8Array) => T
}

/** A state and the node that it was read from. */
interface CellState<T> extends SharedState<T> {
  /** The condition of a write that replaces this very state. */
  readonly expected: ExpectedVersion
}

/** One value of one node. */
export class SharedCell<T> {
  readonly path: string
  readonly #client: Client
  readonly #format: CellFormat<T>
  readonly #mirror: Mirror
  readonly #outlet: Outlet<CellState<T>>
  readonly #ends: (() => void)[]
  /** The last snapshot when a write of our own was confirmed. */
  #ownGeneration = 0

  /** Makes a cell and begins to read. */
  constructor(client: Client, path: string, format: CellFormat<T>) {
    this.path = path
    this.#client = client
    this.#format = format
    this.#outlet = new Outlet(client, format.what, path)
    this.#mirror = new Mirror(client, path, 0)
    this.#ends = [
      this.#mirror.feed.subscribe(path, (delivery) => delivery, (delivery) => this.#take(delivery)),
      client.own({ close: () => this.close() }),
    ]
  }

  /** The value that is known; undefined until it was read once. */
  get current(): T | undefined {
    return this.#outlet.current?.value
  }

  /** Its version; null if it is the seed, or was not read yet. */
  get version(): number | null {
    return this.#outlet.current?.version ?? null
  }

  /** Whether it may be older than what the servers have. */
  get stale(): boolean {
    return this.#mirror.stale || this.#outlet.current === undefined
  }

  /** Waits until the value was read once. */
  async ready(options: TimedWaitOptions): Promise<T> {
    return (await this.#outlet.ready(options)).value
  }

  /** Reads the value from the servers. */
  get(options: TimedWaitOptions): Promise<T> {
    return this.#call('get', options, async (signal) => {
      const found = await readSynced(this.#client, this.path, signal)
      return found === null ? this.#format.seed : this.#format.decode(found.data)
    })
  }

  /** Writes whatever is there. */
  async set(value: T, options: TimedWaitOptions): Promise<void> {
    const bytes = this.#format.encode(value)
    await this.#call('set', options, async (signal) => {
      this.#written(value, await writeVersioned(this.#client, this.path, bytes, 'any', signal))
    })
  }

  /** Writes if the node is the one that was seen last; false if it is not. */
  async trySet(value: T, options: TimedWaitOptions): Promise<boolean> {
    const bytes = this.#format.encode(value)
    const seen = this.#outlet.current
    return this.#call('trySet', options, async (signal) => {
      const { expected } = seen ?? (await this.#outlet.first(signal))
      try {
        this.#written(value, await winVersioned(this.#client, this.path, bytes, expected, signal))
        return true
      } catch (error) {
        if (isCoordinationError(error, 'BAD_VERSION')) return false
        throw error
      }
    })
  }

  /** Calls a listener with every change. */
  subscribe(listener: (change: SharedChange<T>) => void | Promise<void>, options: SubscribeOptions): Unsubscribe {
    return this.#outlet.subscribe(describe, listener, options)
  }

  /** Iterates over every change. */
  iterate(options: IterateOptions): AsyncIterableIterator<SharedChange<T>> {
    return this.#outlet.iterate<SharedChange<T>>(describe, options)
  }

  /** Ends the reading and every subscription. Idempotent. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0)) end()
    this.#outlet.close()
    await this.#mirror.close()
  }

  async #call<R>(what: string, options: TimedWaitOptions, task: (signal: AbortSignal) => Promise<R>): Promise<R> {
    this.#outlet.throwIfClosed()
    return withinWait(this.#client, { what, path: this.path }, options, task)
  }

  #written(value: T, { version, zxid, czxid }: WrittenNode): void {
    if ((this.#outlet.current?.zxid ?? 0n) >= zxid) return
    this.#ownGeneration = this.#mirror.snapshot?.generation ?? 0
    const seen = seenBy(this.#client, { czxid, version })
    this.#outlet.publish(Object.freeze({ value, version, zxid, expected: seen }), false)
  }

  #take({ current, resync }: Delivery<MirrorSnapshot>): void {
    if (current.generation <= this.#ownGeneration) return
    const state = this.#stateOf(current)
    if (state !== null) this.#outlet.publish(Object.freeze(state), resync)
  }

  /** Null: it cannot be read, which is reported; the last value stays in force. */
  #stateOf({ nodes }: MirrorSnapshot): CellState<T> | null {
    const node = nodes.get('')
    if (node === undefined) return { value: this.#format.seed, version: null, zxid: null, expected: null }
    const { version, mzxid: zxid } = node.stat
    try {
      return { value: this.#format.decode(node.data), version, zxid, expected: seenBy(this.#client, node.stat) }
    } catch (error) {
      this.#client.report(error)
      return null
    }
  }
}

function describe<T>({ previous, current, missed, resync }: Delivery<CellState<T>>): SharedChange<T> | null {
  if (previous !== undefined && !resync && previous.zxid === current.zxid) return null
  const { value, version, zxid } = current
  return { value, version, zxid, missed, resync }
}
