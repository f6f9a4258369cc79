/**
 * Transactions over several nodes: a function reads and writes, and all of its writes take effect together, or none.
 *
 * Model     software transactional memory. Reads are remembered, writes are kept back and seen by later reads of the
 *           same transaction. At the end one multi compares every read and makes every write; if a read is no longer
 *           true, the function runs again on what is there then.
 * Safety    strictly serializable: all reads are true at the instant of the multi, also of absent nodes and of lists.
 *           Where an engine does not compare creations (`capabilities.comparesCreations`), a node that was deleted,
 *           made again and written as often as the one that was read is treated as that one.
 * Liveness  a transaction is refused only if another changed what it read, or listed the same children; a random pause
 *           that grows keeps them apart, and `attemptsMax` bounds it.
 * Lost      a commit whose answer was lost is reported as `unknown`, and is not made again: money would move twice.
 * Cost      one round trip per node that is read, and one for the commit.
 * Source    etcd clientv3/concurrency/stm.go; Shavit and Touitou, Software Transactional Memory, 1995.
 */
import { delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, requireFunction, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { isOutcomeUnknown } from '../engine/protected-writes.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { commitOf } from './commit.ts'
import { TransactionView } from './transaction-view.ts'
import type { TransactionReads } from './transaction-view.ts'

/** Options of {@link transact}. */
export interface TransactOptions extends TimedWaitOptions {
  /** How often the function runs while others change what it read; 30 by default. */
  readonly attemptsMax?: number
}

const OPTIONS = optionNames<TransactOptions>({ attemptsMax: true, signal: true, waitMs: true })
const ATTEMPTS_MAX = 30
const ATTEMPTS_LIMIT = 10_000

/**
 * Runs a function as a transaction.
 *
 * The function may run several times, so all of its effects must go through `tx`. Its error ends the transaction
 * and nothing is written; if its reads did not fit together it runs again instead.
 *
 * @param client - through which to read and write
 * @param work - reads and writes through `tx`, which is of no use after it has returned
 * @param options - the limits of the call, and how often it tries
 * @returns the result of the function in the run that was committed
 * @throws CoordinationError `BAD_VERSION` (outcome `rejected`) if others were quicker each time; `CONNECTION_LOSS`,
 * `SESSION_EXPIRED` (`unknown` if the answer to the commit was lost); `PAYLOAD_TOO_LARGE`; `ABORTED`, `TIMEOUT`,
 * `CLIENT_CLOSED` (it may have taken effect); a refusal of the servers; the error of the function
 * @throws TypeError or RangeError for a wrong argument
 */
export async function transact<R>(
  client: Client,
  work: (tx: TransactionView) => Promise<R>,
  options: TransactOptions = {},
): Promise<R> {
  validateClient(client, 'transact')
  requireFunction('work', work)
  refuseUnknown(options, OPTIONS, 'transact')
  const { attemptsMax = ATTEMPTS_MAX, ...wait } = options
  validateInteger('attemptsMax', attemptsMax, 1, ATTEMPTS_LIMIT)
  return withinWait(client, { what: 'transact', path: '/' }, wait, async (signal) => {
    for (let attempt = 1; ; attempt += 1) {
      const ran = await runOnce(client, work, signal)
      if (ran !== null) return ran.value
      if (attempt === attemptsMax) throw overtaken(attemptsMax)
      await delay(fullJitterMs(attempt), signal)
      await client.sync('/', { signal })
    }
  })
}

/** Null: others have changed what it read, or its session ended before anything was written. */
async function runOnce<R>(
  client: Client,
  work: (tx: TransactionView) => Promise<R>,
  signal: AbortSignal,
): Promise<{ readonly value: R } | null> {
  const view = new TransactionView(client, signal)
  let value: R
  try {
    value = await work(view)
  } catch (error) {
    const reads = view.end()
    // Its error counts only if its reads saw one state that existed.
    if (signal.aborted || (await isCommitted(client, { ...reads, writes: new Map() }, signal))) throw error
    return null
  }
  return (await isCommitted(client, view.end(), signal)) ? { value } : null
}

async function isCommitted(client: Client, reads: TransactionReads, signal: AbortSignal): Promise<boolean> {
  const operations = commitOf(reads, client.capabilities)
  if (operations.length === 0) return true
  try {
    await client.multi(operations, { signal })
    return true
  } catch (error) {
    if (isConflict(error)) return false
    const isHarmless = reads.writes.size === 0 && isOutcomeUnknown(error)
    const isUndone = isCoordinationError(error, 'SESSION_EXPIRED') && error.outcome === 'session-over'
    if (!signal.aborted && (isHarmless || isUndone)) return false
    throw error
  }
}

/** Whether the servers found something else than what was read. */
function isConflict(error: unknown): boolean {
  const differs = ['BAD_VERSION', 'NODE_EXISTS', 'NO_NODE', 'NOT_EMPTY', 'NO_CHILDREN_FOR_EPHEMERALS'] as const
  return isCoordinationError(error, ...differs) && error.index !== undefined
}

function overtaken(attemptsMax: number): CoordinationError {
  const message = `others have changed what the transaction read, ${String(attemptsMax)} times: nothing was written`
  return new CoordinationError('BAD_VERSION', message, { outcome: 'rejected' })
}
