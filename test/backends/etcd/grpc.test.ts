import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Frames, framed, messageOf } from '../../../src/backends/etcd/grpc.ts'

describe('frames of gRPC', () => {
  it('are whole again wherever the chunks end', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, sizes) => {
        const stream = Buffer.concat(sent.map(framed))
        const frames = new Frames()
        const read: Buffer[] = []
        for (let [at, turn] = [0, 0]; at < stream.length; turn++) {
          const end = at + (sizes[turn % sizes.length] ?? 1)
          read.push(...frames.push(stream.subarray(at, end)))
          at = end
        }
        expect(read.map((message) => [...message])).toEqual(sent.map((message) => [...message]))
      }),
    )
  })

  it('that are compressed or too long are refused', () => {
    expect(() => new Frames().push(Buffer.from([1, 0, 0, 0, 0]))).toThrow('compressed')
    expect(() => new Frames().push(Buffer.from([0, 0xff, 0, 0, 0]))).toThrow(RangeError)
  })

  it('come with a message that is percent-encoded, or shown as it is', () => {
    expect(messageOf('etcdserver: caf%C3%A9')).toBe('etcdserver: café')
    expect(messageOf('100% wrong')).toBe('100% wrong')
  })
})
