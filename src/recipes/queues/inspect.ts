/** Queues, as tools see them. */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import type { Folder } from './queue-folders.ts'
import { entriesOf } from './queue-names.ts'

/** How much there is of a queue. */
export interface QueueCounts {
  /** Items that are not done, with those that are leased. */
  readonly items: number
  /** Items that are with a consumer. */
  readonly leased: number
  /** Items that were put away. */
  readonly dead: number
  /** Of the first items that are due and with nobody: how many were handed out before, as those that nobody can do. */
  readonly returned: number
  /** How often the one of them was handed out that was handed out most. */
  readonly attemptsMost: number
}

/** So many items are looked at, the most urgent ones. */
const LOOKED_AT_MAX = 100

/** Counts the items of a queue. A queue that is not there has none. */
export async function readQueueCounts(client: Client, path: string, signal: AbortSignal): Promise<QueueCounts> {
  await client.sync(path, { signal })
  const count = async (folder: Folder): Promise<number> => {
    return (await client.exists(joinPath(path, folder), { signal }))?.numChildren ?? 0
  }
  const [items, leased, dead] = await Promise.all([count('items'), count('claims'), count('dead')])
  const attempts = (await attemptsOfFirst(client, path, signal)).filter((attempt) => attempt > 0)
  return { items, leased, dead, returned: attempts.length, attemptsMost: Math.max(0, ...attempts) }
}

/** How often each of the first free items was handed out. */
async function attemptsOfFirst(client: Client, path: string, signal: AbortSignal): Promise<number[]> {
  const namesIn = async (folder: Folder): Promise<readonly string[]> => {
    return (await unlessGone(client.children(joinPath(path, folder), { signal })))?.names ?? []
  }
  const [items, claims] = await Promise.all([namesIn('items'), namesIn('claims')])
  const leased = new Set(claims)
  const nowMs = Date.now()
  const free = entriesOf(items).filter(({ name, dueMs }) => !leased.has(name) && dueMs <= nowMs).slice(0, LOOKED_AT_MAX)
  const read = (name: string): Promise<number> => {
    return client.exists(joinPath(joinPath(path, 'items'), name), { signal }).then((stat) => stat?.version ?? 0)
  }
  return readEach(free, ({ name }) => read(name), signal)
}
