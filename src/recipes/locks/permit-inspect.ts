/** Semaphores, as tools see them, which do not know how many permits there are. */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import { PERMITS_MAX, PermitLimit } from './permit-limit.ts'
import { Semaphore } from './semaphore.ts'

/** A semaphore and who is at it. */
export interface SeenSemaphore {
  /** How many permits there are, held or not; null if nobody has written it down. */
  readonly permits: number | null
  /** The permits that are held, as {@link Semaphore.holders} lists them. */
  readonly holders: readonly ContenderInfo[]
  /** Those who wait, first come first. */
  readonly waiting: readonly ContenderInfo[]
}

/** Stands for no number: none that a semaphore can have. */
const NONE = 0

/**
 * Reads a semaphore. One that is not there has no number of permits, and nobody at it.
 *
 * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` if its node of the number holds something else
 */
export async function readSemaphore(client: Client, path: string, signal: AbortSignal): Promise<SeenSemaphore> {
  await client.sync(path, { signal })
  const semaphore = new Semaphore(client, path, { permits: PERMITS_MAX })
  const [permits, holders, waiting] = await Promise.all([
    new PermitLimit(client, joinPath(path, 'permits'), NONE).peek(signal),
    semaphore.holders({ signal }),
    semaphore.waiting({ signal }),
  ])
  return { permits: permits === NONE ? null : permits, holders, waiting }
}
