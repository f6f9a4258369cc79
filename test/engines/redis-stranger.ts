/** A stranger who writes the keys of a Redis. */
import type { Redis } from 'ioredis'

/** Acts on a key: it gets a type or a member of it, it is removed, or gets a member of infinite score. */
export const STRANGER_ACTS = ['string', 'list', 'hash', 'set', 'zset', 'stream', 'gone', 'score'] as const

/** One of them. */
export type StrangerAct = (typeof STRANGER_ACTS)[number]

/**
 * Writes to a key as it is if that fits, or else in place of what there is.
 *
 * @param field - of a hash; others have none
 */
export async function writeAsStranger(
  admin: Redis,
  key: string,
  act: StrangerAct,
  field: string,
  value: string | Buffer,
): Promise<void> {
  const steps: Record<StrangerAct, () => Promise<unknown>> = {
    string: () => admin.set(key, value),
    list: () => admin.lpush(key, value),
    hash: () => admin.hset(key, field, value),
    set: () => admin.sadd(key, value),
    zset: () => admin.zadd(key, 0, value),
    stream: () => admin.xadd(key, '*', 'c', value),
    gone: () => admin.del(key),
    score: () => admin.zadd(key, 'inf', value),
  }
  await steps[act]().catch(async () => {
    await admin.del(key)
    await steps[act]()
  })
}
