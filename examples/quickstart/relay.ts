/** A way to a server that can be cut: TCP connections go through, or they do not. */
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A relay in front of one server. */
export class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(host: string, port: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy()
        return
      }
      const far = createConnection({ host, port })
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        this.#sockets.add(socket)
        socket.setNoDelay(true)
        // An error of a connection shows at both ends, as the end of the connection.
        socket.on('error', () => undefined)
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
    })
  }

  /** Starts a relay. */
  static async start(host: string, port: number): Promise<Relay> {
    const relay = new Relay(host, port)
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen(0, '127.0.0.1', resolve)
    })
    return relay
  }

  /** Where it listens, such as `127.0.0.1:4711`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Cuts every connection, and lets no more through. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Lets connections through again. */
  mend(): void {
    this.#isCut = false
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
