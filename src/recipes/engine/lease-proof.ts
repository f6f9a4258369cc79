/**
 * A grant is worth something only while the session cannot have ended: after a stall, or when answers were slow, it is
 * proven again before it is given out (redlock#296), so that whoever gets it has at least half of a lease to begin in.
 *
 * Length    of a lease: that of a fresh proof. No engine gives more than 2/3 of the session time-out. Where a proof
 *           is one answered request it gives all of that; where it takes several, half of it.
 */
import { delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import type { OwnedNode } from './protected-writes.ts'
import type { Wait } from './wait.ts'

/** Parts of the session time-out: half of the longest lease that an engine gives, and half of the shortest. */
const HALF_OF_LONGEST = 1 / 3
const HALF_OF_SHORTEST = 1 / 6

/** Pauses per session time-out while requests are answered and prove nothing. */
const PAUSES_PER_TIMEOUT = 50

/**
 * Makes sure that at least half of a lease is left.
 *
 * @param client - whose session owns the node
 * @param node - the node whose lease is to be given out
 * @param wait - ends it early, and repeats lost requests
 * @returns false if the session of the node is over
 */
export async function proveLease(
  client: Client,
  node: OwnedNode,
  wait: Pick<Wait, 'signal' | 'insist'>,
): Promise<boolean> {
  const { signal } = wait
  const isLive = (): boolean => client.sessionId === node.sessionId
  const leftMs = (): number => client.leaseDeadlineMs - performance.now()
  const { sessionTimeoutMs } = client
  while (isLive() && leftMs() < sessionTimeoutMs * HALF_OF_LONGEST) {
    const beforeMs = client.leaseDeadlineMs
    const sentMs = performance.now()
    await wait.insist(() => client.sync(node.path, { signal }))
    if (!isLive()) return false
    const freshMs = client.leaseDeadlineMs - sentMs
    const isFresh = client.leaseDeadlineMs > beforeMs && leftMs() > 0 && 2 * leftMs() >= freshMs
    if (isFresh || leftMs() >= sessionTimeoutMs * HALF_OF_SHORTEST) return true
    await delay(sessionTimeoutMs / PAUSES_PER_TIMEOUT, signal)
  }
  return isLive()
}
