/**
 * Storage in files, on a disk that loses what was not synced: random lives of a server's storage, with a crash of the
 * machine at any call of the system.
 *
 * Checked   a crash leaves all that was acknowledged, and a prefix of the operations under way, each of them as
 *           a whole (of an append, a prefix of its entries; of a cut, the last ones are gone). Or it is said to be
 *           damaged: only where a batch under way was longer than a sector, so that a part in its middle can be
 *           missing.
 */
import { describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { isDamage, recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import type { PersistOperation } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import { LossyFileSystem } from '../../../../../src/testing/simulation/lossy-file-system.ts'
import { NEW, after, described, outcomes, readable } from '../../../../../src/testing/simulation/durable-model.ts'
import type { Model } from '../../../../../src/testing/simulation/durable-model.ts'
import { entryOf, stateAt } from './storage-model.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'

const LIVES = 150
const CRASHES = 6
const SNAPSHOT_EVERY = 4
const SECTOR_BYTES = 512
/** A life of so many calls of the system, at most, ends with a crash. */
const CALLS_MAX = 120

class Life {
  readonly #random: SeededRandom
  readonly files: LossyFileSystem
  model: Model = NEW
  /** zxid of the newest state that was applied, and snapshotted or begun to be. */
  applied = 0n
  #epoch = 0

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    this.files = new LossyFileSystem(this.#random.fork('files'))
  }

  open(): FileStorage {
    return new FileStorage(this.files, {
      dataDir: '/data',
      dataLogDir: '/data',
      snapRetainCount: 1,
      preallocateBytes: 4_096,
      onTornTail: () => undefined,
      onFull: () => undefined,
      onRoom: () => undefined,
    })
  }

  /** A batch as a server could hand it over. */
  batch(): PersistOperation[] {
    const random = this.#random
    const operations: PersistOperation[] = []
    let { model } = this
    if (model.currentEpoch === 0) {
      // The epoch of what is logged is always on disk before.
      const accepted = { type: 'epochs', acceptedEpoch: 1, currentEpoch: 0, votes: model.votes } as const
      return [accepted, { ...accepted, currentEpoch: 1 }]
    }
    for (let count = random.between(1, 3); count > 0; count--) {
      const operation = this.#operation(model)
      model = after(model, operation)
      operations.push(operation)
    }
    return operations
  }

  /** Takes a snapshot beside all that follows, of something that is acknowledged. */
  async snapshot(storage: FileStorage): Promise<void> {
    const zxids = this.model.entries.map(({ zxid }) => zxid).filter((zxid) => zxid >= this.applied)
    if (zxids.length === 0) return
    this.applied = zxids[this.#random.between(0, zxids.length - 1)] as bigint
    const sink = storage.createSnapshot(this.applied)
    for (const chunk of stateAt(this.applied)) await sink.write(chunk)
    if (this.#random.chance(0.1)) sink.abort()
    else await sink.commit()
  }

  #operation(model: Model): PersistOperation {
    const random = this.#random
    const last = model.entries.at(-1)?.zxid ?? model.base
    const kind = random.between(0, 9)
    if (kind === 0) {
      this.#epoch = Math.max(this.#epoch, model.acceptedEpoch) + 1
      return { type: 'epochs', acceptedEpoch: this.#epoch, currentEpoch: model.currentEpoch, votes: model.votes }
    }
    if (kind === 1 && model.acceptedEpoch > model.currentEpoch) {
      return { ...model, type: 'epochs', currentEpoch: model.acceptedEpoch }
    }
    if (kind === 4 && !model.votes) return { ...model, type: 'epochs', votes: true }
    const isUndoable = model.entries.length > 0 && last > this.applied
    if (kind === 2 && isUndoable) {
      const cuts = [model.base, ...model.entries.map(({ zxid }) => zxid)].filter((zxid) => zxid >= this.applied)
      return { type: 'truncate', zxid: cuts[random.between(0, cuts.length - 1)] as bigint }
    }
    if (kind === 3) {
      const zxid = zxidOf(model.currentEpoch, Number(last & 0xffff_ffffn) + random.between(1, 5))
      return { type: 'install', zxid, chunks: stateAt(zxid) }
    }
    const first = last >> 32n < BigInt(model.currentEpoch) ? zxidOf(model.currentEpoch, 1) : last + 1n
    const entries = Array.from({ length: random.between(1, 4) }, (_, i) => {
      return entryOf(first + BigInt(i), random.between(1, random.chance(0.2) ? 3_000 : 250))
    })
    return { type: 'append', entries }
  }
}

async function found(life: Life): Promise<Model> {
  const { acceptedEpoch, currentEpoch, votes, base, entries } = await recover(life.open())
  return { acceptedEpoch, currentEpoch, votes, base, entries }
}

/** Runs work until its calls of the system reach a number; then the machine is gone, and nothing of it comes back. */
async function crashedAfter(life: Life, calls: number, work: () => Promise<void>): Promise<void> {
  let left = calls
  let hasCrashed = false
  const crash = new Promise<void>((resolve) => {
    life.files.onCall = () => {
      if (hasCrashed) return new Promise(() => undefined)
      left -= 1
      if (left > 0) return undefined
      hasCrashed = true
      resolve()
      return new Promise(() => undefined)
    }
  })
  await Promise.race([crash, work()])
  // Whatever else was under way comes to its next call, and stays there.
  await new Promise((resolve) => setImmediate(resolve))
  life.files.onCall = () => undefined
  life.files.crash()
}

describe('storage in files', () => {
  it('has after a crash what it acknowledged, and a prefix of what was under way', async () => {
    let damages = 0
    let recoveries = 0
    for (let seed = 0; seed < LIVES; seed++) {
      const life = new Life(seed)
      const random = new SeededRandom(seed).fork('crashes')
      for (let crash = 0; crash < CRASHES; crash++) {
        let under: readonly PersistOperation[] = []
        await crashedAfter(life, random.between(1, CALLS_MAX), async () => {
          const storage = life.open()
          await recover(storage)
          let snapshot = Promise.resolve()
          for (let batch = 0; ; batch++) {
            if (batch % SNAPSHOT_EVERY === SNAPSHOT_EVERY - 1) {
              await snapshot
              snapshot = life.snapshot(storage)
            }
            under = life.batch()
            await storage.persist(under)
            for (const operation of under) life.model = after(life.model, operation)
            if (life.model.base > life.applied) life.applied = life.model.base
            under = []
          }
        })
        const outcomesOfAll = outcomes(life.model, under)
        const result = await found(life).catch((error: unknown) => {
          if (!isDamage(error)) throw error
          return null
        })
        if (result === null) {
          damages += 1
          const bytes = under.flatMap((operation) => (operation.type === 'append' ? operation.entries : []))
          const length = bytes.reduce((sum, { txn }) => sum + txn.length, 0)
          expect(length, `seed ${seed}, crash ${crash}: damage`).toBeGreaterThan(SECTOR_BYTES / 4)
          break
        }
        recoveries += 1
        const words = described(result, result.base)
        // The state that is read first came from a leader, or is a snapshot of an acknowledged transaction.
        const possible = readable(outcomesOfAll, result.base, life.applied)
        const expected = possible.map(({ model }) => described(model, result.base))
        expect(expected, `seed ${seed}, crash ${crash}`).toContain(words)
        life.model = possible[expected.indexOf(words)]?.model as Model
        if (result.base > life.applied) life.applied = result.base
      }
    }
    // The test would say nothing if most lives ended early.
    expect(recoveries).toBeGreaterThan(3 * damages)
  }, 120_000)
})
