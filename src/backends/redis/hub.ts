/**
 * The parts that the sessions of one backend share: how to connect, the feed of changes, and how far they have seen.
 */
import { CoordinationError } from '../../core/errors.ts'
import { newConnection } from './driver.ts'
import type { Address } from './driver.ts'
import { Subscription } from './subscription.ts'
import { Link } from './link.ts'
import { NOWHERE, comparePositions } from './position.ts'
import type { Position } from './position.ts'
import type { RedisSettings } from './options.ts'
import { ServerError } from './server-error.ts'

/** The shared part of a backend. */
export class Hub {
  /** Its options, checked. */
  readonly settings: RedisSettings
  /** The feed of changes that all hear. */
  readonly feed: Subscription
  /** The hash tag: the one key that scripts are given, from which they make the others. */
  readonly key: string
  #seen: Position = NOWHERE
  /** Where a cluster says that the namespace is; null for the target itself. */
  #address: Address | null = null

  /** Makes a hub that is not connected to anything. */
  constructor(settings: RedisSettings) {
    this.settings = settings
    this.key = `{${settings.namespace}}`
    const connect = () => newConnection(settings.target, this.#address, settings.connectTimeoutMs)
    this.feed = new Subscription(`${this.key}:events:`, connect)
  }

  /** The greatest position that any session has seen: whatever comes later must be above it. */
  get seen(): Position {
    return this.#seen
  }

  /** Notes a position. */
  saw(position: Position): void {
    if (comparePositions(position, this.#seen) > 0) this.#seen = position
  }

  /** The instant as scripts take it: empty for the server's own clock. */
  now(): string {
    return this.settings.clock === 'server' ? '' : String(Date.now())
  }

  /**
   * Connects, and does something that shows that this is a server that serves.
   *
   * @param timeoutMs - longest time that both may take together, in milliseconds
   * @param attempt - the work to try on the link; when it succeeds, the link is the caller's
   * @throws CoordinationError `CONNECTION_LOSS` with outcome `not-sent` if it cannot be reached, does not answer or
   * does not serve; `NO_AUTH` if it wants another password; `UNSUPPORTED` if ioredis is missing
   */
  async dial<T>(timeoutMs: number, attempt: (link: Link) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const link = new Link(await newConnection(this.settings.target, this.#address, timeoutMs), this.key)
    let isLate = false
    const giveUp = (): void => {
      isLate = true
      link.abandon('no answer in time')
    }
    const timer = setTimeout(giveUp, timeoutMs)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await link.connect()
      return await attempt(link)
    } catch (error) {
      link.close()
      this.#redirect(error)
      throw failureOf(error, isLate)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /** A server of a cluster that is not ours knows whose we are; any other failure leads back to the target. */
  #redirect(error: unknown): void {
    this.#address = error instanceof ServerError ? error.address : null
  }

  /** A server said that it does not serve the namespace, and perhaps who does. */
  movedTo(address: Address | null): void {
    this.#address = address
  }
}

function failureOf(error: unknown, isLate: boolean): unknown {
  if (isLate) return new CoordinationError('CONNECTION_LOSS', 'Redis did not answer in time', { outcome: 'not-sent' })
  if (!(error instanceof ServerError)) return error
  const { code, message, cause } = error.failure
  return new CoordinationError(code, message, { outcome: code === 'NO_AUTH' ? 'rejected' : 'not-sent', cause })
}
