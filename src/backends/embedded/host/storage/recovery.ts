/**
 * Reads a server's state and journal from its storage.
 *
 * Cost      a chunk, or a part of the log, per turn of the event loop: what else runs in the process goes on meanwhile.
 */
import type { LogEntry, Recovered } from '../../server/zab/journal.ts'
import type { RecoveredState } from '../../server/state/replica.ts'
import { SnapshotReader } from '../../server/state/snapshot-reader.ts'
import { State } from '../../server/state/state.ts'
import { nextTurn } from '../turns.ts'
import type { Storage, StoredState } from './storage.ts'

/**
 * Reads what a storage holds.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if its snapshot is none
 */
export async function recover(storage: Storage): Promise<Recovered & RecoveredState> {
  const { snapshot, entries: parts, ...promises } = await storage.recover()
  const state = snapshot === null ? null : await stateOf(snapshot.chunks)
  const entries: LogEntry[] = []
  for await (const part of parts) for (const entry of part) entries.push(entry)
  return { ...promises, base: snapshot?.zxid ?? 0n, state, entries }
}

async function stateOf(chunks: NonNullable<StoredState['snapshot']>['chunks']): Promise<State> {
  const reader = new SnapshotReader()
  for await (const chunk of chunks) {
    reader.write(chunk)
    await nextTurn()
  }
  return State.of(reader)
}
