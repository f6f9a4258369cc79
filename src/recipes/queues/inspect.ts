/** Queues, as tools see them. */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import type { Folder } from './queue-folders.ts'

/** How much there is of a queue. */
export interface QueueCounts {
  /** Items that are not done, with those that are leased. */
  readonly items: number
  /** Items that are with a consumer. */
  readonly leased: number
  /** Items that were put away. */
  readonly dead: number
}

/** Counts the items of a queue. A queue that is not there has none. */
export async function readQueueCounts(client: Client, path: string, signal: AbortSignal): Promise<QueueCounts> {
  await client.sync(path, { signal })
  const count = async (folder: Folder): Promise<number> => {
    return (await client.exists(joinPath(path, folder), { signal }))?.numChildren ?? 0
  }
  const [items, leased, dead] = await Promise.all([count('items'), count('claims'), count('dead')])
  return { items, leased, dead }
}
