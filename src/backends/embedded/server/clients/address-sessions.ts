/**
 * How many open sessions the clients of one address have begun at this server. A session outlives its connection by its
 * time-out, so a limit of connections alone bounds nothing of what a client can leave here.
 *
 * Limit     per address; clients in this process have none.
 * Model     an entry goes with the end of its session. One whose end was not seen here, as its session was not begun
 *           after all or came out of a state that was sent, is found when its address has no room.
 */

/** The sessions of all addresses. */
export class AddressSessions {
  readonly #limit: number
  readonly #isOpen: (sessionId: bigint) => boolean
  readonly #byAddress = new Map<string, Set<bigint>>()
  readonly #addressOf = new Map<bigint, string>()

  /**
   * @param limit - most sessions of one address; 0 for any number
   * @param isOpen - whether there is this session, or it is being begun
   */
  constructor(limit: number, isOpen: (sessionId: bigint) => boolean) {
    this.#limit = limit
    this.#isOpen = isOpen
  }

  /** Number of sessions that an address has begun. */
  countOf(address: string): number {
    return this.#byAddress.get(address)?.size ?? 0
  }

  /** Whether an address may begin one more. */
  hasRoom(address: string): boolean {
    if (this.#limit === 0 || address === '' || this.countOf(address) < this.#limit) return true
    for (const sessionId of this.#byAddress.get(address) ?? []) if (!this.#isOpen(sessionId)) this.ended(sessionId)
    return this.countOf(address) < this.#limit
  }

  /** A client has begun a session. */
  begun(address: string, sessionId: bigint): void {
    if (this.#limit === 0 || address === '') return
    const sessions = this.#byAddress.get(address)
    if (sessions === undefined) this.#byAddress.set(address, new Set([sessionId]))
    else sessions.add(sessionId)
    this.#addressOf.set(sessionId, address)
  }

  /** A session is over. */
  ended(sessionId: bigint): void {
    const address = this.#addressOf.get(sessionId)
    if (address === undefined) return
    this.#addressOf.delete(sessionId)
    const sessions = this.#byAddress.get(address)
    sessions?.delete(sessionId)
    if (sessions?.size === 0) this.#byAddress.delete(address)
  }

  /** This server no longer serves: it cannot see which of them go on. */
  clear(): void {
    this.#byAddress.clear()
    this.#addressOf.clear()
  }
}
