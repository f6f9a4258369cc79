/**
 * The feed of changes for all sessions of one backend: one connection that is subscribed to a channel per session.
 *
 * Model     a session gets a message for each transaction that it waits for, with the position of the message before.
 *           It takes those that it has not seen; where one is missing it asks the server.
 * Strangers whoever reaches the server, in whichever database, can publish there. The scripts seal what they publish
 *           with a word that only those know who can read the namespace's keys. A message without it says no more than
 *           that there may be something to look for.
 * Loss      a subscription may lose anything at any time without a word, and nothing rests on it but speed: every
 *           answer to a session, that to its ticks among them, brings what it waits for. A subscription that is found
 *           to be behind is made again.
 */
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { fullJitterMs } from '../../core/retry.ts'
import type { RedisConnection } from './driver.ts'
import { NOWHERE, comparePositions, parseNotice } from './position.ts'
import type { Position, Transaction } from './position.ts'

/** Who is told. */
export interface FeedListener {
  /** `transaction` is null when something may have been missed: at the beginning, and when a stranger has published. */
  readonly onHeard: (transaction: Transaction | null) => void
  /** Something is wrong that does not mend itself; one listener is told, once. */
  readonly onProblem: (error: unknown) => void
}

/** A session that listens. */
interface Subscriber {
  readonly listener: FeedListener
  /** Whether the server has confirmed its channel on the present connection. */
  isHeard: boolean
  /** The last position in a message. */
  last: Position | null
  /** How far its session had been told some time after the beginning; it never brings what was told before that. */
  since: Position | null
  /** How far its session had been told when that was asked last. */
  told: Position | null
}

/** Largest pause before a subscription is made again, in milliseconds. */
const PAUSE_MS_MAX = 1_000

/** The subscription of one backend: it stands while anybody listens. */
export class Subscription {
  readonly #prefix: string
  readonly #connect: () => Promise<RedisConnection>
  readonly #subscribers = new Map<string, Subscriber>()
  #connection: RedisConnection | null = null
  /** Whether the connection takes subscriptions. */
  #isOpen = false
  #failures = 0
  #pause: ReturnType<typeof setTimeout> | undefined
  #seal: string | null = null
  #hasComplained = false
  /** Grows with each connection, so that what an older one still says is told apart. */
  #turn = 0

  /**
   * Makes a feed that is not subscribed.
   *
   * @param prefix - what stands before a session's text in the name of its channel
   * @param connect - makes a connection of its own that is not connected yet
   */
  constructor(prefix: string, connect: () => Promise<RedisConnection>) {
    this.#prefix = prefix
    this.#connect = connect
  }

  /** Listens to the channel of a session. @returns a function that ends it */
  listen(session: string, listener: FeedListener): () => void {
    const channel = this.#prefix + session
    this.#subscribers.set(channel, { listener, isHeard: false, last: null, since: null, told: null })
    if (this.#subscribers.size === 1) void this.#open()
    else if (this.#isOpen && this.#connection !== null) void this.#subscribe(this.#connection, [channel])
    return () => {
      if (!this.#subscribers.delete(channel)) return
      if (this.#subscribers.size === 0) this.#stop()
      else if (this.#isOpen) this.#connection?.unsubscribe(channel).catch(() => undefined)
    }
  }

  /** Learns what the scripts seal their messages with. */
  trust(seal: string): void {
    this.#seal = seal
  }

  /**
   * Tells now and then how far a session has been told, in whatever way: a subscription that has not brought by the
   * next time what it should have is made again.
   */
  wasTold(session: string, position: Position | null): void {
    const subscriber = this.#subscribers.get(this.#prefix + session)
    if (subscriber?.isHeard !== true) return
    const { since, told, last } = subscriber
    subscriber.told = position
    if (since === null) subscriber.since = position ?? NOWHERE
    else if (told !== null && comparePositions(told, since) > 0 && isBefore(last, told)) this.#again()
  }

  async #open(): Promise<void> {
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
      connection.on('message', (channel: string, message: string) => {
        if (!isStale()) this.#onMessage(channel, message)
      })
      await connection.connect()
      if (isStale()) return
      this.#isOpen = true
      await this.#subscribe(connection, [...this.#subscribers.keys()])
    } catch {
      // A session that cannot be reached tells so by itself.
      if (!isStale()) this.#again()
    }
  }

  async #subscribe(connection: RedisConnection, channels: readonly string[]): Promise<void> {
    try {
      await Promise.all(channels.map((channel) => connection.subscribe(channel)))
    } catch {
      if (connection === this.#connection) this.#again()
      return
    }
    if (connection !== this.#connection) return
    this.#failures = 0
    for (const channel of channels) {
      const subscriber = this.#subscribers.get(channel)
      if (subscriber === undefined) continue
      subscriber.isHeard = true
      subscriber.listener.onHeard(null)
    }
  }

  #onMessage(channel: string, message: string): void {
    const subscriber = this.#subscribers.get(channel)
    if (subscriber === undefined) return
    let transaction: Transaction | null = null
    try {
      transaction = this.#read(subscriber, message)
    } catch (error) {
      if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
      this.#complain(subscriber, channel, error)
    }
    subscriber.listener.onHeard(transaction)
  }

  /** The transaction in a message, if a script of this namespace has sealed it and says what has changed. */
  #read(subscriber: Subscriber, message: string): Transaction | null {
    const { transaction, seal } = parseNotice(message)
    subscriber.last = transaction.position
    const isWhole = transaction.changes.every(({ type }) => type !== 'missed')
    return seal === this.#seal && isWhole ? transaction : null
  }

  #complain({ listener }: Subscriber, channel: string, cause: CoordinationError): void {
    if (this.#hasComplained) return
    this.#hasComplained = true
    const message = `somebody else publishes on the channel ${channel} of Redis (told once): ${cause.message}`
    listener.onProblem(new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt', cause }))
  }

  #again(): void {
    this.#stop()
    if (this.#subscribers.size === 0) return
    this.#failures += 1
    this.#pause = setTimeout(() => void this.#open(), fullJitterMs(this.#failures, PAUSE_MS_MAX))
  }

  #stop(): void {
    this.#turn += 1
    clearTimeout(this.#pause)
    this.#connection?.disconnect()
    this.#connection = null
    this.#isOpen = false
    for (const subscriber of this.#subscribers.values()) {
      subscriber.isHeard = false
      subscriber.last = null
      subscriber.since = null
      subscriber.told = null
    }
  }
}

function isBefore(last: Position | null, told: Position): boolean {
  return last === null || comparePositions(last, told) < 0
}
