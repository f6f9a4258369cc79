/**
 * A way from one server to a port of another, on which everything can happen that happens on networks.
 *
 * `cut`      connections end, and none is made
 * `silent`   connections stay and new ones are accepted, but nothing goes through in one direction or both; bytes that
 *            were sent meanwhile go through afterwards, as with TCP
 * `slow`     each piece takes so long
 */
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { deferred } from '../src/core/async.ts'
import type { Deferred } from '../src/core/async.ts'

/** How a way is. */
export type Way =
  | { readonly is: 'open' }
  | { readonly is: 'cut' }
  | { readonly is: 'silent'; readonly direction: 'there' | 'back' | 'both' }
  | { readonly is: 'slow'; readonly delayMs: number }

const HOST = '127.0.0.1'
const REDIAL_MS = 20

/** A relay in front of one port. */
export class Relay {
  readonly #server: Server
  readonly #target: number
  readonly #waitMs: number
  readonly #sockets = new Set<Socket>()
  #way: Way = { is: 'open' }
  #changed: Deferred<void> = deferred()

  private constructor(target: number, waitMs: number) {
    this.#target = target
    this.#waitMs = waitMs
    this.#server = createServer((near) => void this.#accept(near))
  }

  /**
   * Listens on one port, and leads to another.
   *
   * @param waitMs - how long a connection stays open without a listener at the other port; it ends at once by default.
   *   It cannot be refused, as it would be without a relay
   */
  static async start(port: number, target: number, waitMs = 0): Promise<Relay> {
    const relay = new Relay(target, waitMs)
    relay.#server.listen(port, HOST)
    await once(relay.#server, 'listening')
    return relay
  }

  /** Makes the way so from now on. */
  set(way: Way): void {
    this.#way = way
    if (way.is === 'cut') for (const socket of this.#sockets) socket.destroy()
    this.#changed.resolve()
    this.#changed = deferred()
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.set({ is: 'cut' })
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #accept(near: Socket): Promise<void> {
    near.on('error', () => undefined)
    const far = this.#way.is === 'cut' ? null : await this.#dial()
    if (far === null) {
      near.destroy()
      return
    }
    for (const [from, to, direction] of [[near, far, 'there'], [far, near, 'back']] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      // An error of a connection is told to its two ends, by its end.
      from.on('error', () => undefined)
      from.once('close', () => {
        this.#sockets.delete(from)
        void this.#until(direction).then(() => to.destroy())
      })
      void this.#pump(from, to, direction)
    }
  }

  /** Connects to the target; null if nobody listens there in time. */
  async #dial(): Promise<Socket | null> {
    const deadlineMs = performance.now() + this.#waitMs
    for (;;) {
      const far = createConnection({ host: HOST, port: this.#target })
      const isOpen = await once(far, 'connect').then(() => true, () => false)
      if (isOpen && this.#way.is !== 'cut') return far
      far.destroy()
      if (isOpen || performance.now() >= deadlineMs) return null
      await delay(REDIAL_MS)
    }
  }

  async #pump(from: Socket, to: Socket, direction: 'there' | 'back'): Promise<void> {
    try {
      for await (const piece of from as AsyncIterable<Buffer>) {
        if (this.#way.is === 'slow') await delay(this.#way.delayMs)
        await this.#until(direction)
        if (to.destroyed) return
        if (!to.write(piece)) await drained(to)
      }
    } catch {
      // The connection broke, as its other end is told by `close`.
    }
  }

  /** Resolves once something may go through. */
  async #until(direction: 'there' | 'back'): Promise<void> {
    while (this.#way.is === 'silent' && this.#way.direction !== (direction === 'there' ? 'back' : 'there')) {
      await this.#changed.promise
    }
  }
}

/** Resolves when a socket takes more, or has ended. */
async function drained(socket: Socket): Promise<void> {
  const waiting = new AbortController()
  const { signal } = waiting
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })])
  waiting.abort()
}
