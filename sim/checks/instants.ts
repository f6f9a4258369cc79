/**
 * The states that a call may have met: the one that was committed last when it was made, and each after that.
 */
import type { Ledger } from '../ledger.ts'

/**
 * Tells whether something held at one of these states.
 *
 * @param since - zxid of the state at which the call was made
 * @param holds - takes the zxid of a state
 */
export function heldSince(ledger: Ledger, since: bigint, holds: (zxid: bigint) => boolean): boolean {
  if (holds(since)) return true
  for (let index = ledger.committed.length - 1; index >= 0; index--) {
    const zxid = ledger.committed[index]?.zxid ?? 0n
    if (zxid <= since) return false
    if (holds(zxid)) return true
  }
  return false
}
