/**
 * The values of nodes that a process knows, by key: the last valid one, the one read or written last, and of which
 * node that was. Pure.
 */
import { assert } from '../../core/assert.ts'
import type { SeenNode } from '../engine/compare-and-set.ts'
import type { ConfigEntry, ConfigState, StateOverlay, StoredValue } from './config-values.ts'

/** A value, and the bytes that hold it. */
export interface Encoded<T> {
  readonly bytes: Uint8Array
  readonly value: T
}

/** A write of our own that the mirror has not shown yet. */
export interface OwnWrite<T> {
  /** Null: removed. */
  readonly entry: ConfigEntry<T> | null
  /**
   * The latest snapshot when the write was confirmed. Every later one shows the write: its event came before its reply,
   * so the mirror knew by then that it had to read again.
   */
  readonly generation: number
}

/** Notified of each reading of the one value of a store, before it comes into force. */
export interface ReadingListener {
  /** Called with a value that passes, read or written from here; null: there is no value. */
  onRead(value: StoredValue | null): void
  /** Resolves when all earlier calls are dealt with; called at the end. */
  flush(): Promise<void>
}

/** The listener and the overlay of a store of one value. */
export interface StoreHooks<T> {
  /** Notified of readings; with it, also the first reading is not older than any acknowledged write. */
  readonly listener?: ReadingListener | null
  readonly overlay?: StateOverlay<T> | null
}

/** Whether two states hold the same entries. */
export function isSameState<T>(a: ConfigState<T>, b: ConfigState<T>): boolean {
  if (a.size !== b.size) return false
  for (const [key, entry] of a) if (b.get(key) !== entry) return false
  return true
}

export class KnownValues<T> {
  /** zxid of what was read or written last of a node, valid or not. */
  readonly #seen = new Map<string, bigint>()
  /** Of which node an entry is: its czxid. */
  readonly #creations = new WeakMap<ConfigEntry<T>, bigint>()
  /** The node whose value was refused last, as long as no other value of its key was seen. */
  readonly #refused = new Map<string, SeenNode>()
  /** The last valid value of a node. */
  readonly #good = new Map<string, ConfigEntry<T>>()
  /** Entries that were taken without a look at the servers, or that are not the latest. */
  readonly #kept = new WeakSet<ConfigEntry<T>>()

  /** The last valid value; undefined if there is none. */
  good(key: string): ConfigEntry<T> | undefined {
    return this.#good.get(key)
  }

  /** Notes that a value is read; false if it is not newer than what was seen. */
  begin(key: string, zxid: bigint): boolean {
    if (zxid <= (this.#seen.get(key) ?? 0n)) return false
    this.#seen.set(key, zxid)
    return true
  }

  /** Whether nothing newer than this was read or written since. */
  isLatest(key: string, zxid: bigint): boolean {
    return (this.#seen.get(key) ?? 0n) <= zxid
  }

  /** Makes an entry of a node. */
  entry(entry: ConfigEntry<T>, czxid: bigint): ConfigEntry<T> {
    this.#creations.set(Object.freeze(entry), czxid)
    return entry
  }

  /** The node that an entry is of, as it was seen. */
  nodeOf(entry: ConfigEntry<T>): SeenNode {
    const czxid = this.#creations.get(entry)
    assert(czxid !== undefined, () => `the creation of version ${String(entry.version)}`)
    return { czxid, version: entry.version }
  }

  /** Takes a valid value, and it is the latest. A write that was seen already, as one of our own, stays one entry. */
  see(key: string, entry: ConfigEntry<T>): void {
    this.#seen.set(key, entry.zxid)
    this.#refused.delete(key)
    const known = this.#good.get(key)
    if (known?.zxid !== entry.zxid || this.#kept.has(known)) this.#good.set(key, entry)
  }

  /** Takes a valid value, whatever was seen since. */
  keep(key: string, entry: ConfigEntry<T>): void {
    this.#good.set(key, entry)
    this.#kept.add(entry)
  }

  /** Takes the last valid value away. */
  drop(key: string): void {
    this.#good.delete(key)
  }

  /** Notes that the value of a node does not pass. */
  refuse(key: string, node: SeenNode): void {
    this.#refused.set(key, node)
  }

  /** The node whose value was refused last; undefined if another value was seen since. */
  refused(key: string): SeenNode | undefined {
    return this.#refused.get(key)
  }

  /** Forgets all keys but some. */
  retain(isKept: (key: string) => boolean): void {
    for (const known of [this.#seen, this.#refused, this.#good]) {
      for (const key of known.keys()) if (!isKept(key)) known.delete(key)
    }
  }
}
