/**
 * Sends states to learners beside whatever else the host does: a chunk per turn of the event loop.
 *
 * Order     on one link everything arrives in the order in which it was sent: what is sent after a state waits until
 *           the last chunk has gone.
 */
import type { Outgoing, SnapshotSource } from '../../server/zab/outbox.ts'
import { nextTurn } from '../turns.ts'

/** A state on its way over one link. */
interface Stream {
  readonly to: number
  readonly link: number
  readonly source: SnapshotSource
  /** What was sent after it. */
  readonly waiting: Outgoing[]
}

/** What is sent over the links of one server. */
export class SnapshotStreams {
  readonly #send: (outgoing: Outgoing) => void
  readonly #onFailure: (error: unknown) => void
  readonly #streams = new Map<string, Stream>()

  /**
   * Makes the streams of one server.
   *
   * @param send - sends a message, which has no state with it
   * @param onFailure - told what went wrong while a state was read
   */
  constructor(send: (outgoing: Outgoing) => void, onFailure: (error: unknown) => void) {
    this.#send = send
    this.#onFailure = onFailure
  }

  /** Sends a message, now or after the state that is on its way over its link. */
  send(outgoing: Outgoing): void {
    const { to, message, state } = outgoing
    const stream = message.type === 'PACKET' ? this.#streams.get(keyOf(to, message.link)) : undefined
    if (stream !== undefined) {
      stream.waiting.push(outgoing)
      return
    }
    this.#send(outgoing)
    if (state !== undefined && message.type === 'PACKET') this.#begin(to, message.link, state)
  }

  /** A link has ended; what was to be sent on it is lost. */
  closed(peer: number, link: number): void {
    const key = keyOf(peer, link)
    this.#streams.get(key)?.source.close()
    this.#streams.delete(key)
  }

  /** Ends all streams. */
  closeAll(): void {
    for (const { to, link } of this.#streams.values()) this.closed(to, link)
  }

  #begin(to: number, link: number, source: SnapshotSource): void {
    const stream = { to, link, source, waiting: [] }
    this.#streams.set(keyOf(to, link), stream)
    this.#run(stream).catch((error: unknown) => {
      this.closed(to, link)
      this.#onFailure(error)
    })
  }

  async #run({ to, link, source, waiting }: Stream): Promise<void> {
    const key = keyOf(to, link)
    const send = (bytes: Uint8Array, isLast: boolean): void => {
      this.#send({ to, message: { type: 'PACKET', link, packet: { type: 'SNAPCHUNK', bytes, isLast } } })
    }
    for (;;) {
      await nextTurn()
      if (this.#streams.get(key)?.source !== source) return
      const chunk = source.next()
      if (chunk === null) break
      // Also an empty one: it says that more will come.
      send(chunk, false)
    }
    send(new Uint8Array(), true)
    this.#streams.delete(key)
    for (const outgoing of waiting) this.send(outgoing)
  }
}

function keyOf(peer: number, link: number): string {
  return `${peer} ${link}`
}
