/** A connection of a raw client: frames out, frames in, and its end. */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'

/** How long a server may be silent where it owes an answer, in milliseconds. */
const SILENCE_MS_MAX = 15_000

/** A frame without its length, or why there is none. */
export type Received = Buffer | 'closed' | 'silence'

export class Connection {
  readonly #socket: Socket
  #bytes: Buffer = Buffer.alloc(0)
  readonly #frames: Buffer[] = []
  #isClosed = false
  #wake: () => void = () => {}

  constructor(port: number) {
    this.#socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk)
    })
    const end = (): void => {
      this.#isClosed = true
      this.#wake()
    }
    this.#socket.on('close', end)
    // A reset is an end as well; `close` follows.
    this.#socket.on('error', () => {})
    this.#socket.on('end', () => this.#socket.destroy())
  }

  send(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  /** The next frame that comes, or has come. */
  async receive(): Promise<Received> {
    const deadlineMs = performance.now() + SILENCE_MS_MAX
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) return frame
      if (this.#isClosed) return 'closed'
      if (performance.now() >= deadlineMs) return 'silence'
      await this.#change(deadlineMs - performance.now())
    }
  }

  /** Ends it from this side. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Ends it from this side, and waits until the server has ended it too: then it knows that the client is gone. */
  async hangUp(): Promise<void> {
    this.#socket.end()
    const deadlineMs = performance.now() + SILENCE_MS_MAX
    while (!this.#isClosed && performance.now() < deadlineMs) await this.#change(deadlineMs - performance.now())
    this.#socket.destroy()
  }

  #change(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, forMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #receive(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    let at = 0
    while (this.#bytes.length - at >= 4) {
      const end = at + 4 + this.#bytes.readInt32BE(at)
      if (end < at + 4) throw new Error('a server sent a frame of a negative length')
      if (end > this.#bytes.length) break
      this.#frames.push(this.#bytes.subarray(at + 4, end))
      at = end
    }
    this.#bytes = this.#bytes.subarray(at)
    this.#wake()
  }
}
