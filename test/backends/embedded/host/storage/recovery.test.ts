import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { nodeFileSystem } from '../../../../../src/backends/embedded/host/storage/node-file-system.ts'
import { recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { LogDigest, treeDigestOf } from '../../../../../src/backends/embedded/server/state/log-digest.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import type { LogEntry } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { LOG_HEADER, encodeLogRecord } from '../../../../../src/backends/wire/disk/log-file.ts'
import { writeSnapshotFile } from '../../../../../src/backends/wire/disk/snapshot-file.ts'
import type { SnapshotEnding } from '../../../../../src/backends/wire/disk/snapshot-file.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody } from '../../../../../src/backends/wire/transactions.ts'

const ALONE = { myid: 1, voters: [1] }
const THREE = 'server.1=a:1:2:participant;3\nserver.2=b:1:2:participant;3\nserver.3=c:1:2:participant;3\nversion=4'
const ONE = 'server.1=a:1:2:participant;3\nversion=4'
const CREATES = 3

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-recovery-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function storage(): FileStorage {
  const ignore = (): void => undefined
  const events = { onTornTail: ignore, onFull: ignore, onRoom: ignore }
  const limits = { snapRetainCount: 2, preallocateBytes: 4_096 }
  return new FileStorage(nodeFileSystem, { dataDir: directory, dataLogDir: directory, ...limits, ...events })
}

function transactionOf(zxid: number, txn: TxnBody): Transaction {
  return { header: { clientId: 1n, cxid: zxid, zxid: BigInt(zxid), time: 1, type: txn.type }, txn }
}

/** Makes a node; it is the root's nth child. */
function create(zxid: number, nth = zxid): Transaction {
  const data = new Uint8Array(9).fill(zxid)
  const body = { path: `/n${zxid}`, data, acl: OPEN_ACL, ephemeral: false, parentCVersion: nth }
  return transactionOf(zxid, { type: OpCode.create, body })
}

function reconfig(zxid: number, text: string): Transaction {
  const body = { path: '/zookeeper/config', data: Buffer.from(text), version: 0 }
  return transactionOf(zxid, { type: OpCode.reconfig, body })
}

/** Writes a log, and returns the state at its end. */
async function write(transactions: readonly Transaction[], votes = true): Promise<State> {
  const files = storage()
  await recover(files)
  const state = new State()
  const logDigest = new LogDigest(state, treeDigestOf(state))
  const entries = transactions.map((transaction): LogEntry => {
    const digest = logDigest.add(transaction)
    return { zxid: transaction.header.zxid, txn: encodeTransaction(transaction), digest }
  })
  for (const transaction of transactions) state.apply(transaction)
  const promises = { type: 'epochs', acceptedEpoch: 0, currentEpoch: 0, votes } as const
  await files.persist([promises, { type: 'append', entries }])
  await files.close()
  return state
}

const creates = (): Transaction[] => Array.from({ length: CREATES }, (_, index) => create(index + 1))

describe('a log', () => {
  it('of the only voter is applied as it is read', async () => {
    const transactions = creates()
    const state = await write(transactions)
    const found = await recover(storage(), { server: ALONE })
    expect(found).toMatchObject({ base: 3n, entries: [] })
    expect(found.state?.snapshot()).toEqual(state.snapshot())
    const bytes = transactions.reduce((sum, transaction) => sum + encodeTransaction(transaction).length, 0)
    expect([found.replayed, found.times.transactions]).toEqual([{ transactions: CREATES, bytes }, CREATES])
    expect(found.logDigest?.add(create(4))).toBe(new LogDigest(state, treeDigestOf(state)).add(create(4)))
  })

  it.each([
    ['one of several voters', { myid: 1, voters: [1, 2, 3] }],
    ['a server that does not vote', { myid: 2, voters: [1] }],
    ['nobody that goes on with it', null],
  ])('of %s is kept', async (_, server) => {
    await write(creates())
    const found = await recover(storage(), { server })
    expect([found.base, found.entries.length, found.replayed.transactions]).toEqual([0n, CREATES, 0])
  })

  it('of one that may not vote is kept', async () => {
    await write(creates(), false)
    expect(await recover(storage(), { server: ALONE })).toMatchObject({ base: 0n, votes: false })
  })

  it.each([['three', THREE], ['one', ONE]])('is kept from where it makes the voters %s', async (_, text) => {
    await write([...creates(), reconfig(4, text), create(5, 4)])
    const found = await recover(storage(), { server: ALONE })
    expect([found.base, found.entries.map(({ zxid }) => zxid)]).toEqual([3n, [4n, 5n]])
  })

  it('is kept where others vote according to the state', async () => {
    const state = await write([...creates(), reconfig(4, THREE)])
    const files = storage()
    await recover(files)
    await files.persist([{ type: 'install', zxid: 4n, chunks: [state.snapshot()] }])
    await files.persist([{ type: 'append', entries: [{ zxid: 5n, txn: encodeTransaction(create(5, 4)) }] }])
    await files.close()
    const found = await recover(storage(), { server: ALONE })
    expect([found.base, found.entries.map(({ zxid }) => zxid)]).toEqual([4n, [5n]])
  })

  it('of the only voter that does not fit its snapshot is refused, by its zxid', async () => {
    const files = storage()
    await recover(files)
    await files.persist([
      { type: 'epochs', acceptedEpoch: 0, currentEpoch: 0, votes: true },
      { type: 'append', entries: [{ zxid: 1n, txn: encodeTransaction(create(1, 7)) }] },
    ])
    await files.close()
    await expect(recover(storage(), { server: ALONE })).rejects.toThrow(/^the log at zxid 0x1 .*create \/n1.*backup$/)
  })

  it('of a ZooKeeper that does not fit its snapshot is refused, by its zxid', async () => {
    const acls = [{ key: 1n, acl: OPEN_ACL }]
    const stat = { ctime: 0, mtime: 0, version: 0, cversion: 0, aversion: 0, ephemeralOwner: 0n, pzxid: 0n }
    const nodes = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota'].map((path) => {
      return { path, data: null, aclKey: 1n, czxid: 0n, mzxid: 0n, ...stat }
    })
    const ending = (): SnapshotEnding => ({ digest: null, lastZxid: 0n, secrets: null })
    const snapshot = [...writeSnapshotFile({ sessions: [], acls, nodes, ending })]
    // The first of its bytes marks a node with a time to live, and no session.
    const header = { clientId: -0x100000000000000n, cxid: 1, zxid: 1n, time: 1, type: OpCode.createSession }
    const txn = { type: OpCode.createSession, body: { timeOut: 4_000, passwd: null } } as const
    mkdirSync(join(directory, 'version-2'))
    writeFileSync(join(directory, 'version-2', 'snapshot.0'), Buffer.concat(snapshot))
    const record = encodeLogRecord(encodeTransaction({ header, txn }), null)
    writeFileSync(join(directory, 'version-2', 'log.1'), Buffer.concat([LOG_HEADER, record]))
    await expect(recover(storage(), { server: ALONE })).rejects.toThrow(/^the log at zxid 0x1 .*session id.*backup$/)
  })

  it('keeps in memory little more than the data of its nodes', async () => {
    await write(creates())
    const { state } = await recover(storage(), { server: ALONE })
    const memory = [1, 2, 3].map((number) => state?.tree.get(`/n${number}`)?.data?.buffer)
    expect(new Set(memory).size).toBe(1)
    expect(memory[0]?.byteLength).toBeLessThanOrEqual(0x2000)
    const later = new Uint8Array(0x2000).subarray(0, 9)
    state?.tree.setData('/n1', later, 1, { zxid: 4n, time: 1 })
    expect(state?.tree.get('/n1')?.data?.buffer.byteLength).toBe(9)
  })
})
