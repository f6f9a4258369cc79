/**
 * Slows down TLS hand-shakes that fail: each costs this end more than the other one.
 *
 * Model     an address of which several have failed lately takes turns: its next hand-shakes wait, and a few of them
 *           per second begin, drawn by lot. Others of the same address - a company behind one router - have the same
 *           chance as those who fail, and nobody is locked out: while fewer come than begin, all begin within some
 *           tens of milliseconds; a flood leaves each the share that it would have of a queue.
 * Addresses of IPv6 are counted by networks.
 * Limits    those that wait, of an address and of all: one more ends one of the address that has most, by lot, so that
 *           who comes first has no advantage. Turns of all addresses together: a server that many attack at once spends
 *           no more than a part of its time on them. Addresses whose failures are remembered.
 */
import { assert } from '../../../../core/assert.ts'
import { networkOf } from '../../server/state/ip-address.ts'
import { Attempts } from '../attempts.ts'
import { limitOf } from '../limits.ts'

/** Failures of an address that slow down nobody: certificates expire, and somebody looks whether a port is open. */
const FAILURES_FREE = 10
const SECOND_MS = 1_000
/** From one turn of an address to its next, in milliseconds. */
const TURN_MS = SECOND_MS / limitOf('handshakesPerSecond')
/** Addresses that have a turn at a time. */
const TURNS_AT_A_TIME = 4
const WAITING_MAX = limitOf('handshakesWaiting')
const WAITING_IN_ALL_MAX = limitOf('handshakesWaitingInAll')

/** A hand-shake that may have to wait. */
export interface Handshake {
  readonly address: string
  /** It begins. */
  begin(): void
  /** Too many wait: it is not to begin. */
  giveUp(): void
}

/** The hand-shakes of some ports. */
export class HandshakeTurns {
  readonly #failures = new Attempts()
  /** By network, the one that had its turn last at the end. */
  readonly #waiting = new Map<string, Handshake[]>()
  #waitingCount = 0
  #slowedCount = 0
  #timer: NodeJS.Timeout | undefined

  /** How many had to wait so far. */
  get slowedCount(): number {
    return this.#slowedCount
  }

  /** How many wait. */
  get waitingCount(): number {
    return this.#waitingCount
  }

  /** A hand-shake of an address has failed. */
  failed(address: string): void {
    this.#failures.failed(address, performance.now())
  }

  /** Whether a hand-shake of an address has to wait for its turn. */
  mustWait(address: string): boolean {
    return this.#failures.count(address, performance.now()) >= FAILURES_FREE
  }

  /** Begins a hand-shake when it is its turn. */
  add(handshake: Handshake): void {
    this.#slowedCount += 1
    const network = networkOf(handshake.address)
    const waiting = this.#waiting.get(network) ?? []
    if (waiting.length === 0) this.#waiting.set(network, waiting)
    waiting.push(handshake)
    this.#waitingCount += 1
    this.#timer ??= setTimeout(this.#turn, TURN_MS)
    if (waiting.length > WAITING_MAX) this.#drawn(network, waiting).giveUp()
    else if (this.#waitingCount > WAITING_IN_ALL_MAX) this.#drawnOfMost()?.giveUp()
  }

  /** One that waits begins no more: its connection has ended. */
  remove(handshake: Handshake): void {
    const network = networkOf(handshake.address)
    const waiting = this.#waiting.get(network) ?? []
    const place = waiting.indexOf(handshake)
    if (place !== -1) this.#taken(network, waiting, place)
  }

  readonly #turn = (): void => {
    this.#timer = undefined
    const begins: Handshake[] = []
    for (const [network, waiting] of [...this.#waiting].slice(0, TURNS_AT_A_TIME)) {
      begins.push(this.#drawn(network, waiting))
      if (waiting.length === 0) continue
      this.#waiting.delete(network)
      this.#waiting.set(network, waiting)
    }
    for (const handshake of begins) handshake.begin()
    if (this.#waitingCount > 0) this.#timer ??= setTimeout(this.#turn, TURN_MS)
  }

  #drawn(network: string, waiting: Handshake[]): Handshake {
    return this.#taken(network, waiting, Math.floor(Math.random() * waiting.length))
  }

  #drawnOfMost(): Handshake | undefined {
    const [first] = this.#waiting
    let most = first
    for (const entry of this.#waiting) if (entry[1].length > (most?.[1].length ?? 0)) most = entry
    return most === undefined ? undefined : this.#drawn(...most)
  }

  #taken(network: string, waiting: Handshake[], place: number): Handshake {
    const [taken, last] = [waiting[place], waiting.pop()]
    assert(taken !== undefined && last !== undefined, () => `no hand-shake of ${network} waits at ${place}`)
    if (taken !== last) waiting[place] = last
    this.#waitingCount -= 1
    if (waiting.length === 0) this.#waiting.delete(network)
    if (this.#waitingCount === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    return taken
  }
}
