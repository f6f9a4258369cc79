/**
 * A session under a chroot: everything that it is asked for lives under one node, and looks as if that were the root.
 */
import type { Children, Created, CreateMode, CreateOptions, NodeData, Operation } from '../../core/backend.ts'
import type { OperationResult, Session, SessionState, Stat, Watcher } from '../../core/backend.ts'
import { isSequential } from '../../core/arguments.ts'
import { makePath } from '../../core/make-path.ts'
import { Namespace } from '../../core/session/namespace.ts'
import { parentOf } from '../../core/path.ts'
import { thrownAsSeenFrom } from '../../core/refusal.ts'
import { WatchWrappers } from '../../core/session/watch-wrappers.ts'

/** Puts a session under a chroot; see the head of this file. */
export class ChrootSession implements Session {
  readonly #session: Session
  readonly #chroot: Namespace
  readonly #watches = new WatchWrappers()

  constructor(session: Session, chroot: string) {
    this.#session = session
    this.#chroot = new Namespace(chroot)
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
    // The root can only be created if an operator has deleted the chroot, of whose own ancestors the caller knows none.
    if (path === '/' && !isSequential(options.mode)) await this.#run(this.#makeAbove())
    const created = await this.#run(this.#session.create(this.#resolve(path, options.mode), data, options))
    return { path: this.#chroot.strip(created.path), stat: created.stat }
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
    return this.#run(this.#session.set(this.#chroot.resolve(path), data, version))
  }

  delete(path: string, version: number): Promise<void> {
    return this.#run(this.#session.delete(this.#chroot.resolve(path), version))
  }

  async multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const resolved = operations.map((operation): Operation => {
      const { path } = operation
      return { ...operation, path: this.#resolve(path, operation.type === 'create' ? operation.mode : null) }
    })
    const results = await this.#run(this.#session.multi(resolved))
    return results.map((result) =>
      result.type === 'create' ? { ...result, path: this.#chroot.strip(result.path) } : result,
    )
  }

  sync(path: string): Promise<void> {
    return this.#run(this.#session.sync(this.#chroot.resolve(path)))
  }

  unwatch(path: string, watch: Watcher): void {
    const resolved = this.#chroot.resolve(path)
    for (const wrapped of this.#watches.take(path, watch)) this.#session.unwatch(resolved, wrapped)
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  /** The path on the servers; for a sequential create, of a prefix. */
  #resolve(path: string, mode: CreateMode | null): string {
    return mode !== null && isSequential(mode) ? this.#chroot.resolvePrefix(path) : this.#chroot.resolve(path)
  }

  #makeAbove(): Promise<void> {
    return makePath(this.#session, parentOf(this.#chroot.root), 'persistent', undefined)
  }

  async #read<T>(
    path: string,
    watch: Watcher | undefined,
    read: (path: string, watch: Watcher | undefined) => Promise<T>,
  ): Promise<T> {
    const resolved = this.#chroot.resolve(path)
    if (watch === undefined) return this.#run(read(resolved, undefined))
    const wrapped = this.#watches.wrap(path, watch)
    try {
      return await this.#run(read(resolved, wrapped.watcher))
    } catch (error) {
      this.#watches.forget(wrapped)
      throw error
    }
  }

  /** Errors name the path that they were called with. */
  async #run<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      throw thrownAsSeenFrom(error, (path) => (this.#chroot.holds(path) ? this.#chroot.strip(path) : path))
    }
  }
}
