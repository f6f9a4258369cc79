/**
 * One server of an ensemble as a pure machine: inputs are methods, output is data.
 *
 *     ticks, peers' messages, clients' requests  ->  Server  ->  Ready: what to send, persist, answer, close
 *
 * There is no timer, socket, file, clock or source of chance in here, so the same inputs give the same output, in
 * production and in the simulator alike. This file joins the two halves, which do not know each other: consensus
 * (election, leader, learner, journal), to which a transaction is opaque bytes, and state (tree, sessions, watches,
 * prepare, connections), which knows nothing of peers.
 *
 * Host        calls the inputs, then takes `ready()` until it is null. `sendNow`, `replies`, `close` may go at once;
 *             then `persist`, in order; then `sendAfterPersist`; then `advance(ready)`, for each ready in the order it
 *             was taken. An AssertionError means that the machine is broken: the host must stop it and use it no more.
 * Source      design of etcd-io/raft (RawNode and Ready); ZooKeeper's request processors.
 */
import { assert } from '../../../core/assert.ts'
import type { Packet, PeerMessage } from '../../wire/packets.ts'
import type { ClientMessage } from '../../wire/records.ts'
import { decodeTransaction } from '../../wire/transactions.ts'
import type { ServerConfig } from './config.ts'
import { Connections } from './clients/connections.ts'
import { Election, NOBODY } from './zab/election.ts'
import type { Elected } from './zab/election.ts'
import { inspect } from './inspection.ts'
import type { ServerInspection } from './inspection.ts'
import { Journal, NO_COMMIT_LOG } from './zab/journal.ts'
import type { Recovered } from './zab/journal.ts'
import { Leader } from './zab/leader.ts'
import { Learner } from './zab/learner.ts'
import { LocalSessions } from './clients/local-sessions.ts'
import type { WriteRequest } from './writes/prepare.ts'
import type { RandomSource } from './random.ts'
import type { Ready, ServerEvent, ServerStatus } from './ready.ts'
import { Replica } from './state/replica.ts'
import type { RecoveredState } from './state/replica.ts'
import type { State } from './state/state.ts'
import { Term } from './writes/sequencer.ts'
import { Outbox, laterOf, zxidOf } from './zab/zab.ts'
import type { LogEntry } from './zab/zab.ts'

/** The number of the sync by which a server asks for its vote; those that clients ask for count from 1. */
const VOTE_SYNC_ID = 0

/** One server. */
export class Server {
  readonly #config: ServerConfig
  readonly #random: RandomSource
  readonly #journal: Journal
  readonly #outbox = new Outbox()
  readonly #election: Election
  readonly #connections: Connections
  readonly #replica: Replica
  /** While this server leads and serves. */
  #term: Term | null = null
  #leader: Leader | null = null
  #learner: Learner | null = null
  /** Of a server that lost its storage: whether it has caught up, and has asked to have that confirmed. */
  #amnesia: 'none' | 'caught-up' | 'asked' = 'none'
  #serving = false
  readonly #localSessions = new LocalSessions()
  /** FOLLOWERINFOs and OBSERVERINFOs that came while this server was still looking. */
  #early = new Map<number, { readonly link: number; readonly packet: Packet }>()
  #epochFloor: number
  #lookInTicks = 0
  #ticks = 0
  #wallTimeMs: number
  #events: ServerEvent[] = []

  /**
   * Makes a server that starts to look for a leader.
   *
   * @param config - its configuration
   * @param recovered - what its storage holds
   * @param random - source of chance
   * @param wallTimeMs - wall clock, milliseconds since 1970
   */
  constructor(config: ServerConfig, recovered: Recovered & RecoveredState, random: RandomSource, wallTimeMs: number) {
    this.#config = config
    this.#epochFloor = config.firstEpoch - 1
    this.#random = random
    this.#wallTimeMs = wallTimeMs
    this.#journal = new Journal(recovered)
    this.#election = new Election(config, this.#outbox)
    this.#replica = new Replica(config, recovered, random)
    if (config.bootstrap) this.#journal.grantVote()
    this.#connections = this.#makeConnections()
    this.#look('start')
  }

  // Inputs

  /**
   * Sets the wall clock for the inputs that follow. It is stamped into transactions and decides nothing but a node's
   * time to live.
   */
  setWallTime(wallTimeMs: number): void {
    this.#wallTimeMs = wallTimeMs
  }

  /** Lets one tick of logical time pass. */
  tick(): void {
    this.#ticks += 1
    if (this.#lookInTicks > 0) {
      this.#lookInTicks -= 1
      if (this.#lookInTicks === 0) this.#startElection()
    }
    this.#election.tick()
    this.#leader?.tick()
    this.#learner?.tick()
    this.#term?.tick(this.#wallTimeMs)
    this.#askForVote()
    this.#connections.tick()
    this.#settle()
  }

  /** Receives a message of another server. */
  receivePeer(from: number, message: PeerMessage): void {
    if (message.type === 'NOTIFICATION') this.#election.receive(from, message)
    else if (this.#leader !== null) this.#leader.receive(from, message.link, message.packet)
    else if (message.packet.type === 'FOLLOWERINFO' || message.packet.type === 'OBSERVERINFO') {
      this.#receiveEarly(from, message.link, message.packet)
    } else this.#learner?.receive(from, message.link, message.packet)
    this.#settle()
  }

  /** A link to or from another server is closed. */
  disconnectPeer(peer: number, link: number): void {
    this.#leader?.linkClosed(peer, link)
    this.#learner?.linkClosed(peer, link)
    if (this.#early.get(peer)?.link === link) this.#early.delete(peer)
    this.#settle()
  }

  /**
   * A client has connected; to be told before its first message, if its address is known.
   *
   * @param address - its IP address, which is an identity of the client
   */
  openClient(connection: number, address: string): void {
    this.#connections.open(connection, address)
  }

  /** Receives a message of a client on a connection; the first message opens it. */
  receiveClient(connection: number, message: ClientMessage): void {
    this.#connections.receive(connection, message)
    this.#settle()
  }

  /** A connection of a client is closed. */
  disconnectClient(connection: number): void {
    this.#connections.disconnect(connection)
  }

  /**
   * Ends a session as if its time-out had passed; does nothing on a server that does not lead.
   *
   * @returns false if this server does not lead, or there is no such session
   */
  expireSession(sessionId: bigint): boolean {
    const isExpired = this.#term?.expire(sessionId, this.#wallTimeMs) ?? false
    this.#settle()
    return isExpired
  }

  /** Cuts the connection of a session that is connected here, as a broken network would. */
  disconnectSession(sessionId: bigint): boolean {
    return this.#connections.disconnectSession(sessionId)
  }

  // Output

  /** What there is to do, or null. May be called again before the last one is advanced. */
  ready(): Ready | null {
    this.#leader?.flush()
    this.#settle()
    const { hasOutput } = this.#connections
    const snapshot = this.#replica.takeSnapshot()
    const isIdle = this.#outbox.empty && !hasOutput && !this.#journal.dirty && snapshot === null
    if (isIdle && this.#events.length === 0) return null
    const { sendNow, sendAfterPersist, closeLinks } = this.#outbox
    this.#outbox.sendNow = []
    this.#outbox.sendAfterPersist = []
    this.#outbox.closeLinks = []
    const { replies, closes } = this.#connections.take()
    const events = this.#events
    this.#events = []
    const { mark } = this.#journal
    const persist = this.#journal.take()
    return { sendNow, persist, sendAfterPersist, snapshot, replies, close: closes, closeLinks, events, mark }
  }

  /** Learns that everything of this ready is done, and what was to be persisted is durable. */
  advance(ready: Ready): void {
    if (ready.persist.length === 0) return
    this.#journal.persisted(ready.mark)
    this.#leader?.persisted()
    this.#settle()
  }

  /** Where this server stands. */
  status(): ServerStatus {
    return {
      myid: this.#config.myid,
      role: this.#role,
      leader: this.#leader === null ? (this.#learner?.leader ?? null) : this.#config.myid,
      serving: this.#serving,
      epoch: this.#journal.currentEpoch,
      zxid: this.#state.lastZxid,
      loggedZxid: this.#journal.lastZxid,
      sessions: this.#state.sessions.size,
      connections: this.#connections.count,
      watches: this.#connections.watches.count,
      nodes: this.#state.tree.nodeCount,
    }
  }

  /** Requests of clients that are not answered yet, and sessions that are being set up. */
  get unanswered(): number {
    return this.#connections.unanswered
  }

  /** What there is to see of it, for operators. Of a moment: its lists are made when they are asked for. */
  inspect(): ServerInspection {
    return inspect({
      state: this.#state,
      connections: this.#connections,
      expiresInMs: (sessionId) => this.#term?.expiresInMs(sessionId) ?? null,
      leading: this.#leader === null || this.#term === null ? null : { ...this.#leader.counts, ...this.#term.age },
    })
  }

  /** The applied state as a snapshot: equal states give equal bytes. */
  snapshot(): Uint8Array {
    return this.#state.snapshot()
  }

  get #role(): ServerStatus['role'] {
    if (this.#leader !== null) return 'LEADING'
    if (this.#learner === null) return 'LOOKING'
    return this.#mayVote ? 'FOLLOWING' : 'OBSERVING'
  }

  // Roles

  /** Draws the conclusions of an input: an election that is decided, an attempt that is over, transactions to apply. */
  #settle(): void {
    this.#connections.expectConsensus()
    const elected = this.#election.takeElected()
    if (elected !== null) this.#join(elected)
    const abdication = this.#leader?.abdication ?? null
    if (abdication !== null) {
      this.#epochFloor = Math.max(this.#epochFloor, abdication.epochFloor)
      this.#look(abdication.reason)
    }
    const failure = this.#learner?.failure ?? null
    if (failure !== null) this.#look(failure)
    this.#applyCommitted()
  }

  /** Leaves the present role, if any, and looks for a leader: at once if it had one, otherwise with the next tick. */
  #look(reason: string): void {
    const hadService = this.#serving || (this.#leader === null && this.#learner === null)
    this.#leader?.close()
    this.#learner?.close()
    this.#leader = null
    this.#learner = null
    this.#term = null
    this.#serving = false
    this.#amnesia = 'none'
    this.#localSessions.forgetSyncs()
    this.#connections.closeAll()
    this.#events.push({ type: 'looking', round: this.#election.logicalClock + 1, reason })
    // An attempt that failed before it served is repeated by the clock, not by messages, so that two cannot spin.
    if (hadService) this.#startElection()
    else this.#lookInTicks = 1
  }

  #startElection(): void {
    this.#lookInTicks = 0
    const { currentEpoch, lastZxid } = this.#journal
    this.#election.look(this.#mayVote ? { peerEpoch: currentEpoch, zxid: lastZxid } : null)
  }

  #join({ vote, supporters }: Elected): void {
    this.#events.push({ type: 'elected', vote, supporters, round: this.#election.logicalClock })
    assert(vote.leader !== NOBODY, 'nobody was elected')
    if (vote.leader === this.#config.myid) this.#lead()
    else this.#learn(vote.leader)
    for (const [from, { link, packet }] of [...this.#early].sort(([a], [b]) => a - b)) {
      if (this.#leader === null) this.#outbox.close(from, link)
      else this.#leader.receive(from, link, packet)
    }
    this.#early.clear()
  }

  #receiveEarly(from: number, link: number, packet: Packet): void {
    if (this.#learner !== null) this.#outbox.close(from, link)
    else this.#early.set(from, { link, packet })
  }

  #lead(): void {
    this.#election.settle('LEADING')
    const start = { committedZxid: this.#state.lastZxid, epochFloor: this.#epochFloor }
    this.#leader = new Leader(this.#config, this.#journal, this.#outbox, {
      openSnapshot: () => this.#state.openSnapshot(),
      established: () => {
        this.#election.enterEpoch(this.#journal.currentEpoch)
        this.#applyCommitted()
        this.#beginTerm(this.#leader)
      },
      request: (from, request) => {
        this.#term?.submit(request as WriteRequest, from, this.#wallTimeMs)
      },
      revalidate: (from, packet) => this.#term?.revalidate(packet, from) ?? null,
      touched: (sessions) => {
        for (const { sessionId } of sessions) this.#term?.touch(sessionId)
      },
      synced: (syncId) => {
        this.#synced(syncId)
      },
    }, start)
  }

  /** The whole history is applied; from here on this server proposes. */
  #beginTerm(leader: Leader | null): void {
    assert(leader !== null, 'a term without a leader')
    assert(this.#state.lastZxid === this.#journal.lastZxid, 'a leader has applied its history before it proposes')
    const proposer = {
      get nextZxid() {
        return leader.nextZxid
      },
      propose: (txn: Uint8Array) => {
        leader.propose(txn)
      },
      expired: (sessionId: bigint) => {
        this.#events.push({ type: 'expired', sessionId })
      },
      undecided: (sessionId: bigint, error: unknown) => {
        this.#events.push({ type: 'client-failed', sessionId, error })
      },
    }
    this.#term = new Term(this.#state, proposer, this.#config)
    this.#epochFloor = 0
    this.#serve('LEADING')
  }

  #learn(leader: number): void {
    this.#election.settle(this.#mayVote ? 'FOLLOWING' : 'OBSERVING')
    const votes = this.#mayVote
    const start = { leader, link: this.#random.u32(), votes, committedZxid: this.#state.lastZxid }
    this.#learner = new Learner(this.#config, this.#journal, this.#outbox, {
      receiveSnapshot: (zxid) => this.#replica.receive(zxid),
      appliedZxid: () => this.#state.lastZxid,
      synchronised: (mode, from) => {
        this.#events.push({ type: 'synchronised', mode, from })
      },
      enteredEpoch: (epoch) => {
        this.#election.enterEpoch(epoch)
      },
      upToDate: () => {
        this.#applyCommitted()
        this.#upToDate(leader)
      },
      revalidated: (packet) => {
        this.#connections.revalidated(packet)
      },
      synced: (syncId) => {
        this.#synced(syncId)
      },
      takeTouched: () => this.#localSessions.takeTouched(),
    }, start)
  }

  #upToDate(leader: number): void {
    if (this.#isVoter && !this.#mayVote) {
      this.#amnesia = 'caught-up'
      this.#askForVote()
      return
    }
    assert(leader !== this.#config.myid, 'a learner of itself')
    this.#serve(this.#mayVote ? 'FOLLOWING' : 'OBSERVING')
  }

  /**
   * A server that came back without its storage may have promised anything. Once a majority that does not count it
   * confirms the leader, and every attempt to lead that could still count a promise of its earlier life is over, what
   * it promised is either here or void, and it can vote again (decision 0006).
   */
  #askForVote(): void {
    if (this.#amnesia !== 'caught-up' || this.#ticks < this.#config.initLimitTicks) return
    this.#amnesia = 'asked'
    this.#learner?.send({ type: 'SYNC', syncId: VOTE_SYNC_ID, touched: [] })
  }

  get #isVoter(): boolean {
    return this.#config.voters.includes(this.#config.myid)
  }

  get #mayVote(): boolean {
    return this.#isVoter && this.#journal.votes
  }

  #serve(role: 'LEADING' | 'FOLLOWING' | 'OBSERVING'): void {
    this.#serving = true
    this.#events.push({ type: 'serving', role, epoch: this.#journal.currentEpoch })
  }

  #synced(syncId: number): void {
    if (syncId === VOTE_SYNC_ID) {
      if (this.#amnesia !== 'asked') return
      this.#journal.grantVote()
      this.#look('caught up; votes again')
      return
    }
    this.#localSessions.confirm(syncId, this.#committed)
    this.#answerSyncs()
  }

  #answerSyncs(): void {
    for (;;) {
      const syncId = this.#localSessions.takeDue(this.#state.lastZxid)
      if (syncId === null) return
      this.#connections.synced(syncId)
    }
  }

  get #committed(): bigint {
    return this.#leader?.committedZxid ?? this.#learner?.committedZxid ?? 0n
  }

  // Requests

  #makeConnections(): Connections {
    return new Connections({
      myid: this.#config.myid,
      minSessionTimeoutMs: this.#config.minSessionTimeoutMs,
      maxSessionTimeoutMs: this.#config.maxSessionTimeoutMs,
      requestBytesMax: this.#config.requestBytesMax,
      responseBytesMax: this.#config.responseBytesMax,
      superDigest: this.#config.superDigest,
      reconfigEnabled: this.#config.reconfigEnabled,
      isAlone: this.#config.voters.length === 1 && this.#isVoter,
      state: () => this.#state,
      isServing: () => this.#serving,
      seenHere: () => laterOf(this.#state.lastZxid, zxidOf(this.#journal.currentEpoch, 0)),
      submit: (request) => {
        if (this.#leader === null) this.#learner?.send({ type: 'REQUEST', request })
        else this.#term?.submit(request, this.#config.myid, this.#wallTimeMs)
      },
      sync: (syncId) => {
        if (this.#leader !== null) this.#leader.sync(syncId)
        else this.#learner?.send({ type: 'SYNC', syncId, touched: this.#localSessions.takeTouched() })
      },
      revalidate: (packet) => {
        if (this.#leader === null) this.#learner?.send(packet)
        else if (this.#term !== null) this.#connections.revalidated(this.#term.revalidate(packet, this.#config.myid))
      },
      clientFailed: (sessionId, error) => {
        this.#events.push({ type: 'client-failed', sessionId, error })
      },
      touch: (sessionId) => {
        this.#touch(sessionId)
      },
    }, this.#random)
  }

  #touch(sessionId: bigint): void {
    if (this.#term !== null) this.#term.touch(sessionId)
    else this.#localSessions.touch(sessionId, () => this.#connections.timeoutMsOf(sessionId))
  }

  // State

  get #state(): State {
    return this.#replica.state
  }

  /** Applies, in order, what is committed and durable here: what a client has seen, this server cannot forget. */
  #applyCommitted(): void {
    const isUpToDate = this.#leader?.isEstablished ?? this.#learner?.isUpToDate ?? false
    if (!isUpToDate) return
    const committed = this.#committed
    const durable = this.#journal.durable.zxid
    const end = committed < durable ? committed : durable
    if (end <= this.#state.lastZxid) return
    for (const entry of this.#journal.range(this.#state.lastZxid, end)) this.#apply(entry)
    this.#answerSyncs()
    this.#journal.trim(this.#state.lastZxid, this.#leader?.isAlone === true ? NO_COMMIT_LOG : this.#config)
    this.#replica.openDueSnapshot()
  }

  #apply({ zxid, txn }: LogEntry): void {
    const transaction = this.#term?.take(zxid, txn) ?? decodeTransaction(txn)
    const applied = this.#replica.apply(transaction, txn.length)
    this.#term?.applied(zxid, applied)
    this.#connections.applied(transaction, applied)
  }
}
