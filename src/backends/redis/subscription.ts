/**
 * The feed of changes for all sessions of one backend: one connection that is subscribed to the namespace's channel.
 *
 * Model     every transaction is published with its position and its changes. A session takes the ones after those
 *           that it has seen; where one is missing it asks the stream.
 * Strangers whoever reaches the server, in whichever database, can publish there. The scripts seal what they publish
 *           with a word that only those know who can read the namespace's keys. A message without it says no more than
 *           that there may be something to look for.
 * Loss      a subscription may lose anything at any time without a word, and nothing rests on it but speed: every tick
 *           of a session asks the stream too. One that is found to be behind is made again.
 */
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { fullJitterMs } from '../../core/retry.ts'
import type { RedisConnection } from './driver.ts'
import { comparePositions, parseChanges, parsePosition } from './position.ts'
import type { Position, Transaction } from './position.ts'

/** Who is told. */
export interface FeedListener {
  /** `transaction` is null when something may have been missed: at the beginning, and when a stranger has published. */
  readonly onHeard: (transaction: Transaction | null) => void
  /** Something is wrong that does not mend itself; one listener is told, once. */
  readonly onProblem: (error: unknown) => void
}

/** Largest pause before a subscription is made again, in milliseconds. */
const PAUSE_MS_MAX = 1_000

/** The subscription of one backend: it stands while anybody listens. */
export class Subscription {
  readonly #channel: string
  readonly #connect: () => Promise<RedisConnection>
  readonly #listeners = new Set<FeedListener>()
  #connection: RedisConnection | null = null
  #failures = 0
  #pause: ReturnType<typeof setTimeout> | undefined
  #isSubscribed = false
  #last: Position | null = null
  #toldOf: Position | null = null
  #seal: string | null = null
  #hasComplained = false
  /** Grows with each subscription, so that what an older one still says is told apart. */
  #turn = 0

  /**
   * Makes a feed that is not subscribed.
   *
   * @param connect - makes a connection of its own that is not connected yet
   */
  constructor(channel: string, connect: () => Promise<RedisConnection>) {
    this.#channel = channel
    this.#connect = connect
  }

  /** Listens. @returns a function that ends it */
  listen(listener: FeedListener): () => void {
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) void this.#subscribe()
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop()
    }
  }

  /** Learns what the scripts seal their messages with. */
  trust(seal: string): void {
    this.#seal = seal
  }

  /** Tells that the namespace stood here some time ago: a subscription that is not as far by now is made again. */
  shouldHaveSeen(position: Position): void {
    if (!this.#isSubscribed) return
    const since = this.#toldOf
    this.#toldOf = position
    // It never sees the transactions that were there when it began.
    if (since === null || comparePositions(position, since) <= 0) return
    if (this.#last === null || comparePositions(this.#last, position) < 0) this.#again()
  }

  async #subscribe(): Promise<void> {
    const turn = ++this.#turn
    const isStale = (): boolean => turn !== this.#turn
    try {
      const connection = await this.#connect()
      if (isStale()) {
        connection.disconnect()
        return
      }
      this.#connection = connection
      const onLost = (): void => {
        if (!isStale()) this.#again()
      }
      connection.on('error', () => undefined)
      connection.on('close', onLost)
      connection.on('end', onLost)
      connection.on('message', (_channel: string, message: string) => {
        if (!isStale()) this.#onMessage(message)
      })
      await connection.connect()
      await connection.subscribe(this.#channel)
      if (isStale()) return
      this.#failures = 0
      this.#isSubscribed = true
      this.#tell(null)
    } catch {
      // A session that cannot be reached tells so by itself.
      if (!isStale()) this.#again()
    }
  }

  #onMessage(message: string): void {
    let transaction: Transaction | null = null
    try {
      transaction = this.#read(message)
    } catch (error) {
      if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
      this.#complain(error)
    }
    this.#tell(transaction)
  }

  /** The transaction in a message, if a script of this namespace has sealed it. */
  #read(message: string): Transaction | null {
    const end = message.indexOf('\n')
    const head = end < 0 ? message : message.slice(0, end)
    const position = parsePosition(head)
    this.#last = position
    const changes = parseChanges(message.slice(end + 1))
    return head === `${position.text} ${this.#seal ?? ''}` ? { position, changes } : null
  }

  #complain(cause: CoordinationError): void {
    if (this.#hasComplained) return
    this.#hasComplained = true
    const message = `somebody else publishes on the channel ${this.#channel} of Redis (told once): ${cause.message}`
    const [listener] = this.#listeners
    listener?.onProblem(new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt', cause }))
  }

  #tell(transaction: Transaction | null): void {
    // One that was called before may have ended another.
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener.onHeard(transaction)
  }

  #again(): void {
    this.#stop()
    if (this.#listeners.size === 0) return
    this.#failures += 1
    this.#pause = setTimeout(() => void this.#subscribe(), fullJitterMs(this.#failures, PAUSE_MS_MAX))
  }

  #stop(): void {
    this.#turn += 1
    clearTimeout(this.#pause)
    this.#connection?.disconnect()
    this.#connection = null
    this.#isSubscribed = false
    this.#last = null
    this.#toldOf = null
  }
}
