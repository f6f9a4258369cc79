/**
 * Types of configurations: the options of a format and of a write, and values with their sources.
 */
import type { NodeData } from '../../core/backend.ts'
import { optionNames, refuseUnknown, validateBoolean, validateInteger } from '../../core/options.ts'
import type { ConfigFormat } from './config-formats.ts'
import type { Codec } from '../engine/codec.ts'
import type { ExpectedVersion, Written } from '../engine/compare-and-set.ts'
import type { SchemaIssue, StandardSchema } from '../engine/standard-schema.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'

/** How values are stored and checked. */
export interface ConfigFormatOptions<T> {
  /**
   * Checks what is read and what is to be written: any schema that follows Standard Schema. Accepts everything by
   * default.
   */
  readonly schema?: StandardSchema<T>
  /** How values become bytes, by the name of a format; `json` by default. */
  readonly format?: ConfigFormat
  /** How values become bytes, by functions of yours. */
  readonly codec?: Codec<T>
}

/**
 * Options of a write. By default it is refused unless the value is the one that this process has seen or written last.
 */
export interface PublishOptions extends TimedWaitOptions {
  /**
   * Write only if the node has this version; null: only if it does not exist. A version that this process has in view
   * stands for the very node that has it, where the engine compares creations.
   */
  readonly ifVersion?: number | null
  /** Write whatever is there. */
  readonly force?: boolean
}

/**
 * Makes the next value of the one that is stored, or of null if there is none. It may be called several times, so it
 * should do nothing else.
 */
export type ChangeValue<T> = (current: T | null) => T | Promise<T>

/** The value that an update has stored. */
export interface Updated<T> extends Written {
  /** As every reader sees it. */
  readonly value: T
}

/** A value and where it comes from. */
export interface ConfigEntry<T> {
  /** The decoded and validated value. */
  readonly value: T
  /** The node's version; counts from 0 again if the node is deleted and created again. */
  readonly version: number
  /** zxid of the write; grows with every write. */
  readonly zxid: bigint
}

/** A stored value that was refused; the last good one stays in force. */
export interface InvalidValue {
  /** The node. */
  readonly path: string
  /** Its faults. */
  readonly issues: readonly SchemaIssue[]
  /** The version of the refused value: `publish(value, { ifVersion: version })` replaces it. */
  readonly version: number
  /** zxid of the write of the refused value. */
  readonly zxid: bigint
}

/** All values that are in force, by key. */
export type ConfigState<T> = ReadonlyMap<string, ConfigEntry<T>>

/** Lays something over each state of a configuration, before it is published. */
export interface StateOverlay<T> {
  /** Whether it knows what to lay over; until it does, nothing is published. */
  readonly isReady: boolean
  /** Whether that may be older than what the servers have. */
  readonly stale: boolean
  /** Takes note of a state that is about to be published. */
  lay(state: ConfigState<T>): void
  /** Ends it. Idempotent. */
  close(): Promise<void>
}

/** A value as it is stored, and the node that holds it. */
export interface StoredValue {
  readonly bytes: Uint8Array
  readonly version: number
  readonly zxid: bigint
  readonly czxid: bigint
}

/** Writes bytes to a node if it is as expected. */
export type SendBytes<W> = (bytes: Uint8Array, expected: ExpectedVersion, signal: AbortSignal) => Promise<W>

/** Reads a node and writes the bytes made from its data; repeats while others are quicker. */
export type ChangeBytes<W> = (
  make: (found: NodeData | null) => Promise<Uint8Array>,
  signal: AbortSignal,
) => Promise<W>

const VERSION_MAX = 2 ** 31 - 1
const PUBLISH_OPTIONS = optionNames<PublishOptions>({ ifVersion: true, force: true, waitMs: true, signal: true })

/**
 * Checks the options of a write.
 *
 * @throws TypeError or RangeError with the option's name and value
 */
export function checkPublish(options: PublishOptions, what: string): void {
  refuseUnknown(options, PUBLISH_OPTIONS, what)
  const { force, ifVersion } = options
  if (force !== undefined) validateBoolean('force', force)
  if (ifVersion !== undefined && ifVersion !== null) validateInteger('ifVersion', ifVersion, 0, VERSION_MAX)
  if (force === true && ifVersion !== undefined) throw new TypeError('force and ifVersion exclude each other')
}
