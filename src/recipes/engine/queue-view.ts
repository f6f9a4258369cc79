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
import type { Client, ReadOptions } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { Contender, ContenderNames } from './contender.ts'
import { reportForeign } from './foreign-names.ts'
import type { NodeWatch } from './ownership.ts'

/** One who waits in the queue, and is called when there may be news for it. */
export interface QueueListener {
  /** A contender that it listens to has gone, or has to be looked at again. */
  ring(): void
  /** The client is in touch again: nothing that was seen before is sure. */
  reconnected(): void
}

type Parse = ContenderNames['parse']

/** The views of each client, by how it reads names, and by path. */
const viewsOf = new WeakMap<Client, WeakMap<Parse, Map<string, QueueView>>>()

function viewsFor(client: Client, parse: Parse): Map<string, QueueView> {
  const ofClient = viewsOf.get(client) ?? new WeakMap<Parse, Map<string, QueueView>>()
  viewsOf.set(client, ofClient)
  const views = ofClient.get(parse) ?? new Map<string, QueueView>()
  ofClient.set(parse, views)
  return views
}

/** A client's view of one queue. */
export class QueueView {
  /** The parent of the contenders. */
  readonly path: string
  readonly #client: Client
  readonly #parse: Parse
  /** Contenders of this client, and the watches on their nodes. */
  readonly #local = new Map<string, NodeWatch>()
  readonly #listeners = new Map<string, Set<QueueListener>>()
  readonly #waiting = new Set<QueueListener>()
  /** Null: to be read. */
  #queue: Contender[] | null = null
  #reading: Promise<void> | null = null
  #next: Promise<void> | null = null
  #unlisten: (() => void) | null = null
  /** How many of this client are about to enter. */
  #expected = 0

  private constructor(client: Client, path: string, parse: Parse) {
    this.#client = client
    this.path = path
    this.#parse = parse
  }

  /**
   * The view of a queue; there is one per client and path for as long as a contender of that client is in it, or
   * expected.
   */
  static of(client: Client, path: string, parse: Parse): QueueView {
    return viewsFor(client, parse).get(path) ?? new QueueView(client, path, parse)
  }

  /** A contender of this client is about to come in. Returns what is to be called when it has, or will not. */
  expect(): () => void {
    if (!this.#isInUse) this.#begin()
    this.#expected += 1
    return () => {
      this.#expected -= 1
      this.#endIfUnused()
    }
  }

  /**
   * Reads the list together with the creation of a contender, which was just sent: a session's requests take effect in
   * their order, so mostly the list shows it.
   */
  readAhead(): void {
    // Whoever needs the list finds out by itself that there is none.
    if (this.#reading === null) this.#read().catch(() => undefined)
  }

  /**
   * Takes a contender of this client in that was expected, until its watch is retired.
   *
   * @param name - its node's name
   * @param watch - on its node; armed by its owner
   */
  enter(name: string, watch: NodeWatch): void {
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

  /** A contender was seen to be gone. If another may stand in its place, only a new list can tell. */
  remove(name: string): void {
    const contender = this.#parse(name)
    if (contender === null || this.#queue === null) return
    const index = indexIn(this.#queue, contender)
    if (index === -1) return
    if (contender.leavesHeir === true) this.#queue = null
    else this.#queue.splice(index, 1)
  }

  /**
   * A contender has waited for the end of another. If that has come, most of those before it went earlier, which nobody
   * here has heard: one list tells of all, where to look at each would take the longer the longer the queue was.
   *
   * @param contender - the one that has waited
   * @param name - of the one that it waited for
   */
  doubt(contender: Contender, name: string): void {
    const queue = this.#queue
    const other = this.#parse(name)
    if (queue === null || (other !== null && indexIn(queue, other) !== -1)) return
    const before = queue[indexIn(queue, contender) - 1]
    const isHeard = before === undefined || before === queue[0] || this.#local.has(before.name)
    if (!isHeard) this.#queue = null
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

  /**
   * Reads the list for one caller alone, with its watch; its result is the view from then on.
   *
   * @param options - the caller's
   */
  async read(options: ReadOptions): Promise<readonly Contender[]> {
    const queue = await readQueue(this.#client, this.path, this.#parse, options)
    this.#queue = queue
    return queue
  }

  /** Notes that the queue may have changed: it is listed again before it is shown. */
  forget(): void {
    this.#queue = null
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
    await this.read({})
  }

  #known(contender: Contender): readonly Contender[] | null {
    return this.#queue !== null && indexIn(this.#queue, contender) !== -1 ? this.#queue : null
  }

  #begin(): void {
    viewsFor(this.#client, this.#parse).set(this.path, this)
    this.#queue = null
    this.#unlisten = this.#client.onState(({ status }) => {
      if (status !== 'connected') return
      this.#queue = null
      for (const listener of [...this.#waiting]) listener.reconnected()
    })
  }

  get #isInUse(): boolean {
    return this.#local.size + this.#expected > 0
  }

  #letGo(name: string): void {
    this.#local.delete(name)
    this.#endIfUnused()
  }

  #endIfUnused(): void {
    if (this.#isInUse) return
    this.#unlisten?.()
    const views = viewsFor(this.#client, this.#parse)
    if (views.get(this.path) === this) views.delete(this.path)
  }

  #ring(name: string): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener.ring()
  }
}

/**
 * Reads a queue, first come first. Children that are no contenders are reported, and are not in it.
 *
 * @param path - the parent of the contenders; without it the queue is empty
 * @param parse - reads a child's name
 */
export async function readQueue(
  client: Client,
  path: string,
  parse: Parse,
  options: ReadOptions,
): Promise<Contender[]> {
  const contenders: Contender[] = []
  const foreign: string[] = []
  try {
    for (const name of (await client.children(path, options)).names) {
      const contender = parse(name)
      if (contender === null) foreign.push(name)
      else contenders.push(contender)
    }
  } catch (error) {
    if (!isCoordinationError(error, 'NO_NODE')) throw error
  }
  if (foreign.length > 0) reportForeign(client, path, foreign)
  return contenders.sort((a, b) => compareSequence(a.sequence, b.sequence))
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
