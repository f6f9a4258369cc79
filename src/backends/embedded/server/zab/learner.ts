/**
 * The learner's half of ZAB: a follower, or an observer, of one leader over one link, which it dials first.
 *
 * Durable order   synchronised history -> current epoch -> ACK(NEWLEADER) -> only then new proposals are logged and
 *                 ACKed. The journal keeps one queue, and ACKs wait for it, so that nothing can overtake.
 * All or nothing  packets before NEWLEADER are only collected; if the link breaks before, nothing has happened.
 * Applying        nothing is applied before UPTODATE, and nothing that is not committed and durable here.
 *
 * Source          DSN 2011 paper, phases 1 to 3; ZooKeeper Learner.java, Follower.java, Observer.java, and thirteen
 *                 bugs between DIFF and UPTODATE (ZOOKEEPER-2845, 3023, 3104, 3642, 3911, 4394, 4643, 4646, 4685, 4712,
 *                 4785, 4925, 5094).
 */
import { assert } from '../../../../core/assert.ts'
import type { Packet, SessionTouch } from '../../../wire/packets.ts'
import type { ZabConfig } from './configuration.ts'
import { follows } from './journal.ts'
import type { Journal, LogEntry } from './journal.ts'
import type { Outbox } from './outbox.ts'
import { epochOf, formatZxid, zxidOf } from './zxid.ts'

/** The server around a learner, as the learner uses it. */
export interface LearnerHost {
  /**
   * The leader sends its state at this zxid; committed transactions after it follow.
   *
   * @param isFuzzy - whether it can hold parts of them, as one of ZooKeeper can
   */
  receiveSnapshot(zxid: bigint, isFuzzy: boolean): SnapshotIntake
  /** zxid up to which transactions have been applied here. */
  appliedZxid(): bigint
  /** zxid up to which this life of the server has seen that they are committed. */
  confirmedZxid(): bigint
  /** The sessions that were heard of since this was last asked. */
  takeTouched(): readonly SessionTouch[]
}

/** The leader's answer to a client of this server. */
type Answer = Extract<Packet, { type: 'REVALIDATED' | 'SYNCED' }>

/** How the leader's history was brought here. */
type Synchronisation = Pick<Incoming, 'mode'> & { readonly from: bigint }

/** Takes a state in, chunk by chunk, beside the one that is in use. */
export interface SnapshotIntake {
  write(chunk: Uint8Array): void
  /**
   * Replaces the state that is in use by the one that was written.
   *
   * @param committed - the committed transactions after it; a state of ZooKeeper can hold parts of them
   * @returns the state to store in its place, at the last of these; null if it is to be stored as it came
   */
  finish(committed: readonly LogEntry[]): StateToStore | null
}

/** An exact state. */
export interface StateToStore {
  readonly zxid: bigint
  readonly chunks: readonly Uint8Array[]
}

/** A state on its way from the leader. */
interface IncomingState {
  readonly intake: SnapshotIntake
  /** The chunks that have come of it, for the disk. */
  readonly chunks: Uint8Array[]
  isWhole: boolean
}

/** The part of the leader's history that has come before NEWLEADER. */
interface Incoming {
  readonly mode: 'DIFF' | 'TRUNC' | 'SNAP'
  /** Where the entries begin: the learner's log up to here stays, or the snapshot's place. */
  readonly base: bigint
  readonly state: IncomingState | null
  readonly entries: LogEntry[]
  /** The leader has this committed; it may lie beyond the end of the log that this is to replace. */
  committed: bigint
}

/** One server's attempt to follow, from its election to its end. */
export class Learner {
  readonly leader: number
  readonly #start: LearnerStart
  /** The number of the link; 0 before it is there. */
  link = 0
  readonly #config: ZabConfig
  readonly #journal: Journal
  readonly #outbox: Outbox
  readonly #host: LearnerHost
  #epoch = 0
  /** Whether the leader is a server of ZooKeeper. */
  #isPlain = false
  /** LEADERINFO of a leader of ZooKeeper that may not count this server yet, and how long. */
  #held: Packet | null = null
  #uncountedTicks: number
  #needsState = false
  #rewindTo: bigint | null = null
  /** Where it has said that its log ends. */
  #claimedZxid = 0n
  #incoming: Incoming | null = null
  #synchronisation: Synchronisation | null = null
  #phase: 'discovery' | 'synchronisation' | 'waiting' | 'broadcast' = 'discovery'
  #committed: bigint
  #silentTicks = 0
  #failure: string | null = null
  #isLeaderGone = false

  constructor(config: ZabConfig, journal: Journal, outbox: Outbox, host: LearnerHost, start: LearnerStart) {
    this.#config = config
    this.#journal = journal
    this.#outbox = outbox
    this.#host = host
    this.leader = start.leader
    this.#start = start
    this.#uncountedTicks = start.uncountedTicks
    this.#committed = start.committedZxid
    outbox.dial(this.leader)
  }

  /** Everything up to here is committed. */
  get committedZxid(): bigint {
    return this.#committed
  }

  /** Whether it is synchronised with an established leader. */
  get isUpToDate(): boolean {
    return this.#phase === 'broadcast'
  }

  /** Set once the history and the epoch are the leader's: how the history was brought here, and from which zxid on. */
  get synchronisation(): Synchronisation | null {
    return this.#synchronisation
  }

  /** Set once this attempt is over, with the reason; the server must go back to looking. */
  get failure(): string | null {
    return this.#failure
  }

  /** Whether this attempt is over because the leader ended the link, or cannot be reached. */
  get isLeaderGone(): boolean {
    return this.#isLeaderGone
  }

  /** Whether the leader is a server of ZooKeeper, so that the link has none of our extensions. */
  get isPlain(): boolean {
    return this.#isPlain
  }

  /** Whether this attempt is over because the leader's history cannot be joined to the log here. */
  get needsState(): boolean {
    return this.#needsState
  }

  /**
   * Where the files of this server have to be cut, if this attempt is over because the leader does not have the end of
   * what was applied here; null otherwise.
   */
  get rewindTo(): bigint | null {
    return this.#rewindTo
  }

  /** Sends the leader a packet of the server around it: REQUEST, REVALIDATE or SYNC. */
  send(packet: Extract<Packet, { type: 'REQUEST' | 'REVALIDATE' | 'SYNC' }>): void {
    this.#outbox.now(this.leader, this.link, packet)
  }

  /**
   * Receives a packet; those of other links are dropped.
   *
   * @returns the packet, if it is an answer to a client of this server
   */
  receivePacket(from: number, link: number, packet: Packet): Answer | null {
    if (from !== this.leader || link !== this.link || this.#failure !== null) return null
    this.#silentTicks = 0
    if (this.#phase === 'discovery') this.#discover(packet)
    else if (this.#phase === 'synchronisation') this.#synchronise(packet)
    else if (packet.type === 'REVALIDATED' || packet.type === 'SYNCED') return packet
    else this.#follow(packet)
    return null
  }

  /** A link that this server has dialled is there. One more than is wanted is closed. */
  linkOpened(peer: number, link: number): void {
    if (peer !== this.leader || this.link !== 0) {
      this.#outbox.close(peer, link)
      return
    }
    this.link = link
    const type = this.#start.votes ? 'FOLLOWERINFO' : 'OBSERVERINFO'
    this.#outbox.afterPersist(this.leader, this.link, { type, acceptedEpoch: this.#journal.acceptedEpoch })
  }

  /** A server that was dialled cannot be reached. */
  unreachable(peer: number): void {
    if (peer === this.leader && this.link === 0) this.#lose(`server ${peer} cannot be reached`)
  }

  /** The link broke or was closed by the leader. */
  linkClosed(from: number, link: number): void {
    if (from === this.leader && link === this.link) this.#lose(`server ${from} closed the link`)
  }

  /** One tick of logical time. */
  tick(): void {
    this.#silentTicks += 1
    this.#uncountedTicks -= 1
    if (this.#uncountedTicks <= 0 && this.#held !== null && this.#failure === null) {
      const held = this.#held
      this.#held = null
      this.#discover(held)
    }
    const limit = this.#phase === 'broadcast' ? this.#config.syncLimitTicks : this.#config.initLimitTicks
    if (this.#silentTicks > limit) this.#fail(`nothing heard of server ${this.leader} for ${limit} ticks`)
  }

  /** Closes the link; the attempt is over. */
  close(): void {
    if (this.link !== 0) this.#outbox.close(this.leader, this.link)
  }

  #discover(packet: Packet): void {
    if (packet.type !== 'LEADERINFO') {
      this.#unexpected(packet)
      return
    }
    const { acceptedEpoch, currentEpoch } = this.#journal
    this.#isPlain = packet.dialect === 'zookeeper'
    if (this.#isPlain && this.#uncountedTicks > 0) {
      this.#held = packet
      return
    }
    if (packet.epoch < acceptedEpoch) {
      this.#fail(`server ${this.leader} proposes epoch ${packet.epoch}, epoch ${acceptedEpoch} is accepted`)
      return
    }
    this.#epoch = packet.epoch
    if (packet.epoch > acceptedEpoch) this.#journal.acceptEpoch(packet.epoch)
    const known = packet.epoch > acceptedEpoch ? currentEpoch : -1
    // A learner without data gets a state. Only an answer that does not count in the election of the leader may say so.
    const lastZxid = this.#start.needsState && this.#isPlain && known === -1 ? 0n : this.#journal.lastZxid
    this.#claimedZxid = lastZxid
    this.#outbox.afterPersist(this.leader, this.link, { type: 'ACKEPOCH', currentEpoch: known, lastZxid })
    this.#phase = 'synchronisation'
  }

  #synchronise(packet: Packet): void {
    switch (packet.type) {
      case 'DIFF':
        // Its transactions begin where this server has said that its log ends.
        this.#begin(this.#claimedZxid < this.#journal.lastZxid ? 'TRUNC' : 'DIFF', this.#claimedZxid, null)
        break
      case 'TRUNC':
        this.#begin('TRUNC', packet.zxid, null)
        break
      case 'SNAP':
        this.#begin('SNAP', packet.zxid, {
          intake: this.#host.receiveSnapshot(packet.zxid, this.#isPlain),
          chunks: [],
          isWhole: false,
        })
        break
      case 'SNAPCHUNK':
        this.#receiveChunk(packet)
        break
      case 'PROPOSAL':
        this.#collect(packet)
        break
      case 'INFORM':
        // A leader of ZooKeeper tells an observer so what was committed while its state was on the way.
        this.#collect(packet)
        this.#noteCommitted(packet)
        break
      case 'COMMIT':
        this.#noteCommitted(packet)
        break
      case 'PING':
        // Before NEWLEADER is acknowledged, a leader of ZooKeeper takes any answer for a fault.
        break
      case 'NEWLEADER':
        this.#install(packet.zxid)
        break
      default:
        this.#unexpected(packet)
    }
  }

  #noteCommitted(packet: Extract<Packet, { type: 'COMMIT' | 'INFORM' }>): void {
    if (this.#incoming === null) this.#unexpected(packet)
    else this.#incoming.committed = packet.zxid
  }

  #begin(mode: Incoming['mode'], base: bigint, state: IncomingState | null): void {
    if (this.#incoming === null) this.#incoming = { mode, base, state, entries: [], committed: 0n }
    else this.#fail('two synchronisations on one link')
  }

  #receiveChunk(chunk: Extract<Packet, { type: 'SNAPCHUNK' }>): void {
    const state = this.#incoming?.state ?? null
    if (state === null || state.isWhole) {
      this.#unexpected(chunk)
      return
    }
    state.chunks.push(chunk.bytes)
    state.intake.write(chunk.bytes)
    state.isWhole = chunk.isLast
    // A large state takes its time; only a silent leader is given up.
    this.#outbox.now(this.leader, this.link, { type: 'SNAPACK' })
  }

  #collect({ zxid, txn }: LogEntry): void {
    const incoming = this.#incoming
    if (incoming === null || incoming.state?.isWhole === false) {
      this.#fail('a proposal before the synchronisation')
      return
    }
    // A leader of ZooKeeper names the state's zxid after it has begun to queue what follows it.
    if (incoming.state !== null && zxid <= incoming.base) return
    const last = incoming.entries.at(-1)?.zxid ?? incoming.base
    if (this.#fits(follows(last, zxid), `${formatZxid(zxid)} does not follow ${formatZxid(last)}`)) {
      incoming.entries.push({ zxid, txn })
    }
  }

  /**
   * NEWLEADER: the entries collected become this server's history, then the epoch its current one, then the leader is
   * told. The three are queued in this order and become durable in it.
   */
  #install(zxid: bigint): void {
    const incoming = this.#incoming
    const isWhole = incoming !== null && incoming.state?.isWhole !== false
    if (!isWhole || epochOf(zxid) !== this.#epoch || this.#epoch !== this.#journal.acceptedEpoch) {
      this.#fail(`NEWLEADER ${formatZxid(zxid)} where epoch ${this.#epoch} was expected`)
      return
    }
    if (this.#mustRewind(incoming) || !this.#canInstall(incoming)) return
    if (incoming.mode === 'TRUNC') this.#journal.truncate(incoming.base, this.#host.appliedZxid())
    const base = incoming.state === null ? incoming.base : this.#installState(incoming, incoming.state)
    for (const entry of incoming.entries) if (entry.zxid > base || incoming.state === null) this.#journal.append(entry)
    this.#incoming = null
    this.#commit(incoming.committed)
    this.#journal.enterEpoch(this.#epoch)
    this.#synchronisation = { mode: incoming.mode, from: incoming.base }
    this.#acknowledge(zxidOf(this.#epoch, 0))
    this.#phase = 'waiting'
  }

  /**
   * A state that was read from files can hold transactions that were never committed: those that a ZooKeeper had in its
   * log. If the leader cuts them off, the files are cut, and read again.
   */
  #mustRewind({ mode, base }: Incoming): boolean {
    const applied = this.#host.appliedZxid()
    if (mode !== 'TRUNC' || base >= applied || base < this.#host.confirmedZxid()) return false
    this.#rewindTo = base
    this.#fail(`TRUNC to ${formatZxid(base)}, where ${formatZxid(applied)} was read from the files: they are cut`)
    return true
  }

  #canInstall({ mode, base, entries, committed }: Incoming): boolean {
    // A state takes the place of everything, also of what was applied and never committed.
    const applied = mode === 'SNAP' ? this.#host.confirmedZxid() : this.#host.appliedZxid()
    const last = entries.at(-1)?.zxid ?? base
    const isKept = base >= applied && (mode !== 'TRUNC' || this.#journal.covers(base))
    const what = `${mode} to ${formatZxid(base)}`
    if (!this.#fits(isKept, `${what}, where ${formatZxid(applied)} is applied`)) return false
    return !this.#isPlain || this.#fits(committed <= last, `${what} with a commit of ${formatZxid(committed)}`)
  }

  /** @returns the zxid of the state that is installed */
  #installState({ entries, committed, base }: Incoming, { intake, chunks }: IncomingState): bigint {
    const stored = intake.finish(entries.filter(({ zxid }) => zxid <= committed)) ?? { zxid: base, chunks }
    this.#journal.install(stored.zxid, stored.chunks)
    this.#committed = stored.zxid
    return stored.zxid
  }

  #follow(packet: Packet): void {
    switch (packet.type) {
      case 'PROPOSAL':
        if (this.#append(packet)) this.#acknowledge(packet.zxid)
        break
      case 'COMMIT':
        this.#commit(packet.zxid)
        break
      case 'INFORM':
        if (this.#append(packet)) this.#commit(packet.zxid)
        break
      case 'UPTODATE':
        this.#phase = 'broadcast'
        break
      case 'PING':
        this.#answerPing()
        break
      default:
        this.#unexpected(packet)
    }
  }

  /** @returns whether it continues the log */
  #append({ zxid, txn }: LogEntry): boolean {
    const last = this.#journal.lastZxid
    if (!this.#fits(follows(last, zxid), `${formatZxid(zxid)} does not follow ${formatZxid(last)}`)) return false
    this.#journal.append({ zxid, txn })
    return true
  }

  /** A leader of ZooKeeper gives up a learner that answers a ping before it has acknowledged NEWLEADER. */
  #answerPing(): void {
    const answer = { type: 'PING', touched: this.#host.takeTouched() } as const
    if (this.#phase === 'broadcast') this.#outbox.now(this.leader, this.link, answer)
    else this.#outbox.afterPersist(this.leader, this.link, answer)
  }

  /** An ACK is a promise: it waits until the journal, as it is now, is durable. */
  #acknowledge(zxid: bigint): void {
    const { acceptedEpoch, currentEpoch, zxid: last } = this.#journal.mark
    assert(currentEpoch === this.#epoch && acceptedEpoch === this.#epoch, 'an ACK outside of its epoch')
    const isDurableThen = zxid <= last || zxid === zxidOf(this.#epoch, 0)
    assert(isDurableThen, () => `an ACK of ${formatZxid(zxid)}, which is not in the log`)
    this.#outbox.afterPersist(this.leader, this.link, { type: 'ACK', zxid })
  }

  #commit(zxid: bigint): void {
    const last = this.#journal.lastZxid
    const isLogged = this.#fits(zxid <= last, `COMMIT of ${formatZxid(zxid)}, the log ends at ${formatZxid(last)}`)
    if (isLogged && zxid > this.#committed) this.#committed = zxid
  }

  /**
   * Checks a rule that our leaders never break. A leader of ZooKeeper can: then this attempt is over, and the next one
   * asks for its state.
   */
  #fits(isSo: boolean, otherwise: string): boolean {
    assert(isSo || this.#isPlain, otherwise)
    if (isSo) return true
    this.#needsState = true
    this.#fail(`${otherwise}, so server ${this.leader} is asked for its state`)
    return false
  }

  #unexpected(packet: Packet): void {
    this.#fail(`unexpected ${packet.type} of server ${this.leader} in ${this.#phase}`)
  }

  #lose(reason: string): void {
    if (this.#failure === null) this.#isLeaderGone = true
    this.#fail(reason)
  }

  #fail(reason: string): void {
    this.#failure ??= reason
  }
}

/** The facts that an attempt to follow begins with. */
export interface LearnerStart {
  readonly leader: number
  readonly votes: boolean
  /** This server knows everything up to here to be committed. */
  readonly committedZxid: bigint
  /**
   * Ticks that must pass before a leader of ZooKeeper, which counts every voter, may count this one: it has no vote,
   * and attempts to lead that had a promise of an earlier life may not be over.
   */
  readonly uncountedTicks: number
  /** The last attempt ended with {@link Learner.needsState}. */
  readonly needsState: boolean
}
