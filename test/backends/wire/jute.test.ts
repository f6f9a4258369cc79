import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import {
  Reader,
  Writer,
  bool,
  buffer,
  copiedBuffer,
  decode,
  encode,
  int32,
  int64,
  millis,
  nullableUstring,
  record,
  ustring,
  ustrings,
  vector,
} from '../../../src/backends/wire/jute.ts'
import type { Codec } from '../../../src/backends/wire/jute.ts'
import { ConnectRequest, SetWatchesRequest, StatRecord, WatcherEvent } from '../../../src/backends/wire/records.ts'

const Everything = record({
  number: int32,
  big: int64,
  time: millis,
  flag: bool,
  data: buffer,
  text: ustring,
  list: vector(record({ name: ustring, value: int32 })),
})

const anInt32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const anInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const someData = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null })
const someText = fc.string({ unit: 'grapheme', maxLength: 60 })

const everything = fc.record({
  number: anInt32,
  big: anInt64,
  time: fc.maxSafeInteger(),
  flag: fc.boolean(),
  data: someData,
  text: someText,
  list: fc.array(fc.record({ name: someText, value: anInt32 }), { maxLength: 5 }),
})

/** Runs a decoder; returns null if it refused the bytes the one way it may. */
function attempt<T>(run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return null
    throw error
  }
}

function plain(bytes: Uint8Array | null): number[] | null {
  return bytes === null ? null : [...bytes]
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

describe('jute', () => {
  it('writes the bytes of the reference', () => {
    const event = { type: 3, state: 3, path: '/ä' }
    expect(Buffer.from(encode(WatcherEvent, event)).toString('hex')).toBe('0000000300000003' + '00000003' + '2fc3a4')
    const ids = { lastZxidSeen: 1n << 32n, sessionId: -1n }
    const connect = { ...ids, protocolVersion: 0, timeOut: 4000, passwd: null, readOnly: true }
    expect(Buffer.from(encode(ConnectRequest, connect)).toString('hex')).toBe(
      '00000000' + '0000000100000000' + '00000fa0' + 'ffffffffffffffff' + 'ffffffff' + '01',
    )
  })

  it('writes a stat in 68 bytes', () => {
    const stat = {
      czxid: 1n,
      mzxid: 2n,
      ctime: 3,
      mtime: 4,
      version: 5,
      cversion: 6,
      aversion: 7,
      ephemeralOwner: 8n,
      dataLength: 9,
      numChildren: 10,
      pzxid: 11n,
    }
    const bytes = encode(StatRecord, stat)
    expect(bytes.length).toBe(68)
    expect(decode(StatRecord, bytes)).toEqual(stat)
  })

  it('reads back whatever it wrote', () => {
    fc.assert(
      fc.property(everything, (value) => {
        const read = decode(Everything, encode(Everything, value))
        expect({ ...read, data: plain(read.data) }).toEqual({ ...value, data: plain(value.data) })
      }),
    )
  })

  it('keeps a byte order mark at the beginning of a string', () => {
    expect(decode(ustring, encode(ustring, '\ufeffa'))).toBe('\ufeffa')
  })

  it('reads bytes that are not UTF-8 as U+FFFD, in bounds of the string', () => {
    expect(decode(ustring, bytesOf('00000003 2fc3ff'))).toBe('/\ufffd\ufffd')
    const reader = new Reader(bytesOf('00000001 c3 a4'))
    expect(ustring.read(reader)).toBe('\ufffd')
    expect(reader.remaining).toBe(1)
  })

  it('reads a vector that is null as an empty one, and refuses a string that is null', () => {
    expect(decode(vector(int32), bytesOf('ffffffff'))).toEqual([])
    expect(attempt(() => decode(ustring, bytesOf('ffffffff')))).toBeNull()
  })

  it('tells a null buffer from an empty one', () => {
    expect(decode(buffer, encode(buffer, null))).toBeNull()
    expect(decode(buffer, encode(buffer, new Uint8Array()))).toEqual(new Uint8Array())
  })

  it.each([
    ['a buffer', buffer, '7fffffff 00'],
    ['a buffer of length -2', buffer, 'fffffffe'],
    ['a string', ustring, '7fffffff 00'],
    ['a vector', vector(int32), '7fffffff 00000000'],
    ['a vector of count -2', vector(int32), 'fffffffe'],
    ['a time that no number holds', millis, '7fffffffffffffff'],
    ['a list of watches', SetWatchesRequest, '0000000000000000 7fffffff'],
  ])('refuses %s that is longer than what there is, without making room for it', (_, codec: Codec<unknown>, hex) => {
    expect(attempt(() => decode(codec, bytesOf(hex)))).toBeNull()
  })

  it('refuses a record that is cut at any byte, and one that has a byte too many', () => {
    fc.assert(
      fc.property(everything, (value) => {
        const bytes = encode(Everything, value)
        for (let length = 0; length < bytes.length; length++) {
          expect(attempt(() => decode(Everything, bytes.subarray(0, length)))).toBeNull()
        }
        expect(attempt(() => decode(Everything, Uint8Array.from([...bytes, 0])))).toBeNull()
      }),
      { numRuns: 30 },
    )
  })

  it('answers random bytes with a value or PROTOCOL_VIOLATION, and nothing else', () => {
    let refused = 0
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        if (attempt(() => decode(Everything, bytes)) === null) refused += 1
        attempt(() => decode(SetWatchesRequest, bytes))
        attempt(() => decode(ConnectRequest, bytes))
      }),
    )
    expect(refused).toBeGreaterThan(0)
  })

  it('reads from the middle of a larger buffer', () => {
    const padded = Uint8Array.from([1, 2, 3, ...encode(ustring, '/abc'), 4, 5])
    expect(decode(ustring, padded.subarray(3, padded.length - 2))).toBe('/abc')
  })

  it('reads plain bytes from a Buffer, so that slice() of them is a copy', () => {
    const input = Buffer.from(encode(buffer, Uint8Array.of(1, 2)))
    const read = decode(buffer, input)
    expect(read).toEqual(Uint8Array.of(1, 2))
    expect(Buffer.isBuffer(read)).toBe(false)
  })

  it('does not write a number that its shape does not hold', () => {
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) expect(() => encode(int64, value)).toThrow(RangeError)
    expect(() => encode(int32, 2 ** 31)).toThrow(RangeError)
  })

  it('reads and writes times as 64-bit integers, before 1970 too', () => {
    const { MAX_SAFE_INTEGER, MIN_SAFE_INTEGER } = Number
    for (const time of [0, -1, 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1, MAX_SAFE_INTEGER, MIN_SAFE_INTEGER]) {
      expect(encode(millis, time)).toEqual(encode(int64, BigInt(time)))
      expect(decode(millis, encode(millis, time))).toBe(time)
    }
    expect(() => encode(millis, 2 ** 53)).toThrow(RangeError)
    expect(() => encode(millis, 0.5)).toThrow(RangeError)
  })

  it('writes a string of any length and script as int32 length and UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const utf8 = Buffer.from(text)
        expect(encode(ustring, text)).toEqual(Uint8Array.from([...encode(int32, utf8.length), ...utf8]))
      }),
    )
  })

  it('writes a list of strings as a vector of strings, whatever is in them and wherever the odd ones stand', () => {
    const odd = fc.constantFrom(
      '',
      'ä',
      '\u{1f512}',
      '\ud83d',
      '\udd12',
      'lone \ud83d in the middle',
      'x'.repeat(127),
      'x'.repeat(128),
      'ä'.repeat(64),
      'y'.repeat(1_000),
      `${'z'.repeat(126)}é`,
    )
    const name = fc.oneof({ weight: 8, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 20 }) }, {
      weight: 1, arbitrary: odd,
    }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) })
    let mixed = 0
    fc.assert(
      fc.property(fc.array(name, { maxLength: 200, size: 'max' }), (names) => {
        if (names.length > 128 && names.some((text) => Buffer.byteLength(text) !== text.length)) mixed += 1
        const bytes = encode(ustrings, names)
        expect(Buffer.from(bytes).equals(Buffer.from(encode(vector(ustring), names)))).toBe(true)
        expect(decode(ustrings, bytes)).toEqual(names.map((text) => Buffer.from(text).toString()))
      }),
    )
    expect(mixed).toBeGreaterThan(5)
  })

  it.each([63, 64, 65, 128])('writes %d strings, of which one is odd, at any place', (count) => {
    for (const odd of ['é', '\ud800', 'x'.repeat(128), '\u{10ffff}']) {
      for (let at = 0; at < count; at++) {
        const names = Array.from({ length: count }, (_, i) => (i === at ? odd : `n${i}`))
        const bytes = encode(ustrings, names)
        expect(Buffer.from(bytes).equals(Buffer.from(encode(vector(ustring), names))), `${odd} at ${at}`).toBe(true)
      }
    }
  })

  it('tells a string that is null from an empty one, where a string may be null', () => {
    expect(decode(nullableUstring, encode(nullableUstring, null))).toBeNull()
    expect(decode(nullableUstring, encode(nullableUstring, ''))).toBe('')
  })

  it('reads one input after the other with one reader', () => {
    const chunk = Uint8Array.from([...encode(ustring, '/first'), ...encode(ustring, '/second')])
    const reader = new Reader(chunk.subarray(0, 10))
    expect(ustring.read(reader)).toBe('/first')
    reader.reset(chunk.subarray(10))
    expect(ustring.read(reader)).toBe('/second')
    reader.reset(encode(ustring, '/third'))
    expect(ustring.read(reader)).toBe('/third')
    reader.end()
    expect(attempt(() => reader.byte())).toBeNull()
  })

  it('copies what is kept, so that it does not keep the chunk it came in', () => {
    const chunk = Uint8Array.from([...encode(copiedBuffer, Uint8Array.of(1, 2)), ...new Uint8Array(1000)])
    const read = copiedBuffer.read(new Reader(chunk))
    expect(read).toEqual(Uint8Array.of(1, 2))
    expect(read?.buffer.byteLength).toBe(2)
    expect(copiedBuffer.read(new Reader(encode(copiedBuffer, null)))).toBeNull()
  })

  it('encodes within an encoding, and after one that failed', () => {
    const nested: Codec<string> = {
      write: (writer, value) => {
        writer.bytes(encode(ustring, value))
      },
      read: (reader) => ustring.read(reader),
    }
    const Two = record({ one: ustring, two: nested })
    const value = { one: '/a', two: '/b' }
    expect(decode(Two, encode(Two, value))).toEqual(value)
    expect(() => encode(record({ one: ustring, two: int32 }), { one: '/a', two: 2 ** 40 })).toThrow(RangeError)
    expect(decode(Two, encode(Two, value))).toEqual(value)
  })

  it('lets a writer grow, and gives bytes of their own', () => {
    const writer = new Writer()
    const large = new Uint8Array(10_000).fill(7)
    writer.bytes(large)
    const first = writer.finish()
    writer.text('more')
    expect(first).toEqual(large)
    expect(writer.finish().length).toBe(10_008)
    expect(first.buffer.byteLength).toBe(10_000)
  })
})
