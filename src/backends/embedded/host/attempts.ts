/**
 * Slows down who fails to prove who it is: each further attempt of its address waits before it is even looked at.
 *
 * Model     failures are counted, and forgotten some minutes after the last one. The wait doubles with each, up to a
 *           limit that no session ends by. Attempts that wait hold up their own connection and nothing else. An address
 *           has as many of them at a time as it may have connections: by the longest wait, that is the rate of guesses.
 * Addresses of IPv6 are counted by their first 64 bits, which is what one customer has.
 * Limits    addresses that are remembered; beyond them the one whose failure is the oldest is forgotten.
 */
import { limitOf } from './limits.ts'
import { networkOf } from '../server/state/ip-address.ts'

/** The wait after the first failure, in milliseconds. */
const WAIT_MS = 100
/** The longest wait, in milliseconds. */
export const ATTEMPT_WAIT_MS_MAX = 2_000
/** Failures are forgotten this long after the last one, in milliseconds. */
const FORGET_MS = 600_000
/** Addresses that are remembered. */
export const ATTEMPT_ADDRESSES_MAX = limitOf('failedAddresses')
/** More failures make no wait longer. */
const FAILURES_MAX = 30

/** The failures of all clients of one port. */
export class Attempts {
  /** By address, the one with the oldest failure first. */
  readonly #failures = new Map<string, { readonly count: number; readonly atMs: number }>()

  /** How many addresses are remembered. */
  get size(): number {
    return this.#failures.size
  }

  /**
   * An attempt has failed.
   *
   * @param nowMs - on `performance.now()`
   */
  failed(address: string, nowMs: number): void {
    const key = networkOf(address)
    const count = Math.min(FAILURES_MAX, this.count(address, nowMs) + 1)
    this.#failures.delete(key)
    this.#failures.set(key, { count, atMs: nowMs })
    if (this.#failures.size <= ATTEMPT_ADDRESSES_MAX) return
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest)
      break
    }
  }

  /** How many attempts of an address have failed lately; it counts no further than some of them. */
  count(address: string, nowMs: number): number {
    const known = this.#failures.get(networkOf(address))
    return known === undefined || nowMs - known.atMs > FORGET_MS ? 0 : known.count
  }

  /** How long the next attempt of an address waits, in milliseconds. */
  waitMs(address: string, nowMs: number): number {
    const count = this.count(address, nowMs)
    return count === 0 ? 0 : Math.min(ATTEMPT_WAIT_MS_MAX, WAIT_MS * 2 ** (count - 1))
  }
}
