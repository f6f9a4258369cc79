/** The durable state of a server as a model: what a storage may hold after its operations, or after a part of them. */
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import type { LogEntry, PersistOperation, Promises } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'

/** A server's durable state, as a model of it. */
export interface Model extends Promises {
  /** zxid of the state that a leader sent, or 0n. */
  readonly base: bigint
  readonly entries: readonly LogEntry[]
}

/** A server that has never run. */
export const NEW: Model = { acceptedEpoch: 0, currentEpoch: 0, votes: false, base: 0n, entries: [] }

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

/** The model after an operation. */
export function after(model: Model, operation: PersistOperation): Model {
  switch (operation.type) {
    case 'append':
      return { ...model, entries: [...model.entries, ...operation.entries] }
    case 'truncate':
      return { ...model, entries: model.entries.filter(({ zxid }) => zxid <= operation.zxid) }
    case 'install':
      return { ...model, base: operation.zxid, entries: [] }
    case 'epochs': {
      const { acceptedEpoch, currentEpoch, votes } = operation
      return { ...model, acceptedEpoch, currentEpoch, votes }
    }
  }
}

/** Everything that may be found if this batch was under way. */
export function outcomes(model: Model, operations: readonly PersistOperation[]): Model[] {
  const found = [model]
  let present = model
  for (const operation of operations) {
    if (operation.type === 'append') {
      for (let count = 1; count < operation.entries.length; count++) {
        found.push(after(present, { type: 'append', entries: operation.entries.slice(0, count) }))
      }
    }
    const next = after(present, operation)
    // The end is cut off first: of a cut, a part can be there.
    for (let left = present.entries.length - 1; operation.type === 'truncate' && left > next.entries.length; left--) {
      found.push({ ...present, entries: present.entries.slice(0, left) })
    }
    present = next
    found.push(present)
  }
  return found
}

/** Describes a model for a comparison, as if its log is read on top of a snapshot of this zxid. */
export function described({ acceptedEpoch, currentEpoch, votes, base, entries }: Model, snapshot: bigint): string {
  const log = entries.filter(({ zxid }) => zxid > snapshot)
  return JSON.stringify({
    acceptedEpoch,
    currentEpoch,
    votes,
    last: String(log.at(-1)?.zxid ?? (base > snapshot ? base : snapshot)),
    log: log.map(({ zxid, txn }) => `${zxid}:${Buffer.from(txn).toString('base64')}`),
  })
}

/** A state of this zxid, in chunks. */
export function stateAt(zxid: bigint): Uint8Array[] {
  const snapshot = new State(undefined, undefined, zxid).openSnapshot()
  const chunks: Uint8Array[] = []
  for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) chunks.push(chunk)
  return chunks
}
