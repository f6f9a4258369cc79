import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OpCode } from '../../../../src/backends/wire/codes.ts'
import { adler32 } from '../../../../src/backends/wire/disk/checksums.ts'
import { LOG_HEADER, encodeLogRecord } from '../../../../src/backends/wire/disk/log-file.ts'
import { LogScanner } from '../../../../src/backends/wire/disk/log-scanner.ts'
import type { LogRecord, LogVerdict } from '../../../../src/backends/wire/disk/log-scanner.ts'
import { encodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import { LOGS, golden, scan, toolkitDump } from './golden.ts'

const ROOM = new Uint8Array(1_024)
/** A small log without prepared zeros: header and five records. */
const SMALL = trimmed(golden('rolling', 'log.59').bytes)
const SMALL_RECORDS = scan(SMALL).records
/** Where its records end, and its header. */
const ENDS = [LOG_HEADER.length, ...SMALL_RECORDS.map(({ offset, length }) => offset + length)]

function trimmed(bytes: Uint8Array): Uint8Array {
  const { verdict } = scan(bytes)
  return bytes.slice(0, verdict.offset)
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function zxids(records: readonly LogRecord[]): bigint[] {
  return records.map(({ zxid }) => zxid)
}

/** The whole records of the small log within so many bytes. */
function recordsWithin(bytes: number): bigint[] {
  return zxids(SMALL_RECORDS.filter(({ offset, length }) => offset + length <= bytes))
}

function damageOf(verdict: LogVerdict): readonly [string, number] | null {
  return verdict.state === 'damaged' ? [verdict.damage.kind, verdict.damage.offset] : null
}

/** A record of any entry, with a right checksum. */
function record(entry: Uint8Array): Uint8Array {
  const head = Buffer.alloc(12)
  head.writeUInt32BE(adler32(entry), 4)
  head.writeInt32BE(entry.length, 8)
  return joined(head, entry, Buffer.from('B'))
}

function setData(zxid: bigint, data: Uint8Array): Uint8Array {
  return encodeTransaction({
    header: { clientId: 1n, cxid: 2, zxid, time: 3, type: OpCode.setData },
    txn: { type: OpCode.setData, body: { path: '/a', data, version: 1 } },
  })
}

describe('a log of a real ZooKeeper', () => {
  it.each(LOGS)('$directory/$name holds what its own tool prints, and ends well', (file) => {
    const { records, verdict } = scan(file.bytes, file.name)
    const printed = [...toolkitDump(file).matchAll(/ session 0x(\w+) cxid 0x(\w+) zxid 0x(\w+) (\S+)/g)]
    const names = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]))
    names.set(OpCode.setAcl, 'setACL').set(OpCode.createTTL, 'createTtl')
    const read = records.map(({ zxid, transaction: { header: { clientId, cxid, type } } }) => {
      return [clientId, cxid, zxid, names.get(type)]
    })
    expect(read).toEqual(printed.map(([, id, cxid, zxid, name]) => [unhex(id), Number(unhex(cxid)), unhex(zxid), name]))
    expect(verdict.state).toBe('clean')
    expect(records.every(({ isContiguous }) => isContiguous)).toBe(true)
    expect(records[0]?.zxid).toBe(file.zxid)
  })

  it.each(LOGS)('$directory/$name is written again byte for byte', (file) => {
    const { records, verdict } = scan(file.bytes, file.name)
    let isAsByDefault = true
    for (const { txn, digest, offset, length, transaction } of records) {
      const original = file.bytes.subarray(offset, offset + length)
      const again = encodeLogRecord(txn, digest === null ? null : digest.value)
      // Written in a way that is not the default, and read all the same: without paths.
      const isOld = transaction.txn.type === OpCode.closeSession && /nodigest|closeold/.test(file.directory)
      isAsByDefault &&= !isOld
      if (!isOld) expect(Buffer.from(again).equals(original)).toBe(true)
      else expect(scan(joined(LOG_HEADER, again)).records[0]?.transaction).toEqual(transaction)
    }
    const again = joined(LOG_HEADER, ...records.map(({ txn, digest }) => encodeLogRecord(txn, digest?.value ?? null)))
    const room = new Uint8Array(file.bytes.length - verdict.offset)
    if (isAsByDefault) expect(Buffer.from(joined(again, room)).equals(file.bytes)).toBe(true)
  })

  it('reads the same from chunks of any length', () => {
    const { bytes } = golden('standalone', 'log.1')
    const whole = scan(bytes, 'log.1', bytes.length)
    expect(whole.records).toHaveLength(62)
    for (const chunkBytes of [1, 7, 511, 4_096]) {
      const { records, verdict } = scan(bytes, 'log.1', chunkBytes)
      expect(records.map(({ offset, length }) => [offset, length])).toEqual(
        whole.records.map(({ offset, length }) => [offset, length]),
      )
      expect(Buffer.concat(txnsOf(records)).equals(Buffer.concat(txnsOf(whole.records)))).toBe(true)
      expect(verdict).toEqual(whole.verdict)
    }
  })
})

function txnsOf(records: readonly LogRecord[]): Uint8Array[] {
  return records.map(({ txn }) => txn)
}

function unhex(text = ''): bigint {
  return BigInt.asIntN(64, BigInt(`0x${text}`))
}

describe('a log that ends too early', () => {
  it.each([
    ['the file ends there', new Uint8Array()],
    ['zeros follow', ROOM],
  ])('is torn at any byte, and mended by what the verdict says, where %s', (_, room) => {
    for (let length = 0; length < SMALL.length; length++) {
      const { records, verdict } = scan(joined(SMALL.subarray(0, length), room))
      const isHeaderWhole = length >= LOG_HEADER.length || (room.length > 0 && length >= 8)
      if (!isHeaderWhole) {
        expect([verdict.state, verdict.offset, records]).toEqual(['torn', 0, []])
        continue
      }
      const isBetween = ENDS.includes(length) || length < LOG_HEADER.length
      // A record begins with zeros: some of its bytes can be cut off and nobody can tell.
      const lastEnd = ENDS.findLast((end) => end < length)
      const isTorn = !isBetween && SMALL.subarray(lastEnd, length).some((byte) => byte !== 0)
      expect(verdict.state).toBe(isTorn ? 'torn' : 'clean')
      const isMarkMissing = ENDS.includes(length + 1) && length > LOG_HEADER.length
      expect(zxids(records)).toEqual(recordsWithin(isMarkMissing ? length + 1 : length))
      if (verdict.state !== 'torn') continue
      const mended = scan(joined(SMALL.subarray(0, verdict.offset), verdict.append))
      expect(mended.records).toEqual(records)
      expect(mended.verdict).toEqual({ state: 'clean', offset: verdict.offset + verdict.append.length })
    }
  })

  it('is torn where a record of many sectors ends in zeros, and not searched for what only looks like a record', () => {
    // A value that holds a whole log: its records are older than this one.
    const data = joined(SMALL, new Uint8Array(5_000).fill(7))
    const last = encodeLogRecord(setData(0x5en, data), 1n)
    for (const length of [400, 1_000, 5_000, last.length - 2]) {
      const cut = joined(SMALL, last.subarray(0, length), ROOM, ROOM, ROOM, ROOM, ROOM, ROOM)
      const { records, verdict } = scan(cut)
      expect(verdict).toMatchObject({ state: 'torn', offset: SMALL.length, append: new Uint8Array() })
      expect(records).toHaveLength(SMALL_RECORDS.length)
    }
  })
})

describe('a log with one wrong byte', () => {
  it.each([
    ['the file ends after the last record', new Uint8Array()],
    ['zeros follow', ROOM.subarray(0, 64)],
  ])('loses no record in silence, whichever byte it is and whatever it became, where %s', (_, room) => {
    const original = joined(SMALL, room)
    const expected = zxids(SMALL_RECORDS)
    const seen = new Set<string>()
    for (let at = 0; at < original.length; at++) {
      const was = original[at] as number
      const flipped = Array.from({ length: 8 }, (_unused, bit) => was ^ (1 << bit))
      for (const value of new Set([...flipped, 0, 0x42, 0xff])) {
        if (value === was) continue
        const bytes = original.slice()
        bytes[at] = value
        const { records, verdict } = scan(bytes)
        const read = zxids(records)
        if (read.some((zxid, index) => zxid !== expected[index])) throw new Error(`byte ${at} = ${value}: read ${read}`)
        if (verdict.state === 'damaged') {
          seen.add(verdict.damage.kind)
        } else if (read.length !== expected.length) {
          throw new Error(`byte ${at} = ${value}: ${verdict.state} at ${verdict.offset} with ${read.length} records`)
        }
      }
    }
    expect([...seen].sort()).toEqual(expect.arrayContaining(['checksum', 'end-mark', 'header', 'length', 'version']))
  })

  it('says where the damaged record begins', () => {
    for (const { offset, length } of SMALL_RECORDS) {
      const bytes = joined(SMALL, ROOM)
      bytes[offset + 40] = (bytes[offset + 40] as number) ^ 1
      const { records, verdict } = scan(bytes)
      expect(damageOf(verdict)).toEqual(['checksum', offset])
      expect(verdict).toMatchObject({ isLast: offset + length === SMALL.length, isSectorMissing: false })
      expect(zxids(records)).toEqual(recordsWithin(offset))
    }
  })
})

describe('a log with a hole', () => {
  it('is damaged where ZooKeeper stops in silence: at a zeroed header, or a whole zeroed record', () => {
    for (const [index, { offset, length }] of SMALL_RECORDS.entries()) {
      for (const zeroed of [8, 12, 40, length]) {
        const bytes = joined(SMALL, ROOM)
        bytes.fill(0, offset, offset + zeroed)
        const { records, verdict } = scan(bytes)
        expect(records).toHaveLength(index)
        const isAllGone = index === SMALL_RECORDS.length - 1 && zeroed === length
        if (isAllGone) expect(verdict).toEqual({ state: 'clean', offset })
        else expect(damageOf(verdict)).toEqual([zeroed === 8 ? 'checksum' : 'gap', offset])
      }
    }
  })

  it('says whether a sector that was never written could explain it', () => {
    const long = encodeLogRecord(setData(0x5en, new Uint8Array(3_000).fill(9)), null)
    const after = encodeLogRecord(setData(0x5fn, Uint8Array.of(1)), null)
    const start = SMALL.length
    const holed = joined(SMALL, long, ROOM)
    holed.fill(0, 1_024, 1_536)
    expect(scan(holed).verdict).toMatchObject({ state: 'damaged', offset: start, isLast: true, isSectorMissing: true })
    const skipped = joined(SMALL, long, after, ROOM)
    skipped.fill(0, start, 1_024)
    expect(scan(skipped).verdict).toMatchObject({ state: 'damaged', isLast: false, isSectorMissing: true })
    const zeroed = joined(SMALL, long, after, ROOM)
    zeroed.fill(0, start, start + 12)
    expect(scan(zeroed).verdict).toMatchObject({ state: 'damaged', isLast: false, isSectorMissing: false })
  })

  it('is damaged where anything follows the prepared zeros', () => {
    const bytes = joined(SMALL, ROOM, Uint8Array.of(1), ROOM)
    const { records, verdict } = scan(bytes, 'log.59')
    expect(records).toHaveLength(SMALL_RECORDS.length)
    expect(damageOf(verdict)).toEqual(['gap', SMALL.length])
    expect(verdict.state === 'damaged' && verdict.damage.message).toBe(
      `log.59: at byte ${SMALL.length}: zeros instead of a record, before other bytes; the next ones are at ` +
        `${SMALL.length + ROOM.length}`,
    )
  })
})

describe('a log whose lengths are wrong', () => {
  it('is damaged, not torn, where a length that spans the rest hides whole records', () => {
    for (const { offset } of SMALL_RECORDS) {
      const bytes = joined(SMALL, ROOM)
      new DataView(bytes.buffer).setInt32(offset + 8, 5_000)
      expect(damageOf(scan(bytes).verdict)).toEqual(['length', offset])
    }
  })

  it('is damaged, not torn, where such a record is itself beyond recognition, but others follow', () => {
    for (const [index, { offset }] of SMALL_RECORDS.entries()) {
      const bytes = joined(SMALL, ROOM)
      new DataView(bytes.buffer).setInt32(offset + 8, 5_000)
      bytes.fill(0xee, offset + 20, offset + 40)
      const isLast = index === SMALL_RECORDS.length - 1
      if (isLast) expect(scan(bytes).verdict).toMatchObject({ state: 'torn', offset })
      else expect(damageOf(scan(bytes).verdict)).toEqual(['length', offset])
    }
  })

  it.each([-1, -(2 ** 31), 2 ** 31 - 1, 0x100_0001])('is damaged at %d bytes, and waits for nothing', (length) => {
    const { offset } = SMALL_RECORDS[1] as LogRecord
    const bytes = SMALL.slice()
    new DataView(bytes.buffer).setInt32(offset + 8, length)
    const scanner = new LogScanner('log.59')
    scanner.push(bytes.subarray(0, offset + 12))
    expect(scanner.isDamaged).toBe(true)
    expect(damageOf(scanner.end())).toEqual(['length', offset])
  })

  it('takes entries as long as it is told', () => {
    const log = joined(LOG_HEADER, encodeLogRecord(setData(1n, new Uint8Array(2_000)), null))
    const scanner = new LogScanner('log.1', { entryBytesMax: 1_000 })
    scanner.push(log)
    expect(damageOf(scanner.end())).toEqual(['length', 16])
  })
})

describe('a log that says what cannot be', () => {
  const [first, second] = SMALL_RECORDS.map(({ offset, length }) => SMALL.slice(offset, offset + length)) as [
    Uint8Array,
    Uint8Array,
  ]

  it('is damaged where a transaction comes twice, or before an earlier one', () => {
    expect(damageOf(scan(joined(LOG_HEADER, second, first)).verdict)).toEqual(['order', 16 + second.length])
    expect(damageOf(scan(joined(LOG_HEADER, first, first)).verdict)).toEqual(['order', 16 + first.length])
  })

  it('tells where one is missing, but not between epochs', () => {
    const log = [0x1_0000_0001n, 0x1_0000_0002n, 0x1_0000_0004n, 0x2_0000_0001n, 0x4_0000_0001n, 0x5_0000_0002n]
      .map((zxid) => encodeLogRecord(setData(zxid, new Uint8Array()), null))
    const { records } = scan(joined(LOG_HEADER, ...log))
    expect(records.map(({ isContiguous }) => isContiguous)).toEqual([true, true, false, true, true, false])
  })

  it('is damaged where a checksum is right and there is no transaction: an unknown type, a check', () => {
    const typed = (type: number): Uint8Array => {
      const entry = setData(1n, new Uint8Array())
      new DataView(entry.buffer).setInt32(28, type)
      return entry
    }
    for (const entry of [typed(99), typed(OpCode.check), typed(OpCode.createTTL), Uint8Array.of(1)]) {
      const { records, verdict } = scan(joined(LOG_HEADER, record(entry), ROOM))
      expect([records, damageOf(verdict)]).toEqual([[], ['content', 16]])
    }
  })

  it('is read where bytes that nobody knows follow a digest, as ZooKeeper does', () => {
    const digest = Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9)
    const { records, verdict } = scan(joined(LOG_HEADER, record(joined(setData(1n, ROOM), digest, new Uint8Array(11)))))
    expect([records[0]?.digest, verdict.state]).toEqual([{ version: 2, value: 9n }, 'clean'])
  })

  it.each([
    ['another kind of file', 'ZKSN', 2, ['header', 0]],
    ['a future version', 'ZKLG', 3, ['version', 4]],
    ['no version, though more follows', 'ZKLG', 0, ['header', 0]],
  ])('is damaged if its header says %s', (_, magic, version, damage) => {
    const header = Buffer.alloc(16)
    header.write(magic)
    header.writeInt32BE(version, 4)
    expect(damageOf(scan(joined(header, SMALL.subarray(16))).verdict)).toEqual(damage)
  })
})

describe('a log of anything', () => {
  const bytesOf = fc.uint8Array({ maxLength: 3_000 })
  const judged = (bytes: Uint8Array): LogVerdict['state'] => {
    const { records, verdict } = scan(bytes, 'log.1', 97)
    expect(verdict.offset).toBeLessThanOrEqual(bytes.length)
    for (const { offset, length } of records) expect(offset + length).toBeLessThanOrEqual(bytes.length + 1)
    if (verdict.state === 'damaged') expect(verdict.damage.file).toBe('log.1')
    return verdict.state
  }

  it('gets a verdict', () => {
    fc.assert(fc.property(bytesOf, (bytes) => void judged(bytes)), { numRuns: 300 })
    fc.assert(fc.property(bytesOf, (bytes) => void judged(joined(LOG_HEADER, bytes))), { numRuns: 300 })
    fc.assert(fc.property(bytesOf, (bytes) => void judged(joined(LOG_HEADER, record(bytes)))), { numRuns: 300 })
  })

  it('gets a verdict if any bytes of a real one are changed, cut, or moved', () => {
    const original = trimmed(golden('standalone', 'log.3f').bytes)
    const at = fc.nat({ max: original.length - 1 })
    const flips = fc.array(fc.tuple(at, fc.integer({ min: 1, max: 255 })), { maxLength: 5 })
    fc.assert(
      fc.property(flips, at, at, (changes, from, to) => {
        const bytes = original.slice(0, Math.max(from, 20))
        for (const [index, mask] of changes) if (index < bytes.length) bytes[index] = (bytes[index] as number) ^ mask
        judged(joined(bytes, original.subarray(to)))
      }),
      { numRuns: 500 },
    )
  })

  it('is judged in time also if it was made to look like millions of records', () => {
    // Each byte begins something that could be a record, up to an end mark far away.
    const bytes = new Uint8Array(4_000_000)
    const view = new DataView(bytes.buffer)
    bytes.set(LOG_HEADER)
    view.setInt32(24, 3_999_999)
    for (let at = 40; at + 16 < bytes.length; at += 16) {
      view.setInt32(at + 8, 1_000_000 - (at % 1_000_000))
      bytes[at + 13] = 0x42
    }
    const startMs = performance.now()
    expect(damageOf(scan(bytes).verdict)).not.toBeNull()
    expect(performance.now() - startMs).toBeLessThan(20_000)
  })
})
