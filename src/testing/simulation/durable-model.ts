/** The durable state of a server as a model: what a storage may hold after its operations, or after a part of them. */
import type { LogEntry, PersistOperation, Promises } from '../../backends/embedded/server/zab/journal.ts'

/** A server's durable state, as a model of it. */
export interface Model extends Promises {
  /** zxid of the state that a leader sent, or 0n. */
  readonly base: bigint
  /** The log after it. */
  readonly entries: readonly LogEntry[]
}

/** A server that has never run. */
export const NEW: Model = Object.freeze({ acceptedEpoch: 0, currentEpoch: 0, votes: false, base: 0n, entries: [] })

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

/** One of the things that may be found. */
export interface Outcome {
  /** Those that were done; of the last one perhaps a part. */
  readonly operations: readonly PersistOperation[]
  readonly model: Model
}

/** Everything that may be found if these operations were under way; that the least of them was done comes first. */
export function outcomes(model: Model, operations: readonly PersistOperation[]): Outcome[] {
  const found: Outcome[] = [{ operations: [], model }]
  for (const operation of operations) {
    const before = found.at(-1) ?? { operations: [], model }
    for (const part of [...partsOf(before.model, operation), operation]) {
      found.push({ operations: [...before.operations, part], model: after(before.model, part) })
    }
  }
  return found
}

/** The parts of an operation that can be done without the rest. */
function partsOf({ entries }: Model, operation: PersistOperation): PersistOperation[] {
  switch (operation.type) {
    case 'append':
      return operation.entries.slice(1).map((_, i) => ({ ...operation, entries: operation.entries.slice(0, i + 1) }))
    case 'truncate': {
      // The end is cut off first: of a cut, a part can be there.
      const cut = entries.filter(({ zxid }) => zxid > operation.zxid)
      return cut.slice(0, -1).reverse().map(({ zxid }) => ({ type: 'truncate', zxid }))
    }
    default:
      return []
  }
}

/** The text that a model is compared by, if its log is read on top of a snapshot of this zxid. */
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

/**
 * The outcomes that a start can have found which read a snapshot of this zxid.
 *
 * @param applied - the greatest zxid that a snapshot was taken of; others are states that a leader sent
 */
export function readable(possible: readonly Outcome[], snapshot: bigint, applied: bigint): Outcome[] {
  return possible.filter(({ model: { base, entries } }) => {
    return base === snapshot || (snapshot <= applied && entries.some(({ zxid }) => zxid === snapshot))
  })
}
