/**
 * The sessions of a server that has no majority: this server alone knows them, nothing can be owned by them, and no log
 * has them.
 *
 * Time      each ends when nothing was heard of it for its time-out, connected or not.
 * Mark      their passwords begin alike on all servers, so that every server can tell them from sessions of the
 *           ensemble: it may call one of these expired that it does not know, and must never say that of the others.
 *           Half of a password is left to be guessed, for a session that has nothing.
 * Source    LocalSessionTracker.java, ReadOnlyZooKeeperServer.java of ZooKeeper 3.8.
 */
import type { RandomSource } from '../ports.ts'
import { samePassword } from '../state/session-table.ts'
import { SessionTracker } from '../writes/session-tracker.ts'
import { PASSWORD_BYTES } from './connection.ts'

/** The first half of the passwords; a session of the ensemble has it by chance once in 2^64. */
const MARK = new TextEncoder().encode('readonly')
/** The tracker's owner of all of them: nobody else has one. */
const HERE = 0

/** The read-only sessions of one server. */
export class ReadOnlySessions {
  readonly #random: RandomSource
  readonly #tracker: SessionTracker
  readonly #passwords = new Map<bigint, Uint8Array>()

  constructor(random: RandomSource, time: { readonly tickMs: number; readonly sessionBucketTicks: number }) {
    this.#random = random
    this.#tracker = new SessionTracker({ tickMs: time.tickMs, bucketTicks: time.sessionBucketTicks })
  }

  /** Begins one; returns its password. */
  begin(sessionId: bigint, timeoutMs: number): Uint8Array {
    const passwd = new Uint8Array(PASSWORD_BYTES)
    passwd.set(MARK)
    passwd.set(this.#random.bytes(PASSWORD_BYTES - MARK.length), MARK.length)
    this.#passwords.set(sessionId, passwd)
    this.#tracker.track(sessionId, timeoutMs, HERE)
    return passwd
  }

  /** A client is back with a time-out, which begins now; false if it has no session here, or another password. */
  resume(sessionId: bigint, passwd: Uint8Array, timeoutMs: number): boolean {
    const known = this.#passwords.get(sessionId)
    if (known === undefined || !samePassword(known, passwd)) return false
    return this.#tracker.move(sessionId, HERE, timeoutMs)
  }

  /** A session was heard of. */
  touch(sessionId: bigint): void {
    this.#tracker.touch(sessionId)
  }

  /** Ends a session; does nothing if there is none. */
  end(sessionId: bigint): void {
    this.#passwords.delete(sessionId)
    this.#tracker.remove(sessionId)
  }

  /** Lets a tick pass; returns the sessions that have ended by it. */
  tick(): readonly bigint[] {
    const ended = this.#tracker.tick()
    for (const sessionId of ended) this.end(sessionId)
    return ended
  }
}

/** Whether this is the password of a session that some server without a majority has begun. */
export function isOfReadOnly(passwd: Uint8Array): boolean {
  return passwd.length === PASSWORD_BYTES && MARK.every((byte, index) => passwd[index] === byte)
}
