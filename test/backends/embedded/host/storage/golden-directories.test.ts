import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { nodeFileSystem } from '../../../../../src/backends/embedded/host/storage/node-file-system.ts'
import { recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { ownerNumberOf } from '../../../../../src/backends/embedded/server/state/node.ts'
import type { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { TreeDigest, contentDigest, isDigested, nodeDigest } from '../../../../../src/backends/wire/disk/tree-digest.ts'
import { DIRECTORIES, filesOf, scan } from '../../../wire/disk/golden.ts'
import type { GoldenFile } from '../../../wire/disk/golden.ts'

/** With transactions of a reconfiguration, which servers of ours have not. */
const RECONFIGURED = /^reconfig/
/** Without a record that has a digest. */
const WITHOUT_DIGEST = new Set(['core-server1', 'nodigest'])

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-golden-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function unpack(files: readonly GoldenFile[]): FileStorage {
  mkdirSync(join(directory, 'version-2'))
  for (const { name, bytes } of files) writeFileSync(join(directory, 'version-2', name), bytes)
  return storage()
}

function storage(): FileStorage {
  return new FileStorage(nodeFileSystem, {
    dataDir: directory,
    dataLogDir: directory,
    snapRetainCount: 3,
    preallocateBytes: 4_096,
    onTornTail: () => undefined,
    onFull: () => undefined,
    onRoom: () => undefined,
  })
}

function digestOf({ tree }: State): bigint {
  const digest = new TreeDigest()
  const visit = (path: string): void => {
    const node = tree.get(path)
    if (node === undefined) throw new Error(`no ${path}`)
    const { czxid, mzxid, pzxid, ctime, mtime, version, aversion, childCreates, ownership } = node
    const own = { cversion: childCreates, ephemeralOwner: ownerNumberOf(ownership) }
    const stat = { ...own, czxid, mzxid, pzxid, ctime, mtime, version, aversion }
    if (isDigested(path)) digest.add(nodeDigest(contentDigest(path, node.data), stat))
    for (const name of node.children) visit(path === '/' ? `/${name}` : `${path}/${name}`)
  }
  visit('/')
  return digest.value
}

/** The digest of the tree in the last record that has one; null if none has. */
function lastDigest(files: readonly GoldenFile[]): bigint | null {
  const records = files.filter(({ kind }) => kind === 'log').flatMap((file) => [...scan(file.bytes).records])
  return records.findLast(({ digest }) => digest !== null)?.digest?.value ?? null
}

function lastZxid(files: readonly GoldenFile[]): bigint {
  const records = files.filter(({ kind }) => kind === 'log').flatMap((file) => [...scan(file.bytes).records])
  const snapshots = files.filter(({ kind }) => kind === 'snapshot').map(({ zxid }) => zxid)
  const all = [...records.map(({ zxid }) => zxid), ...snapshots]
  return all.reduce((last, zxid) => (zxid > last ? zxid : last), 0n)
}

describe('a directory of a real ZooKeeper', () => {
  it.each(DIRECTORIES.filter((name) => !RECONFIGURED.test(name)))('is read: %s', async (name) => {
    const files = filesOf(name)
    const { state, votes, entries, base } = await recover(unpack(files))
    if (state === null) throw new Error('no state')
    expect([base, state.lastZxid, entries, votes]).toEqual([lastZxid(files), lastZxid(files), [], true])
    const digest = lastDigest(files)
    expect(digest === null).toBe(WITHOUT_DIGEST.has(name))
    if (digest !== null) expect(digestOf(state)).toBe(digest)
  })

  it.each([['rolling', 20], ['fuzzy', 4]])('is read and cut up to a transaction: %s, %i times', async (name, cuts) => {
    const files = filesOf(name)
    const records = files.filter(({ kind }) => kind === 'log').flatMap((file) => [...scan(file.bytes).records])
    const step = Math.ceil(records.length / cuts)
    for (const { zxid, digest } of records.filter((_, index) => index % step === 0).reverse()) {
      const cut = await recover(unpack(files), { rewindTo: zxid })
      expect([cut.base, cut.state === null ? null : digestOf(cut.state)], `${zxid}`).toEqual([zxid, digest?.value])
      const again = await recover(storage())
      expect([again.base, again.state?.snapshot()]).toEqual([zxid, cut.state?.snapshot()])
      rmSync(join(directory, 'version-2'), { recursive: true })
    }
  })

  it('is cut at the last transaction before a zxid that it has not got', async () => {
    const { state } = await recover(unpack(filesOf('trunc')), { rewindTo: 0x1_0000_0000n })
    expect(state?.lastZxid).toBe(0n)
    expect((await recover(storage())).base).toBe(0n)
  })

  it('is not cut where its log ends before, or its snapshots begin after', async () => {
    const files = filesOf('rolling')
    const newest = files.findLast(({ kind }) => kind === 'snapshot')?.zxid ?? 0n
    const late = lastZxid(files) + 1n
    await expect(recover(unpack(files), { rewindTo: late })).rejects.toThrow(/cannot be cut off here: the log .* ends/)
    rmSync(join(directory, 'version-2'), { recursive: true })
    const purged = unpack(files.filter(({ kind, zxid }) => kind !== 'snapshot' || zxid === newest))
    await expect(recover(purged, { rewindTo: newest - 1n })).rejects.toThrow(/no snapshot is from before that/)
    expect((await recover(storage())).base).toBe(lastZxid(files))
  })

  it('is read from any of its snapshots', async () => {
    const files = filesOf('rolling')
    const snapshots = files.filter(({ kind }) => kind === 'snapshot')
    for (const { name } of snapshots.slice(0, -1).reverse()) {
      const older = files.filter((file) => file.kind === 'log' || file.zxid <= BigInt(`0x${name.split('.')[1] ?? ''}`))
      const { state } = await recover(unpack(older))
      expect(state === null ? null : digestOf(state), name).toBe(lastDigest(files))
      rmSync(join(directory, 'version-2'), { recursive: true })
    }
  })
})
