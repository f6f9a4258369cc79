/**
 * The network between the servers of one process: connections that keep their order, and partitions.
 *
 * Model     messages from one server to another arrive in order, at once. While two servers are partitioned, all but
 *           votes is held, as TCP would hold it, and arrives in order when the partition heals; votes are lost. When a
 *           server goes down its connections end, and the other ends are told.
 * Bytes     messages are encoded as they would be on a socket. Bytes that the receiver cannot read are a fault of this
 *           package, so they raise an error and do not end the connection.
 */
import { decodeNotification, encodeNotification } from '../../../wire/notifications.ts'
import type { Notification, Packet } from '../../../wire/packets.ts'
import { PeerLink } from '../../../wire/peer-link.ts'
import type { Dialling, PeerConnection, PeerGate, PeerListener, PeerTransport } from './transport.ts'

/** Something that waits for the end of the partition. */
interface Held {
  readonly arrive: () => void
  /** The connection that it was sent on; null for a dial and its answer. */
  readonly sender: MemoryConnection | null
  readonly bytes: number
}

/** The network of one ensemble. */
export class MemoryNetwork {
  readonly #gates = new Map<number, PeerGate>()
  /** Group of each server while there is a partition; null without one. */
  #groups: ReadonlyMap<number, number> | null = null
  /** The messages that wait for the end of the partition, by sender and receiver. */
  readonly #held = new Map<string, { readonly from: number; readonly to: number; readonly queue: Held[] }>()
  readonly #connections = new Set<MemoryConnection>()

  /** How a server reaches the others. */
  transportOf(id: number): PeerTransport {
    return {
      dial: (peer, dialling) => {
        this.#dial(id, peer, dialling)
      },
      sendVote: (to, notification) => {
        this.#sendVote(id, to, notification)
      },
    }
  }

  /** Plugs a server in. */
  attach(id: number, gate: PeerGate): void {
    this.#gates.set(id, gate)
  }

  /** Unplugs a server: its process has ended. The other ends of its connections are told. */
  detach(id: number): void {
    this.#gates.delete(id)
    for (const [key, { from, to }] of this.#held) if (from === id || to === id) this.#held.delete(key)
    for (const connection of [...this.#connections]) if (connection.from === id) connection.close()
  }

  /** Lets only servers of the same group talk. Servers that are not named form one more group. */
  partition(groups: readonly (readonly number[])[]): void {
    this.heal()
    this.#groups = new Map(groups.flatMap((ids, group) => ids.map((id): [number, number] => [id, group])))
  }

  /** Ends the partition; the messages that were held arrive. */
  heal(): void {
    this.#groups = null
    const held = [...this.#held.values()]
    this.#held.clear()
    for (const { queue } of held) {
      for (const { arrive, sender, bytes } of queue) {
        if (sender !== null) sender.unsentBytes -= bytes
        arrive()
      }
    }
  }

  /** Brings something from one server to another, now or when the partition is over. */
  carry(from: number, to: number, arrive: () => void, sender: MemoryConnection | null, bytes: number): void {
    if (!this.isCut(from, to)) {
      arrive()
      return
    }
    if (sender !== null) sender.unsentBytes += bytes
    const key = `${from}>${to}`
    const held = this.#held.get(key)
    if (held === undefined) this.#held.set(key, { from, to, queue: [{ arrive, sender, bytes }] })
    else held.queue.push({ arrive, sender, bytes })
  }

  /** Whether nothing gets from one server to another now. */
  isCut(from: number, to: number): boolean {
    return this.#groups !== null && this.#groups.get(from) !== this.#groups.get(to)
  }

  /** A connection has ended. */
  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection)
  }

  #dial(from: number, to: number, dialling: Dialling): void {
    this.carry(from, to, () => {
      const gate = this.#gates.get(to)
      if (gate === undefined) {
        this.carry(to, from, () => {
          dialling.onFailed()
        }, null, 0)
        return
      }
      const there = new MemoryConnection(this, from, to, new PeerLink({ role: 'learner', sid: from }))
      const back = new MemoryConnection(this, to, from, new PeerLink({ role: 'leader', sid: to }))
      there.join(back)
      back.join(there)
      this.#connections.add(there).add(back)
      back.listener = gate.acceptPeer(from, back)
      this.carry(to, from, () => {
        there.listener = dialling.onConnected(there)
      }, null, 0)
    }, null, 0)
  }

  #sendVote(from: number, to: number, notification: Notification): void {
    if (this.isCut(from, to)) return
    this.#gates.get(to)?.receiveVote(from, decodeNotification(encodeNotification(notification)))
  }
}

/** One end of a connection. */
class MemoryConnection implements PeerConnection {
  readonly from: number
  readonly to: number
  unsentBytes = 0
  /** Null until the dial is answered. */
  listener: PeerListener | null = null
  readonly #network: MemoryNetwork
  readonly #link: PeerLink
  #other: MemoryConnection | null = null
  #isOpen = true
  readonly #onPacket = (packet: Packet): void => {
    this.listener?.onPacket(packet)
  }

  constructor(network: MemoryNetwork, from: number, to: number, link: PeerLink) {
    this.#network = network
    this.from = from
    this.to = to
    this.#link = link
  }

  join(other: MemoryConnection): void {
    this.#other = other
  }

  send(packet: Packet): void {
    if (!this.#isOpen) return
    const pieces = this.#link.encode(packet)
    if (!this.#network.isCut(this.from, this.to)) {
      this.#other?.receiveBytes(pieces)
      return
    }
    let bytes = 0
    for (const piece of pieces) bytes += piece.length
    this.#network.carry(this.from, this.to, () => this.#other?.receiveBytes(pieces), this, bytes)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#end()
    this.#network.carry(this.from, this.to, () => this.#other?.ended(), null, 0)
  }

  receiveBytes(pieces: readonly Uint8Array[]): void {
    if (!this.#isOpen) return
    for (const piece of pieces) this.#link.receiveBytes(piece, this.#onPacket)
  }

  ended(): void {
    if (!this.#isOpen) return
    this.#end()
    this.listener?.onClose()
  }

  #end(): void {
    this.#isOpen = false
    this.#network.forget(this)
  }
}
