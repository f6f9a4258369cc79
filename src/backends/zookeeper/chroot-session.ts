/**
 * A session under a chroot: everything that it is asked for lives under one node, and looks as if that were the root.
 */
import type { Children, Created, CreateOptions, NodeData, Operation, OperationResult } from '../../core/backend.ts'
import type { Session, SessionState, Stat, Watcher } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { Namespace } from '../../core/namespace.ts'
import { parentOf } from '../../core/path.ts'
import { thrownAsSeenFrom } from '../../core/refusal.ts'
import { WatchWrappers } from '../../core/watch-wrappers.ts'

const NO_BYTES = new Uint8Array()

/**
 * Makes the node of a chroot and its ancestors, if they are missing.
 *
 * @throws what the servers refuse it with
 */
export async function makeChroot(session: Session, chroot: string): Promise<void> {
  if (chroot === '/' || (await session.exists(chroot)) !== null) return
  await makeChroot(session, parentOf(chroot))
  try {
    await session.create(chroot, NO_BYTES, { mode: 'persistent' })
  } catch (error) {
    if (!isCoordinationError(error, 'NODE_EXISTS')) throw error
  }
}

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
    const created = await this.#run(this.#session.create(this.#chroot.resolvePrefix(path), data, options))
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
      const { type, path } = operation
      return { ...operation, path: type === 'create' ? this.#chroot.resolvePrefix(path) : this.#chroot.resolve(path) }
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
