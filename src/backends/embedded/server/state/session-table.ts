/**
 * The session table that all servers agree on: a session begins and ends by a transaction.
 *
 * Source    DataTree and ZKDatabase.sessionsWithTimeouts of ZooKeeper 3.8; the passwords are ours, since the reference
 *           derives them from the id.
 */
import { assert } from '../../../../core/assert.ts'
import { isSessionId } from './node.ts'

/** Length of a session password. */
export const PASSWORD_BYTES = 16

/** A session as every server knows it. */
interface SessionEntry {
  /** The negotiated time-out in milliseconds. */
  readonly timeoutMs: number
  /** The secret that a client shows to pick the session up again. */
  readonly passwd: Uint8Array
}

/** The sessions that are open, as replicated. */
export class SessionTable {
  readonly #sessions = new Map<bigint, SessionEntry>()

  /** Number of open sessions. */
  get size(): number {
    return this.#sessions.size
  }

  /** Whether this session is open. */
  has(id: bigint): boolean {
    return this.#sessions.has(id)
  }

  /** The session of this id; undefined if it is not open. */
  get(id: bigint): SessionEntry | undefined {
    return this.#sessions.get(id)
  }

  /**
   * Opens a session.
   *
   * @throws AssertionError if it is open, or no session may have this id
   */
  add(id: bigint, entry: SessionEntry): void {
    assert(isSessionId(id), () => `session id ${id}, which marks a kind of node`)
    assert(!this.#sessions.has(id), () => `session ${id} is opened twice`)
    this.#sessions.set(id, entry)
  }

  /**
   * Ends a session.
   *
   * @throws AssertionError if it is not open
   */
  remove(id: bigint): void {
    assert(this.#sessions.delete(id), () => `end of session ${id}, which is not open`)
  }

  /** Ids of the open sessions, in no order. */
  ids(): Iterable<bigint> {
    return this.#sessions.keys()
  }

  /** All open sessions, sorted by id. */
  entries(): [bigint, SessionEntry][] {
    return [...this.#sessions].sort(([a], [b]) => compareIds(a, b))
  }
}

/** A session's id as ZooKeeper's tools print it: `0x` and the hexadecimal digits of its 64 bits. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`
}

/**
 * Compares two passwords in a time that does not tell where they differ.
 *
 * @param a - the one that is right; its length is no secret
 * @param b - the one that was shown
 * @returns whether they are the same
 */
export function samePassword(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/** The order of session ids, for sorting. */
export function compareIds(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
