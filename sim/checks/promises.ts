/**
 * Promises between servers: a packet leaves only when the state that it promises is durable.
 *
 * P2   LEADERINFO and ACKEPOCH of an epoch leave when it is durable there as the accepted one.
 * P5   ACK of a transaction leaves when it and the current epoch are durable; ACK of NEWLEADER, when the whole history
 *      that came before NEWLEADER is. UPTODATE leaves when a majority has acknowledged the epoch, COMMIT and INFORM
 *      when a majority has the transaction on its disks: a leader counts itself only for what its own disk has, and
 *      observers never.
 */
import type { Packet } from '../../src/backends/wire/packets.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { isMajority } from '../configurations.ts'
import { epochOf, hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Tap, TapObserver } from '../tap.ts'
import type { CheckedWorld } from '../checked-world.ts'

const COUNTER_MASK = 0xffffffffn

/** The packets of one link, as far as its learner has heard them. */
interface Told {
  epoch: number
  /** The last zxid that came before NEWLEADER. */
  syncZxid: bigint
  isSynced: boolean
}

export class PromisesCheck implements Check, TapObserver, LedgerListener {
  readonly name = 'promises'
  readonly covers = ['P2', 'P5']
  readonly #world: CheckedWorld
  readonly #ledger: Ledger
  /** By the number of the link, which its learner draws. */
  readonly #told = new Map<number, Told>()
  /** By learner, the packets of its latest link. */
  readonly #latest = new Map<number, Told>()
  /** By server, the last epoch that it acknowledged. */
  readonly #entered = new Map<number, number>()

  /** Checks the packets of a world. */
  constructor(world: CheckedWorld, ledger: Ledger, tap: Tap) {
    this.#world = world
    this.#ledger = ledger
    ledger.listen(this)
    tap.observe(this)
  }

  /** A current epoch stands for the whole history before it, so that has to be there first (ZOOKEEPER-4643). */
  entered(server: number, epoch: number): void {
    const told = this.#latest.get(server)
    if (told?.epoch !== epoch || !told.isSynced || this.#ledger.mirror(server).holds(told.syncZxid)) return
    this.#fail(`P5: server ${server} is in epoch ${epoch} without ${hex(told.syncZxid)} on its disk`)
  }

  packetReceived(_from: number, to: number, link: number, packet: Packet): void {
    switch (packet.type) {
      case 'LEADERINFO': {
        const told = { epoch: packet.epoch, syncZxid: 0n, isSynced: false }
        this.#told.set(link, told)
        this.#latest.set(to, told)
        break
      }
      case 'DIFF':
      case 'TRUNC':
      case 'SNAP':
      case 'PROPOSAL': {
        const told = this.#told.get(link)
        if (told !== undefined && !told.isSynced) told.syncZxid = packet.zxid
        break
      }
      case 'NEWLEADER': {
        const told = this.#told.get(link)
        if (told !== undefined) told.isSynced = true
        break
      }
      default:
    }
  }

  packetSent(from: number, _to: number, link: number, packet: Packet): void {
    switch (packet.type) {
      case 'LEADERINFO':
        this.#expectAccepted(from, packet.epoch, 'LEADERINFO')
        break
      case 'ACKEPOCH':
        this.#expectAccepted(from, this.#told.get(link)?.epoch ?? 0, 'ACKEPOCH')
        break
      case 'ACK':
        this.#acknowledged(from, link, packet.zxid)
        break
      case 'UPTODATE':
        this.#expectEstablished(from, this.#told.get(link)?.epoch ?? 0)
        break
      case 'COMMIT':
      case 'INFORM':
        this.#expectMajority(from, packet.zxid)
        break
      default:
    }
  }

  #expectAccepted(server: number, epoch: number, what: string): void {
    const { acceptedEpoch } = this.#ledger.mirror(server)
    if (acceptedEpoch >= epoch) return
    this.#fail(`P2: server ${server} sent ${what} of epoch ${epoch}, on its disk is ${acceptedEpoch}`)
  }

  #acknowledged(server: number, link: number, zxid: bigint): void {
    const mirror = this.#ledger.mirror(server)
    const epoch = epochOf(zxid)
    const isNewLeader = (zxid & COUNTER_MASK) === 0n
    const needed = isNewLeader ? (this.#told.get(link)?.syncZxid ?? 0n) : zxid
    if (!mirror.holds(needed)) {
      this.#fail(`P5: server ${server} acknowledged ${hex(zxid)} without ${hex(needed)} on its disk`)
    }
    if (mirror.currentEpoch < epoch) {
      this.#fail(`P5: server ${server} acknowledged ${hex(zxid)}, on its disk is epoch ${mirror.currentEpoch}`)
    }
    if (isNewLeader) this.#entered.set(server, Math.max(this.#entered.get(server) ?? 0, epoch))
  }

  #expectEstablished(leader: number, epoch: number): void {
    const { currentEpoch } = this.#ledger.mirror(leader)
    if (currentEpoch < epoch) {
      this.#fail(`P5: server ${leader} sent UPTODATE in epoch ${epoch}, on its own disk is ${currentEpoch}`)
    }
    const supporters = this.#world.servers.map(({ id }) => id).filter((id) => {
      return id === leader || (this.#entered.get(id) ?? 0) >= epoch
    })
    if (isMajority(supporters, this.#ledger.voters)) return
    this.#fail(`P5: server ${leader} sent UPTODATE in epoch ${epoch} with only ${supporters.join(' ')} in it`)
  }

  #expectMajority(leader: number, zxid: bigint): void {
    if (this.#ledger.isCommitted(zxid)) return
    const lacking = this.#ledger.lacking(leader, zxid)
    if (lacking === null) return
    const holders = `servers ${this.#ledger.holdersOf(zxid).join(' ')} only, voters are ${lacking.join(' ')}`
    this.#fail(`P5: server ${leader} committed ${hex(zxid)}, which is durable on ${holders}`)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
