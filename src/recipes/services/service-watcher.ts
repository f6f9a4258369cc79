/**
 * Service watcher: the instances of one service, kept at hand.
 *
 * Model     a mirror (engine/mirror.ts) of the service's node and its children. Asking costs nothing.
 * Safety    each list existed at one moment. An instance that cannot be read is left out and reported once; Curator
 *           fails the whole query for it.
 * Cost      a change: 1 event + 1 or 2 reads.
 * Source    Curator x-discovery, ServiceCacheImpl.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { deepFreeze } from '../engine/json-values.ts'
import { namedListener } from '../engine/listener.ts'
import { Mirror } from '../engine/mirror.ts'
import type { MirrorNode, MirrorSnapshot } from '../engine/mirror.ts'
import { checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { decodeInstance } from './service-instance.ts'
import type { ServiceInstance } from './service-instance.ts'
import { validateSegment } from './service-registry.ts'

/** An instance as others see it. */
export interface DiscoveredInstance extends ServiceInstance {
  /** zxid of its registration: one that registered again has a greater one. */
  readonly incarnation: bigint
}

/** A change of the instances of a service. */
export interface ServiceChange {
  /** All instances, sorted by the names of their nodes. */
  readonly instances: readonly DiscoveredInstance[]
  /** Those that were not there before. */
  readonly added: readonly DiscoveredInstance[]
  /** Those that are not there any more, as they were. */
  readonly removed: readonly DiscoveredInstance[]
  /** Those that say something else of themselves, or have registered again. */
  readonly updated: readonly DiscoveredInstance[]
  /** How many states before it this consumer did not get, because it was slow. */
  readonly missed: number
  /** Whether all was read again after a reconnect. */
  readonly resync: boolean
}

type ByName = ReadonlyMap<string, DiscoveredInstance>

/** The instances of one service. */
export class ServiceWatcher implements AsyncDisposable {
  /** The service's node. */
  readonly path: string
  readonly #client: Client
  readonly #mirror: Mirror
  readonly #read = new WeakMap<MirrorNode, DiscoveredInstance | null>()

  /**
   * Begins to watch.
   *
   * @param client - through which to read; it ends the watcher when it closes
   * @param path - the parent of the services
   * @param name - of the service; it need not be there yet
   * @throws TypeError for a wrong path or name
   */
  constructor(client: Client, path: string, name: string) {
    validateClient(client, 'ServiceWatcher')
    validatePath(path)
    validateSegment('name', name)
    this.path = joinPath(path, name)
    this.#client = client
    this.#mirror = new Mirror(client, this.path, 1)
  }

  /** The instances that are known at this instant, those that are not enabled too; empty until they were read once. */
  get instances(): readonly DiscoveredInstance[] {
    return [...this.#instancesIn(this.#mirror.snapshot).values()]
  }

  /** Whether the list may be older than it would be in touch with the servers. */
  get stale(): boolean {
    return this.#mirror.stale
  }

  /**
   * Waits until the instances were read once.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  async ready(options: TimedWaitOptions = {}): Promise<void> {
    await withinWait(this.#client, { what: 'ready', path: this.path }, options, (signal) => this.#mirror.ready(signal))
  }

  /**
   * Listens to changes. A slow listener is not called for each, but missed changes are in the next.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present instances, all of them as added; true by default
   * @returns ends the listening
   */
  subscribe(listener: (change: ServiceChange) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    const named = namedListener('ServiceWatcher', this.path, listener)
    return this.#mirror.feed.subscribe(this.path, this.#describe, named, options)
  }

  /**
   * Iterates over changes. Ends when the watcher or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<ServiceChange> {
    checkIterate(options)
    return this.#mirror.feed.iterate(this.path, this.#describe, options)
  }

  /** Ends subscriptions, iterations and watches. Idempotent. */
  close(): Promise<void> {
    return this.#mirror.close()
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  readonly #describe = ({ previous, current, missed, resync }: Delivery<MirrorSnapshot>): ServiceChange | null => {
    const [before, after] = [this.#instancesIn(previous), this.#instancesIn(current)]
    const added = [...after].filter(([name]) => !before.has(name)).map(([, instance]) => instance)
    const removed = [...before].filter(([name]) => !after.has(name)).map(([, instance]) => instance)
    const kept = [...after].filter(([name]) => before.has(name))
    const updated = kept.filter(([name, one]) => before.get(name) !== one).map(([, instance]) => instance)
    const isChanged = added.length + removed.length + updated.length > 0
    if (previous !== undefined && !isChanged && !resync) return null
    return { instances: [...after.values()], added, removed, updated, missed, resync }
  }

  #instancesIn(snapshot: MirrorSnapshot | undefined): ByName {
    const instances = new Map<string, DiscoveredInstance>()
    for (const [name, node] of snapshot?.nodes ?? []) {
      const instance = name === '' ? null : this.#instanceOf(name, node)
      if (instance !== null) instances.set(name, instance)
    }
    return instances
  }

  /** An instance; the same object for the same node, so that it is read once and can be compared. */
  #instanceOf(name: string, node: MirrorNode): DiscoveredInstance | null {
    const known = this.#read.get(node)
    if (known !== undefined) return known
    const instance = this.#decode(name, node)
    this.#read.set(node, instance)
    return instance
  }

  #decode(name: string, { data, stat }: MirrorNode): DiscoveredInstance | null {
    try {
      return deepFreeze({ ...decodeInstance(data), incarnation: stat.czxid })
    } catch (cause) {
      const path = joinPath(this.path, name)
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `${path} is no instance that can be read, and is left out: ${why}`
      this.#client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path, cause }))
      return null
    }
  }
}
