/**
 * The queues of locks, as tools see them: contenders of this package, of Curator and of kazoo side by side.
 *
 * Model     a lock is a node with contenders below it, or (exclusive lock) an ephemeral node itself. A name is that of
 *           a contender if contender-names.ts can read it; the lowest sequence number holds, and every reader that has
 *           no writer before it.
 */
import type { NodeData } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { compareSequence, joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import { LOCK } from '../engine/lock-names.ts'
import { contenderOf } from './contender-names.ts'
import { unmarkData } from '../engine/marked-data.ts'
import { deleteNode } from '../engine/protected-writes.ts'
import { requestAll } from '../engine/revocation.ts'
import { admitReadWrite } from './read-write-lock.ts'

/** A lock and who is at it, first come first. */
export interface LockQueue {
  readonly path: string
  readonly contenders: readonly ContenderInfo[]
}

/**
 * Reads the queue of a lock.
 *
 * @throws CoordinationError `NO_NODE` if there is no such node
 */
export async function readLock(client: Client, path: string, signal: AbortSignal): Promise<LockQueue> {
  const { names } = await client.children(path, { signal })
  const queue = names
    .map(contenderOf)
    .filter((contender) => contender !== null)
    .sort((a, b) => compareSequence(a.sequence, b.sequence))
  if (queue.length === 0) return { path, contenders: await readHolder(client, path, signal) }
  const nodes = await readEach(queue, async (contender) => {
    const at = joinPath(path, contender.name)
    const read = await unlessGone(client.get(at, { signal }))
    return read === null ? null : { contender, path: at, read }
  })
  const present = nodes.filter((node) => node !== null)
  const order = present.map(({ contender }) => contender)
  const contenders = present.map((node, position) => {
    const holds = admitReadWrite(order, position).granted
    return { ...described(node.path, node.read, position), kind: node.contender.kind, holds }
  })
  return { path, contenders }
}

/** Reads the locks below a node: those of its children that have somebody at them. */
export async function readLocks(client: Client, path: string, signal: AbortSignal): Promise<LockQueue[]> {
  const { names } = await client.children(path, { signal })
  const others = names.filter((name) => contenderOf(name) === null)
  const locks = await readEach(others, (name) => unlessGone(readLock(client, joinPath(path, name), signal)))
  return locks.filter((lock) => lock !== null && lock.contenders.length > 0) as LockQueue[]
}

/**
 * Asks whoever holds a lock by now to give it up. An exclusive lock has nobody who could be asked.
 *
 * @returns those that were asked
 */
export async function askHolders(
  client: Client,
  path: string,
  reason: string,
  signal: AbortSignal,
): Promise<ContenderInfo[]> {
  await client.sync(path, { signal })
  const { contenders } = await readLock(client, path, signal)
  const holders = contenders.filter((contender) => contender.holds && contender.path !== path)
  return requestAll(client, holders, reason, { signal })
}

/**
 * Takes a contender out of the queue of a lock, by the token of its lease.
 *
 * @returns null if there is none of this token
 */
export async function evictContender(
  client: Client,
  path: string,
  token: bigint,
  signal: AbortSignal,
): Promise<ContenderInfo | null> {
  await client.sync(path, { signal })
  const { contenders } = await readLock(client, path, signal)
  const meant = contenders.find((contender) => contender.token === token)
  if (meant === undefined) return null
  await deleteNode(client, { path: meant.path, czxid: token }, signal)
  return meant
}

/** The holder of an exclusive lock: whoever owns the node itself. */
async function readHolder(client: Client, path: string, signal: AbortSignal): Promise<ContenderInfo[]> {
  const read = await client.get(path, { signal })
  return read.stat.ephemeralOwner === 0n ? [] : [described(path, read, 0)]
}

function described(path: string, { data, stat }: NodeData, position: number): ContenderInfo {
  const { ctime: sinceMs, czxid: token, ephemeralOwner: sessionId } = stat
  const said = unmarkData(data)?.data ?? data
  return { path, kind: LOCK, position, holds: true, sinceMs, token, sessionId, data: said }
}
