/**
 * A server that looks for a leader. It serves nobody, but after a while those who only read, where that is wanted;
 * learners that come early wait until it is known who leads.
 */
import type { Packet } from '../../../wire/packets.ts'
import type { Answer, RoleEnd, RoleInputs, ServerParts } from './role.ts'

/** A learner's first packet. */
interface Early {
  readonly from: number
  readonly link: number
  readonly packet: Packet
}

/** The facts that a server begins to look with. */
interface LookingStart {
  /** Ticks until the election starts; 0 for at once. */
  readonly waitTicks: number
  /** The leader until now, if its vote is not waited for. */
  readonly goneLeader: number | null
  /** This server is about to end: it votes for nobody. */
  readonly isLeaving: boolean
}

/** The role of a server between two others. */
export class Looking implements RoleInputs {
  readonly kind = 'looking'
  readonly name = 'LOOKING'
  readonly leader = null
  readonly committedZxid = 0n
  readonly isPlain = false
  readonly isUpToDate = false
  readonly mayServe = false
  readonly takesClients = false
  readonly #parts: ServerParts
  readonly #early = new Map<number, Early>()
  readonly #start: LookingStart
  #waitTicks: number
  #lookedTicks = 0
  /** It began to look without its vote. */
  #lacksVote = false

  /** Begins to look. */
  constructor(parts: ServerParts, start: LookingStart) {
    this.#parts = parts
    this.#start = start
    this.#waitTicks = start.waitTicks
    if (this.#waitTicks === 0) this.#startElection()
  }

  /** FOLLOWERINFOs and OBSERVERINFOs that came meanwhile, one per server, ascending. */
  get early(): readonly Early[] {
    return [...this.#early.values()].sort((a, b) => a.from - b.from)
  }

  get end(): RoleEnd | null {
    if (!this.#lacksVote || !this.#parts.journal.votes) return null
    return { reason: 'no voter has promised anything: the ensemble begins', epochFloor: 0 }
  }

  /** Whether it has looked in vain for so long that clients may read here. */
  get isReadOnlyDue(): boolean {
    const { readOnlyWaitTicks } = this.#parts.config
    return readOnlyWaitTicks !== null && this.#lookedTicks >= readOnlyWaitTicks && !this.#start.isLeaving
  }

  tick(): void {
    this.#lookedTicks += 1
    if (this.#waitTicks === 0) return
    this.#waitTicks -= 1
    if (this.#waitTicks === 0) this.#startElection()
  }

  receivePacket(from: number, link: number, packet: Packet): void {
    const opens = packet.type === 'FOLLOWERINFO' || packet.type === 'OBSERVERINFO'
    if (opens) this.#early.set(from, { from, link, packet })
  }

  linkOpened(peer: number, link: number, isDialled: boolean): void {
    // It was dialled in an earlier role.
    if (isDialled) this.#parts.outbox.close(peer, link)
  }

  unreachable(): void {}

  linkClosed(peer: number, link: number): void {
    if (this.#early.get(peer)?.link === link) this.#early.delete(peer)
  }

  // There is nobody to ask, and no client that asks.

  serve(): void {}
  submit(): void {}
  sync(): void {}
  revalidate(): void {}
  touch(): boolean {
    return true
  }
  persisted(): void {}
  flush(): void {}
  reconfigured(): void {
    if (this.#waitTicks === 0) this.#startElection()
  }
  takeAnswers(): readonly Answer[] {
    return []
  }
  close(): void {}

  #startElection(): void {
    const { config, journal, membership, election } = this.#parts
    const { currentEpoch, lastZxid } = journal
    const isVoter = membership.mayCount(config.myid)
    this.#lacksVote = isVoter && !journal.votes
    const mayVote = isVoter && journal.votes && !this.#start.isLeaving
    election.look(mayVote ? { peerEpoch: currentEpoch, zxid: lastZxid } : null, this.#start.goneLeader)
  }
}
