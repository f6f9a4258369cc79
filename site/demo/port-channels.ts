/** Connections between a client and the servers of another worker: the channels of src/backends/client, over a port. */
import type { Channel, ChannelListener, Dialer } from '../../src/backends/client/channel.ts'
import type { Ensemble } from '../../src/backends/embedded/ensemble.ts'
import type { ToClient, ToServers } from './messages.ts'

/** The client's end: dials the servers in turn. */
export class PortDialer implements Dialer {
  readonly serverCount: number
  readonly #port: MessagePort
  readonly #listeners = new Map<number, ChannelListener>()
  #last = 0
  #turn: number

  /**
   * Makes a dialer; the port is its own from now on.
   *
   * @param turn - the index of the server to begin with
   */
  constructor(port: MessagePort, serverCount: number, turn: number) {
    this.#port = port
    this.serverCount = serverCount
    this.#turn = turn
    port.onmessage = ({ data }: MessageEvent<ToClient>) => {
      const listener = this.#listeners.get(data.channel)
      if (data.kind === 'message') listener?.onMessage(data.message)
      else this.#listeners.delete(data.channel)
      if (data.kind === 'closed') listener?.onClose()
    }
  }

  dial(listener: ChannelListener): Channel {
    this.#last += 1
    const channel = this.#last
    const turn = this.#turn % this.serverCount
    this.#turn += 1
    const post = (message: ToServers): void => this.#port.postMessage(message)
    this.#listeners.set(channel, listener)
    post({ kind: 'dial', channel, turn })
    return {
      server: `server ${turn + 1}`,
      send: (message) => post({ kind: 'send', channel, message }),
      close: () => post({ kind: 'close', channel }),
    }
  }
}

/** The servers' end: opens what a client dials. */
export function serveDialer(ensemble: Ensemble, port: MessagePort): void {
  const channels = new Map<number, Channel>()
  const post = (message: ToClient): void => port.postMessage(message)
  port.onmessage = ({ data }: MessageEvent<ToServers>) => {
    const { channel } = data
    if (data.kind === 'send') channels.get(channel)?.send(data.message)
    if (data.kind === 'close') channels.get(channel)?.close()
    if (data.kind !== 'dial') return
    channels.set(channel, ensemble.dialer(data.turn).dial({
      onMessage: (message) => post({ kind: 'message', channel, message }),
      onClose: () => {
        channels.delete(channel)
        post({ kind: 'closed', channel })
      },
    }))
  }
}
