/**
 * Layered configuration: one value made of several, such as a base for everywhere and the changes of an environment.
 *
 * Model     each layer is the value of a node, JSON or what a codec makes; the first is the base, and each later one is
 *           laid over those before it. A layer that has no value changes nothing.
 * Rule      JSON Merge Patch (RFC 7396): objects are merged member by member, however deep; anything else, arrays too,
 *           replaces what is there; `null` in a later layer removes the member.
 * Safety    the merged value is validated as a whole. One that does not pass keeps the last good one, and is reported.
 *           Each layer never goes back to an older write; the layers are read one by one, so that a change of two of
 *           them is seen as two changes.
 * Writes    publish each layer by a ConfigCenter of its path; nothing here writes.
 * Cost      a change costs each process 1 event + 1 read.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { reasonOf } from '../../core/reason.ts'
import type { Codec, Decoded } from '../engine/codec.ts'
import { invalidValue, jsonCodec, validated } from '../engine/codec.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { deepFreeze } from '../engine/json-values.ts'
import { checkCodec, checkSchema } from '../engine/option-checks.ts'
import { Outlet } from '../engine/outlet.ts'
import type { SchemaIssue, StandardSchema } from '../engine/standard-schema.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { ConfigStore } from './config-store.ts'
import type { ConfigEntry } from './config-values.ts'
import { merged } from './merge-patch.ts'

/** Options of a {@link LayeredConfig}. */
export interface LayeredConfigOptions<T> {
  /** Checks the merged value: any schema that follows Standard Schema. Accepts everything by default. */
  readonly schema?: StandardSchema<T>
  /** How each layer becomes bytes; JSON by default. It makes plain data. */
  readonly codec?: Codec<unknown>
}

/** A layer of a value. */
export interface ConfigLayer {
  /** The node that holds it. */
  readonly path: string
  /** The version of the node; null if it has no value. */
  readonly version: number | null
  /** zxid of its write; null if it has no value. */
  readonly zxid: bigint | null
}

/** A change of a merged value. */
export interface LayeredChange<T> {
  /** The merged value; undefined if no layer has a value. */
  readonly value: T | undefined
  /** The layers that it is made of, the base first. */
  readonly layers: readonly ConfigLayer[]
  /** How many changes before it this consumer did not get, because it was slow. */
  readonly missed: number
  /** Whether a layer was read again after a reconnect. */
  readonly resync: boolean
}

/** A merged value that was refused; the last good one stays in force. */
export interface InvalidLayers {
  /** The reasons why it was refused. */
  readonly issues: readonly SchemaIssue[]
  /** The layers that it was made of. */
  readonly layers: readonly ConfigLayer[]
}

type Merged<T> = Pick<LayeredChange<T>, 'value' | 'layers'>

const OPTIONS = optionNames<LayeredConfigOptions<unknown>>({ schema: true, codec: true })
const LAYERS_MAX = 16

/** One value made of several. */
export class LayeredConfig<T> implements AsyncDisposable {
  /** Where the layers are, the base first. */
  readonly paths: readonly string[]
  readonly #client: Client
  readonly #stores: readonly ConfigStore<unknown>[]
  readonly #schema: StandardSchema<T> | undefined
  readonly #outlet: Outlet<Merged<T>>
  readonly #invalids: Outlet<InvalidLayers>
  readonly #disown: () => void
  /** One merge at a time: validations never overtake each other. */
  #merging: Promise<void> = Promise.resolve()
  /** The entries that were merged last; null until all were read once. */
  #entries: readonly (ConfigEntry<unknown> | undefined)[] | null = null
  /** Whether a layer was read again since the last merge. */
  #isResynced = false

  /**
   * Makes it and begins to read.
   *
   * @param client - through which to read; it closes this when it closes
   * @param paths - of the layers, the base first; 1 to 16
   * @param options - how layers are stored, and how the merged value is checked
   * @throws TypeError or RangeError if the paths are none, or for a wrong option
   */
  constructor(client: Client, paths: readonly string[], options: LayeredConfigOptions<T> = {}) {
    validateClient(client, 'LayeredConfig')
    refuseUnknown(options, OPTIONS, 'LayeredConfig')
    checkSchema(options.schema)
    checkCodec(options.codec)
    checkPaths(paths)
    this.paths = Object.freeze([...paths])
    this.#client = client
    const { codec = jsonCodec<unknown>() } = options
    this.#schema = options.schema
    const [base = '/'] = this.paths
    this.#outlet = new Outlet(client, 'LayeredConfig', base)
    this.#invalids = new Outlet(client, 'LayeredConfig.onInvalid', base)
    this.#stores = this.paths.map((path) => new ConfigStore('LayeredConfig', client, path, 0, { codec }))
    // On a closed client everything says so when it is used.
    if (client.state.status !== 'closed') {
      for (const store of this.#stores) store.subscribe((delivery) => delivery, ({ resync }) => this.#merge(resync), {})
    }
    this.#disown = client.own({ close: () => this.close() })
  }

  /** The merged value in force, the latest valid one; undefined if no layer has a value, or until all were read. */
  get current(): T | undefined {
    return this.#outlet.current?.value
  }

  /** Whether `current` may be older than what the servers have. */
  get stale(): boolean {
    return this.#outlet.current === undefined || this.#stores.some((store) => store.stale)
  }

  /**
   * Waits until all layers were read once and made a value that passes, or none.
   *
   * @param options - the signal and the time limit of the wait
   * @returns the value in force
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  async ready(options: TimedWaitOptions = {}): Promise<T | undefined> {
    return (await this.#outlet.ready(options)).value
  }

  /**
   * Listens to changes. A slow listener is not called for each, but always for the last.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the value that is in force; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if this or the client was closed
   */
  subscribe(
    listener: (change: LayeredChange<T>) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Unsubscribe {
    return this.#outlet.subscribe(describe<T>, listener, options)
  }

  /**
   * Iterates over changes; the latest wins. Ends when this or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with the value that is in force; true by default
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<LayeredChange<T>> {
    return this.#outlet.iterate(describe<T>, options)
  }

  /**
   * Listens to merged values that were refused; the last good one stays in force.
   *
   * @param listener - gets the faults, and the layers of the value
   * @returns ends the listening
   */
  onInvalid(listener: (invalid: InvalidLayers) => void | Promise<void>): Unsubscribe {
    return this.#invalids.subscribeToNext(listener)
  }

  /** Ends subscriptions, iterations and watches. Idempotent. */
  async close(): Promise<void> {
    this.#disown()
    this.#outlet.close()
    this.#invalids.close()
    await Promise.all(this.#stores.map((store) => store.close()))
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #merge(resync: boolean): Promise<void> {
    this.#isResynced ||= resync
    const before = this.#merging
    const merging = before.then(() => this.#mergeNow())
    this.#merging = merging
    await merging
  }

  async #mergeNow(): Promise<void> {
    const states = this.#stores.map(({ state }) => state)
    if (states.includes(undefined)) return
    const entries = states.map((state) => state?.get(''))
    const isSame = entries.every((entry, index) => entry === this.#entries?.[index])
    const resync = this.#isResynced
    if (isSame && this.#entries !== null && !resync) return
    this.#entries = entries
    this.#isResynced = false
    const layers = entries.map((entry, index) => layerOf(this.paths[index] ?? '/', entry))
    const [base, ...overlays] = entries
    let raw = base?.value
    for (const overlay of overlays) if (overlay !== undefined) raw = merged(raw, overlay.value)
    if (raw === undefined) return this.#outlet.publish({ value: undefined, layers }, resync)
    const decoded = await this.#check(raw)
    if ('value' in decoded) return this.#outlet.publish({ value: deepFreeze(decoded.value), layers }, resync)
    const { issues } = decoded
    this.#client.report(invalidValue(this.paths.join(' + '), issues, 'corrupt'))
    this.#invalids.publish({ issues, layers }, false)
  }

  async #check(raw: unknown): Promise<Decoded<T>> {
    try {
      return await validated(raw, this.#schema)
    } catch (error) {
      return { issues: [{ message: reasonOf(error) }] }
    }
  }
}

function describe<T>({ current, missed, resync }: Delivery<Merged<T>>): LayeredChange<T> {
  return { ...current, missed, resync }
}

function layerOf(path: string, entry: ConfigEntry<unknown> | undefined): ConfigLayer {
  return Object.freeze({ path, version: entry?.version ?? null, zxid: entry?.zxid ?? null })
}

function checkPaths(paths: unknown): void {
  if (!Array.isArray(paths)) throw new TypeError(`paths must be an array of paths, got ${textOf(paths)}`)
  const count = paths.length
  if (count === 0 || count > LAYERS_MAX) {
    throw new RangeError(`paths must have 1 to ${String(LAYERS_MAX)} paths, got ${String(count)}`)
  }
  for (const path of paths as readonly string[]) validatePath(path)
  if (new Set(paths).size < count) throw new TypeError('paths must be different from each other')
}
