/** The buckets of rate limiters, as tools see them. */
import type { Client } from '../../core/client.ts'
import { readSynced } from '../engine/protected-writes.ts'
import { timeOf } from './fleet-clock.ts'
import { decodeBucket, tokensIn } from './token-bucket.ts'
import type { Rate } from './token-bucket.ts'

/** A bucket as it was left. */
export interface SeenBucket extends Rate {
  /** How many tokens there were when it was written last; negative while some that were taken were not there yet. */
  readonly tokens: number
  /** When it was written last, in milliseconds since 1970 by the fleet's clock. */
  readonly writtenAtMs: number
}

/**
 * Reads the bucket of a rate limiter.
 *
 * @returns null if there is none
 * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` if the node holds something else
 */
export async function readBucket(client: Client, path: string, signal: AbortSignal): Promise<SeenBucket | null> {
  const found = await readSynced(client, path, signal)
  if (found === null) return null
  const bucket = decodeBucket(path, found.data)
  const writtenAtMs = timeOf({ mtime: found.stat.mtime, notedMs: bucket.atMs })
  return { ...bucket.rate, tokens: tokensIn(bucket, writtenAtMs), writtenAtMs }
}
