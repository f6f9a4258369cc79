/**
 * Reads a server's state and journal from its storage.
 *
 * Fall back  a snapshot that is damaged costs nothing as long as an older one is there, and the log after it.
 * Cost       a chunk, or a part of the log, per turn of the event loop: whatever else runs in the process goes on.
 */
import type { LogEntry, Recovered } from '../../server/zab/journal.ts'
import { epochOf } from '../../server/zab/zxid.ts'
import type { RecoveredState } from '../../server/state/replica.ts'
import { StateReader } from '../../server/state/state-reader.ts'
import { State } from '../../server/state/state.ts'
import { isCoordinationError } from '../../../../core/errors.ts'
import { DamageError } from '../../../wire/disk/damage.ts'
import { nextTurn } from '../turns.ts'
import { StorageError } from './storage-error.ts'
import type { Storage, StoredSnapshot } from './storage.ts'

/**
 * Reads what a storage holds.
 *
 * @param onDamage - told of each snapshot that was passed over
 * @throws DamageError of the oldest snapshot if all are damaged; what the storage raises
 */
export async function recover(
  storage: Storage,
  onDamage: (error: unknown) => void = () => undefined,
): Promise<Recovered & RecoveredState> {
  const stored = await storage.recover()
  const { snapshots, acceptedEpoch, currentEpoch, votes } = stored
  const state = await newestState(snapshots, onDamage)
  const base = state?.lastZxid ?? 0n
  const entries: LogEntry[] = []
  for await (const part of stored.entriesAfter(base)) {
    for (const entry of part) entries.push(entry)
    await nextTurn()
  }
  // A directory of a ZooKeeper that was alone has no epochs: they are those of its transactions.
  const epoch = Math.max(currentEpoch, epochOf(entries.at(-1)?.zxid ?? base))
  return { acceptedEpoch: Math.max(acceptedEpoch, epoch), currentEpoch: epoch, votes, base, state, entries }
}

async function newestState(
  snapshots: readonly StoredSnapshot[],
  onDamage: (error: unknown) => void,
): Promise<State | null> {
  let damage: Error | null = null
  for (const snapshot of snapshots) {
    try {
      return await stateOf(snapshot)
    } catch (error) {
      if (!isDamage(error)) throw error
      onDamage(error)
      damage = error
    }
  }
  if (damage !== null) throw damage
  return null
}

async function stateOf({ name, zxid, chunks }: StoredSnapshot): Promise<State> {
  const reader = new StateReader(name, zxid)
  for await (const chunk of chunks) {
    reader.write(chunk)
    await nextTurn()
  }
  const state = State.of(reader)
  if (reader.isExact) return state
  const what = 'it was written by a ZooKeeper, and may hold parts of later transactions, which this version cannot tell'
  throw new StorageError('FOREIGN', `${name}: ${what}; start a new directory, and copy the nodes`)
}

/** Whether an error says that a file is not what it should be, or is missing. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof StorageError) return error.code === 'DAMAGED'
  return error instanceof DamageError || isCoordinationError(error, 'PROTOCOL_VIOLATION')
}
