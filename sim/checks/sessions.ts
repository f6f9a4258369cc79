/**
 * Sessions: how long they live, and that they stay dead.
 *
 * S1   a session ends with exactly its own ephemeral nodes, and has none before and after; the replay of the history
 *      holds every transaction to it (model.ts).
 * S2   a leader does not end a session before its time-out has passed, on the leader's own clock, since it last heard
 *      of it or was established; and none ends while its client may still trust its lease, whatever its servers
 *      believed of each other.
 * S3   an id is opened once, does nothing after its end, and is attached by no server that has seen its end.
 * S4   a session that is not heard of ends in time, as long as somebody leads.
 * S5   a client is told that its session is over only when it is: its end is on the disks of a majority. Otherwise what
 *      is still on its way may be done, and what it owns is there until another end. After that nothing of it is done,
 *      a local one or not.
 * S6   a local session is attached by the server alone that began it.
 */
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { Packet } from '../../src/backends/wire/packets.ts'
import type { ConnectResponse } from '../../src/backends/wire/records.ts'
import { SERVER_DEFAULTS } from '../../src/backends/embedded/server/config.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { Tap, TapConnection, TapObserver } from '../tap.ts'
import type { CheckedWorld } from '../checked-world.ts'

/**
 * How long a host that is not busy takes to hand its server what has come, by its clock; a tick that came before it is
 * handed first.
 */
const TURN_MS = 0.02
/** How late a host takes a tick to be before it counts those that it missed as one. */
const TICK_LATENESS_MS = 50
/** Part by which clocks are allowed to differ in the worst plan, and as much again. */
const DRIFT_PART = 0.25
/** Grace of S4 after a time-out: buckets, pings of followers, messages under way. */
const GRACE_MS = 10_000

/** Sessions that a follower told its leader of, and that the leader has not been seen to take in yet. */
interface Reported {
  readonly from: number
  readonly to: number
  readonly clockMs: number
  readonly sessionIds: readonly bigint[]
}

/** A session that one server alone knows, as far as the replay can tell. */
interface LocalSession {
  readonly server: number
  readonly timeoutMs: number
}

export class SessionsCheck implements Check, TapObserver, LedgerListener {
  readonly name = 'sessions'
  readonly covers = ['S1', 'S2', 'S3', 'S4', 'S5', 'S6']
  readonly #world: CheckedWorld
  readonly #ledger: Ledger
  readonly #tap: Tap
  readonly #tickMs: number
  /**
   * By server, when it heard of a session, by its clock, in order: the times that its host may not have told it yet,
   * and the last one before.
   */
  readonly #heard: Map<bigint, number[]>[]
  /** By server, when it was last established as the leader, on its own clock. */
  readonly #ledSince: number[]
  /** By link. */
  readonly #reported = new Map<number, Reported[]>()
  readonly #locals = new Map<bigint, LocalSession>()
  /** By session whose client was told that it is over, the last transaction that may have been done by then. */
  readonly #toldOver = new Map<bigint, bigint>()
  #eventsSeen = 0
  #leaderSinceMs: number | null = null

  /** Checks the sessions of a world. */
  constructor(world: CheckedWorld, ledger: Ledger, tap: Tap) {
    this.#world = world
    this.#ledger = ledger
    this.#tap = tap
    this.#tickMs = world.options.server?.tickMs ?? SERVER_DEFAULTS.tickMs
    this.#heard = world.servers.map(() => new Map<bigint, number[]>())
    this.#ledSince = world.servers.map(() => 0)
    ledger.listen(this)
    tap.observe(this)
  }

  heard({ server, sessionId }: TapConnection): void {
    this.#heardAt(server, sessionId, this.#clockMs(server))
  }

  packetReceived(from: number, to: number, link: number, packet: Packet): void {
    if ((packet.type !== 'PING' && packet.type !== 'SYNC') || packet.touched.length === 0) return
    const sessionIds = packet.touched.map(({ sessionId }) => sessionId)
    const reported = { from, to, clockMs: this.#clockMs(to), sessionIds }
    const known = this.#reported.get(link)
    if (known === undefined) this.#reported.set(link, [reported])
    else known.push(reported)
  }

  /** A leader that goes on with a link has taken in what came on it; of one that it has left, nobody can tell. */
  packetSent(from: number, to: number, link: number): void {
    const reported = this.#reported.get(link)
    if (reported?.[0]?.to !== from || reported[0].from !== to) return
    this.#reported.delete(link)
    for (const { clockMs, sessionIds } of reported) {
      for (const sessionId of sessionIds) this.#heardAt(from, sessionId, clockMs)
    }
  }

  committed({ transaction: { header, txn }, results }: Replayed): void {
    const isDone = txn.type !== OpCode.closeSession && !results.some(({ type }) => type === 'error')
    if (isDone && header.zxid > (this.#toldOver.get(header.clientId) ?? header.zxid)) {
      this.#fail(`S5: the client of session ${header.clientId} was told that it is over, and ${header.zxid} was done`)
    }
    if (txn.type === OpCode.createSession) this.#locals.delete(header.clientId)
    if (txn.type !== OpCode.closeSession) return
    for (const heard of this.#heard) heard.delete(header.clientId)
    // The servers' own requests have no number: this is an expiry.
    if (header.cxid === 0) this.#expectNoLease(header.clientId)
  }

  attached({ server, sessionId, askedId }: TapConnection, { timeOut }: ConnectResponse): void {
    if (timeOut <= 0) {
      const isKnown = this.#ledger.model.isOpen(askedId) && !this.#ledger.isEnding(askedId)
      if (isKnown) this.#fail(`S5: server ${server} said that session ${askedId} is over, which is open`)
      if (!this.#toldOver.has(askedId)) this.#toldOver.set(askedId, this.#ledger.durableZxid)
      return
    }
    if (this.#ledger.model.isLocal(sessionId)) {
      this.#attachedLocal(server, sessionId, askedId, timeOut)
      return
    }
    const session = this.#ledger.model.sessions.get(sessionId)
    if (session === undefined) this.#fail(`S3: server ${server} attached session ${sessionId}, which was never opened`)
    const { closedZxid } = session
    const seen = this.#tap.session(sessionId)?.zxid ?? 0n
    if (closedZxid !== null && closedZxid <= seen) {
      this.#fail(`S3: server ${server} attached session ${sessionId}, whose end its client has seen`)
    }
    if (session.timeoutMs !== timeOut) {
      this.#fail(`S3: server ${server} attached session ${sessionId} with ${timeOut} ms, it has ${session.timeoutMs}`)
    }
  }

  #attachedLocal(server: number, sessionId: bigint, askedId: bigint, timeoutMs: number): void {
    const isOwn = askedId === 0n || this.#locals.get(sessionId)?.server === server
    if (!isOwn) this.#fail(`S6: server ${server} attached the local session ${sessionId} of another one`)
    this.#locals.set(sessionId, { server, timeoutMs })
  }

  afterEvent(): void {
    const { events } = this.#world
    while (this.#eventsSeen < events.length) {
      const happened = events[this.#eventsSeen]
      this.#eventsSeen += 1
      if (happened === undefined) continue
      const { server, event } = happened
      if (event.type === 'serving' && event.role === 'LEADING') {
        this.#ledSince[server - 1] = this.#clockMs(server)
        this.#leaderSinceMs = happened.atMs
      } else if (event.type === 'expired') this.#expired(server, event.sessionId)
    }
  }

  atEnd(): void {
    const { nowMs } = this.#world.kernel
    const isLed = this.#world.servers.some((server) => {
      const status = server.host()?.status()
      return status?.role === 'LEADING' && status.serving
    })
    if (!isLed || this.#leaderSinceMs === null) return
    for (const [id, { closedZxid, timeoutMs }] of this.#ledger.model.sessions) {
      if (closedZxid !== null) continue
      const silentMs = nowMs - Math.max(this.#tap.session(id)?.lastSentMs ?? 0, this.#leaderSinceMs)
      if (silentMs > timeoutMs * (1 + DRIFT_PART) + GRACE_MS) {
        const what = `session ${id} of ${timeoutMs} ms is open after ${silentMs} ms of silence`
        throw new Violation(this.name, `S4: ${what}`, 'liveness')
      }
    }
  }

  #expired(server: number, sessionId: bigint): void {
    const session = this.#ledger.model.sessions.get(sessionId) ?? this.#locals.get(sessionId)
    if (session === undefined) return
    const clockMs = this.#clockMs(server)
    const turnMs = this.#turnMs(server)
    const heardMs = this.#heard[server - 1]?.get(sessionId)?.findLast((atMs) => clockMs - atMs > turnMs) ?? 0
    const silentMs = clockMs - Math.max(heardMs, this.#ledSince[server - 1] ?? 0)
    // A tick may come at once after one that was late, and hearing counts from the tick before it.
    if (silentMs >= session.timeoutMs - this.#tickMs - TICK_LATENESS_MS) return
    const what = `session ${sessionId} of ${session.timeoutMs} ms after ${silentMs} ms of silence`
    this.#fail(`S2: server ${server} ended ${what}`)
  }

  #expectNoLease(sessionId: bigint): void {
    const session = this.#tap.session(sessionId)?.api ?? null
    if (session === null || !session.isAlive) return
    const { leaseDeadlineMs, node } = session
    const leftMs = leaseDeadlineMs - node.clockMs(this.#world.kernel.nowMs)
    if (leftMs <= 0) return
    this.#fail(`S2: session ${sessionId} of ${node.name} was ended when its lease was good for another ${leftMs} ms`)
  }

  #heardAt(server: number, sessionId: bigint, clockMs: number): void {
    const known = this.#heard[server - 1]?.get(sessionId) ?? []
    if (clockMs <= (known.at(-1) ?? 0)) return
    const turnMs = this.#turnMs(server)
    const handed = known.findLastIndex((atMs) => clockMs - atMs > turnMs)
    this.#heard[server - 1]?.set(sessionId, [...known.slice(Math.max(0, handed)), clockMs])
  }

  /** How long a host may take to hand its server what has come, by its clock. */
  #turnMs(server: number): number {
    const node = this.#world.servers[server - 1]?.node
    return node === undefined ? TURN_MS : TURN_MS + node.turnMsMax * node.rate
  }

  #clockMs(server: number): number {
    return this.#world.servers[server - 1]?.node.clockMs(this.#world.kernel.nowMs) ?? 0
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
