/**
 * How many open sessions the clients of one address have begun at this server. A session outlives its connection by its
 * time-out, and the role of its server, so a limit of connections alone bounds nothing of what a client can leave here.
 *
 * Limit     per address, of IPv6 per network of 64 bits; clients in this process have none.
 * Model     an entry goes with the end of its session. One whose end was not seen here, as it came out of a state that
 *           was sent, is found when its address has no room, and by a look at two entries with each session that
 *           begins: there are never many more entries than sessions.
 * Under way a session that is being begun counts, also when its client has left meanwhile: its transaction comes all
 *           the same. When this server no longer serves that is open, and decided by the state that it serves next.
 */
import { networkOf } from '../state/ip-address.ts'

/** Entries that are looked at with each session that begins. */
const LOOKS = 2

/** The sessions of all addresses. */
export class AddressSessions {
  readonly #limit: number
  readonly #isOpen: (sessionId: bigint) => boolean
  readonly #byNetwork = new Map<string, Set<bigint>>()
  /** By session, the one that was looked at last at the end. */
  readonly #networkOf = new Map<bigint, string>()
  /** Those whose transaction has not come yet. */
  readonly #underWay = new Set<bigint>()

  /**
   * @param limit - most sessions of one address; 0 for any number
   * @param isOpen - whether there is this session
   */
  constructor(limit: number, isOpen: (sessionId: bigint) => boolean) {
    this.#limit = limit
    this.#isOpen = isOpen
  }

  /** Number of sessions that an address has begun. */
  countOf(address: string): number {
    return this.#byNetwork.get(networkOf(address))?.size ?? 0
  }

  /** Number of sessions that are counted. */
  get size(): number {
    return this.#networkOf.size
  }

  /** Whether an address may begin one more. */
  hasRoom(address: string): boolean {
    if (this.#limit === 0 || address === '' || this.countOf(address) < this.#limit) return true
    for (const sessionId of this.#byNetwork.get(networkOf(address)) ?? []) {
      if (this.#isOver(sessionId)) this.ended(sessionId)
    }
    return this.countOf(address) < this.#limit
  }

  /**
   * A client begins a session.
   *
   * @param isUnderWay - whether a transaction begins it, which is still to come
   */
  begun(address: string, sessionId: bigint, isUnderWay: boolean): void {
    if (this.#limit === 0 || address === '') return
    this.#lookAtOthers()
    const network = networkOf(address)
    const sessions = this.#byNetwork.get(network)
    if (sessions === undefined) this.#byNetwork.set(network, new Set([sessionId]))
    else sessions.add(sessionId)
    this.#networkOf.set(sessionId, network)
    if (isUnderWay) this.#underWay.add(sessionId)
  }

  /** A transaction is to make a session of this server alone one of the ensemble. */
  upgraded(sessionId: bigint): void {
    if (this.#networkOf.has(sessionId)) this.#underWay.add(sessionId)
  }

  /** The transaction of a session has come: if it has begun it, there is that session now. */
  decided(sessionId: bigint): void {
    this.#underWay.delete(sessionId)
  }

  /** A session is over. */
  ended(sessionId: bigint): void {
    const network = this.#networkOf.get(sessionId)
    if (network === undefined) return
    this.#networkOf.delete(sessionId)
    this.#underWay.delete(sessionId)
    const sessions = this.#byNetwork.get(network)
    sessions?.delete(sessionId)
    if (sessions?.size === 0) this.#byNetwork.delete(network)
  }

  /** This server no longer serves. Sessions go on; those under way are in the state that it serves next, or lost. */
  stopped(): void {
    this.#underWay.clear()
  }

  #isOver(sessionId: bigint): boolean {
    return !this.#underWay.has(sessionId) && !this.#isOpen(sessionId)
  }

  #lookAtOthers(): void {
    let looks = 0
    for (const [sessionId, network] of this.#networkOf) {
      if (looks === LOOKS) return
      looks += 1
      if (this.#isOver(sessionId)) this.ended(sessionId)
      else {
        this.#networkOf.delete(sessionId)
        this.#networkOf.set(sessionId, network)
      }
    }
  }
}
