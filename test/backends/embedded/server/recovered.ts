/** Recovery and snapshots of a storage in memory, at once. */
import type { MemoryContents, MemoryStorage } from '../../../../src/backends/embedded/host/storage/memory.ts'
import { NOTHING_REPLAYED } from '../../../../src/backends/embedded/server/state/replica.ts'
import type { RecoveredState } from '../../../../src/backends/embedded/server/state/replica.ts'
import { State } from '../../../../src/backends/embedded/server/state/state.ts'
import type { Recovered } from '../../../../src/backends/embedded/server/zab/journal.ts'
import type { SnapshotSource } from '../../../../src/backends/embedded/server/zab/outbox.ts'

/** The recovered state of a server whose storage holds this. */
export function recoveredFrom({ snapshot, ...journal }: MemoryContents): Recovered & RecoveredState {
  const none = { logDigest: null, replayed: NOTHING_REPLAYED }
  if (snapshot === null) return { ...journal, ...none, base: 0n, state: null }
  return { ...journal, ...none, base: snapshot.zxid, state: State.restore(...snapshot.chunks) }
}

/** Stores a snapshot, whole. */
export function storeSnapshot(storage: MemoryStorage, source: SnapshotSource): void {
  const sink = storage.createSnapshot(source.zxid)
  for (const chunk of chunksOf(source)) void sink.write(chunk)
  void sink.commit()
}

/** Everything that a source gives. */
export function chunksOf(source: SnapshotSource): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let chunk = source.next(); chunk !== null; chunk = source.next()) if (chunk.length > 0) chunks.push(chunk)
  return chunks
}
