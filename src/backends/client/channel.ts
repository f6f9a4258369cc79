/**
 * The transport that the client's half of the protocol needs: one connection to one server at a time, messages in
 * order. In memory it is a pair of queues; over TCP, a socket with framing and jute.
 */
import type { ClientMessage, ServerMessage } from '../wire/records.ts'

/** The callbacks of a channel. Nothing comes after `onClose`, which comes exactly once, also after `close()`. */
export interface ChannelListener {
  onMessage(message: ServerMessage): void
  /** `reason` tells people why; absent if there is nothing to tell. */
  onClose(reason?: string): void
}

/** One connection to one server. Messages sent on it arrive in order or not at all, and never after it closed. */
export interface Channel {
  /** Which server, for people and logs. */
  readonly server: string
  /** Whether it leads to a server of this process, which asks nobody for a proof; absent: it does not. */
  readonly isInProcess?: boolean
  /** Sends a message; dropped silently once the channel is closed. */
  send(message: ClientMessage): void
  /**
   * Closes the connection; messages sent before may or may not have arrived. `onClose` follows, not within this call.
   */
  close(): void
}

/** Opens channels. */
export interface Dialer {
  /** How many servers there are to try. */
  readonly serverCount: number
  /**
   * Opens a connection to the next server in turn. It may fail at any later time by `onClose`; an unreachable server
   * does so without a message.
   */
  dial(listener: ChannelListener): Channel
  /**
   * Asks the next server in turn whether it has a majority. If it has, it is the one that is dialled next. Absent where
   * no server serves without.
   *
   * @returns false also if it does not answer
   */
  findReadWrite?(): Promise<boolean>
  /**
   * Waits until a server that is preferred to the one that was dialled last is available. It is the one that is
   * dialled next. Absent where all are alike.
   *
   * @param signal - ends the wait
   * @returns false if there is none that is preferred, or the wait was ended
   */
  preferred?(signal: AbortSignal): Promise<boolean>
}
