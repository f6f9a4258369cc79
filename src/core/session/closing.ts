/** The wait at close: a session that ends waits for the servers to confirm, but not forever. */
import { limited } from '../async.ts'

/** Longest wait for the confirmed end of a session, in milliseconds; it ends at its time-out anyway. */
export const CLOSE_MS_MAX = 2_000

/**
 * Waits until the end of a session is confirmed, has failed, or took too long. Never rejects.
 *
 * @param confirmed - settles with the servers' answer, or when the connection is lost
 */
export async function untilConfirmed(confirmed: Promise<unknown>): Promise<void> {
  await limited(confirmed, CLOSE_MS_MAX, () => new Error('not confirmed in time')).catch(() => undefined)
}
