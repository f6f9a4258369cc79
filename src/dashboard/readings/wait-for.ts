/**
 * Who waits for whom: sessions that hold a lock and wait for another, and rings of them.
 *
 * Safety    a session may have several tasks, of which one holds and another waits, so a ring is only a possible
 *           deadlock; the answer says so.
 * Bounds    the 50 locks that are most waited for, and the first 100 of each queue.
 */
import type { Client } from '../../core/client.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import type { Answer, Contender, LockQueue, SessionId, WaitFor } from '../api.ts'
import { readLocks, readQueue } from './locks.ts'
import { answer } from './reading.ts'

const LOCKS_MAX = 50
const QUEUE_MAX = 100
const WAITS_MAX = 200

/** Reads it. */
export async function readWaitFor(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Answer<WaitFor>> {
  const locks = await readLocks(client, roots, signal)
  const waited = locks.data.filter(({ waiting }) => waiting > 0)
  const read = await readEach(waited.slice(0, LOCKS_MAX), async ({ path }) => {
    return unlessGone(readQueue(client, path, QUEUE_MAX, signal))
  })
  const queues = read.flatMap((one) => (one === null ? [] : [one.data]))
  const untold: Record<string, string> = { ...locks.untold }
  if (waited.length > LOCKS_MAX) untold['locks'] = `Only the ${LOCKS_MAX} most waited-for locks were looked at.`
  return answer(waitForOf(queues, heldBySession(locks.data.flatMap(({ path, holders }) => {
    return holders.map((holder) => ({ path, holder }))
  }))), { untold })
}

function heldBySession(
  holds: readonly { readonly path: string; readonly holder: Contender }[],
): ReadonlyMap<SessionId, readonly string[]> {
  const held = new Map<SessionId, string[]>()
  for (const { path, holder } of holds) held.set(holder.session, [...(held.get(holder.session) ?? []), path])
  return held
}

/** The waits of those who hold something, and the rings in them. Pure. */
function waitForOf(
  queues: readonly LockQueue[],
  held: ReadonlyMap<SessionId, readonly string[]>,
): WaitFor {
  const waits = queues.flatMap(({ path, queue }) => {
    const holders = queue.filter(({ state }) => state === 'held').map(({ session }) => session)
    return queue.flatMap(({ state, session, says }) => {
      const holds = (held.get(session) ?? []).filter((one) => one !== path)
      if (state === 'held' || holds.length === 0) return []
      return [{ session, says, holds, waitsFor: path, heldBy: [...new Set(holders)] }]
    })
  })
  return { waits: waits.slice(0, WAITS_MAX), rings: ringsOf(waits) }
}

/** Rings of sessions, each once, from its first session in the order of ids. */
function ringsOf(waits: WaitFor['waits']): SessionId[][] {
  const next = new Map<SessionId, Set<SessionId>>()
  for (const { session, heldBy } of waits) {
    const holders = next.get(session) ?? new Set()
    for (const holder of heldBy) holders.add(holder)
    next.set(session, holders)
  }
  const rings = new Map<string, SessionId[]>()
  for (const start of [...next.keys()].sort()) {
    const way = wayBack(next, start)
    if (way !== null) rings.set([...way].sort().join(), way)
  }
  return [...rings.values()]
}

/** The shortest way from a session to itself; null if there is none. */
function wayBack(next: ReadonlyMap<SessionId, ReadonlySet<SessionId>>, start: SessionId): SessionId[] | null {
  const cameFrom = new Map<SessionId, SessionId | null>([[start, null]])
  const queue = [start]
  for (let session = queue.shift(); session !== undefined; session = queue.shift()) {
    for (const holder of next.get(session) ?? []) {
      if (holder === start) {
        const way: SessionId[] = []
        for (let at: SessionId | null = session; at !== null; at = cameFrom.get(at) ?? null) way.unshift(at)
        return way
      }
      if (cameFrom.has(holder)) continue
      cameFrom.set(holder, session)
      queue.push(holder)
    }
  }
  return null
}
