/**
 * The lease rule: how long a process may rely on its session, and when it gives the session up.
 *
 * Model     the servers end a session when they have not heard of it for its time-out T. They heard of it after the
 *           sending of the request that proves it (an answered ping, write or keep-alive; each engine has its own),
 *           so both instants count from that sending.
 * Trust     a lease is good for 2/3 T: clocks that differ by a tenth still leave a fifth of T to stop the work in.
 * Give up   after 4/3 T the servers have ended the session, even by a clock that is slow by a quarter: it is given up
 *           here for good, whatever the network does.
 * Source    ZOOKEEPER-4508 (local expiry).
 */

/** Part of the session time-out, from a proven instant, for which a lease is good. */
const LEASE_PART = 2 / 3

/** Part of the session time-out, from a proven instant, after which the session is given up. */
const EXPIRY_PART = 4 / 3

/**
 * The instant up to which a lease may be trusted.
 *
 * @param provenMs - when the latest proof was sent, on `performance.now()`
 * @param timeoutMs - the session time-out
 */
export function trustedUntilMs(provenMs: number, timeoutMs: number): number {
  return provenMs + timeoutMs * LEASE_PART
}

/**
 * The instant at which the session is given up.
 *
 * @param answeredMs - when the latest answered renewal was sent, on `performance.now()`
 * @param timeoutMs - the session time-out
 */
export function givenUpAtMs(answeredMs: number, timeoutMs: number): number {
  return answeredMs + timeoutMs * EXPIRY_PART
}
