import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DamageError } from '../../../../src/backends/wire/disk/damage.ts'
import { SnappyUnpacker } from '../../../../src/backends/wire/disk/snappy.ts'
import { chunked, golden } from './golden.ts'

const PACKED = golden('snap-snappy', 'snapshot.2a.snappy').bytes
const HEADER = PACKED.subarray(0, 16)

function unpack(bytes: Uint8Array, chunkBytes = 1_000): Uint8Array {
  const unpacker = new SnappyUnpacker('snapshot.2a.snappy')
  const blocks: Uint8Array[] = []
  for (const chunk of chunked(bytes, chunkBytes)) blocks.push(...unpacker.push(chunk))
  unpacker.end()
  return new Uint8Array(Buffer.concat(blocks))
}

function damageOf(bytes: Uint8Array): DamageError | null {
  try {
    unpack(bytes, 97)
    return null
  } catch (error) {
    if (error instanceof DamageError) return error
    throw error
  }
}

/** A stream of blocks, as they are. */
function stream(...blocks: readonly string[]): Uint8Array {
  const parts = blocks.flatMap((hex) => {
    const block = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    return [length, block]
  })
  return new Uint8Array(Buffer.concat([HEADER, ...parts]))
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

describe('a stream of snappy-java', () => {
  it('is unpacked from chunks of any length, joined streams as well', () => {
    const whole = unpack(PACKED, PACKED.length)
    expect(text(whole.subarray(0, 4))).toBe('ZKSN')
    for (const chunkBytes of [1, 5, 333]) expect(text(unpack(PACKED, chunkBytes))).toBe(text(whole))
    expect(unpack(new Uint8Array(Buffer.concat([PACKED, PACKED])), 7)).toHaveLength(2 * whole.length)
  })

  it.each([
    ['a literal', '03 08 616263', 'abc'],
    ['a literal of 61 bytes, whose length is one byte', `3d f0 3c ${'78'.repeat(61)}`, 'x'.repeat(61)],
    ['a literal whose length is two bytes', `ac02 f4 2b01 ${'78'.repeat(300)}`, 'x'.repeat(300)],
    ['a copy with an offset of one byte', '07 08 616263 01 03', 'abcabca'],
    ['a copy with an offset of two bytes', '06 08 616263 0a 0300', 'abcabc'],
    ['a copy with an offset of four bytes', '06 08 616263 0b 03000000', 'abcabc'],
    ['a copy that repeats itself', '0a 00 61 22 0100', 'aaaaaaaaaa'],
    ['nothing', '00', ''],
  ])('may hold %s', (_, block, expected) => {
    expect(text(unpack(stream(block)))).toBe(expected)
  })

  it.each([
    ['a copy from before the beginning', '06 08 616263 0a 0400'],
    ['a copy from nowhere', '06 08 616263 0a 0000'],
    ['a copy that is too long', '05 08 616263 0a 0300'],
    ['a literal that is too long', '03 0c 61626364'],
    ['a literal that ends too early', '03 08 6162'],
    ['a copy without its offset', '06 08 616263 0a 03'],
    ['fewer bytes than it says', '04 08 616263'],
    ['4 GB', 'ffffffff0f 08 616263'],
    ['a length that does not end', 'ffffffffffff'],
    ['no length', '80'],
  ])('is refused with %s', (_, block) => {
    expect(damageOf(stream(block))).toMatchObject({ kind: 'compression', offset: 16, file: 'snapshot.2a.snappy' })
  })

  it('is refused with a block of 2 GB, of none, or of less, before anything is allocated', () => {
    for (const length of [2 ** 31 - 1, 0, -1]) {
      const bytes = Buffer.concat([HEADER, Buffer.alloc(4)])
      bytes.writeInt32BE(length, 16)
      expect(damageOf(bytes)).toMatchObject({ kind: 'length', offset: 16 })
    }
  })

  it('is refused if it is cut, but between blocks', () => {
    const unhindered: number[] = []
    for (let length = 0; length < PACKED.length; length++) {
      const kind = damageOf(PACKED.subarray(0, length))?.kind ?? null
      if (kind === null) unhindered.push(length)
      else expect(kind).toBe('cut')
    }
    expect(unhindered[0]).toBe(HEADER.length)
    expect(unhindered.length).toBeLessThan(4)
  })

  it('is refused if it is anything else', () => {
    expect(damageOf(new Uint8Array(16))).toMatchObject({ kind: 'header', offset: 0 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        damageOf(bytes)
        damageOf(new Uint8Array(Buffer.concat([HEADER, bytes])))
        damageOf(stream(Buffer.from(bytes).toString('hex')))
      }),
      { numRuns: 500 },
    )
  })

  it('with wrong bytes is refused, or unpacked to something', () => {
    for (let at = 0; at < PACKED.length; at++) {
      const bytes = PACKED.slice()
      bytes[at] = (bytes[at] as number) ^ (1 << at % 8)
      damageOf(bytes)
    }
  })
})
