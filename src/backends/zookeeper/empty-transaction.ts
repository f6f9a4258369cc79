/**
 * A transaction that changes nothing, for what only a majority can answer on ZooKeeper.
 *
 * Model     the deletion of a node that is never there: to be refused is a transaction too, ordered and committed like
 *           any other, and the server that tells the client of it has applied all that came before.
 * Sync      a leader of ZooKeeper answers a `sync` alone, though it may have been deposed; and that of its own clients
 *           at once, while what it has committed waits to be applied there and was acknowledged elsewhere. So a `sync`
 *           of the contract is such a transaction on ZooKeeper (decision 0008).
 * Source    CommitProcessor (`matchSyncs`), ProposalRequestProcessor, PrepRequestProcessor of ZooKeeper 3.8;
 *           ZOOKEEPER-1675.
 */
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'

/** Never there, where everyone may look for it. */
export const NEVER_THERE = '/zookeeper/never-there'

/**
 * Takes the refusal of the deletion of {@link NEVER_THERE} for what it is: committed.
 *
 * @throws CoordinationError if it was not committed, or nobody can tell; outcome as of a read, as nothing was changed
 */
export async function committed(deletion: Promise<void>): Promise<void> {
  try {
    await deletion
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE', 'NO_AUTH')) return
    if (!isCoordinationError(error) || error.outcome !== 'unknown') throw error
    const { code, message, path } = error
    throw new CoordinationError(code, message, {
      outcome: code === 'SESSION_EXPIRED' ? 'session-over' : 'not-sent',
      ...(path === undefined ? {} : { path }),
    })
  }
}
