/**
 * The session of a client that is about to be closed. If it ends by itself first, the client knows it for over, and its
 * handles may say so, though the servers have not ended it yet.
 */
import type { Client } from '../../src/core/client.ts'

/** Remembers a session over the end of its client. */
export class ClosedSession {
  readonly #id: bigint | null
  #isOver = false

  constructor(client: Client) {
    this.#id = client.sessionId
    client.onState(({ status }) => {
      if (status === 'expired') this.#isOver = true
    })
  }

  /** Its id; null if there was none, or it has ended by itself. */
  get idUnlessOver(): bigint | null {
    return this.#isOver ? null : this.#id
  }
}
