/**
 * Path translation: a session under one node of the servers, which looks like the root from within. The client's
 * namespace and ZooKeeper's chroot are this decorator; the shell, which speaks to servers beside a session, translates
 * its paths with the same {@link Namespace}.
 *
 * Errors    name the path that the call was made with, in `path` and in the message.
 * Watches   each event names the path that its read was called with.
 * Root      an operator may delete the node that stands for the root. Only a create of `/` makes it again, persistent
 *           and with its ancestors, of which the caller knows none.
 */
import { isSequential } from '../arguments.ts'
import type { Children, Created, CreateMode, CreateOptions, NodeData, Operation, OperationResult } from '../backend.ts'
import type { Session, SessionState, Stat, Watcher } from '../backend.ts'
import { isCoordinationError } from '../errors.ts'
import { makePath } from '../make-path.ts'
import { parentOf } from '../path.ts'
import { thrownAsSeenFrom } from '../refusal.ts'
import { WatchWrappers } from './watch-wrappers.ts'

/** Puts paths under a root, and takes them out again. */
export class Namespace {
  /** A valid path on the servers; `/` leaves every path as it is. */
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** The path on the servers. */
  resolve(path: string): string {
    if (this.root === '/') return path
    return path === '/' ? this.root : this.root + path
  }

  /** The path on the servers of a prefix, to which a sequence number will be appended. */
  resolvePrefix(prefix: string): string {
    return this.root === '/' ? prefix : this.root + prefix
  }

  /** Whether a path on the servers is in this namespace. */
  holds(path: string): boolean {
    return this.root === '/' || path === this.root || path.startsWith(`${this.root}/`)
  }

  /** The path as seen from within; one that is not in this namespace stays as it is. */
  strip(path: string): string {
    if (this.root === '/' || !this.holds(path)) return path
    return path === this.root ? '/' : path.slice(this.root.length)
  }

  /**
   * Waits for what was called with paths on the servers.
   *
   * @throws the error of the call, with the path as seen from within
   */
  async seen<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      throw thrownAsSeenFrom(error, (path) => this.strip(path))
    }
  }
}

/**
 * Puts a session under a root.
 *
 * @param root - a valid path; for `/` the session itself is returned
 */
export function namespaced(session: Session, root: string): Session {
  return root === '/' ? session : new NamespacedSession(session, new Namespace(root))
}

class NamespacedSession implements Session {
  readonly #session: Session
  readonly #namespace: Namespace
  readonly #watches = new WatchWrappers()

  constructor(session: Session, namespace: Namespace) {
    this.#session = session
    this.#namespace = namespace
  }

  get id(): bigint {
    return this.#session.id
  }

  get timeoutMs(): number {
    return this.#session.timeoutMs
  }

  get state(): SessionState {
    return this.#session.state
  }

  get leaseDeadlineMs(): number {
    return this.#session.leaseDeadlineMs
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#session.onState(listener)
  }

  async create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created> {
    const create = (): Promise<Created> => this.#session.create(this.#resolve(path, options.mode), data, options)
    const isRoot = path === '/' && !isSequential(options.mode)
    const { path: made, stat } = await this.#namespace.seen(isRoot ? this.#createRoot(create) : create())
    return { path: this.#namespace.strip(made), stat }
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#read(path, watch, (resolved, wrapped) => this.#session.get(resolved, wrapped))
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#read(path, watch, (resolved, wrapped) => this.#session.exists(resolved, wrapped))
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#read(path, watch, (resolved, wrapped) => this.#session.children(resolved, wrapped))
  }

  set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    return this.#namespace.seen(this.#session.set(this.#namespace.resolve(path), data, version))
  }

  delete(path: string, version: number): Promise<void> {
    return this.#namespace.seen(this.#session.delete(this.#resolveDeleted(path), version))
  }

  async multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const resolved = operations.map((operation): Operation => {
      const { type, path } = operation
      if (type === 'delete') return { ...operation, path: this.#resolveDeleted(path) }
      return { ...operation, path: this.#resolve(path, type === 'create' ? operation.mode : null) }
    })
    const results = await this.#namespace.seen(this.#session.multi(resolved))
    return results.map((result) =>
      result.type === 'create' ? { ...result, path: this.#namespace.strip(result.path) } : result,
    )
  }

  sync(path: string): Promise<void> {
    return this.#namespace.seen(this.#session.sync(this.#namespace.resolve(path)))
  }

  unwatch(path: string, watch: Watcher): void {
    const resolved = this.#namespace.resolve(path)
    for (const wrapped of this.#watches.take(path, watch)) this.#session.unwatch(resolved, wrapped)
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  /** The path on the servers; for a sequential create, of a prefix. */
  #resolve(path: string, mode: CreateMode | null): string {
    return mode !== null && isSequential(mode) ? this.#namespace.resolvePrefix(path) : this.#namespace.resolve(path)
  }

  /** No root can be deleted: the servers are asked to delete theirs, and refuse. So does ZooKeeper.java. */
  #resolveDeleted(path: string): string {
    return path === '/' ? path : this.#namespace.resolve(path)
  }

  async #createRoot(create: () => Promise<Created>): Promise<Created> {
    try {
      return await create()
    } catch (error) {
      if (!isCoordinationError(error, 'NO_NODE')) throw error
      await makePath(this.#session, parentOf(this.#namespace.root), 'persistent', undefined)
      return create()
    }
  }

  async #read<T>(
    path: string,
    watch: Watcher | undefined,
    read: (path: string, watch: Watcher | undefined) => Promise<T>,
  ): Promise<T> {
    const resolved = this.#namespace.resolve(path)
    if (watch === undefined) return this.#namespace.seen(read(resolved, undefined))
    const wrapped = this.#watches.wrap(path, watch)
    try {
      return await this.#namespace.seen(read(resolved, wrapped.watcher))
    } catch (error) {
      this.#watches.forget(wrapped)
      throw error
    }
  }
}
