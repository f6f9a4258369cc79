/**
 * Makes a node and the ancestors that it lacks.
 *
 * Root      only a namespace can be without one: it is made persistent, whatever the mode.
 * Cost      1 read if the node is there; 2 requests if only it is missing. Otherwise the ancestors are searched by
 *           halves and what is missing is created in batches without waiting: log2(n) reads and n creates for n
 *           missing levels, in about log2(n) + n / 64 round trips.
 * Races     whatever is found is out of date at once: others create and delete. A create that finds its node there is
 *           content; one that finds its parent gone again makes the search start over.
 */
import { abortedError } from './async.ts'
import type { CreateMode, Session } from './backend.ts'
import { isCoordinationError } from './errors.ts'
import { ancestorsOf } from './path.ts'

/** How often the search starts over when a parent vanishes: an empty container may, at any time. */
const ATTEMPTS_MAX = 10

/** Creates that are sent without waiting for their answers. */
const BATCH_SIZE = 64

const NO_BYTES = new Uint8Array()

/**
 * Makes a path on a session. To repeat it is safe, whatever became of the attempt before.
 *
 * @param path - the path to make, as the session sees it
 * @param mode - of everything that is missing
 * @param signal - begins no further request once it is aborted
 * @throws the error of the read or create that was refused; `NO_NODE` if parents vanished again and again
 */
export async function makePath(
  session: Session,
  path: string,
  mode: CreateMode,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await session.exists(path)) !== null) return
  if (path === '/') {
    await createAll(session, [path], 'persistent', signal)
    return
  }
  const line = [...ancestorsOf(path), path]
  // Most often the parent is there.
  let missing = line.length - 1
  for (let attempt = 1; ; attempt++) {
    try {
      await createAll(session, line.slice(missing), mode, signal)
      return
    } catch (error) {
      if (!isCoordinationError(error, 'NO_NODE') || attempt === ATTEMPTS_MAX) throw error
    }
    // The node that a namespace shows as the root may be gone itself; a root that is there is refused, and that is all.
    if (missing <= 1) await createAll(session, ['/'], 'persistent', signal)
    missing = await firstMissing(session, line, signal)
  }
}

/** The index of the topmost node of a line that is not there, found by halves; the root counts as there. */
async function firstMissing(
  session: Session,
  line: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number> {
  let there = 0
  let missing = line.length - 1
  while (missing - there > 1) {
    refuseAborted(signal)
    const middle = (there + missing) >> 1
    if ((await session.exists(line[middle] ?? '/')) === null) missing = middle
    else there = middle
  }
  return missing
}

/** Creates nodes, parents first. A session does what it is asked in order, so that nobody waits for a parent. */
async function createAll(
  session: Session,
  paths: readonly string[],
  mode: CreateMode,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let start = 0; start < paths.length; start += BATCH_SIZE) {
    refuseAborted(signal)
    const batch = paths.slice(start, start + BATCH_SIZE)
    const results = await Promise.allSettled(batch.map((path) => session.create(path, NO_BYTES, { mode })))
    for (const result of results) {
      if (result.status === 'rejected' && !isCoordinationError(result.reason, 'NODE_EXISTS')) throw result.reason
    }
  }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError(signal)
}
