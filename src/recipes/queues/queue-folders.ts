/**
 * The folders of one queue: their paths, what is in them, and whether there is room.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { joinPath } from '../../core/path.ts'
import type { Bell } from '../engine/bell.ts'
import { CREATE_ATTEMPTS_MAX } from '../engine/protected-writes.ts'
import type { Wait } from '../engine/wait.ts'

/** Items; the claims of those that are leased; items that were put away. */
export type Folder = 'items' | 'claims' | 'dead'

export class QueueFolders {
  /** The queue. */
  readonly path: string
  readonly #client: Client
  readonly #maxItems: number

  /**
   * Makes them; nothing is sent.
   *
   * @param maxItems - how many items there may be, and how many dead ones
   */
  constructor(client: Client, path: string, maxItems: number) {
    this.#client = client
    this.path = path
    this.#maxItems = maxItems
  }

  /** The path of a node in a folder. */
  pathOf(folder: Folder, name: string): string {
    return joinPath(this.#folder(folder), name)
  }

  /** How many nodes there are in a folder, as far as the server that is asked knows. */
  async count(folder: Folder, wait: Wait): Promise<number> {
    const stat = await wait.insist(() => this.#client.exists(this.#folder(folder), { signal: wait.signal }))
    return stat?.numChildren ?? 0
  }

  /** The names in a folder; it is not made if missing. No write that was confirmed before the call is missed. */
  async namesNow(folder: Folder, wait: Wait): Promise<readonly string[]> {
    const path = this.#folder(folder)
    try {
      await wait.insist(() => this.#client.sync(path, { signal: wait.signal }))
      return (await wait.insist(() => this.#client.children(path, { signal: wait.signal }))).names
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return []
      throw error
    }
  }

  /** The names in a folder, which is made if missing; the bell rings when they change. */
  async watchedNames(folder: Folder, wait: Wait, bell: Bell): Promise<readonly string[]> {
    const path = this.#folder(folder)
    const watch = bell.on(path, () => undefined)
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await wait.insist(() => this.#client.children(path, { watch, signal: wait.signal }))).names
      } catch (error) {
        if (!isCoordinationError(error, 'NO_NODE') || attempt === CREATE_ATTEMPTS_MAX) throw error
      }
      await this.make(folder, wait)
    }
  }

  /** Makes a folder that is missing. */
  async make(folder: Folder, wait: Wait): Promise<void> {
    const options = { mode: 'persistent', signal: wait.signal } as const
    await wait.insist(() => this.#client.makePath(this.#folder(folder), options))
  }

  /**
   * Makes sure that there is room.
   *
   * @throws CoordinationError `QUEUE_FULL`
   */
  async refuseFull(folder: 'items' | 'dead', wait: Wait): Promise<void> {
    const count = await this.count(folder, wait)
    if (count < this.#maxItems) return
    const isOfItems = folder === 'items'
    const [what, hint] = isOfItems ? ['items', 'put again when some are done'] : ['dead letters', 'remove some']
    const message = `${this.path} has ${count} ${what}, and may have ${this.#maxItems}: ${hint}`
    throw new CoordinationError('QUEUE_FULL', message, { outcome: 'rejected', path: this.path })
  }

  #folder(folder: Folder): string {
    return joinPath(this.path, folder)
  }
}
