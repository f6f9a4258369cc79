/**
 * How many permits a semaphore has: one number for all its clients, in a node of its own.
 *
 * Format    four bytes, an int32 with the highest byte first, as Curator's `SharedCount` keeps it. Whoever is first
 *           writes the number that it was made with; then the node rules. It stays when nobody uses the semaphore.
 */
import type { Watcher } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { writeVersioned } from '../engine/compare-and-set.ts'
import type { Wait } from '../engine/wait.ts'

/** The most permits that a semaphore can have: the greatest int32. */
export const PERMITS_MAX = 2 ** 31 - 1

const INT32_BYTES = 4

/** The number of permits. */
export class PermitLimit {
  readonly path: string
  readonly #client: Client
  /** The number that this client was made with. */
  readonly #own: number
  #isCompared = false

  constructor(client: Client, path: string, own: number) {
    this.#client = client
    this.path = path
    this.#own = own
  }

  /**
   * Reads the number; writes this client's own where there is none.
   *
   * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` if the node holds something else
   */
  async read(wait: Pick<Wait, 'signal' | 'insist'>, watch: Watcher): Promise<number> {
    for (;;) {
      try {
        const { data } = await wait.insist(() => this.#client.get(this.path, { watch, signal: wait.signal }))
        return this.#compared(this.#decode(data))
      } catch (error) {
        if (!isCoordinationError(error, 'NO_NODE')) throw error
      }
      await this.#begin(wait)
    }
  }

  /** Replaces the number for all. */
  async write(permits: number, wait: Pick<Wait, 'signal' | 'insist'>): Promise<void> {
    await wait.insist(() => writeVersioned(this.#client, this.path, encode(permits), 'any', wait.signal))
    this.#isCompared = true
  }

  /** The number as it is, or this client's own where there is none. */
  async peek(signal: AbortSignal): Promise<number> {
    try {
      return this.#decode((await this.#client.get(this.path, { signal })).data)
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return this.#own
      throw error
    }
  }

  async #begin(wait: Pick<Wait, 'signal' | 'insist'>): Promise<void> {
    try {
      await wait.insist(() => writeVersioned(this.#client, this.path, encode(this.#own), null, wait.signal))
    } catch (error) {
      // Another was quicker.
      if (!isCoordinationError(error, 'BAD_VERSION', 'NODE_EXISTS')) throw error
    }
  }

  /** Says once that this client was made with another number. */
  #compared(permits: number): number {
    if (!this.#isCompared && permits !== this.#own) {
      const message = `the semaphore has ${String(permits)} permits by ${this.path}, and this client was made with `
        + `${String(this.#own)}: the ${String(permits)} rule. Make it with that number, or change it by setPermits()`
      this.#client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'rejected', path: this.path }))
    }
    this.#isCompared = true
    return permits
  }

  #decode(data: Uint8Array): number {
    const permits = data.length === INT32_BYTES ? new DataView(data.buffer, data.byteOffset).getInt32(0) : 0
    if (permits > 0) return permits
    const message = `${this.path} must hold a number of permits in four bytes, got ${String(data.length)} bytes`
    throw new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path: this.path })
  }
}

function encode(permits: number): Uint8Array {
  const bytes = new Uint8Array(INT32_BYTES)
  new DataView(bytes.buffer).setInt32(0, permits)
  return bytes
}
