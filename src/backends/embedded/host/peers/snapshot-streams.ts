/**
 * Sends states to learners beside whatever else the host does: a chunk per turn of the event loop.
 *
 * Order     on one link everything arrives in the order in which it was sent: packets sent after a state wait until the
 *           last chunk has gone.
 * Pace      while the network has not taken the bytes sent before, no further chunk is made.
 */
import type { Packet } from '../../../wire/packets.ts'
import type { SnapshotSource } from '../../server/zab/outbox.ts'
import { holdsBy, nextTurn } from '../turns.ts'

/** With more bytes of a link unsent, its state waits. */
const UNSENT_BYTES_HIGH = 0x10_0000
/** The rough size of a packet beside its transaction. */
const PACKET_BYTES = 64

/** A state on its way over one link. */
interface Stream {
  readonly source: SnapshotSource
  /** The packets that were sent after it. */
  readonly waiting: { readonly packet: Packet; readonly state: SnapshotSource | undefined }[]
  waitingBytes: number
}

/** The links, as states use them. */
export interface StreamedLinks {
  send(link: number, packet: Packet): void
  /** Bytes that the network has not taken. */
  unsentBytes(link: number): number
  /** Called with the error of the reading of a state. */
  failed(error: unknown): void
}

/** The packets and states that are sent over the links of one server, by the number of the link. */
export class SnapshotStreams {
  readonly #links: StreamedLinks
  readonly #streams = new Map<number, Stream>()

  constructor(links: StreamedLinks) {
    this.#links = links
  }

  /** Sends a packet, and a state after it, now or after the state that is on its way over that link. */
  send(link: number, packet: Packet, state?: SnapshotSource): void {
    const stream = this.#streams.get(link)
    if (stream === undefined) {
      this.#links.send(link, packet)
      if (state !== undefined) this.#begin(link, state)
      return
    }
    stream.waiting.push({ packet, state })
    stream.waitingBytes += PACKET_BYTES + ('txn' in packet ? packet.txn.length : 0)
  }

  /** Bytes that wait for the end of a state, roughly. */
  waitingBytes(link: number): number {
    return this.#streams.get(link)?.waitingBytes ?? 0
  }

  /** A link has ended; the packets that waited for it are lost. */
  closed(link: number): void {
    const stream = this.#streams.get(link)
    if (stream === undefined) return
    this.#streams.delete(link)
    stream.source.close()
    for (const { state } of stream.waiting) state?.close()
  }

  /** Ends all streams. */
  closeAll(): void {
    for (const link of this.#streams.keys()) this.closed(link)
  }

  #begin(link: number, source: SnapshotSource): void {
    const stream = { source, waiting: [], waitingBytes: 0 }
    this.#streams.set(link, stream)
    this.#run(link, stream).catch((error: unknown) => {
      this.closed(link)
      this.#links.failed(error)
    })
  }

  async #run(link: number, stream: Stream): Promise<void> {
    const send = (bytes: Uint8Array, isLast: boolean): void => {
      this.#links.send(link, { type: 'SNAPCHUNK', bytes, isLast })
    }
    const isEnded = (): boolean => this.#streams.get(link) !== stream
    for (;;) {
      await nextTurn()
      await holdsBy(() => isEnded() || this.#links.unsentBytes(link) <= UNSENT_BYTES_HIGH, Infinity)
      if (isEnded()) return
      const chunk = stream.source.next()
      if (chunk === null) break
      // Also an empty one: it says that more will come.
      send(chunk, false)
    }
    send(new Uint8Array(), true)
    this.#streams.delete(link)
    for (const { packet, state } of stream.waiting) this.send(link, packet, state)
  }
}
