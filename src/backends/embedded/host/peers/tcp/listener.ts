/** A port that is listened on: errors name it, and whatever else happens to it harms nobody. */
import { createServer } from 'node:net'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { addressText } from '../../../../wire/initiation.ts'

/** Unacknowledged probes of the system begin after this much silence, in milliseconds. */
export const KEEP_ALIVE_MS = 10_000

/** One listening port. */
export class Listener {
  readonly #onSocket: (socket: Socket) => void
  #server: NetServer | null = null
  #address: AddressInfo | null = null

  /**
   * Makes a port that is closed.
   *
   * @param onSocket - gets each connection; its other end may close its half first
   */
  constructor(onSocket: (socket: Socket) => void) {
    this.#onSocket = onSocket
  }

  /** The address that it is bound to, an IP; null before it listens. */
  get boundAddress(): string | null {
    return this.#address?.address ?? null
  }

  /**
   * Opens the port.
   *
   * @throws Error that names address and port if they are not available
   */
  async open(host: string, port: number): Promise<void> {
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      allowHalfOpen: true,
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const reason = cause.code === 'EADDRINUSE' ? 'it is taken' : cause.message
        reject(new Error(`cannot listen on ${addressText({ host, port })}: ${reason}`, { cause }))
      })
      server.once('close', () => {
        reject(new Error(`cannot listen on ${addressText({ host, port })}: it was closed meanwhile`))
      })
      server.listen({ port, host, exclusive: true }, resolve)
    })
    server.removeAllListeners('error').on('error', () => undefined)
    this.#address = server.address() as AddressInfo
    server.on('connection', (socket) => {
      if (this.#server === server) this.#onSocket(socket)
      else socket.destroy()
    })
  }

  /** Closes the port to new connections. Idempotent. */
  close(): void {
    this.#server?.close()
    this.#server = null
  }
}
