/**
 * Reads a server's state and journal from its storage.
 *
 * Fall back  a snapshot that is damaged costs nothing as long as an older one is there, and the log after it.
 * ZooKeeper  a directory that one has written is read too: its snapshots need the whole log to be exact.
 * Cost       a chunk, or a part of the log, per turn of the event loop: whatever else runs in the process goes on.
 */
import type { LogEntry, Recovered } from '../../server/zab/journal.ts'
import { epochOf } from '../../server/zab/zxid.ts'
import type { RecoveredState } from '../../server/state/replica.ts'
import { StateReader } from '../../server/state/state-reader.ts'
import { State } from '../../server/state/state.ts'
import { TolerantReplay } from '../../server/state/tolerant-replay.ts'
import { isCoordinationError } from '../../../../core/errors.ts'
import { DamageError } from '../../../wire/disk/damage.ts'
import { decodeTransaction } from '../../../wire/transactions.ts'
import { nextTurn } from '../turns.ts'
import { StorageError } from './storage-error.ts'
import type { Storage, StoredSnapshot, StoredState } from './storage.ts'

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
  const snapshot = await newestOf(snapshots, onDamage)
  const base = snapshot?.state.lastZxid ?? 0n
  const log = stored.entriesAfter(base)
  const { state, entries } =
    snapshot === null || snapshot.isExact
      ? { state: snapshot?.state ?? null, entries: await read(log) }
      : { state: await replayed(snapshot.state, log), entries: [] }
  const last = entries.at(-1)?.zxid ?? state?.lastZxid ?? 0n
  // A ZooKeeper that was alone has promised nothing: its epoch is that of its transactions. With ours it can be an
  // earlier one, if a state was installed and its leader not acknowledged yet.
  const epoch = epochOf(last)
  const isUnknown = acceptedEpoch === 0 && currentEpoch === 0
  const epochs = isUnknown ? { acceptedEpoch: epoch, currentEpoch: epoch } : { acceptedEpoch, currentEpoch }
  const promises = { ...epochs, votes }
  return { ...promises, base: state?.lastZxid ?? 0n, state, entries }
}

type Log = ReturnType<StoredState['entriesAfter']>

/** A state that was read from a snapshot. */
interface Found {
  readonly name: string
  readonly state: State
  /** Whether it is the state of one zxid. */
  readonly isExact: boolean
}

async function read(log: Log): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for await (const part of log) {
    for (const entry of part) entries.push(entry)
    await nextTurn()
  }
  return entries
}

/** The exact state at the end of the log of a ZooKeeper. */
async function replayed(state: State, log: Log): Promise<State> {
  const replay = new TolerantReplay(state)
  let last = state.lastZxid
  for await (const part of log) {
    for (const { zxid, txn } of part) {
      replay.apply(decodeTransaction(txn))
      last = zxid
    }
    await nextTurn()
  }
  replay.finish(last)
  return state
}

/**
 * Reads the newest snapshot that is sound.
 *
 * @param onDamage - told of each that was passed over
 * @returns null if there are none
 * @throws DamageError of the oldest if all are damaged
 */
export async function newestOf(
  snapshots: readonly StoredSnapshot[],
  onDamage: (error: unknown) => void,
): Promise<Found | null> {
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

async function stateOf({ name, zxid, chunks }: StoredSnapshot): Promise<Found> {
  const reader = new StateReader(name, zxid)
  for await (const chunk of chunks) {
    reader.write(chunk)
    await nextTurn()
  }
  return { name, state: State.of(reader), isExact: reader.isExact }
}

/** Whether an error says that a file is not what it should be, or is missing. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof StorageError) return error.code === 'DAMAGED'
  return error instanceof DamageError || isCoordinationError(error, 'PROTOCOL_VIOLATION')
}
