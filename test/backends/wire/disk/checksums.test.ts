import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32 as crcOfZlib, deflateSync } from 'node:zlib'
import { adler32, crc32, firstNonZero } from '../../../../src/backends/wire/disk/checksums.ts'

const bytesOf = fc.uint8Array({ maxLength: 9_000, size: 'max' })

describe('Adler-32', () => {
  it('is that of zlib, whole or in parts', () => {
    fc.assert(
      fc.property(bytesOf, fc.nat({ max: 9_000 }), (bytes, at) => {
        const expected = deflateSync(bytes).readUInt32BE(deflateSync(bytes).length - 4)
        expect(adler32(bytes)).toBe(expected)
        expect(adler32(bytes.subarray(at), adler32(bytes.subarray(0, at)))).toBe(expected)
      }),
      { numRuns: 60 },
    )
  })

  it('does not overflow', () => {
    expect(adler32(new Uint8Array(1_000_000).fill(255))).toBe(
      deflateSync(new Uint8Array(1_000_000).fill(255)).subarray(-4).readUInt32BE(),
    )
    expect(adler32(new Uint8Array())).toBe(1)
  })
})

describe('CRC-32', () => {
  it('is that of zlib, whole or in parts', () => {
    fc.assert(
      fc.property(bytesOf, fc.nat({ max: 9_000 }), (bytes, at) => {
        expect(crc32(bytes)).toBe(crcOfZlib(bytes))
        expect(crc32(bytes.subarray(at), crc32(bytes.subarray(0, at)))).toBe(crcOfZlib(bytes))
      }),
      { numRuns: 60 },
    )
  })
})

describe('the first byte that is not zero', () => {
  it('is found wherever it is', () => {
    for (const length of [0, 1, 4_095, 4_096, 4_097, 9_000]) {
      const bytes = new Uint8Array(length + 3).subarray(1, 1 + length)
      expect(firstNonZero(bytes)).toBe(-1)
      for (const at of [length - 1, 4_096, 4_095, 1, 0].filter((index) => index >= 0 && index < length)) {
        bytes[at] = 1
        expect(firstNonZero(bytes)).toBe(at)
      }
    }
  })
})
