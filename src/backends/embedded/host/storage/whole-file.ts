/**
 * An open file whose reads and writes are whole, on the calls of a system, which may do a part of what they are asked
 * for: a disk that gets full takes a part of a write, and says why only when it is asked to take the rest.
 */
import type { OpenFile } from './file-system.ts'

/** The calls of a system on a file that is open. */
export interface FileCalls {
  size(): Promise<number>
  /** @returns how many bytes it read; 0 at the end of the file */
  read(into: Uint8Array, at: number): Promise<number>
  /** @returns how many of the bytes it wrote, at least one */
  write(bytes: Uint8Array, at: number): Promise<number>
  setSize(length: number): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** An open file. */
export class WholeFile implements OpenFile {
  readonly #calls: FileCalls

  constructor(calls: FileCalls) {
    this.#calls = calls
  }

  size(): Promise<number> {
    return this.#calls.size()
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    // Most files are shorter than what is asked for: no zeros are written where no bytes come.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    let got = 0
    while (got < length) {
      const count = await this.#calls.read(bytes.subarray(got), at + got)
      if (count === 0) break
      got += count
    }
    return bytes.subarray(0, got)
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    let done = 0
    while (done < bytes.length) done += await this.#calls.write(bytes.subarray(done), at + done)
  }

  setSize(length: number): Promise<void> {
    return this.#calls.setSize(length)
  }

  sync(): Promise<void> {
    return this.#calls.sync()
  }

  close(): Promise<void> {
    return this.#calls.close()
  }
}
