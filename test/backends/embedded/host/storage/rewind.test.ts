/** The end of a log of ZooKeeper that was never committed is cut off, whenever the machine crashes meanwhile. */
import { expect, it } from 'vitest'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { MemoryStorage } from '../../../../../src/backends/embedded/host/storage/memory.ts'
import { recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { LossyFileSystem } from '../../../../../src/testing/simulation/lossy-file-system.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'
import { zooKeeperEntries, zooKeeperFiles } from '../../../../../src/testing/simulation/zookeeper-files.ts'
import type { ZooKeeperShare } from '../../../../../src/testing/simulation/zookeeper-files.ts'

const COMMITTED = 6
const SHARE: ZooKeeperShare = {
  count: 9,
  snapshots: [{ count: 3, until: 5 }, { count: 5, until: 8 }, { count: 7, until: 9 }, { count: 9, until: 9 }],
}
const ENTRIES = zooKeeperEntries(SHARE.count)
const TO = ENTRIES[COMMITTED - 1]?.zxid ?? 0n
const SEEDS = 4
const NEVER = new Promise<never>(() => undefined)

function filesOf(seed: number): LossyFileSystem {
  const files = new LossyFileSystem(new SeededRandom(seed))
  for (const { name, bytes } of zooKeeperFiles(SHARE)) files.put('/data/version-2', name, bytes)
  return files
}

function storageOn(files: LossyFileSystem): FileStorage {
  const ignore = (): void => undefined
  const events = { onTornTail: ignore, onFull: ignore, onRoom: ignore }
  const limits = { snapRetainCount: 3, preallocateBytes: 512 }
  return new FileStorage(files, { dataDir: '/data', dataLogDir: '/data', ...limits, ...events })
}

/** Cuts the files, and crashes before the n-th call; false if there were fewer. */
async function crashAt(files: LossyFileSystem, nth: number): Promise<boolean> {
  let left = nth
  let crash: (value: true) => void = () => undefined
  const crashed = new Promise<true>((resolve) => {
    crash = resolve
  })
  files.onCall = () => {
    left -= 1
    if (left > 0) return undefined
    crash(true)
    return NEVER
  }
  const isCrashed = await Promise.race([crashed, recover(storageOn(files), { rewindTo: TO }).then(() => false)])
  files.onCall = () => undefined
  files.crash()
  return isCrashed
}

it('is read whole after a crash at any call, and cut by the next start', async () => {
  const found = new Set<bigint>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (let nth = 1; ; nth++) {
      const files = filesOf(seed)
      const isCrashed = await crashAt(files, nth)
      const { base } = await recover(storageOn(files))
      found.add(base)
      expect(ENTRIES.slice(COMMITTED - 1).map(({ zxid }) => zxid)).toContain(base)
      const { base: cut, state } = await recover(storageOn(files), { rewindTo: TO })
      expect([cut, state?.tree.get('/zookeeper-made')?.numChildren]).toEqual([TO, COMMITTED - 2])
      if (!isCrashed) break
    }
  }
  expect(found.size).toBeGreaterThan(1)
})

it('leaves a state that a leader sent, and that is from after the place, to be put aside', async () => {
  const storage = new MemoryStorage()
  const state = new State()
  state.replayedUpTo(TO + 1n)
  storage.persist([{ type: 'install', zxid: TO + 1n, chunks: [state.snapshot()] }])
  await expect(recover(storage, { rewindTo: TO })).rejects.toThrow(/cannot be cut off here: no snapshot/)
  expect((await recover(storage)).base).toBe(TO + 1n)
})
