/**
 * Discovery: a prospective leader finds out whether it may lead, and whom it would lose.
 *
 * P4   a leader that is not established brings nobody to its history who has seen more: it may lack what was committed.
 * V1   nobody is offered an epoch lower than the one that it has accepted: it would refuse it as long as the leader
 *      stands.
 */
import type { Packet } from '../../src/backends/wire/packets.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { epochOf, hex } from '../ledger.ts'
import type { Ledger } from '../ledger.ts'
import type { Tap, TapObserver } from '../tap.ts'

/** How much a server has seen: compared by epoch, then by zxid. */
interface History {
  readonly epoch: number
  readonly zxid: bigint
}

/** A leader's knowledge of a learner, by their link. */
interface Known {
  readonly votes: boolean
  readonly acceptedEpoch: number
  history: History | null
}

export class DiscoveryCheck implements Check, TapObserver {
  readonly name = 'discovery'
  readonly covers = ['P4', 'V1']
  readonly #ledger: Ledger
  readonly #known = new Map<number, Known>()
  /** By server, the epoch that it offered last, and the history with which it began to. */
  readonly #begun = new Map<number, { readonly offered: number; readonly history: History }>()
  /** Epochs whose leaders have told somebody that they are established. */
  readonly #established = new Set<number>()

  /** Checks what servers of a world tell each other. */
  constructor(ledger: Ledger, tap: Tap) {
    this.#ledger = ledger
    tap.observe(this)
  }

  packetReceived(_from: number, _to: number, link: number, packet: Packet): void {
    if (packet.type === 'FOLLOWERINFO' || packet.type === 'OBSERVERINFO') {
      const votes = packet.type === 'FOLLOWERINFO'
      this.#known.set(link, { votes, acceptedEpoch: packet.acceptedEpoch, history: null })
    } else if (packet.type === 'ACKEPOCH') {
      const known = this.#known.get(link)
      // A learner that had accepted the epoch before says -1: it has told the same leader already.
      if (known !== undefined && packet.currentEpoch !== -1) {
        known.history = { epoch: packet.currentEpoch, zxid: packet.lastZxid }
      }
    }
  }

  packetSent(from: number, to: number, link: number, packet: Packet): void {
    if (packet.type === 'LEADERINFO') this.#offered(from, to, link, packet.epoch)
    else if (packet.type === 'NEWLEADER') this.#brought(from, to, link, epochOf(packet.zxid))
    else if (packet.type === 'UPTODATE') this.#established.add(this.#ledger.mirror(from).currentEpoch)
  }

  #offered(leader: number, learner: number, link: number, epoch: number): void {
    const { currentEpoch, lastZxid } = this.#ledger.mirror(leader)
    // It leaves after the leader's disk has the epoch, so the leader's log is there as it was when it chose it.
    if (this.#begun.get(leader)?.offered !== epoch) {
      this.#begun.set(leader, { offered: epoch, history: { epoch: currentEpoch, zxid: lastZxid } })
    }
    const accepted = this.#known.get(link)?.acceptedEpoch ?? 0
    if (accepted <= epoch) return
    const message = `V1: server ${leader} offers epoch ${epoch} to server ${learner}, which has accepted ${accepted}`
    throw new Violation(this.name, message, 'liveness')
  }

  #brought(leader: number, learner: number, link: number, epoch: number): void {
    const known = this.#known.get(link)
    const begun = this.#begun.get(leader)
    if (begun?.offered !== epoch || known?.votes !== true || this.#established.has(epoch)) return
    if (known.history === null || !isAhead(known.history, begun.history)) return
    const [theirs, own] = [known.history, begun.history].map(({ epoch: of, zxid }) => `${hex(zxid)} in epoch ${of}`)
    throw new Violation(this.name, `P4: server ${leader} at ${own} leads server ${learner}, which has seen ${theirs}`)
  }
}

function isAhead(a: History, b: History): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.zxid > b.zxid)
}
