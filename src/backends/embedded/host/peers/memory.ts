/**
 * The network between the servers of one process: links that keep their order, and partitions.
 *
 * Model     what one server sends another arrives in order, at once. While two servers are partitioned, packets and the
 *           ends of links are held, as TCP would hold them, and arrive in order when the partition heals; notifications
 *           are lost. When a server goes down its links end, and the other ends are told.
 * Bytes     what travels is encoded as it would be on a socket. Bytes that the receiver cannot read are a fault of this
 *           package, so they raise an error and do not end the link.
 */
import { decodeNotification, encodeNotification } from '../../../wire/notifications.ts'
import type { Packet, PeerMessage } from '../../../wire/packets.ts'
import { PeerLink } from '../../../wire/peer-link.ts'

/** One server's end of the network. */
export interface Endpoint {
  receivePeer(from: number, message: PeerMessage): void
  disconnectPeer(peer: number, link: number): void
}

type Held =
  | { readonly notification: Uint8Array }
  | { readonly link: OpenLink; readonly pieces: readonly Uint8Array[] }
  | { readonly closed: number }

interface OpenLink {
  readonly opener: number
  readonly acceptor: number
  readonly link: number
  /** What encodes and decodes at either end. */
  readonly openerEnd: PeerLink
  readonly acceptorEnd: PeerLink
}

/** The network of one ensemble. */
export class MemoryNetwork {
  readonly #endpoints = new Map<number, Endpoint>()
  /** Group of each server while there is a partition; null without one. */
  #groups: ReadonlyMap<number, number> | null = null
  /** What waits for the end of the partition, by sender and receiver. */
  readonly #held = new Map<string, { readonly from: number; readonly to: number; readonly queue: Held[] }>()
  #links: OpenLink[] = []

  /** Plugs a server in. */
  attach(id: number, endpoint: Endpoint): void {
    this.#endpoints.set(id, endpoint)
  }

  /** Unplugs a server: its process has ended. The other ends of its links are told. */
  detach(id: number): void {
    this.#endpoints.delete(id)
    for (const [key, { from, to }] of this.#held) if (from === id || to === id) this.#held.delete(key)
    const ended = this.#links.filter((link) => link.opener === id || link.acceptor === id)
    this.#links = this.#links.filter((link) => !ended.includes(link))
    for (const { opener, acceptor, link } of ended) {
      this.#deliver(id, opener === id ? acceptor : opener, { closed: link })
    }
  }

  /** Sends a message; to a server that is down, or on a link that has ended, it is lost. */
  send(from: number, to: number, message: PeerMessage): void {
    if (message.type === 'PACKET') this.#sendPacket(from, to, message.link, message.packet)
    else if (!this.#isCut(from, to)) this.#deliver(from, to, { notification: encodeNotification(message) })
  }

  #sendPacket(from: number, to: number, link: number, packet: Packet): void {
    if (packet.type === 'FOLLOWERINFO' || packet.type === 'OBSERVERINFO') this.#open(from, to, link)
    const open = this.#links.find((one) => one.link === link && isBetween(one, from, to))
    if (open === undefined) return
    const end = open.opener === from ? open.openerEnd : open.acceptorEnd
    this.#deliver(from, to, { link: open, pieces: end.encode(packet) })
  }

  /** Closes a link from one end; the other end is told behind everything that was sent. */
  close(from: number, peer: number, link: number): void {
    const isThis = (open: OpenLink): boolean => open.link === link && isBetween(open, from, peer)
    if (!this.#links.some(isThis)) return
    this.#links = this.#links.filter((open) => !isThis(open))
    this.#deliver(from, peer, { closed: link })
  }

  /** Lets only servers of the same group talk. Servers that are not named form one group more. */
  partition(groups: readonly (readonly number[])[]): void {
    this.heal()
    this.#groups = new Map(groups.flatMap((ids, group) => ids.map((id): [number, number] => [id, group])))
  }

  /** Ends the partition; what was held arrives. */
  heal(): void {
    this.#groups = null
    const held = [...this.#held.values()]
    this.#held.clear()
    for (const { from, to, queue } of held) for (const item of queue) this.#deliver(from, to, item)
  }

  #open(opener: number, acceptor: number, link: number): void {
    if (!this.#endpoints.has(acceptor)) {
      this.#deliver(acceptor, opener, { closed: link })
      return
    }
    const openerEnd = new PeerLink({ role: 'learner', sid: opener })
    const acceptorEnd = new PeerLink({ role: 'leader', sid: acceptor })
    this.#links.push({ opener, acceptor, link, openerEnd, acceptorEnd })
  }

  #isCut(from: number, to: number): boolean {
    return this.#groups !== null && this.#groups.get(from) !== this.#groups.get(to)
  }

  #deliver(from: number, to: number, item: Held): void {
    if (this.#isCut(from, to)) {
      const key = `${from}>${to}`
      const held = this.#held.get(key)
      if (held === undefined) this.#held.set(key, { from, to, queue: [item] })
      else held.queue.push(item)
      return
    }
    const endpoint = this.#endpoints.get(to)
    if (endpoint === undefined) return
    if ('closed' in item) endpoint.disconnectPeer(from, item.closed)
    else if ('notification' in item) endpoint.receivePeer(from, decodeNotification(item.notification))
    else {
      const { link, openerEnd, acceptorEnd, opener } = item.link
      const end = opener === to ? openerEnd : acceptorEnd
      for (const piece of item.pieces) {
        end.receive(piece, (packet) => {
          endpoint.receivePeer(from, { type: 'PACKET', link, packet })
        })
      }
    }
  }
}

function isBetween({ opener, acceptor }: OpenLink, one: number, other: number): boolean {
  return (opener === one && acceptor === other) || (opener === other && acceptor === one)
}
