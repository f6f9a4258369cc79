import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { FRAME_BYTES_MAX, FrameReader } from '../../../src/backends/wire/framing.ts'

function framed(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + frame.length)
  new DataView(bytes.buffer).setInt32(0, frame.length)
  bytes.set(frame, 4)
  return bytes
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))
}

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): number[][] {
  const frames: number[][] = []
  for (const chunk of chunks) reader.push(chunk, (frame) => frames.push([...frame]))
  return frames
}

/** Cuts bytes at these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const borders = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return borders.slice(1).map((end, index) => bytes.slice(borders[index], end))
}

function isViolation(error: unknown): boolean {
  return isCoordinationError(error, 'PROTOCOL_VIOLATION')
}

const someFrames = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 })

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(someFrames, fc.array(fc.nat(), { maxLength: 12 }), (frames, places) => {
        const chunks = cut(concat(frames.map(framed)), places)
        const reader = new FrameReader()
        expect(readAll(reader, chunks)).toEqual(frames.map((frame) => [...frame]))
        expect(reader.pendingBytes).toBe(0)
      }),
    )
  })

  it('come out as they went in, byte for byte', () => {
    const frames = [Uint8Array.of(1, 2, 3), new Uint8Array(), new Uint8Array(2000).fill(7)]
    const stream = concat(frames.map(framed))
    const chunks = cut(stream, [...stream.keys()])
    expect(readAll(new FrameReader(), chunks)).toEqual(frames.map((frame) => [...frame]))
  })

  it('come out as soon as they are complete', () => {
    const reader = new FrameReader()
    expect(readAll(reader, [Uint8Array.of(0, 0, 0, 2, 1)])).toEqual([])
    expect(reader.pendingBytes).toBe(5)
    expect(readAll(reader, [Uint8Array.of(2, 0)])).toEqual([[1, 2]])
    expect(reader.pendingBytes).toBe(1)
  })

  it('are views of their chunk, but for one that is cut in two', () => {
    const chunk = concat([framed(Uint8Array.of(1)), framed(Uint8Array.of(2))])
    new FrameReader().push(chunk, (frame) => expect(frame.buffer).toBe(chunk.buffer))
  })

  it.each([
    ['negative', [0xff, 0xff, 0xff, 0xff]],
    ['the smallest there is', [0x80, 0, 0, 0]],
    ['one byte too long', [0, 0, 0, 11]],
    ['the beginning of an HTTP request', [...Buffer.from('GET ')]],
  ])('of a length that is %s are refused, as soon as the length is there', (_, length) => {
    const whole = new FrameReader(10)
    expect(() => readAll(whole, [Uint8Array.from(length)])).toThrow(expect.toSatisfy(isViolation))
    const inBytes = new FrameReader(10)
    const [last, ...others] = length.toReversed()
    readAll(inBytes, others.toReversed().map((byte) => Uint8Array.of(byte)))
    expect(() => readAll(inBytes, [Uint8Array.of(last ?? 0)])).toThrow(expect.toSatisfy(isViolation))
  })

  it('before one that is too long are given out', () => {
    const frames: number[][] = []
    const chunk = concat([framed(Uint8Array.of(1)), Uint8Array.of(0xff, 0, 0, 0)])
    expect(() => {
      new FrameReader().push(chunk, (frame) => frames.push([...frame]))
    }).toThrow(expect.toSatisfy(isViolation))
    expect(frames).toEqual([[1]])
  })

  it('may be as long as the limit', () => {
    const reader = new FrameReader()
    const long = new Uint8Array(FRAME_BYTES_MAX).fill(5)
    let length = 0
    const count = (frame: Uint8Array): void => {
      length = frame.length
    }
    const stream = new Uint8Array(4 + long.length)
    new DataView(stream.buffer).setInt32(0, long.length)
    stream.set(long, 4)
    reader.push(stream, count)
    expect(length).toBe(FRAME_BYTES_MAX)
    length = 0
    for (let at = 0; at < stream.length; at += 65_536) reader.push(stream.subarray(at, at + 65_536), count)
    expect(length).toBe(FRAME_BYTES_MAX)
  })

  it('of random bytes are refused or not, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (chunks) => {
        try {
          readAll(new FrameReader(100), chunks)
        } catch (error) {
          expect(isViolation(error)).toBe(true)
        }
      }),
    )
  })
})
