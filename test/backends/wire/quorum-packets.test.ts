import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { Writer } from '../../../src/backends/wire/jute.ts'
import {
  AUTHINFO_ENTRIES_MAX,
  AUTHINFO_TEXT_BYTES_MAX,
  PACKET_DATA_BYTES_MAX,
  PacketType,
  QuorumPacketReader,
  writeQuorumPacket,
} from '../../../src/backends/wire/quorum-packets.ts'
import type { QuorumPacket } from '../../../src/backends/wire/quorum-packets.ts'
import { RECORDED_LINKS } from './recorded-peers.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const packet: fc.Arbitrary<QuorumPacket> = fc.record({
  type: fc.constantFrom(...Object.values(PacketType)),
  zxid: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  data: fc.option(fc.uint8Array({ maxLength: 60 }), { nil: null }),
  authinfo: fc.option(fc.array(fc.record({ scheme: text, id: text }), { maxLength: 3 }), { nil: null }),
})

function bytesOf(value: QuorumPacket): Uint8Array {
  const writer = new Writer()
  writeQuorumPacket(writer, value)
  return writer.finish()
}

function read(...chunks: readonly Uint8Array[]): QuorumPacket[] {
  const reader = new QuorumPacketReader()
  const packets: QuorumPacket[] = []
  for (const chunk of chunks) {
    reader.feed(chunk)
    for (let next = reader.next(); next !== null; next = reader.next()) packets.push(next)
  }
  return packets
}

function errorOf(bytes: Uint8Array): string | null {
  try {
    read(bytes)
    return null
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return error.message
    throw error
  }
}

/** Cuts bytes into pieces of this length. */
function cut(bytes: Uint8Array, length: number): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += length) chunks.push(bytes.slice(at, at + length))
  return chunks
}

function head(type: number, dataBytes: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeInt32BE(type)
  bytes.writeInt32BE(dataBytes, 12)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

describe('a quorum packet', () => {
  it('of a real server is written again as it was', () => {
    const frames = RECORDED_LINKS.flatMap((link) => link.frames).filter(({ name }) => name !== 'STATE')
    expect(frames.length).toBeGreaterThan(150)
    for (const { bytes } of frames) {
      const [only, ...others] = read(bytes)
      expect(others).toEqual([])
      expect(bytesOf(only as QuorumPacket)).toEqual(bytes)
    }
  })

  it('of a real server is read whatever the chunks are', () => {
    for (const { frames } of RECORDED_LINKS) {
      const packets = frames.filter(({ name }) => name !== 'STATE').map(({ bytes }) => bytes)
      const stream = Uint8Array.from(Buffer.concat(packets))
      for (const length of [1, 3, 19, 20, 21, 500, stream.length]) {
        expect(read(...cut(stream, length)).map(bytesOf)).toEqual(packets)
      }
    }
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (packets, length) => {
        const stream = Uint8Array.from(Buffer.concat(packets.map(bytesOf)))
        expect(read(...cut(stream, length))).toEqual(packets)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps what was read although more is read', () => {
    const first = bytesOf({ type: 2, zxid: 1n, data: new Uint8Array(100).fill(1), authinfo: null })
    const second = bytesOf({ type: 2, zxid: 2n, data: new Uint8Array(100).fill(2), authinfo: null })
    const stream = Buffer.concat([first, second, first, second])
    const packets = read(...cut(Uint8Array.from(stream), 7))
    expect(packets.map(({ data }) => [...new Set(data)])).toEqual([[1], [2], [1], [2]])
  })

  it('is not there before its last byte', () => {
    fc.assert(
      fc.property(packet, (value) => {
        const bytes = bytesOf(value)
        for (let length = 0; length < bytes.length; length++) expect(read(bytes.subarray(0, length))).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('with one byte changed is read, incomplete or refused, and raises nothing else', () => {
    let refused = 0
    fc.assert(
      fc.property(packet, fc.integer({ min: 1, max: 255 }), (value, mask) => {
        const bytes = bytesOf(value)
        for (let at = 0; at < bytes.length; at++) {
          const changed = bytes.slice()
          changed[at] = (changed[at] ?? 0) ^ mask
          if (errorOf(changed) !== null) refused += 1
        }
      }),
      { numRuns: 100 },
    )
    expect(refused).toBeGreaterThan(0)
  })

  it.each([
    ['type 0', head(0, -1), 'type 0'],
    ['type 20', head(20, -1), 'type 20'],
    ['data of a negative length', head(2, -2), '-2 bytes of data'],
    ['data beyond the limit', head(2, PACKET_DATA_BYTES_MAX + 1), `the limit is ${PACKET_DATA_BYTES_MAX}`],
    ['fewer identities than none', Buffer.concat([head(1, -1), int32(-2)]), '-2 identities'],
    ['too many identities', Buffer.concat([head(1, -1), int32(AUTHINFO_ENTRIES_MAX + 1)]), '1025 identities'],
    ['an identity without a scheme', Buffer.concat([head(1, -1), int32(1), int32(-1)]), '-1 bytes of an identity'],
    [
      'an identity beyond the limit',
      Buffer.concat([head(1, -1), int32(1), int32(AUTHINFO_TEXT_BYTES_MAX + 1)]),
      `the limit is ${AUTHINFO_TEXT_BYTES_MAX}`,
    ],
  ])('is refused as soon as it has %s', (_, bytes, message) => {
    expect(errorOf(Uint8Array.from(bytes))).toContain(message)
  })

  it('that is announced to be long reserves nothing before it arrives', () => {
    const reader = new QuorumPacketReader()
    reader.feed(head(2, PACKET_DATA_BYTES_MAX))
    expect(reader.next()).toBe(null)
    reader.feed(new Uint8Array(10))
    expect(reader.next()).toBe(null)
    expect(reader.pendingBytes).toBe(10)
  })
})
