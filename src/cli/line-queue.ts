/**
 * Lines on their way to a stream, so that nobody waits for who reads them: a write to a pipe would hold the whole
 * process up until its other end has read.
 *
 * Limit     bytes that wait. A line for which there is no room is not taken, and the caller is told.
 * Parts     what waits is written in parts, one after the other, in order.
 * End       what waits is given some time, and then left.
 */
import { limitOf } from '../backends/embedded/host/limits.ts'

/** Most bytes that wait. */
const LINE_QUEUE_BYTES_MAX = limitOf('auditBytes')
const PART_BYTES = 0x1_0000

/** Writes some of the bytes, and says how many. */
export type WriteSome = (bytes: Uint8Array) => Promise<number>

/** The lines of one stream. */
export class LineQueue {
  readonly #writeSome: WriteSome
  readonly #bytesMax: number
  #waiting: Buffer[] = []
  #bytes = 0
  #writing: Promise<void> | null = null
  #isBroken = false

  constructor(writeSome: WriteSome, bytesMax: number = LINE_QUEUE_BYTES_MAX) {
    this.#writeSome = writeSome
    this.#bytesMax = bytesMax
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes a line with its end; false if there is no room for it. */
  push(line: string): boolean {
    const bytes = Buffer.from(line)
    if (this.#isBroken || this.#bytes + bytes.length > this.#bytesMax) return false
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    this.#writing ??= this.#writeAll()
    return true
  }

  /** Resolves when everything is written, to true, or the time is over. */
  async settled(ms: number): Promise<boolean> {
    if (this.#writing === null) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([this.#writing, late])
    clearTimeout(timer)
    return this.#bytes === 0
  }

  async #writeAll(): Promise<void> {
    // The lines of one turn go together.
    await Promise.resolve()
    while (this.#waiting.length > 0 && !this.#isBroken) await this.#writePart(this.#takePart())
    this.#writing = null
  }

  #takePart(): Buffer {
    let [count, bytes] = [0, 0]
    for (; count < this.#waiting.length && bytes < PART_BYTES; count++) bytes += this.#waiting[count]?.length ?? 0
    return Buffer.concat(this.#waiting.splice(0, count))
  }

  async #writePart(part: Buffer): Promise<void> {
    for (let at = 0; at < part.length; ) {
      try {
        const written = await this.#writeSome(part.subarray(at))
        at += written
        this.#bytes -= written
      } catch {
        // Nobody reads it any more.
        this.#isBroken = true
        this.#waiting = []
        this.#bytes = 0
        return
      }
    }
  }
}

/**
 * Writes to a stream that whoever reads it must not hold up. Node.js makes pipes of a process synchronous: their writes
 * would stop the event loop until the other end has read.
 */
export function toStream(stream: NodeJS.WriteStream): WriteSome {
  const { _handle: handle } = stream as { readonly _handle?: { setBlocking?(isBlocking: boolean): void } }
  handle?.setBlocking?.(false)
  return (bytes) => new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      if (error === null || error === undefined) resolve(bytes.length)
      else reject(error)
    })
  })
}
