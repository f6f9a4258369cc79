/** Partitioners, as tools see them: who is there, and whose each item is. */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import { unmarkData } from '../engine/marked-data.ts'
import { GroupMembership } from './group-membership.ts'
import type { MemberInfo } from './group-membership.ts'
import { ITEMS, ITEMS_MAX, MEMBERS } from './partitioner.ts'
import type { Known } from './partitioner.ts'

/** The owner of an item. */
export interface ItemOwner {
  /** The member's id, as it was when it took the item. */
  readonly id: string
  /** The token of its assignment. */
  readonly token: bigint
  readonly sessionId: bigint
  /** When it took the item, in milliseconds since 1970 by the leader's clock. */
  readonly sinceMs: number
}

/** An item that is shared out. */
export interface SeenItem {
  readonly item: string
  /** Null if nobody has it: it is on its way from one owner to the next, or no member is there. */
  readonly owner: ItemOwner | null
}

/** The members of a partitioner and what they share out. */
export interface SeenPartitions {
  /** Sorted by id. */
  readonly members: readonly MemberInfo<Known>[]
  /** The items that a member knows or owns, sorted; numbers by their value. */
  readonly items: readonly SeenItem[]
}

/** Reads who is there and who owns what. It is read in parts, so it need not have been so at one moment. */
export async function readPartitions(client: Client, path: string, signal: AbortSignal): Promise<SeenPartitions> {
  await client.sync(path, { signal })
  const parent = joinPath(path, ITEMS)
  const members = await new GroupMembership<Known>(client, joinPath(path, MEMBERS)).members({ signal })
  const claimed = (await unlessGone(client.children(parent, { signal })))?.names ?? []
  const owners = await readEach(claimed, (item) => readOwner(client, joinPath(parent, item), signal), signal)
  const known = members.flatMap(({ data }) => itemsOf(data))
  const found = new Map<string, ItemOwner | null>(known.map((item) => [item, null]))
  for (const [index, owner] of owners.entries()) if (owner !== null) found.set(claimed[index] ?? '', owner)
  const items = [...found].map(([item, owner]) => ({ item, owner }))
  return { members, items: items.sort((a, b) => a.item.localeCompare(b.item, 'en', { numeric: true })) }
}

async function readOwner(client: Client, path: string, signal: AbortSignal): Promise<ItemOwner | null> {
  const read = await unlessGone(client.get(path, { signal }))
  // A node that is no lease was put there by somebody else.
  if (read === null || read.stat.ephemeralOwner === 0n) return null
  const { czxid: token, ephemeralOwner: sessionId, ctime: sinceMs } = read.stat
  const id = new TextDecoder().decode(unmarkData(read.data)?.data ?? read.data)
  return { id, token, sessionId, sinceMs }
}

/** The items that a member knows. Its data come from outside: what is not clear counts as none. */
function itemsOf(data: Partial<Known> | null | undefined): string[] {
  const { items, count } = data ?? {}
  if (Array.isArray(items)) return items.filter((item): item is string => typeof item === 'string')
  const isCount = typeof count === 'number' && Number.isSafeInteger(count) && count > 0
  return isCount ? Array.from({ length: Math.min(count, ITEMS_MAX) }, (_, index) => String(index)) : []
}
