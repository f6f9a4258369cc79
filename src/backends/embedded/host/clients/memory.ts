/** Connections between the clients and the servers of one process. */
import type { Channel, ChannelListener, Dialer } from '../../../client/channel.ts'
import type { ClientMessage, ServerMessage } from '../../../wire/records.ts'
import type { Host } from '../host.ts'

/** Where a dialer finds the servers. */
export interface ServerDirectory {
  /** Ids of all servers, ascending, up or not. */
  readonly ids: readonly number[]
  /** The host of a server that is up. */
  host(id: number): Host | undefined
  /** Whether nothing more is taken from clients: the ensemble ends. */
  readonly isClosing: boolean
  /** Whether the client of this session reaches no server at present. */
  isIsolated(sessionId: bigint): boolean
}

/** Dials the servers of an ensemble in turn. */
export class MemoryDialer implements Dialer {
  readonly #directory: ServerDirectory
  #turn: number

  /**
   * Makes a dialer.
   *
   * @param directory - the servers
   * @param turn - the index among their ids to begin with
   */
  constructor(directory: ServerDirectory, turn: number) {
    this.#directory = directory
    this.#turn = turn
  }

  /** How many servers there are to try. */
  get serverCount(): number {
    return this.#directory.ids.length
  }

  /** Opens a connection to the next server in turn. */
  dial(listener: ChannelListener): Channel {
    const { ids } = this.#directory
    const id = ids[this.#turn % ids.length] ?? 0
    this.#turn += 1
    return new MemoryChannel(`server ${id}`, this.#directory, this.#directory.host(id), listener)
  }
}

/** One connection. Messages are handed over as they are: neither side modifies them. */
class MemoryChannel implements Channel {
  readonly server: string
  readonly isInProcess = true
  readonly #directory: ServerDirectory
  readonly #host: Host | undefined
  readonly #connection: number = 0
  readonly #listener: ChannelListener
  #isOpen = true

  constructor(server: string, directory: ServerDirectory, host: Host | undefined, listener: ChannelListener) {
    this.server = server
    this.#directory = directory
    this.#host = host
    this.#listener = listener
    if (host === undefined || directory.isClosing) {
      this.#close()
      return
    }
    this.#connection = host.openClient({
      onMessage: (message: ServerMessage) => {
        if (this.#isOpen) listener.onMessage(message)
      },
      onClose: () => {
        this.#close()
      },
    })
  }

  send(message: ClientMessage): void {
    if (message.kind === 'connect' && this.#directory.isIsolated(message.request.sessionId)) this.close()
    if (this.#isOpen && !this.#directory.isClosing) this.#host?.receiveClient(this.#connection, message)
  }

  close(): void {
    this.#host?.closeClient(this.#connection)
    this.#close()
  }

  /** The listener is told in a turn of its own, never within a call of its own. */
  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    setImmediate(() => {
      this.#listener.onClose()
    })
  }
}
