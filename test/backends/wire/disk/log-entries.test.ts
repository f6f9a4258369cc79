import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../src/core/assert.ts'
import { OpCode } from '../../../../src/backends/wire/codes.ts'
import { readLogEntry, writeLogEntry } from '../../../../src/backends/wire/disk/log-entries.ts'
import { written } from '../../../../src/backends/wire/jute.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../../../src/backends/wire/transactions.ts'
import { golden, scan } from './golden.ts'

const HEADER_BYTES = 32
const DIGEST = '00000002' + '00000000000000ff'

function txnOf(txn: TxnBody): Uint8Array {
  return encodeTransaction({ header: { clientId: 1n, cxid: 2, zxid: 3n, time: 4, type: txn.type }, txn })
}

/** The bytes after the header, in hexadecimal digits. */
function writtenAfterHeader(txn: TxnBody, digest: bigint | null = 0xffn): string {
  const bytes = written((writer) => {
    writeLogEntry(writer, txnOf(txn), digest)
  })
  return Buffer.from(bytes.subarray(HEADER_BYTES)).toString('hex')
}

function entry(type: number, ...hex: readonly string[]): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeInt32BE(type, 28)
  return new Uint8Array(Buffer.concat([header, Buffer.from(hex.join(''), 'hex')]))
}

const createA: TxnBody = {
  type: OpCode.create,
  body: { path: '/a', data: Uint8Array.of(7), acl: OPEN_ACL, ephemeral: false, parentCVersion: 1 },
}
const passwd = Uint8Array.of(1, 2, 3)

describe('an entry of a log', () => {
  it('has the digest last, but where the transaction is an error', () => {
    expect(writtenAfterHeader({ type: OpCode.delete, body: { path: '/a' } })).toBe('000000022f61' + DIGEST)
    expect(writtenAfterHeader({ type: OpCode.delete, body: { path: '/a' } }, null)).toBe('000000022f61')
    expect(writtenAfterHeader({ type: OpCode.error, body: { err: -110 } })).toBe('ffffff92')
  })

  it('has a password after the digest, where no ZooKeeper looks', () => {
    const txn: TxnBody = { type: OpCode.createSession, body: { timeOut: 0x1000, passwd } }
    expect(writtenAfterHeader(txn)).toBe('00001000' + DIGEST + '00000003010203')
    expect(writtenAfterHeader(txn, null)).toBe('00001000' + '000000000000000000000000' + '00000003010203')
    for (const [digest, read] of [[0xffn, { version: 2, value: 0xffn }], [null, null]] as const) {
      const bytes = entry(OpCode.createSession, writtenAfterHeader(txn, digest))
      expect(readLogEntry(bytes)).toMatchObject({ digest: read, transaction: { txn: { body: { passwd } } } })
    }
  })

  it('has no password if the session has none, or if something else follows', () => {
    const txn: TxnBody = { type: OpCode.createSession, body: { timeOut: 0x1000, passwd: null } }
    expect(writtenAfterHeader(txn)).toBe('00001000' + DIGEST)
    for (const rest of ['', '0000000a0102', 'ffffffff', '00']) {
      const { transaction, digest } = readLogEntry(entry(OpCode.createSession, '00001000', DIGEST, rest))
      expect(transaction.txn).toEqual(txn)
      expect(digest).toEqual({ version: 2, value: 0xffn })
    }
  })

  it('has a create inside a multi where the request was a create2, which ZooKeeper 3.8.0 would skip', () => {
    const parts: TxnBody[] = [
      { ...createA, type: OpCode.create2 },
      { type: OpCode.delete, body: { path: '/a' } },
      { ...createA, type: OpCode.create2 },
    ]
    const bytes = entry(OpCode.multi, writtenAfterHeader({ type: OpCode.multi, body: parts }))
    const { txn } = readLogEntry(bytes).transaction
    expect(txn.type === OpCode.multi && txn.body.map(({ type }) => type)).toEqual([1, 2, 1])
    expect(writtenAfterHeader({ ...createA, type: OpCode.create2 })).toBe(writtenAfterHeader(createA))
  })

  it('has the body of a change that was undone, where a leader of ZooKeeper sends a refused multi again', () => {
    const refusal: TxnBody = { type: OpCode.error, body: { err: -101 } }
    const again = Buffer.from(txnOf({ type: OpCode.multi, body: [createA, refusal] }))
    again.writeInt32BE(OpCode.error, HEADER_BYTES + 4)
    const { txn, transaction } = readLogEntry(new Uint8Array(again))
    expect(transaction.txn.body).toEqual([{ type: OpCode.error, body: { err: 0 } }, refusal])
    expect(decodeTransaction(txn)).toEqual(transaction)
  })

  it('is never a check outside a multi, which no ZooKeeper reads', () => {
    const check: TxnBody = { type: OpCode.check, body: { path: '/a', version: 1 } }
    expect(() => writtenAfterHeader(check)).toThrow(AssertionError)
    expect(() => readLogEntry(entry(OpCode.check, '000000022f61', '00000001'))).toThrow(/a check outside a multi/)
  })

  it.each([
    ['as 3.5 wrote it: nothing', '', [], null],
    ['with a digest and no paths', DIGEST, [], 0xffn],
    ['with paths', '00000001' + '000000022f61', ['/a'], null],
    ['with paths and a digest', '00000001' + '000000022f61' + DIGEST, ['/a'], 0xffn],
    ['with no paths and a digest', '00000000' + DIGEST, [], 0xffn],
    ['with no paths', '00000000', [], null],
  ])('of a session that ends is read %s', (_, body, paths2Delete, digest) => {
    const read = readLogEntry(entry(OpCode.closeSession, body))
    expect(read.transaction.txn).toEqual({ type: OpCode.closeSession, body: { paths2Delete } })
    expect(read.digest?.value ?? null).toBe(digest)
    expect(decodeTransaction(read.txn)).toEqual(read.transaction)
  })

  it('of a create is read without the count of the parent, as it was before 3.4', () => {
    const acl = '00000001' + '0000001f' + '00000005776f726c64' + '00000006616e796f6e65'
    const old = '000000022f61' + '0000000107' + acl + '00'
    const { txn, transaction, digest } = readLogEntry(entry(OpCode.create, old))
    expect(transaction.txn).toEqual({ ...createA, body: { ...createA.body, parentCVersion: -1 } })
    expect(decodeTransaction(txn)).toEqual(transaction)
    expect(digest).toBeNull()
  })

  it('is the transaction as servers exchange it', () => {
    for (const { txn, transaction } of scan(golden('standalone', 'log.1').bytes).records) {
      expect(Buffer.from(encodeTransaction(decodeTransaction(txn))).equals(txn)).toBe(true)
      expect(decodeTransaction(txn).header).toEqual(transaction.header)
    }
  })

  it('of a new membership is read and written', () => {
    const [, reconfig] = scan(golden('reconfig-server1', 'log.100000001').bytes).records
    expect(reconfig?.transaction.txn).toMatchObject({
      type: OpCode.reconfig,
      body: { path: '/zookeeper/config', version: -1 },
    })
  })
})
