/** The log on its way to a storage that keeps digests: each entry gets that of the tree after it. */
import type { Transaction } from '../../../wire/transactions.ts'
import type { LogDigest } from '../state/log-digest.ts'
import type { LogEntry, PersistOperation } from '../zab/journal.ts'

/**
 * Adds the digests.
 *
 * @param logDigest - null where the storage keeps none
 * @param decoded - the transaction of an entry
 */
export function withDigests(
  operations: readonly PersistOperation[],
  logDigest: LogDigest | null,
  decoded: (entry: LogEntry) => Transaction,
): readonly PersistOperation[] {
  if (logDigest === null) return operations
  // With a state that replaces all, the digests have begun again: entries logged before it have none.
  const installed = operations.findLastIndex(({ type }) => type === 'install')
  return operations.map((operation, index) => {
    if (index < installed) return operation
    if (operation.type === 'truncate') logDigest.cut(operation.zxid)
    if (operation.type !== 'append') return operation
    const entries = operation.entries.map((entry) => ({ ...entry, digest: logDigest.add(decoded(entry)) }))
    return { ...operation, entries }
  })
}
