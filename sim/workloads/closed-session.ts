/**
 * The session of a client that is about to be closed. If it ends by itself first, the client knows it for over, and its
 * handles may say so, though the servers have not ended it yet.
 */
import type { Client } from '../../src/core/client.ts'

/** Remembers a session over the end of its client. */
export class ClosedSession {
  readonly #id: bigint | null
  #isOver = false

  constructor(client: Pick<Client, 'sessionId' | 'onState'>) {
    this.#id = client.sessionId
    client.onState(({ status }) => {
      if (status === 'expired') this.#isOver = true
    })
  }

  /**
   * Has the end of a handle judged when that has come, and with the session that was live then. Later the session may
   * have ended by itself, which excuses nothing that was said before; or it was closed, and its nodes are gone anyhow.
   *
   * @param judge - gets the id of the session; null if there was none, or it has ended by itself
   */
  async judge(ending: Promise<void>, judge: (sessionId: bigint | null) => void): Promise<void> {
    await ending
    judge(this.#isOver ? null : this.#id)
  }
}
