/**
 * The part that {@link ConfigCenter} and {@link ConfigTree} share: validated values by key, kept fresh by a mirror, and
 * written with compare-and-set.
 *
 * Model     a key is the path of a node below the root, `''` the root itself. A node without data has no value: it is a
 *           folder.
 * Safety    a value that does not decode or validate keeps the last good one, and is reported. A key never goes back to
 *           an older write of its node (by mzxid). Snapshots are validated one at a time, so validations of a key never
 *           overtake each other.
 * Versions  compare-and-set goes by the version of the value that this process has seen or written last.
 */
import { assert } from '../../core/assert.ts'
import { abortable } from '../../core/async.ts'
import type { NodeData } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { refuseUnknown, requireFunction } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import { ValueFormat, invalidValue } from '../engine/codec.ts'
import type { Delivery, Describe, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { readSynced } from '../engine/protected-writes.ts'
import type { MirrorNode, MirrorSnapshot } from '../engine/mirror.ts'
import { Mirror } from '../engine/mirror.ts'
import { checkSchema } from '../engine/option-checks.ts'
import { Outlet } from '../engine/outlet.ts'
import type { PublishAction } from '../../core/observer.ts'
import type { ExpectedVersion, SeenNode, WrittenNode } from '../engine/compare-and-set.ts'
import { removeVersioned, seenBy, updateVersioned, writeVersioned } from '../engine/compare-and-set.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { WAIT_OPTIONS, Wait } from '../engine/wait.ts'
import { codecOf } from './config-formats.ts'
import type { ChangeBytes, ChangeValue, ConfigEntry, ConfigFormatOptions, ConfigState } from './config-values.ts'
import type { InvalidValue, PublishOptions, SendBytes, StateOverlay } from './config-values.ts'
import { checkPublish } from './config-values.ts'
import { KnownValues, isSameState } from './known-values.ts'
import type { Encoded, OwnWrite, ReadingListener, StoreHooks } from './known-values.ts'

/** A write, as reported to its caller. */
type Told<W extends WrittenNode> = Omit<W, 'czxid' | 'isOvertaken'>

/** Validated values by key. */
export class ConfigStore<T> {
  /** Publishes every state in which a value is new, or everything was read again. */
  readonly #outlet: Outlet<ConfigState<T>>
  /** How values are stored and checked. */
  readonly format: ValueFormat<T>
  readonly #client: Client
  readonly #path: string
  readonly #depth: number
  readonly #mirror: Mirror
  readonly #snapshots: Unsubscribe
  readonly #disown: () => void
  readonly #invalids: Outlet<InvalidValue>
  readonly #ownWrites = new Map<string, OwnWrite<T>>()
  readonly #known = new KnownValues<T>()
  readonly #listener: ReadingListener | null
  readonly #overlay: StateOverlay<T> | null
  /** The latest state that was not published, since the overlay was not ready. */
  #held: ConfigState<T> | undefined
  /** Whether what is in force is not from the servers, but was offered. */
  #isOffered = false

  /**
   * Makes a store and begins to read.
   *
   * @param what - the recipe, for messages
   * @param depth - 0 for the one value, Infinity for a tree
   * @param options - how values are stored and checked
   * @param hooks - a listener of its readings, and an overlay of its states
   */
  constructor(
    what: string,
    client: Client,
    path: string,
    depth: number,
    options: ConfigFormatOptions<T>,
    { listener = null, overlay = null }: StoreHooks<T> = {},
  ) {
    validateClient(client, what)
    checkSchema(options.schema)
    this.#client = client
    this.#path = path
    this.#depth = depth
    this.format = new ValueFormat(codecOf(options), options.schema)
    this.#outlet = new Outlet(client, what, path)
    this.#invalids = new Outlet(client, `${what}.onInvalid`, path)
    this.#listener = listener
    this.#overlay = overlay
    this.#mirror = new Mirror(client, path, depth, { isSynced: listener !== null })
    this.#snapshots = this.#mirror.feed.subscribe(path, (delivery) => delivery, (delivery) => this.#take(delivery))
    this.#disown = client.own({ close: () => this.close() })
  }

  /** The values in force; undefined until they were read once. */
  get state(): ConfigState<T> | undefined {
    return this.#outlet.current
  }

  /** Whether they may be older than what the servers have. */
  get stale(): boolean {
    return this.#mirror.stale || this.state === undefined || this.#overlay?.stale === true
  }

  /** Waits until the values were read once. */
  ready(options: TimedWaitOptions): Promise<ConfigState<T>> {
    return this.#outlet.ready(options)
  }

  /**
   * Puts something in force for as long as nothing was read, such as a copy of the value that was read last.
   *
   * @param entry - a value that was read once; a stored value that does not pass leaves it in force
   * @returns the state; null if something was read meanwhile
   */
  offer(entry: (ConfigEntry<T> & { readonly czxid: bigint }) | null): ConfigState<T> | null {
    if (this.state !== undefined || this.#outlet.isClosed) return null
    const state = new Map<string, ConfigEntry<T>>()
    if (entry !== null) {
      const { czxid, ...value } = entry
      const known = this.#known.entry(value, czxid)
      this.#known.keep('', known)
      state.set('', known)
    }
    this.#isOffered = true
    this.#outlet.publish(state, false)
    return state
  }

  /** Tells the state again, since the overlay has changed. */
  again(): void {
    const state = this.#held ?? this.state
    if (state !== undefined) this.#publish(new Map(state), false)
  }

  #publish(state: ConfigState<T>, resync: boolean): void {
    const isHeld = this.#overlay?.isReady === false
    this.#held = isHeld ? state : undefined
    if (isHeld) return
    this.#overlay?.lay(state)
    this.#outlet.publish(state, resync)
  }

  /** Calls a listener with every value that is refused from now on. */
  onInvalid(listener: (invalid: InvalidValue) => void | Promise<void>): Unsubscribe {
    return this.#invalids.subscribeToNext(listener)
  }

  /** Calls a listener with every event that is described. */
  subscribe<E>(
    describe: Describe<ConfigState<T>, E>,
    listener: (event: E) => void | Promise<void>,
    options: SubscribeOptions,
  ): Unsubscribe {
    return this.#outlet.subscribe(describe, listener, options)
  }

  /** Iterates over every event that is described. */
  iterate<E>(describe: Describe<ConfigState<T>, E>, options: IterateOptions): AsyncIterableIterator<E> {
    return this.#outlet.iterate(describe, options)
  }

  /**
   * Reads a value from the servers, not older than any write that was acknowledged before.
   *
   * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt`
   */
  async read(key: string, options: TimedWaitOptions): Promise<ConfigEntry<T> | null> {
    refuseUnknown(options, WAIT_OPTIONS, 'get')
    this.#outlet.throwIfClosed()
    const path = this.pathOf(key)
    return this.#waiting(path, options, async (signal) => {
      const found = await readSynced(this.#client, path, signal)
      if (found === null || found.data.length === 0) return null
      const value = await this.format.read(found.data, path, 'corrupt')
      return { value, version: found.stat.version, zxid: found.stat.mzxid }
    })
  }

  /**
   * Writes a value; see {@link ConfigCenter.publish}.
   *
   * @param send - writes its bytes
   */
  async write<W extends WrittenNode>(
    key: string,
    value: T,
    options: PublishOptions,
    send: SendBytes<W>,
  ): Promise<Told<W>> {
    checkPublish(options, 'publish')
    this.#outlet.throwIfClosed()
    // Before anything is waited for: a change that comes in meanwhile was not before the eyes of who made this value.
    const seen = this.#expected(key, options)
    const encoded = await this.format.encode(value, this.pathOf(key))
    return this.#put('publish', key, seen, options, () => Promise.resolve(encoded), send)
  }

  /** Writes a value elsewhere, if the one of the root is as expected, and leaves that as it is. */
  async writeAside<W>(value: T, options: PublishOptions, send: SendBytes<W>): Promise<W> {
    checkPublish(options, 'publish')
    this.#outlet.throwIfClosed()
    const seen = this.#expected('', options)
    const { bytes } = await this.format.encode(value, this.#path)
    return this.#changing('publish', this.#path, options, async (signal) => {
      return send(bytes, await this.#onceRead('', options, seen, signal), signal)
    })
  }

  /**
   * Writes bytes as they are, if they hold a value that readers accept.
   *
   * @param find - finds them
   * @param send - writes them
   */
  async writeBytes<W extends WrittenNode>(
    key: string,
    options: PublishOptions,
    find: (signal: AbortSignal) => Promise<Uint8Array>,
    send: SendBytes<W>,
  ): Promise<Told<W>> {
    checkPublish(options, 'rollback')
    this.#outlet.throwIfClosed()
    const make = async (signal: AbortSignal): Promise<Encoded<T>> => {
      const bytes = await find(signal)
      return { bytes, value: await this.format.read(bytes, this.pathOf(key), 'not-sent') }
    }
    return this.#put('rollback', key, this.#expected(key, options), options, make, send)
  }

  async #put<W extends WrittenNode>(
    action: PublishAction,
    key: string,
    seen: ExpectedVersion | undefined,
    options: PublishOptions,
    make: (signal: AbortSignal) => Promise<Encoded<T>>,
    send: SendBytes<W>,
  ): Promise<Told<W>> {
    return this.#changing(action, this.pathOf(key), options, async (signal) => {
      const expected = await this.#onceRead(key, options, seen, signal)
      const made = await make(signal)
      const written = await send(made.bytes, expected, signal)
      return this.#confirmed(key, made, written)
    })
  }

  /**
   * Changes a value; see {@link ConfigCenter.update}.
   *
   * @param send - reads, and writes the bytes made from the result
   */
  async update<W extends WrittenNode>(
    key: string,
    change: ChangeValue<T>,
    options: TimedWaitOptions,
    send: ChangeBytes<W>,
  ): Promise<Told<W> & { readonly value: T }> {
    requireFunction('change', change)
    refuseUnknown(options, WAIT_OPTIONS, 'update')
    this.#outlet.throwIfClosed()
    const path = this.pathOf(key)
    return this.#changing('update', path, options, async (signal) => {
      let next: Encoded<T> | undefined
      const written = await send(async (found) => {
        const value = await abortable(Promise.resolve(change(await this.#valueOf(path, found))), signal)
        next = await this.format.encode(value, path)
        return next.bytes
      }, signal)
      assert(next !== undefined, 'what was written was made')
      return { value: next.value, ...this.#confirmed(key, next, written) }
    })
  }

  /** A write that was overtaken is older than the states that the mirror may have published already. */
  #confirmed<W extends WrittenNode>(key: string, { bytes, value }: Encoded<T>, made: W): Told<W> {
    const { czxid, isOvertaken, ...written } = made
    const { version, zxid } = made
    if (isOvertaken === true) return written
    if (this.#known.isLatest(key, zxid)) this.#listener?.onRead({ bytes, version, zxid, czxid })
    this.#remember(key, this.#known.entry({ value, version, zxid }, czxid))
    return written
  }

  /** The value of a node that was read; null if it has none. */
  async #valueOf(path: string, found: NodeData | null): Promise<T | null> {
    return found === null || found.data.length === 0 ? null : this.format.read(found.data, path, 'corrupt')
  }

  /** Removes a value; see {@link ConfigTree.remove}. */
  async remove(key: string, options: PublishOptions): Promise<void> {
    checkPublish(options, 'remove')
    this.#outlet.throwIfClosed()
    const path = this.pathOf(key)
    const seen = this.#expected(key, options)
    await this.#changing('remove', path, options, async (signal) => {
      const expected = await this.#onceRead(key, options, seen, signal)
      if (expected === null) return
      await removeVersioned(this.#client, path, expected, signal)
      this.#remember(key, null)
    })
  }

  /** Writes bytes to a key's node, and nothing else. */
  sendPlain(key: string): SendBytes<WrittenNode> {
    const path = this.pathOf(key)
    return (bytes, expected, signal) => writeVersioned(this.#client, path, bytes, expected, signal)
  }

  /** Changes the bytes of a key's node, and nothing else. */
  changePlain(key: string): ChangeBytes<WrittenNode> {
    const path = this.pathOf(key)
    return (make, signal) => updateVersioned(this.#client, path, make, signal)
  }

  /**
   * Asks the servers, for as long as the options allow it.
   *
   * @param ask - gets the signal that ends it
   */
  async asking<R>(options: TimedWaitOptions, ask: (signal: AbortSignal) => Promise<R>): Promise<R> {
    this.#outlet.throwIfClosed()
    return this.#waiting(this.#path, options, ask)
  }

  /** The path of a key's node. */
  pathOf(key: string): string {
    if (key === '') return this.#path
    const path = joinPath(this.#path, key)
    validatePath(path, 'key')
    return path
  }

  /** Ends the reading and every subscription. Idempotent. */
  async close(): Promise<void> {
    this.#disown()
    this.#snapshots()
    this.#outlet.close()
    this.#invalids.close()
    await Promise.all([this.#mirror.close(), this.#overlay?.close()])
    await this.#listener?.flush()
  }

  /** Waits as below, and tells observers what became of the change. */
  async #changing<R>(
    action: PublishAction,
    path: string,
    options: TimedWaitOptions,
    task: (signal: AbortSignal) => Promise<R>,
  ): Promise<R> {
    const { notices } = this.#client
    const change = (): Promise<R> => this.#waiting(path, options, task)
    return notices?.hears('onPublish') === true ? notices.publish(action, path, change) : change()
  }

  async #waiting<R>(path: string, options: TimedWaitOptions, task: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const wait = new Wait(this.#client, path, options)
    try {
      return await task(wait.signal)
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /** The state of the node that a write at this instant expects; undefined as long as nothing was read. */
  #expected(key: string, options: PublishOptions): ExpectedVersion | undefined {
    if (options.force === true) return 'any'
    if (options.ifVersion !== undefined) return options.ifVersion === null ? null : this.#named(key, options.ifVersion)
    const { state } = this
    if (state === undefined) return undefined
    const own = this.#ownWrites.get(key)
    if (own !== undefined) return own.entry === null ? null : this.#nodeOf(own.entry)
    const entry = state.get(key)
    if (entry !== undefined) return this.#nodeOf(entry)
    // A folder may get a value; a value that nobody here could read is not overwritten unseen.
    const folder = this.#mirror.snapshot?.nodes.get(key)
    return folder !== undefined && folder.data.length === 0 ? this.#asSeen(folder.stat) : null
  }

  /** A version that is in view here stands for the node that has it: one that is made again may come to have it too. */
  #named(key: string, version: number): ExpectedVersion {
    const refused = this.#known.refused(key)
    if (refused?.version === version) return this.#asSeen(refused)
    const entry = this.#ownWrites.get(key)?.entry ?? this.state?.get(key)
    return entry?.version === version ? this.#nodeOf(entry) : version
  }

  #nodeOf(entry: ConfigEntry<T>): ExpectedVersion {
    return this.#asSeen(this.#known.nodeOf(entry))
  }

  /** Where the engine does not compare creations itself, publishers under one parent would hold each other up. */
  #asSeen(node: SeenNode): ExpectedVersion {
    return seenBy(this.#client, node)
  }

  /** Waits for the first reading if a write was made before it; the write replaces the value that it finds. */
  async #onceRead(
    key: string,
    options: PublishOptions,
    seen: ExpectedVersion | undefined,
    signal: AbortSignal,
  ): Promise<ExpectedVersion> {
    if (seen !== undefined) return seen
    await this.ready({ signal })
    return this.#expected(key, options) ?? null
  }

  /** A value that was written from here is in force here at once, and not only when the mirror has read it. */
  #remember(key: string, entry: ConfigEntry<T> | null): void {
    if (entry !== null && (this.state?.get(key)?.zxid ?? 0n) >= entry.zxid) return
    this.#ownWrites.set(key, { entry, generation: this.#mirror.snapshot?.generation ?? 0 })
    if (entry === null) this.#known.drop(key)
    // A newer one that was read is still being decoded, or was refused.
    else if (this.#known.isLatest(key, entry.zxid)) this.#known.see(key, entry)
    else this.#known.keep(key, entry)
    this.#isOffered = false
    // Of a tree that was not read yet nobody knows the rest.
    if (this.state === undefined && this.#depth > 0) return
    const next = new Map(this.state)
    this.#addOwn(next)
    this.#publish(next, false)
  }

  async #take({ current, resync }: Delivery<MirrorSnapshot>): Promise<void> {
    const nodes = [...current.nodes].filter(([, node]) => node.data.length > 0)
    await Promise.all(nodes.map(([key, node]) => this.#read(key, node)))
    for (const [key, own] of this.#ownWrites) if (own.generation < current.generation) this.#ownWrites.delete(key)
    this.#known.retain((key) => current.nodes.has(key) || this.#ownWrites.has(key))
    const next = new Map<string, ConfigEntry<T>>()
    for (const [key] of nodes) {
      const entry = this.#known.good(key)
      if (entry !== undefined) next.set(key, entry)
    }
    this.#addOwn(next)
    this.#tell(current)
    const { state: before } = this
    const isNews = this.#isOffered || before === undefined || !isSameState(before, next)
    this.#isOffered = false
    if (resync || isNews) this.#publish(next, resync)
  }

  #tell({ nodes }: MirrorSnapshot): void {
    const node = nodes.get('')
    if (node === undefined || node.data.length === 0) return this.#listener?.onRead(null)
    const { version, mzxid: zxid, czxid } = node.stat
    if (this.#known.good('')?.zxid === zxid) this.#listener?.onRead({ bytes: node.data, version, zxid, czxid })
  }

  /** Decodes a node that is news; one that is invalid leaves the last good value as it is. */
  async #read(key: string, { data, stat }: MirrorNode): Promise<void> {
    const { version, mzxid: zxid, czxid } = stat
    if (!this.#known.begin(key, zxid)) return
    const decoded = await this.format.decode(data, this.pathOf(key))
    const isLatest = this.#known.isLatest(key, zxid)
    if ('issues' in decoded) {
      if (isLatest) this.#known.refuse(key, { czxid, version })
      this.#refuse({ path: this.pathOf(key), issues: decoded.issues, version, zxid })
    }
    // A write of our own may have come in between, and be newer.
    else if (isLatest) this.#known.see(key, this.#known.entry({ value: decoded.value, version, zxid }, czxid))
  }

  /** Lays our own writes over a state that does not show them yet. */
  #addOwn(state: Map<string, ConfigEntry<T>>): void {
    for (const [key, { entry }] of this.#ownWrites) {
      if (entry === null) state.delete(key)
      else state.set(key, this.#known.good(key) ?? entry)
    }
  }

  #refuse(invalid: InvalidValue): void {
    this.#client.report(invalidValue(invalid.path, invalid.issues, 'corrupt'))
    this.#invalids.publish(invalid, false)
  }
}
