/** Entries of logs, as tests make and cut them. */
import { OpCode } from '../../../../src/backends/wire/codes.ts'
import { encodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import type { PersistOperation } from '../../../../src/backends/embedded/server/zab/journal.ts'

/** The clock of servers in tests, in milliseconds since 1970. */
export const WALL_TIME_MS = 1_700_000_000_000

/** A transaction that changes nothing: it stands for a request that was refused. */
export function fillerEntry(epoch: number, counter: number): { zxid: bigint; txn: Uint8Array } {
  const zxid = (BigInt(epoch) << 32n) | BigInt(counter)
  const header = { clientId: 1n, cxid: counter, zxid, time: WALL_TIME_MS, type: OpCode.error }
  return { zxid, txn: encodeTransaction({ header, txn: { type: OpCode.error, body: { err: -101 } } }) }
}

/** An append of several entries may be cut short between any two of them. */
export function singly(operation: PersistOperation): readonly PersistOperation[] {
  if (operation.type !== 'append') return [operation]
  return operation.entries.map((entry) => ({ type: 'append', entries: [entry] }))
}
