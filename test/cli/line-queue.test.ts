import { describe, expect, it } from 'vitest'
import { LineQueue } from '../../src/cli/line-queue.ts'

/** A descriptor whose reader takes so many bytes when it is told to. */
class Pipe {
  text = ''
  readonly sizes: number[] = []
  #asked: { readonly bytes: Uint8Array; readonly resolve: (count: number) => void }[] = []

  readonly writeSome = (bytes: Uint8Array): Promise<number> => {
    this.sizes.push(bytes.length)
    return new Promise((resolve) => this.#asked.push({ bytes, resolve }))
  }

  /** Takes what is offered, up to so many bytes. */
  async take(count = Infinity): Promise<void> {
    const { bytes, resolve } = this.#asked.shift() ?? { bytes: new Uint8Array(), resolve: () => undefined }
    const taken = Math.min(count, bytes.length)
    this.text += Buffer.from(bytes.subarray(0, taken)).toString()
    resolve(taken)
    await new Promise((done) => setImmediate(done))
  }
}

describe('lines for a slow reader', () => {
  it('hold nobody up: what one turn brings goes in parts, in order', async () => {
    const pipe = new Pipe()
    const queue = new LineQueue(pipe.writeSome)
    const line = `${'x'.repeat(99)}\n`
    for (let i = 0; i < 2_000; i++) expect(queue.push(line)).toBe(true)
    expect(pipe.sizes).toEqual([])
    await Promise.resolve()
    await Promise.resolve()
    expect(pipe.sizes).toEqual([65_600])
    while (queue.bytes > 0) await pipe.take()
    expect(pipe.sizes).toEqual([65_600, 65_600, 65_600, 3_200])
    expect(pipe.text).toBe(line.repeat(2_000))
  })

  it('are taken up to the limit in bytes, and again when some are written', async () => {
    const pipe = new Pipe()
    const queue = new LineQueue(pipe.writeSome, 20)
    expect([queue.push('123456789\n'), queue.push('123456789\n'), queue.push('1\n')]).toEqual([true, true, false])
    await new Promise((done) => setImmediate(done))
    await pipe.take(5)
    expect([queue.bytes, queue.push('1234\n'), queue.push('\n')]).toEqual([15, true, false])
    while (queue.bytes > 0) await pipe.take()
    expect(pipe.text).toBe('123456789\n123456789\n1234\n')
  })

  it('are given up when nobody reads them any more', async () => {
    const queue = new LineQueue(() => Promise.reject(new Error('EPIPE')))
    expect(queue.push('a\n')).toBe(true)
    expect(await queue.settled(10_000)).toBe(true)
    expect([queue.bytes, queue.push('b\n')]).toEqual([0, false])
  })

  it('do not hold up the end for longer than they may', async () => {
    const queue = new LineQueue(() => new Promise(() => undefined))
    expect(await queue.settled(10_000)).toBe(true)
    queue.push('a\n')
    expect(await queue.settled(5)).toBe(false)
    expect(queue.bytes).toBe(2)
  })
})
