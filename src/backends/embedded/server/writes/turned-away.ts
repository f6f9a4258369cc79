/**
 * Sessions of which this leader has said, since it does not know them, that they are over. Another server may still
 * have one as a local session, and a request of it on its way. None of them may be done any more: its client has been
 * told so, and may have done the same again in another session (decision 0028).
 *
 * Time      a server ends a local session when it hears nothing of it for its time-out, and what it has sent by then
 *           reaches the leader within syncLimit, or its link ends. The clocks may differ by half.
 * Whose     an entry is of an id and a password. So one who knows an id alone can harm nobody's session.
 * Limit     the number of entries. With one more the oldest is forgotten.
 */
import { PASSWORD_BYTES } from '../state/session-table.ts'

/** Some 150 bytes each. */
const ENTRIES_MAX = 10_000
/** A clock that runs at half the speed of another one is broken. */
const CLOCK_FACTOR = 2

/** The durations that entries are kept by. */
export interface TurnedAwayOptions {
  readonly tickMs: number
  readonly sessionBucketTicks: number
  readonly maxSessionTimeoutMs: number
  readonly syncLimitTicks: number
}

/** The sessions that one leader has turned away lately. */
export class TurnedAwaySessions {
  readonly #keptTicks: number
  /** When each is forgotten; the oldest first. */
  readonly #until = new Map<string, number>()
  #now = 0

  constructor({ tickMs, sessionBucketTicks, maxSessionTimeoutMs, syncLimitTicks }: TurnedAwayOptions) {
    const sessionTicks = Math.ceil(maxSessionTimeoutMs / tickMs) + sessionBucketTicks
    this.#keptTicks = CLOCK_FACTOR * (sessionTicks + syncLimitTicks)
  }

  /** A client that showed this password was told that its session is over. */
  add(sessionId: bigint, passwd: Uint8Array): void {
    if (passwd.length !== PASSWORD_BYTES) return
    const key = keyOf(sessionId, passwd)
    this.#until.delete(key)
    this.#until.set(key, this.#now + this.#keptTicks)
    if (this.#until.size > ENTRIES_MAX) this.#forgetFirst()
  }

  /** Whether the client of this session was told that it is over. */
  has(sessionId: bigint, passwd: Uint8Array): boolean {
    return this.#until.has(keyOf(sessionId, passwd))
  }

  /** Lets a tick pass. */
  tick(): void {
    this.#now += 1
    for (const untilTick of this.#until.values()) {
      if (untilTick > this.#now) return
      this.#forgetFirst()
    }
  }

  #forgetFirst(): void {
    const [first] = this.#until.keys()
    if (first !== undefined) this.#until.delete(first)
  }
}

function keyOf(sessionId: bigint, passwd: Uint8Array): string {
  return `${sessionId}:${Buffer.from(passwd).toString('base64')}`
}
