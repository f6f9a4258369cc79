/**
 * One round of a contender: it waits for what its predicate named, for news of its own node, or for a reconnect.
 *
 * Every wait arms its watch together with a read, which says whether there is something to wait for.
 */
import type { WatchEvent } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Client, Data, ReadOptions } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { joinPath } from '../../core/path.ts'
import type { Contender } from './contender.ts'
import type { NodeWatch } from './ownership.ts'
import type { OwnedNode } from './protected-writes.ts'
import type { Revocation } from './revocation.ts'
import type { QueueListener, QueueView } from './queue-view.ts'
import type { Wait } from './wait.ts'

/** A contender of ours in the queue. */
export interface Entrant {
  readonly node: OwnedNode
  readonly contender: Contender
  readonly data: Data
  readonly watch: NodeWatch
  readonly view: QueueView
  /** Null if nobody can ask for it. */
  readonly revocation: Revocation | null
}

/** One round of waiting: a bell that the watched contender, the own node and a reconnect ring. */
export class Round implements QueueListener {
  readonly #client: Client
  readonly #entrant: Entrant
  readonly #bell = deferred<undefined>()
  readonly #ends: (() => void)[]
  #ownTouched = false

  constructor(client: Client, entrant: Entrant) {
    this.#client = client
    this.#entrant = entrant
    entrant.watch.listen(this.#touchOwn)
    this.#ends = [() => entrant.watch.release(this.#touchOwn), entrant.view.listen(this)]
  }

  /** Whether the watch on the own node has fired or has to be proven after a reconnect. */
  get isOwnTouched(): boolean {
    return this.#ownTouched
  }

  /** Waits for news of a contender; not at all if that is gone already. */
  async waitFor(name: string, wait: Wait): Promise<void> {
    const { view, contender } = this.#entrant
    this.#ends.push(view.follow(name, this))
    wait.waitsFor({ path: joinPath(view.path, name) })
    if (view.isLocal(name) || (await this.#isThere(name, wait))) await abortable(this.#bell.promise, wait.signal)
    view.doubt(contender, name)
  }

  /**
   * Waits for a contender that stands before this one in line: for its end, or until it is admitted and calls.
   *
   * @returns false if it has called already
   */
  async waitForCall(name: string, wait: Wait): Promise<boolean> {
    const found = await this.#look(name, wait, (path, options) => this.#client.get(path, options))
    if (found === null) return true
    if (found.stat.version !== 0) return false
    await abortable(this.#bell.promise, wait.signal)
    return true
  }

  /**
   * Whether a contender is there, with a watch that rings at its end. It has no children, so a watch on their list
   * fires for nothing else: a write to it, if only to delete it as the very node that is meant, wakes nobody.
   */
  async #isThere(name: string, wait: Wait): Promise<boolean> {
    return (await this.#look(name, wait, (path, options) => this.#client.children(path, options))) !== null
  }

  /** Looks at a contender with a watch that rings. Null: it is gone. */
  async #look<R>(
    name: string,
    wait: Wait,
    read: (path: string, options: ReadOptions) => Promise<R>,
  ): Promise<R | null> {
    const { view } = this.#entrant
    const path = joinPath(view.path, name)
    const watch = (event: WatchEvent): void => {
      if (event.type === 'deleted') view.remove(name)
      else view.forget()
      this.ring()
    }
    this.#ends.push(() => this.#client.unwatch(path, watch))
    try {
      return await wait.insist(() => read(path, { watch, signal: wait.signal }))
    } catch (error) {
      if (!isCoordinationError(error, 'NO_NODE')) throw error
      view.remove(name)
      return null
    }
  }

  /** Waits for any change of a queue; not at all if it has changed already. */
  async waitForChange(queue: readonly Contender[], wait: Wait): Promise<void> {
    const { view } = this.#entrant
    // The view takes contenders out of the queue that it gave.
    const seen = queue.map(({ name }) => name)
    const watch = (): void => {
      view.forget()
      this.ring()
    }
    this.#ends.push(() => this.#client.unwatch(view.path, watch))
    const found = await wait.insist(() => view.read({ watch, signal: wait.signal }))
    const isSame = found.length === seen.length && found.every(({ name }, index) => name === seen[index])
    if (isSame) await abortable(this.#bell.promise, wait.signal)
  }

  /** Has the queue listed again before the next decision. */
  forgetQueue(): void {
    this.#entrant.view.forget()
  }

  ring(): void {
    this.#bell.resolve(undefined)
  }

  reconnected(): void {
    this.#touchOwn()
  }

  end(): void {
    for (const end of this.#ends) end()
  }

  readonly #touchOwn = (): void => {
    this.#ownTouched = true
    this.ring()
  }
}
