/**
 * The value that a process begins with while no server answers: the copy of the value that it read last, or a file.
 *
 * When      the servers have some time to answer first, so that a process that can reach them never begins with an old
 *           value. Once the servers were read, nothing of this comes back into force.
 * Checks    a copy and a file are decoded and validated as a stored value; invalid ones are reported and passed
 *           over.
 */
import { delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { requireFunction, validateText, validateTime } from '../../core/options.ts'
import { reasonOf } from '../../core/reason.ts'
import { textOf } from '../../core/value-text.ts'
import { invalidValue } from '../engine/codec.ts'
import type { ConfigStore } from './config-store.ts'
import type { ConfigEntry, ConfigState, StoredValue } from './config-values.ts'
import { CopyFile, readWhole } from './io/copy-file.ts'
import { LastCopy } from './last-copy.ts'
import type { CopyStore } from './last-copy.ts'

/** Sources of a value to begin with while no server answers. */
export interface FallbackOptions {
  /**
   * A file, or a store of yours, that keeps a copy of the last good value; a process that starts while no server
   * answers begins with it. The file is replaced as a whole, and only its owner may read it.
   */
  readonly cacheTo?: string | CopyStore
  /** A file with a value, in the format of the codec: a process begins with it if there is no copy either. */
  readonly loadFrom?: string
  /** How long the servers have to answer before a copy or a file is used, in milliseconds; 3 s by default. */
  readonly fallBackMs?: number
}

/** How a value that is in force was come by. */
export type ConfigSource =
  /** Read from the servers, or published from here. */
  | 'servers'
  /** The copy of an earlier reading; the servers were not read yet, or what they have does not pass. */
  | 'cache'
  /** The file of `loadFrom`; the servers were not read yet. */
  | 'file'
  /** The default. */
  | 'default'
  /** Staged by a roll-out that has chosen this process. */
  | 'staged'
  /** There is no value, and no default. */
  | 'none'

/** A value that is in force instead of the stored one. */
interface StandIn<T> {
  readonly value: T
  readonly source: 'cache' | 'file'
}

const FALL_BACK_MS = 3_000

export class ConfigFallback<T> {
  readonly #client: Client
  readonly #path: string
  readonly #copy: LastCopy | null
  readonly #file: string | undefined
  readonly #closing = new AbortController()
  #loading: Promise<void> = Promise.resolve()
  #copied: ConfigEntry<T> | undefined
  #filed: { readonly state: ConfigState<T>; readonly value: T } | null = null

  /**
   * Makes it; nothing is loaded.
   *
   * @param format - the codec's name of its format
   * @throws TypeError or RangeError for a wrong option
   */
  constructor(client: Client, path: string, format: string | null, { cacheTo, loadFrom }: FallbackOptions) {
    if (loadFrom !== undefined) validateText('loadFrom', loadFrom)
    this.#client = client
    this.#path = path
    this.#copy = cacheTo === undefined ? null : new LastCopy(client, path, format, storeOf(cacheTo))
    this.#file = loadFrom
  }

  /**
   * Waits for the servers, and puts a copy or the file in force if they do not answer.
   *
   * @param fallBackMs - how long they have
   */
  start(store: ConfigStore<T>, fallBackMs: number = FALL_BACK_MS): void {
    this.#loading = this.#run(store, fallBackMs)
  }

  /** Takes note of a value read from the servers. */
  onRead(value: StoredValue | null): void {
    this.#copy?.keep(value)
  }

  /** The value that stands in for the stored one in a state; undefined if none does. */
  of(state: ConfigState<T>): StandIn<T> | undefined {
    if (state === this.#filed?.state) return { value: this.#filed.value, source: 'file' }
    const copied = this.#copied
    return copied !== undefined && state.get('') === copied ? { value: copied.value, source: 'cache' } : undefined
  }

  /** Ends the wait for the servers, and resolves when the latest copy is saved. */
  async flush(): Promise<void> {
    this.#closing.abort()
    await this.#loading
    await this.#copy?.flush()
  }

  async #run(store: ConfigStore<T>, fallBackMs: number): Promise<void> {
    try {
      await delay(fallBackMs, this.#closing.signal)
    } catch {
      return
    }
    if (store.state === undefined && !(await this.#offerCopy(store))) await this.#offerFile(store)
  }

  async #offerCopy(store: ConfigStore<T>): Promise<boolean> {
    const copy = await this.#copy?.load()
    if (copy === null || copy === undefined) return false
    const { bytes, ...stat } = copy
    const decoded = await this.#decode(store, bytes, 'its copy')
    if (decoded === null) return false
    const state = store.offer({ value: decoded.value, ...stat })
    this.#copied = state?.get('')
    return true
  }

  async #offerFile(store: ConfigStore<T>): Promise<void> {
    if (this.#file === undefined) return
    const bytes = await this.#read(this.#file)
    const decoded = bytes === null ? null : await this.#decode(store, bytes, this.#file)
    if (decoded === null || store.state !== undefined) return
    const state = store.offer(null)
    if (state !== null) this.#filed = { state, value: decoded.value }
  }

  async #read(file: string): Promise<Uint8Array | null> {
    try {
      const bytes = await readWhole(file)
      if (bytes === null) throw new Error('there is no such file')
      return bytes
    } catch (cause) {
      const path = this.#path
      const message = `the file ${textOf(file)} is not used for ${path}: ${reasonOf(cause)}`
      this.#client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path, cause }))
      return null
    }
  }

  async #decode(store: ConfigStore<T>, bytes: Uint8Array, from: string): Promise<{ readonly value: T } | null> {
    const decoded = await store.format.decode(bytes, this.#path)
    if ('value' in decoded) return decoded
    this.#client.report(invalidValue(`${this.#path} in ${from}`, decoded.issues, 'corrupt'))
    return null
  }
}

/**
 * Checks the options.
 *
 * @returns whether there is anything to begin with
 * @throws TypeError or RangeError for a wrong option
 */
export function checkFallback({ cacheTo, loadFrom, fallBackMs }: FallbackOptions): boolean {
  if (fallBackMs !== undefined) validateTime('fallBackMs', fallBackMs)
  const isUsed = cacheTo !== undefined || loadFrom !== undefined
  if (fallBackMs !== undefined && !isUsed) throw new TypeError('fallBackMs needs cacheTo or loadFrom')
  return isUsed
}

function storeOf(cacheTo: unknown): CopyStore {
  if (typeof cacheTo === 'string') {
    validateText('cacheTo', cacheTo)
    return new CopyFile(cacheTo)
  }
  if (typeof cacheTo !== 'object' || cacheTo === null) {
    throw new TypeError(`cacheTo must be the name of a file, or an object with load and save, got ${textOf(cacheTo)}`)
  }
  for (const name of ['load', 'save']) requireFunction(`cacheTo.${name}`, (cacheTo as Record<string, unknown>)[name])
  return cacheTo as CopyStore
}
