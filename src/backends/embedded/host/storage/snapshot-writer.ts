/**
 * Stores snapshots beside whatever else the host does: a chunk per turn of the event loop. Where there is no room for
 * one, the server goes on with the snapshot before it and a longer log.
 */
import { assert } from '../../../../core/assert.ts'
import type { SnapshotSource } from '../../server/zab/outbox.ts'
import type { LatencySummary } from '../latency.ts'
import { nextTurn } from '../turns.ts'
import { isNoRoom } from './room.ts'
import type { SnapshotSink, Storage } from './storage.ts'

/** A snapshot that is being stored. */
interface Writing {
  readonly source: SnapshotSource
  readonly sink: SnapshotSink
  readonly beganMs: number
}

/** Stores one snapshot at a time. */
export class SnapshotWriter {
  readonly #storage: Storage
  readonly #times: LatencySummary
  readonly #onFailure: (error: unknown) => void
  readonly #onSkip: (error: unknown) => void
  #writing: Writing | null = null
  /** Begins when the one before is durable. */
  #next: SnapshotSource | null = null

  /**
   * Makes a writer.
   *
   * @param times - gets how long each took, in milliseconds
   * @param onFailure - told what went wrong, of the state or of the storage
   * @param onSkip - told why a snapshot was given up, and nothing else changes
   */
  constructor(
    storage: Storage,
    times: LatencySummary,
    onFailure: (error: unknown) => void,
    onSkip: (error: unknown) => void,
  ) {
    this.#storage = storage
    this.#times = times
    this.#onFailure = onFailure
    this.#onSkip = onSkip
  }

  /** Stores a snapshot. The one before must have been read to its end; it may not be durable yet. */
  begin(source: SnapshotSource): void {
    if (this.#writing !== null) {
      assert(this.#next === null, 'a third snapshot while one is stored and another one waits')
      this.#next = source
      return
    }
    const writing = { source, sink: this.#storage.createSnapshot(source.zxid), beganMs: performance.now() }
    this.#writing = writing
    this.#write(writing).catch((error: unknown) => {
      if (this.#writing !== writing) return
      this.abort()
      if (isNoRoom(error)) this.#onSkip(error)
      else this.#onFailure(error)
    })
  }

  /** Gives up what is being stored, or waits for that. */
  abort(): void {
    this.#next?.close()
    this.#next = null
    this.#writing?.source.close()
    this.#writing?.sink.abort()
    this.#writing = null
  }

  async #write(writing: Writing): Promise<void> {
    const { source, sink } = writing
    for (;;) {
      await nextTurn()
      if (this.#writing !== writing) return
      const chunk = source.next()
      if (chunk === null) break
      if (chunk.length > 0) await sink.write(chunk)
    }
    await sink.commit()
    this.#times.add(Math.trunc(performance.now() - writing.beganMs))
    if (this.#writing !== writing) return
    this.#writing = null
    const next = this.#next
    this.#next = null
    if (next !== null) this.begin(next)
  }
}
