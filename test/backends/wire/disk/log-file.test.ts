import { describe, expect, it } from 'vitest'
import { LOG_HEADER, encodeLogRecord, writeLogRecord } from '../../../../src/backends/wire/disk/log-file.ts'
import { Writer } from '../../../../src/backends/wire/jute.ts'
import { encodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import { golden, scan } from './golden.ts'

describe('a record of a log', () => {
  it('is checksum, length, header, body, digest and end mark, as in the log of a real ZooKeeper', () => {
    const type = -10
    const txn = encodeTransaction({
      header: { clientId: 0x100000858800000n, cxid: 0, zxid: 1n, time: 0x1a221f7ec0d, type },
      txn: { type, body: { timeOut: 4_000, passwd: null } },
    })
    expect(Buffer.from(encodeLogRecord(txn, 1_371_985_504n)).toString('hex')).toBe(
      ['00000000bcd60a88', '00000030', '0100000858800000', '00000000', '0000000000000001'].join('') +
        ['000001a221f7ec0d', 'fffffff6', '00000fa0', '00000002', '0000000051c6d660', '42'].join(''),
    )
  })

  it('is written after others into one buffer, so that a batch is one write', () => {
    const { bytes } = golden('rolling', 'log.4c')
    const { records, verdict } = scan(bytes)
    const writer = new Writer(16)
    writer.bytes(LOG_HEADER)
    for (const { txn, digest } of records) writeLogRecord(writer, txn, digest?.value ?? null)
    expect(records.length).toBeGreaterThan(10)
    expect(Buffer.from(writer.finish()).equals(bytes.subarray(0, verdict.offset))).toBe(true)
  })
})
