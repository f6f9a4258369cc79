/** Double barriers and latches, as tools see them, which do not know their counts. */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import { readSynced } from '../engine/protected-writes.ts'
import { READY } from './double-barrier.ts'

/** A member of a double barrier. */
export interface BarrierMember {
  readonly path: string
  /** Whether it is in, and not on its way in or in the next round. */
  readonly isIn: boolean
  /** When it came, in milliseconds since 1970 by the leader's clock. */
  readonly sinceMs: number
  readonly sessionId: bigint
}

/** A double barrier and who is at it. */
export interface SeenDoubleBarrier {
  /** Whether a round is under way. */
  readonly isOpen: boolean
  /** First come first. */
  readonly members: readonly BarrierMember[]
}

/** A count-down latch. */
export interface SeenLatch {
  /** How many things must be done. */
  readonly count: number
  /** The ids of those that are done, sorted. */
  readonly done: readonly string[]
}

const COUNT = /^[1-9]\d{0,8}$/

/**
 * Reads a double barrier; its members may be ours, Curator's or kazoo's.
 *
 * @returns null if there is none
 */
export async function readDoubleBarrier(
  client: Client,
  path: string,
  signal: AbortSignal,
): Promise<SeenDoubleBarrier | null> {
  await client.sync(path, { signal })
  const found = await unlessGone(client.children(path, { signal }))
  if (found === null) return null
  const ready = await client.exists(joinPath(path, READY), { signal })
  const names = found.names.filter((name) => name !== READY)
  const stats = await readEach(names, (name) => client.exists(joinPath(path, name), { signal }), signal)
  const members = stats
    .flatMap((stat, index) => (stat === null ? [] : [{ path: joinPath(path, names[index] ?? ''), stat }]))
    .sort((a, b) => (a.stat.czxid < b.stat.czxid ? -1 : 1))
    .map(({ path: own, stat: { czxid, ctime: sinceMs, ephemeralOwner: sessionId } }) => {
      return { path: own, isIn: ready !== null && czxid < ready.czxid, sinceMs, sessionId }
    })
  return { isOpen: ready !== null, members }
}

/**
 * Reads a count-down latch.
 *
 * @returns null if there is none
 * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` if the node holds something else
 */
export async function readLatch(client: Client, path: string, signal: AbortSignal): Promise<SeenLatch | null> {
  const found = await readSynced(client, path, signal)
  if (found === null) return null
  const count = new TextDecoder().decode(found.data)
  if (!COUNT.test(count)) {
    const message = `${path} must hold the count of a latch, got ${String(found.data.length)} bytes of something else`
    throw new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path })
  }
  const listed = await unlessGone(client.children(path, { signal }))
  return listed === null ? null : { count: Number(count), done: [...listed.names].sort() }
}
