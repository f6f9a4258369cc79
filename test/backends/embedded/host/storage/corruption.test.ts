/**
 * Every single byte of a small directory, corrupted: a server alone starts with exactly what was there, or says what is
 * damaged and does not start.
 *
 * Values    a byte gets its lowest or its highest bit flipped, or zero; a digit of an epoch every other value. With
 *           QUORATE_EVERY_CORRUPTION=1 each byte gets every other value.
 * Epochs    are in files of ZooKeeper's without a checksum; `votes` has them too, with one.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { isDamage, recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../../../../src/backends/wire/transactions.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'
import { LossyFileSystem } from '../../../../../src/testing/simulation/lossy-file-system.ts'

const DIRECTORY = '/data/version-2'
/** Nobody else votes. */
const ALONE = { myid: 1, voters: [1] }
const SESSION = 0x100_0000_0000_0001n
const EVERY = process.env['QUORATE_EVERY_CORRUPTION'] === '1'
/** So many of them are enough to tell what is wrong. */
const WRONG_MAX = 20

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value))

const TRANSACTIONS: readonly TxnBody[] = [
  { type: OpCode.createSession, body: { timeOut: 4_000, passwd: text('0123456789abcdef') } },
  { type: OpCode.create, body: { path: '/a', data: text('one'), acl: OPEN_ACL, ephemeral: false, parentCVersion: 1 } },
  { type: OpCode.create2, body: { path: '/a/e', data: null, acl: OPEN_ACL, ephemeral: true, parentCVersion: 1 } },
  { type: OpCode.setData, body: { path: '/a', data: text('two'), version: 1 } },
  { type: OpCode.error, body: { err: -101 } },
  { type: OpCode.create, body: { path: '/b', data: text('x'), acl: OPEN_ACL, ephemeral: false, parentCVersion: 2 } },
  { type: OpCode.delete, body: { path: '/b' } },
  { type: OpCode.setData, body: { path: '/a', data: text('three'), version: 2 } },
]
/** After so many transactions there is a snapshot. */
const SNAPSHOTS = [2, 5]

function storageOn(files: LossyFileSystem, reports: string[]): FileStorage {
  return new FileStorage(files, {
    dataDir: '/data',
    dataLogDir: '/data',
    snapRetainCount: 3,
    preallocateBytes: 512,
    onTornTail: (file, offset) => void reports.push(`${file}: ${offset}: torn`),
    onFull: () => undefined,
    onRoom: () => undefined,
  })
}

/** The files of a server that has been killed. */
async function written(): Promise<Map<string, Uint8Array>> {
  const files = new LossyFileSystem(new SeededRandom(1))
  const storage = storageOn(files, [])
  await recover(storage)
  const promises = { type: 'epochs', acceptedEpoch: 1, currentEpoch: 1, votes: true } as const
  await storage.persist([{ ...promises, currentEpoch: 0 }, promises])
  const state = new State()
  for (const [index, txn] of TRANSACTIONS.entries()) {
    const zxid = (1n << 32n) + BigInt(index + 1)
    const header = { clientId: SESSION, cxid: index, zxid, time: 1_700_000_000_000 + index, type: txn.type }
    const bytes = encodeTransaction({ header, txn })
    state.apply(decodeTransaction(bytes))
    await storage.persist([{ type: 'append', entries: [{ zxid, txn: bytes }] }])
    if (!SNAPSHOTS.includes(index + 1)) continue
    const sink = storage.createSnapshot(zxid)
    for (const chunk of state.openSnapshot().chunks()) await sink.write(chunk)
    await sink.commit()
  }
  const found = new Map<string, Uint8Array>()
  for (const name of await files.list(DIRECTORY)) {
    const file = await files.open(`${DIRECTORY}/${name}`, 'read')
    found.set(name, await file.read(0, await file.size()))
    await file.close()
  }
  return found
}

/** The state that a server starts with, as comparable text; or its report that it does not start. */
async function started(contents: ReadonlyMap<string, Uint8Array>): Promise<{ state: string; isTold: boolean }> {
  const files = new LossyFileSystem(new SeededRandom(1))
  await files.makeDirectory(DIRECTORY)
  for (const [name, bytes] of contents) {
    const file = await files.open(`${DIRECTORY}/${name}`, 'create')
    await file.write(bytes, 0)
    await file.close()
  }
  const reports: string[] = []
  try {
    const onDamage = (error: unknown): void => void reports.push(String(error))
    const found = await recover(storageOn(files, reports), { onDamage, server: ALONE })
    const state = found.state ?? new State()
    for (const { txn } of found.entries) state.apply(decodeTransaction(txn))
    const { acceptedEpoch, currentEpoch, votes } = found
    const tree = Buffer.from(state.snapshot()).toString('base64')
    return { state: JSON.stringify({ acceptedEpoch, currentEpoch, votes, tree }), isTold: reports.length > 0 }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { state: 'damaged', isTold: true }
  }
}

function valuesFor(name: string, byte: number): readonly number[] {
  const all = EVERY || name.endsWith('Epoch') ? Array.from({ length: 256 }, (_, i) => i) : [byte ^ 1, byte ^ 0x80, 0]
  return all.filter((value) => value !== byte)
}

/** Every byte of every file with each of the values that it is to have instead. */
function* corruptions(contents: ReadonlyMap<string, Uint8Array>): Generator<readonly [string, number, number]> {
  for (const [name, bytes] of contents) {
    for (const [at, byte] of bytes.entries()) for (const value of valuesFor(name, byte)) yield [name, at, value]
  }
}

let contents = new Map<string, Uint8Array>()
let intact = ''

beforeAll(async () => {
  contents = await written()
  intact = (await started(contents)).state
})

describe('a directory in which one byte is wrong', () => {
  it('is one that a server has written', () => {
    expect(intact).toContain('"acceptedEpoch":1,"currentEpoch":1,"votes":true')
    expect([...contents.keys()].filter((name) => /^(log|snapshot)/.test(name))).toHaveLength(6)
  })

  it('is read as it was, or is refused: in every byte of every file', async () => {
    const wrong: string[] = []
    const counts = { same: 0, refused: 0, told: 0 }
    for (const [name, at, value] of corruptions(contents)) {
      const corrupted = contents.get(name)?.slice() ?? new Uint8Array()
      const byte = corrupted[at]
      corrupted[at] = value
      const { state, isTold } = await started(new Map([...contents, [name, corrupted]]))
      if (state === 'damaged') counts.refused += 1
      else if (state !== intact) wrong.push(`${name} at ${at}: ${byte} is ${value}${isTold ? ', and told' : ''}`)
      else if (isTold) counts.told += 1
      else counts.same += 1
      if (wrong.length === WRONG_MAX) break
    }
    if (EVERY) process.stdout.write(`corruptions: ${JSON.stringify(counts)}\n`)
    expect(wrong).toEqual([])
    expect(counts.refused).toBeGreaterThan(counts.same / 10)
  }, EVERY ? 14_400_000 : 120_000)
})
