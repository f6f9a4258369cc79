import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyData } from '../../../../../src/backends/embedded/host/storage/data-copy.ts'
import type { FileSystem } from '../../../../../src/backends/embedded/host/storage/file-system.ts'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { nodeFileSystem } from '../../../../../src/backends/embedded/host/storage/node-file-system.ts'
import { recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { entryOf } from './storage-model.ts'

/** More than is copied in one piece. */
const ROOM_BYTES = 0x40_0000
const ENTRY_BYTES = 400_000

let folder = ''
let storage: FileStorage
let last = 0n

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-copy-'))
  storage = open()
  last = 0n
  await recover(storage)
  await write(2)
})

afterEach(async () => {
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

function open(): FileStorage {
  const place = { dataDir: join(folder, 'data'), dataLogDir: join(folder, 'data') }
  const told = { onTornTail: () => undefined, onFull: () => undefined, onRoom: () => undefined }
  return new FileStorage(nodeFileSystem, { ...place, ...told, snapRetainCount: 1, preallocateBytes: ROOM_BYTES })
}

async function write(count: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, i) => entryOf(last + BigInt(i + 1), ENTRY_BYTES))
  await storage.persist([{ type: 'append', entries }])
  last += BigInt(count)
}

async function takeSnapshot(): Promise<void> {
  const sink = storage.createSnapshot(last)
  for (const chunk of new State(undefined, undefined, last).openSnapshot().chunks()) await sink.write(chunk)
  await sink.commit()
}

/** Files of which something is done after the first piece of a log was read. */
function afterReading(then: () => Promise<void>): FileSystem {
  return {
    ...nodeFileSystem,
    open: async (path, mode) => {
      const file = await nodeFileSystem.open(path, mode)
      if (mode !== 'read' || !path.includes('/data/') || !path.includes('log.')) return file
      const read = async (at: number, length: number): Promise<Uint8Array> => {
        const bytes = await file.read(at, length)
        if (at === 0) await then()
        return bytes
      }
      return { read, close: () => file.close() } as typeof file
    },
  }
}

async function copied(files: FileSystem): Promise<bigint> {
  const [from, to] = [join(folder, 'data'), join(folder, 'copy')]
  const facts = { mayLackLog: false, isRunning: true }
  const copy = await copyData(files, { dataDir: from, dataLogDir: from }, { dataDir: to, dataLogDir: to }, facts)
  return copy.lastZxid
}

describe('a copy of the data of a running server', () => {
  it('is a prefix of its log, also if that grows while it is read', async () => {
    let copies = 0
    const zxid = await copied(afterReading(async () => {
      copies += 1
      await write(2)
    }))
    expect([copies, zxid]).toEqual([1, 2n])
  })

  it('is made again if what it needs was taken away meanwhile', async () => {
    let copies = 0
    storage.createSnapshot(last).abort()
    await write(1)
    const zxid = await copied(afterReading(async () => {
      copies += 1
      if (copies > 1) return
      for (let round = 0; round < 2; round++) {
        await write(1)
        await takeSnapshot()
      }
      await write(1)
    }))
    expect(zxid).toBe(6n)
  })
})
