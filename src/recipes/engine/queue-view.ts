/**
 * ENGINE: one client's view of one queue of contenders, which all contenders of that client share.
 *
 * Model     the contenders as the latest list has them, without those that were seen to go since. A contender finds its
 *           place in a list that shows its own node, and that list has all who came before it: sequence numbers grow,
 *           so nobody comes in before it later, and from then on it only has to see those before it go.
 * Sharing   a list is read when somebody needs one, and whoever needs one while it is on its way waits for it, or for
 *           the next. Contenders of this client watch their own nodes, and those who wait for them follow these watches
 *           instead of arming others: a hand-over within the client costs the event and no list.
 * Lost      after a reconnect events may have been missed: the list is read again, and everybody looks again. A watch
 *           that its owner lets go says so, and its followers arm one of their own.
 */
import { compareSequence } from '../../core/path.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { contenderOf } from './contender-names.ts'
import type { Contender } from './contender-names.ts'
import type { NodeWatch } from './ownership.ts'

/** One who waits in the queue, and is called when there may be news for it. */
export interface QueueListener {
  /** A contender that it listens to has gone, or has to be looked at again. */
  ring(): void
  /** The client is in touch again: nothing that was seen before is sure. */
  reconnected(): void
}

const viewsOf = new WeakMap<Client, Map<string, QueueView>>()

/** A client's view of one queue; see the head of this file. */
export class QueueView {
  readonly #client: Client
  readonly #path: string
  /** Contenders of this client, and the watches on their nodes. */
  readonly #local = new Map<string, NodeWatch>()
  readonly #listeners = new Map<string, Set<QueueListener>>()
  readonly #waiting = new Set<QueueListener>()
  /** Null: to be read. */
  #queue: Contender[] | null = null
  #reading: Promise<void> | null = null
  #next: Promise<void> | null = null
  #unlisten: (() => void) | null = null

  private constructor(client: Client, path: string) {
    this.#client = client
    this.#path = path
  }

  /** The view of a queue; there is one per client and path for as long as a contender of that client is in it. */
  static of(client: Client, path: string): QueueView {
    return viewsOf.get(client)?.get(path) ?? new QueueView(client, path)
  }

  /**
   * Takes a contender of a client into its view, until its watch is retired.
   *
   * @param name - its node's name
   * @param watch - on its node; armed by its owner
   * @returns the view
   */
  static enter(client: Client, path: string, name: string, watch: NodeWatch): QueueView {
    const view = QueueView.of(client, path)
    view.#enter(name, watch)
    return view
  }

  #enter(name: string, watch: NodeWatch): void {
    if (this.#local.size === 0) this.#begin()
    this.#local.set(name, watch)
    watch.follow((event) => {
      if (event?.type === 'deleted') this.remove(name)
      if (event === null) this.#letGo(name)
      this.#ring(name)
    })
  }

  /** Tells a listener of reconnects. Returns what ends it. */
  listen(listener: QueueListener): () => void {
    this.#waiting.add(listener)
    return () => this.#waiting.delete(listener)
  }

  /** Whether a contender is of this client, so that its owner watches it. */
  isLocal(name: string): boolean {
    return this.#local.has(name)
  }

  /** Rings a listener when a local contender has gone or has to be looked at again. Returns what ends it. */
  follow(name: string, listener: QueueListener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#listeners.delete(name)
    }
  }

  /** A contender was seen to be gone. */
  remove(name: string): void {
    const contender = contenderOf(name)
    if (contender === null || this.#queue === null) return
    const index = indexIn(this.#queue, contender)
    if (index !== -1) this.#queue.splice(index, 1)
  }

  /**
   * The queue as far as it is known, once it shows a contender.
   *
   * @returns null if a list that was read after this call does not show it: its node is gone
   */
  async showing(contender: Contender): Promise<readonly Contender[] | null> {
    // A list that is on its way may have been read too early, and may have not.
    if (this.#known(contender) === null) await this.#reading?.catch(() => undefined)
    if (this.#known(contender) === null) await this.refresh()
    return this.#known(contender)
  }

  /** Reads the list after this call; those who call before the reading begins share it. */
  async refresh(): Promise<readonly Contender[]> {
    this.#next ??= this.#reading === null ? null : this.#afterReading(this.#reading)
    await (this.#next ?? this.#read())
    return this.#queue ?? []
  }

  async #afterReading(reading: Promise<void>): Promise<void> {
    await reading.catch(() => undefined)
    this.#next = null
    await this.#read()
  }

  #read(): Promise<void> {
    const reading = this.#list().finally(() => {
      if (this.#reading === reading) this.#reading = null
    })
    this.#reading = reading
    return reading
  }

  async #list(): Promise<void> {
    try {
      this.#queue = contendersIn((await this.#client.children(this.#path)).names)
    } catch (error) {
      if (!isCoordinationError(error, 'NO_NODE')) throw error
      this.#queue = []
    }
  }

  #known(contender: Contender): readonly Contender[] | null {
    return this.#queue !== null && indexIn(this.#queue, contender) !== -1 ? this.#queue : null
  }

  #begin(): void {
    const views = viewsOf.get(this.#client) ?? new Map<string, QueueView>()
    viewsOf.set(this.#client, views.set(this.#path, this))
    this.#queue = null
    this.#unlisten = this.#client.onState(({ status }) => {
      if (status !== 'connected') return
      this.#queue = null
      for (const listener of [...this.#waiting]) listener.reconnected()
    })
  }

  #letGo(name: string): void {
    this.#local.delete(name)
    if (this.#local.size > 0) return
    this.#unlisten?.()
    if (viewsOf.get(this.#client)?.get(this.#path) === this) viewsOf.get(this.#client)?.delete(this.#path)
  }

  #ring(name: string): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener.ring()
  }
}

/** The contenders among the names of a parent's children, first come first. */
export function contendersIn(names: readonly string[]): Contender[] {
  const found = names.map(contenderOf).filter((contender) => contender !== null)
  return found.sort((a, b) => compareSequence(a.sequence, b.sequence))
}

/** Where a contender stands in a sorted queue, or -1. */
export function indexIn(queue: readonly Contender[], { name, sequence }: Contender): number {
  let [low, high] = [0, queue.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const found = queue[middle]
    if (found !== undefined && compareSequence(found.sequence, sequence) < 0) low = middle + 1
    else high = middle
  }
  for (let index = low; queue[index]?.sequence === sequence; index += 1) if (queue[index]?.name === name) return index
  return -1
}
