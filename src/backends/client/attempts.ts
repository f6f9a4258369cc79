/** The time of a client's next attempt at a server: at once, or, when a round is over, after a pause. */
import { CoordinationError } from '../../core/errors.ts'
import { fullJitterMs } from '../../core/retry.ts'

/** Back-off between rounds over all the servers is at most this part of the session time-out. */
const BACK_OFF_PART = 1 / 8

/** Shortest time that a server has to answer a ConnectRequest, in milliseconds. */
const ATTEMPT_MS_MIN = 100

/** A connection that was attached for less than this, in milliseconds, counts as one more failed attempt. */
const STABLE_MS = 1_000

/** The attempts of one session. */
export class ClientAttempts {
  readonly #servers: { readonly serverCount: number }
  /** Connections that came to nothing since the last one that was stable. */
  #failures = 0
  #attachedAtMs: number | null = null
  #pause: ReturnType<typeof setTimeout> | undefined

  /**
   * Counts from nothing.
   *
   * @param servers - how many of them make a round; their number may change
   */
  constructor(servers: { readonly serverCount: number }) {
    this.#servers = servers
  }

  /** Whether as many attempts have failed since the last stable connection as there are servers. */
  get areInVain(): boolean {
    return this.#failures >= this.#servers.serverCount
  }

  /** A server has attached the session. */
  attached(): void {
    this.#attachedAtMs = performance.now()
  }

  /** The connection was lost, whether the session was attached or not. */
  lost(): void {
    const isStable = this.#attachedAtMs !== null && performance.now() - this.#attachedAtMs >= STABLE_MS
    this.#attachedAtMs = null
    this.#failures = isStable ? 0 : this.#failures + 1
  }

  /**
   * Makes the next attempt.
   *
   * @param timeoutMs - the session time-out
   * @param attempt - makes it
   */
  next(timeoutMs: number, attempt: () => void): void {
    const { serverCount } = this.#servers
    if (this.#failures === 0 || this.#failures % serverCount !== 0) {
      attempt()
      return
    }
    this.#pause = setTimeout(attempt, fullJitterMs(this.#failures / serverCount, timeoutMs * BACK_OFF_PART))
  }

  /** How long one server has to answer a ConnectRequest, in milliseconds: its share of the session time-out. */
  shareMs(timeoutMs: number): number {
    return Math.max(ATTEMPT_MS_MIN, timeoutMs / this.#servers.serverCount)
  }

  /** Makes no attempt that waits for the end of a pause. */
  stop(): void {
    clearTimeout(this.#pause)
  }
}

/** The error of a session that no server opened. */
export function unopened(message: string): CoordinationError {
  return new CoordinationError('CONNECTION_LOSS', message, { outcome: 'not-sent' })
}
