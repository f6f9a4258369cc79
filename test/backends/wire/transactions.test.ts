import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody } from '../../../src/backends/wire/transactions.ts'

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const path = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => `/${text}`)
const data = fc.option(fc.uint8Array({ maxLength: 50 }), { nil: null })
const acl = fc.constantFrom(OPEN_ACL, [], [{ perms: 1, scheme: 'digest', id: 'a:b' }])

const createBody = fc.record({ path, data, acl, parentCVersion: int32 })
const part: fc.Arbitrary<TxnBody> = fc.oneof(
  fc.record({
    type: fc.constantFrom(OpCode.create, OpCode.create2),
    body: fc.record({ path, data, acl, ephemeral: fc.boolean(), parentCVersion: int32 }),
  }),
  fc.record({ type: fc.constant(OpCode.createContainer), body: createBody }),
  fc.record({
    type: fc.constant(OpCode.createTTL),
    body: fc.record({ path, data, acl, parentCVersion: int32, ttl: int64 }),
  }),
  fc.record({ type: fc.constant(OpCode.delete), body: fc.record({ path }) }),
  fc.record({ type: fc.constant(OpCode.setData), body: fc.record({ path, data, version: int32 }) }),
  fc.record({ type: fc.constant(OpCode.check), body: fc.record({ path, version: int32 }) }),
  fc.record({ type: fc.constant(OpCode.error), body: fc.record({ err: int32 }) }),
)
const whole: fc.Arbitrary<TxnBody> = fc.oneof(
  part,
  fc.record({ type: fc.constant(OpCode.deleteContainer), body: fc.record({ path }) }),
  fc.record({
    type: fc.constant(OpCode.createSession),
    body: fc.record({ timeOut: int32, passwd: fc.option(fc.uint8Array({ maxLength: 16 }), { nil: null }) }),
  }),
  fc.record({
    type: fc.constant(OpCode.closeSession),
    body: fc.record({ paths2Delete: fc.array(path, { maxLength: 5 }) }),
  }),
  fc.record({ type: fc.constant(OpCode.multi), body: fc.array(part, { maxLength: 5 }) }),
)
const transaction: fc.Arbitrary<Transaction> = fc
  .tuple(int64, int32, int64, fc.maxSafeInteger(), whole)
  .map(([clientId, cxid, zxid, time, txn]) => ({ header: { clientId, cxid, zxid, time, type: txn.type }, txn }))

function isRefused(bytes: Uint8Array): boolean {
  try {
    decodeTransaction(bytes)
    return false
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return true
    throw error
  }
}

function headed(type: number, bodyHex: string): Uint8Array {
  const header = Buffer.alloc(32)
  header.writeInt32BE(type, 28)
  return Uint8Array.from(Buffer.concat([header, Buffer.from(bodyHex.replaceAll(' ', ''), 'hex')]))
}

describe('a transaction', () => {
  it('is written as in the log of the reference', () => {
    const bytes = encodeTransaction({
      header: { clientId: 1n, cxid: 2, zxid: 0x1_0000_0003n, time: 4, type: OpCode.setData },
      txn: { type: OpCode.setData, body: { path: '/a', data: Uint8Array.of(9), version: 5 } },
    })
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '0000000000000001' + '00000002' + '0000000100000003' + '0000000000000004' + '00000005' +
        '00000002' + '2f61' + '00000001' + '09' + '00000005',
    )
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(transaction, (value) => {
        const bytes = encodeTransaction(value)
        const read = decodeTransaction(bytes)
        expect(plain(read)).toEqual(plain(value))
        expect(encodeTransaction(read)).toEqual(bytes)
      }),
      { numRuns: 300 },
    )
  })

  it('is refused if it is cut at any byte or has a byte too many', () => {
    fc.assert(
      fc.property(transaction, (value) => {
        const bytes = encodeTransaction(value)
        for (let length = 0; length < bytes.length; length++) expect(isRefused(bytes.subarray(0, length))).toBe(true)
        expect(isRefused(Uint8Array.from([...bytes, 0]))).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('of random bytes is read or refused with PROTOCOL_VIOLATION, and raises nothing else', () => {
    const types = fc.constantFrom(-11, -10, -1, 1, 2, 5, 13, 14, 15, 19, 20, 21)
    let refused = 0
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 120 }), (type, body) => {
        if (isRefused(headed(type, Buffer.from(body).toString('hex')))) refused += 1
      }),
      { numRuns: 500 },
    )
    expect(refused).toBeGreaterThan(0)
  })

  it('with one byte changed is read or refused, and raises nothing else', () => {
    fc.assert(
      fc.property(transaction, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
        const bytes = encodeTransaction(value)
        const index = at % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ mask
        isRefused(bytes)
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['an unknown type', 99, ''],
    ['a multi inside a multi', OpCode.multi, '00000001 0000000e 00000004 00000000'],
    ['the end of a session inside a multi', OpCode.multi, '00000001 fffffff5 00000004 00000000'],
    ['an unknown type inside a multi', OpCode.multi, '00000001 00000063 00000000'],
    ['a multi of more parts than bytes', OpCode.multi, '7fffffff'],
    ['a multi of a negative number of parts', OpCode.multi, 'ffffffff'],
    ['a part without bytes', OpCode.multi, '00000001 00000002 ffffffff'],
    ['a part with bytes left over', OpCode.multi, '00000001 ffffffff 00000005 00000000 00'],
    ['more paths than bytes', OpCode.closeSession, '7fffffff 00'],
  ])('is refused if it holds %s', (_, type, body) => {
    expect(isRefused(headed(type, body))).toBe(true)
  })
})

/** Buffers as arrays, so that a view and its copy compare equal. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}
