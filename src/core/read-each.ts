/** Many calls of one kind, a bounded number of them in flight at a time. */
import { abortable } from './async.ts'
import { isCoordinationError } from './errors.ts'

/** How many reads are in flight at a time. */
const READS_IN_FLIGHT_MAX = 128

/**
 * Reads for each of a list.
 *
 * @param read - reads for one of them
 * @param signal - ends the reading between two replies
 * @returns the results in the order of the list
 * @throws the first error of a read; CoordinationError `ABORTED`
 */
export async function readEach<T, R>(
  list: readonly T[],
  read: (one: T) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const found: R[] = []
  for (let start = 0; start < list.length; start += READS_IN_FLIGHT_MAX) {
    const reading = list.slice(start, start + READS_IN_FLIGHT_MAX).map(read)
    for (const one of await abortable(Promise.all(reading), signal)) found.push(one)
  }
  return found
}

/** The result of a read; null if the node is gone. */
export async function unlessGone<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return null
    throw error
  }
}
