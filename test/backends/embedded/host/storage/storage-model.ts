/** Entries and states for storages. */
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import type { LogEntry } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'

/** An entry of about so many bytes. */
export function entryOf(zxid: bigint, length: number): LogEntry {
  const err = -(1 + (length % 100))
  const header = { clientId: 1n, cxid: 1, zxid, time: 1, type: OpCode.error }
  const error = encodeTransaction({ header, txn: { type: OpCode.error, body: { err } } })
  if (length < 200) return { zxid, txn: error }
  const setData = { path: `/${'x'.repeat(length)}`, data: null, version: 1 }
  const body = { header: { ...header, type: OpCode.setData }, txn: { type: OpCode.setData, body: setData } } as const
  return { zxid, txn: encodeTransaction(body) }
}

/** A state of this zxid, in chunks. */
export function stateAt(zxid: bigint): Uint8Array[] {
  const snapshot = new State(undefined, undefined, zxid).openSnapshot()
  const chunks: Uint8Array[] = []
  for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) chunks.push(chunk)
  return chunks
}
