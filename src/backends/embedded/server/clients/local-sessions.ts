/**
 * Sessions that one server alone knows: no log has them, the leader is not told of them, and nothing can be owned by
 * them. A server has two kinds:
 *
 * Local     begun while it serves, where that is configured. One that asks for an ephemeral node becomes a session of
 *           the ensemble, or is refused it. All end when the server no longer serves (decision 0028).
 * Read-only begun while it has no majority. Their passwords begin alike on all servers, so that every server can tell
 *           them from other sessions: it may call one of these expired that it does not know, and must never say that
 *           of the others. Half of a password is left to be guessed, for a session that has nothing.
 * Time      each ends when nothing was heard of it for its time-out, connected or not.
 * Source    LocalSessionTracker.java, ReadOnlyZooKeeperServer.java of ZooKeeper 3.8.
 */
import type { RandomSource } from '../ports.ts'
import { PASSWORD_BYTES, compareIds, samePassword } from '../state/session-table.ts'
import { SessionTracker } from '../writes/session-tracker.ts'

/** The first half of read-only passwords; another session has it by chance once in 2^64. */
const READ_ONLY_MARK = new TextEncoder().encode('readonly')
/** The tracker's owner of all of them: nobody else has one. */
const HERE = 0

/** A session, for operators. */
export interface LocalSession {
  readonly sessionId: bigint
  readonly timeoutMs: number
  /** When it ends if nothing is heard of it, in milliseconds from now. */
  readonly expiresInMs: number
}

/** The sessions of one kind of one server. */
export class LocalSessions {
  readonly #newTracker: () => SessionTracker
  readonly #sessions = new Map<bigint, { readonly passwd: Uint8Array; timeoutMs: number }>()
  #tracker: SessionTracker

  constructor(time: { readonly tickMs: number; readonly sessionBucketTicks: number }) {
    this.#newTracker = () => new SessionTracker({ tickMs: time.tickMs, bucketTicks: time.sessionBucketTicks })
    this.#tracker = this.#newTracker()
  }

  /** How many there are. */
  get size(): number {
    return this.#sessions.size
  }

  /** All of them, sorted by id. */
  get all(): readonly LocalSession[] {
    const sorted = [...this.#sessions].sort(([a], [b]) => compareIds(a, b))
    return sorted.map(([sessionId, { timeoutMs }]) => {
      return { sessionId, timeoutMs, expiresInMs: this.#tracker.expiresInMs(sessionId) ?? 0 }
    })
  }

  /** Whether there is this session. */
  has(sessionId: bigint): boolean {
    return this.#sessions.has(sessionId)
  }

  /** Begins one. */
  begin(sessionId: bigint, passwd: Uint8Array, timeoutMs: number): void {
    this.#sessions.set(sessionId, { passwd, timeoutMs })
    this.#tracker.track(sessionId, timeoutMs, HERE)
  }

  /** A client is back with a time-out, which begins now; false if it has no session here, or another password. */
  resume(sessionId: bigint, passwd: Uint8Array, timeoutMs: number): boolean {
    const known = this.#sessions.get(sessionId)
    if (known === undefined || !samePassword(known.passwd, passwd)) return false
    known.timeoutMs = timeoutMs
    return this.#tracker.move(sessionId, HERE, timeoutMs)
  }

  /** A session was heard of. */
  touch(sessionId: bigint): void {
    this.#tracker.touch(sessionId)
  }

  /** Ends a session; false if there is none. */
  end(sessionId: bigint): boolean {
    this.#tracker.remove(sessionId)
    return this.#sessions.delete(sessionId)
  }

  /** Ends all of them. */
  clear(): void {
    this.#sessions.clear()
    this.#tracker = this.#newTracker()
  }

  /** Lets a tick pass; returns the sessions that have ended by it. */
  tick(): readonly bigint[] {
    const ended = this.#tracker.tick()
    for (const sessionId of ended) this.end(sessionId)
    return ended
  }
}

/** A password for a read-only session. */
export function readOnlyPassword(random: RandomSource): Uint8Array {
  const passwd = new Uint8Array(PASSWORD_BYTES)
  passwd.set(READ_ONLY_MARK)
  passwd.set(random.bytes(PASSWORD_BYTES - READ_ONLY_MARK.length), READ_ONLY_MARK.length)
  return passwd
}

/** Whether this is the password of a session that some server without a majority has begun. */
export function isOfReadOnly(passwd: Uint8Array): boolean {
  return passwd.length === PASSWORD_BYTES && READ_ONLY_MARK.every((byte, index) => passwd[index] === byte)
}
