import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FileSystem } from '../../../../../src/backends/embedded/host/storage/file-system.ts'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import type { FileStorageOptions } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { nodeFileSystem } from '../../../../../src/backends/embedded/host/storage/node-file-system.ts'
import { recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { LogDigest, treeDigestOf } from '../../../../../src/backends/embedded/server/state/log-digest.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import type { LogEntry } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'

let directory = ''
let full: string[] = []
let torn: { file: string; offset: number }[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-files-'))
  torn = []
  full = []
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function optionsOf(dataLogDir = directory, dataDir = directory): FileStorageOptions {
  const onTornTail = (file: string, offset: number): void => void torn.push({ file, offset })
  const onFull = (error: unknown): void => void full.push(String(error))
  const onRoom = (): void => void full.push('room')
  return { dataDir, dataLogDir, snapRetainCount: 2, preallocateBytes: 4_096, onTornTail, onFull, onRoom }
}

function storage(dataLogDir = directory, dataDir = directory): FileStorage {
  return new FileStorage(nodeFileSystem, optionsOf(dataLogDir, dataDir))
}

function entryOf(zxid: number): LogEntry {
  const header = { clientId: 1n, cxid: zxid, zxid: BigInt(zxid), time: 1, type: OpCode.error }
  return { zxid: BigInt(zxid), txn: encodeTransaction({ header, txn: { type: OpCode.error, body: { err: -101 } } }) }
}

/** Files of a disk on which there is so much room for each write. */
let room = Infinity

function limited(): FileSystem {
  room = Infinity
  return {
    ...nodeFileSystem,
    open: async (name, mode) => {
      const file = await nodeFileSystem.open(name, mode)
      const { write } = file
      return Object.assign(file, {
        write: async (bytes: Uint8Array, at: number) => {
          const part = bytes.subarray(0, room)
          await write.call(file, part, at)
          if (part.length < bytes.length) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        },
      })
    },
  }
}

/** A disk that takes its time. */
function slow(syncMs: number): FileSystem {
  return {
    ...nodeFileSystem,
    open: async (name, mode) => {
      const file = await nodeFileSystem.open(name, mode)
      const { sync } = file
      return Object.assign(file, {
        sync: async () => {
          await new Promise((resolve) => setTimeout(resolve, syncMs))
          await sync.call(file)
        },
      })
    },
  }
}

const append = (...zxids: number[]) => ({ type: 'append', entries: zxids.map(entryOf) }) as const

function zxidsOf({ entries }: { readonly entries: readonly LogEntry[] }): number[] {
  return entries.map(({ zxid }) => Number(zxid))
}

async function filled(...zxids: number[]): Promise<FileStorage> {
  const files = storage()
  await recover(files)
  await files.persist([append(...zxids)])
  return files
}

async function takeSnapshot(files: FileStorage, zxid: number): Promise<void> {
  const sink = files.createSnapshot(BigInt(zxid))
  const snapshot = new State(undefined, undefined, BigInt(zxid)).openSnapshot()
  for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) await sink.write(chunk)
  await sink.commit()
}

const path = (name: string): string => join(directory, 'version-2', name)
const names = (): string[] => readdirSync(join(directory, 'version-2')).sort()

describe('storage in files', () => {
  it('measures each sync of its log, and what a start reads', async () => {
    const files = new FileStorage(slow(30), optionsOf())
    await recover(files)
    expect(files.syncTimes.times.count).toBe(0)
    await files.persist([append(1, 2)])
    await files.persist([append(3)])
    // A timer may fire a little early.
    expect([files.syncTimes.times.count, files.syncTimes.times.min >= 29]).toEqual([2, true])
    expect((await recover(storage())).times).toMatchObject({ transactions: 3 })
  })

  it('begins with a snapshot, without a right to vote, and with names of ZooKeeper', async () => {
    const found = await recover(storage())
    expect(found).toMatchObject({ acceptedEpoch: 0, currentEpoch: 0, votes: false, base: 0n, entries: [] })
    expect(names()).toEqual(['snapshot.0', 'votes'])
    await storage().persist([{ type: 'epochs', acceptedEpoch: 2, currentEpoch: 1, votes: true }, append(1)])
    expect(names()).toEqual(['acceptedEpoch', 'currentEpoch', 'log.1', 'snapshot.0', 'votes'])
    expect(await recover(storage())).toMatchObject({ acceptedEpoch: 2, currentEpoch: 1, votes: true })
  })

  it('lets nobody but its owner look into it', async () => {
    await filled(1)
    expect(statSync(path('log.1')).mode & 0o077).toBe(0)
    expect(statSync(path('snapshot.0')).mode & 0o077).toBe(0)
    expect(statSync(join(directory, 'version-2')).mode & 0o077).toBe(0)
  })

  it('cuts a torn record off, says so, and never looks at it again', async () => {
    const files = await filled(1, 2, 3)
    await files.close()
    const whole = readFileSync(path('log.1'))
    writeFileSync(path('log.1'), whole.subarray(0, whole.length - 5))
    expect(zxidsOf(await recover(storage()))).toEqual([1, 2])
    const offset = statSync(path('log.1')).size
    expect(torn).toEqual([{ file: path('log.1'), offset }])
    expect(offset).toBeLessThan(whole.length - 5)
    expect(zxidsOf(await recover(storage()))).toEqual([1, 2])
    expect(torn).toHaveLength(1)
  })

  it('refuses a damaged record, and names file and offset', async () => {
    const files = await filled(1, 2, 3)
    await files.close()
    const bytes = readFileSync(path('log.1'))
    bytes[40] = (bytes[40] ?? 0) ^ 1
    writeFileSync(path('log.1'), bytes)
    await expect(recover(storage())).rejects.toThrow(/log\.1: at byte 16: .*checksum/)
  })

  it('keeps digests of the tree, and reports the first record with another one', async () => {
    const create = (zxid: number): LogEntry => {
      const header = { clientId: 1n, cxid: zxid, zxid: BigInt(zxid), time: 1, type: OpCode.create }
      const body = { path: `/${zxid}`, data: null, acl: OPEN_ACL, ephemeral: false, parentCVersion: zxid }
      return { zxid: BigInt(zxid), txn: encodeTransaction({ header, txn: { type: OpCode.create, body } }) }
    }
    const right: bigint[] = []
    const ahead = new LogDigest(new State(), treeDigestOf(new State()))
    for (const zxid of [1, 2, 3]) right.push(ahead.add(decodeTransaction(create(zxid).txn)))
    const files = storage()
    await recover(files)
    const written = right.map((digest, i) => ({ ...create(i + 1), digest: i === 0 ? digest : digest + 1n }))
    await files.persist([{ type: 'append', entries: [...written, create(4)] }])
    await files.close()
    const reports: string[] = []
    const { entries } = await recover(storage(), { onDamage: (error) => reports.push(String(error)) })
    expect(entries).toHaveLength(4)
    expect(reports).toHaveLength(1)
    const [, second = 0n] = right
    expect(reports[0]).toContain(`the digest of the tree at zxid 0x2 is ${second + 1n}, and it is ${second}`)
  })

  it('refuses a log in which a transaction is missing', async () => {
    const files = await filled(1)
    await files.persist([append(2)])
    files.createSnapshot(2n).abort()
    await files.persist([append(3)])
    files.createSnapshot(3n).abort()
    await files.persist([append(4)])
    await files.close()
    expect(names().filter((name) => name.startsWith('log'))).toEqual(['log.1', 'log.3', 'log.4'])
    rmSync(path('log.3'))
    await expect(recover(storage())).rejects.toThrow(/transactions are missing between 0x2 and 0x4/)
  })

  it('refuses a log that begins before the transaction that it is named after', async () => {
    const files = await filled(1, 2)
    await files.close()
    renameSync(path('log.1'), path('log.2'))
    await expect(recover(storage())).rejects.toThrow(/log\.2: at byte 16: zxid 0x1 is before the one in the name/)
  })

  it('refuses a log without a snapshot', async () => {
    const files = await filled(1)
    await files.close()
    rmSync(path('snapshot.0'))
    await expect(recover(storage())).rejects.toThrow(/a log, and no snapshot/)
  })

  it('falls back to the snapshot before one that is damaged, and tells', async () => {
    const files = await filled(1, 2)
    await takeSnapshot(files, 1)
    await takeSnapshot(files, 2)
    await files.close()
    const bytes = readFileSync(path('snapshot.2'))
    bytes[100] = (bytes[100] ?? 0) ^ 1
    writeFileSync(path('snapshot.2'), bytes)
    const told: unknown[] = []
    const found = await recover(storage(), { onDamage: (error) => told.push(error) })
    expect(found.base).toBe(1n)
    expect(zxidsOf(found)).toEqual([2])
    expect(String(told)).toMatch(/snapshot\.2: at byte \d+/)
  })

  it('keeps so many snapshots, and the log that the oldest of them needs', async () => {
    const files = await filled(1, 2)
    await takeSnapshot(files, 1)
    await files.persist([append(3)])
    await takeSnapshot(files, 3)
    await files.persist([append(4)])
    await takeSnapshot(files, 4)
    await files.persist([append(5)])
    await files.close()
    expect(names().filter((name) => /^(log|snapshot)/.test(name))).toEqual(
      ['log.3', 'log.4', 'log.5', 'snapshot.3', 'snapshot.4'],
    )
    rmSync(path('snapshot.4'))
    const found = await recover(storage())
    expect(found.base).toBe(3n)
    expect(zxidsOf(found)).toEqual([4, 5])
  })

  it('takes a state of a leader in place of all there is, also if it was interrupted', async () => {
    const files = await filled(1, 2, 3)
    const state = new State(undefined, undefined, 2n).snapshot()
    await files.persist([{ type: 'install', zxid: 2n, chunks: [state] }])
    expect(names()).toEqual(['snapshot.0', 'snapshot.2', 'votes'])
    await files.persist([append(3)])
    await files.close()
    writeFileSync(path('install.snapshot.9'), new State(undefined, undefined, 9n).snapshot())
    const found = await recover(storage())
    expect(found.base).toBe(9n)
    expect(zxidsOf(found)).toEqual([])
    expect(names()).toEqual(['snapshot.0', 'snapshot.2', 'snapshot.9', 'votes'])
  })

  it('does not fall back from a damaged state of a leader to a snapshot of before it', async () => {
    const files = await filled(1, 2, 3)
    await takeSnapshot(files, 2)
    const chunks = [...new State(undefined, undefined, 7n).openSnapshot().chunks()]
    await files.persist([{ type: 'install', zxid: 7n, chunks }])
    await files.close()
    const bytes = readFileSync(path('snapshot.7'))
    bytes[bytes.length - 10] = (bytes[bytes.length - 10] ?? 0) ^ 1
    writeFileSync(path('snapshot.7'), bytes)
    await expect(recover(storage())).rejects.toThrow(/snapshot\.7/)
  })

  it('does not cut a log that is damaged before the place', async () => {
    const files = await filled(1, 2, 3, 4)
    const bytes = readFileSync(path('log.1'))
    bytes[80] = (bytes[80] ?? 0) ^ 1
    writeFileSync(path('log.1'), bytes)
    await expect(files.persist([{ type: 'truncate', zxid: 3n }])).rejects.toThrow(/log\.1: at byte \d+: .*checksum/)
    await expect(recover(storage())).rejects.toThrow(/log\.1: at byte \d+: .*checksum/)
  })

  it('has the epoch that it entered, also where the state that was installed is of a later one', async () => {
    const files = await filled(1)
    const zxid = 2n << 32n
    const accepted = { type: 'epochs', acceptedEpoch: 2, currentEpoch: 1, votes: true } as const
    const state = new State(undefined, undefined, zxid).snapshot()
    await files.persist([accepted, { type: 'install', zxid, chunks: [state] }])
    await files.close()
    expect(await recover(storage())).toMatchObject({ acceptedEpoch: 2, currentEpoch: 1, base: zxid })
  })

  it('puts what is damaged aside, under a name of its own', async () => {
    const files = await filled(1)
    await files.setAside()
    expect(await recover(files)).toMatchObject({ votes: false, entries: [] })
    await files.setAside()
    expect(readdirSync(directory).sort()).toEqual(['version-2.damaged-1', 'version-2.damaged-2'])
  })

  it('has logs in a directory of their own, and refuses them where they do not belong', async () => {
    const logs = join(directory, 'logs')
    const data = join(directory, 'data')
    const files = storage(logs, data)
    await recover(files)
    await files.persist([append(1)])
    await files.close()
    expect(readdirSync(join(logs, 'version-2'))).toEqual(['log.1'])
    expect(zxidsOf(await recover(storage(logs, data)))).toEqual([1])
    await expect(recover(storage(data, logs))).rejects.toMatchObject({ code: 'MISPLACED' })
  })

  it('writes what a full disk refused once there is room, each record once', async () => {
    const files = new FileStorage(limited(), optionsOf())
    await recover(files)
    await files.persist([append(1)])
    for (const [left, first] of [[0, 2], [10, 4], [60, 6]] as const) {
      room = left
      const persisting = files.persist([append(first, first + 1)])
      await vi.waitFor(() => expect(full).toEqual(['Error: full']))
      room = Infinity
      await persisting
      expect(full.splice(0)).toEqual(['Error: full', 'room'])
    }
    await files.close()
    expect(names().filter((name) => name.startsWith('log'))).toEqual(['log.1', 'log.2', 'log.4', 'log.6'])
    expect(zxidsOf(await recover(storage()))).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('is read once where a start waits for room and another one begins', async () => {
    const before = storage()
    await recover(before)
    await before.persist([{ type: 'epochs', acceptedEpoch: 1, currentEpoch: 1, votes: true }])
    // As after a crash between the file with the checksum and those of ZooKeeper.
    for (const name of ['acceptedEpoch', 'currentEpoch']) rmSync(path(name))
    const files = new FileStorage(limited(), optionsOf())
    room = 0
    const first = recover(files)
    await vi.waitFor(() => {
      expect(full).toHaveLength(1)
    })
    const second = recover(files)
    room = Infinity
    await expect(first).rejects.toThrow('is read by a later start')
    expect(await second).toMatchObject({ acceptedEpoch: 1, currentEpoch: 1 })
    expect(names()).toEqual(['acceptedEpoch', 'currentEpoch', 'snapshot.0', 'votes'])
  })

  it('does not wait for room when it is closed, and has nothing then of what could not be written', async () => {
    const files = new FileStorage(limited(), optionsOf())
    await recover(files)
    await files.persist([append(1)])
    room = 20
    const persisting = files.persist([append(2)])
    persisting.catch(() => undefined)
    await vi.waitFor(() => expect(full).toHaveLength(1))
    const waiting = recover(files)
    waiting.catch(() => undefined)
    await files.close()
    await expect(persisting).rejects.toThrow('full')
    await expect(waiting).rejects.toThrow('closed before it was read')
    room = Infinity
    expect(zxidsOf(await recover(storage()))).toEqual([1])
  })

  it('is not believed any more once a sync has failed', async () => {
    const files = await filled(1)
    const { open } = nodeFileSystem
    let isFailing = false
    const failing = new FileStorage({
      ...nodeFileSystem,
      open: async (name, mode) => {
        const file = await open(name, mode)
        return isFailing ? Object.assign(file, { sync: () => Promise.reject(new Error('EIO')) }) : file
      },
    }, optionsOf())
    await files.close()
    await recover(failing)
    isFailing = true
    await expect(failing.persist([append(2)])).rejects.toThrow(/a sync failed/)
    await expect(failing.persist([append(2)])).rejects.toThrow(/a sync failed/)
    await expect(recover(failing)).rejects.toThrow(/a sync failed/)
  })
})
