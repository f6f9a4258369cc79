/**
 * One server of an ensemble as a pure machine: inputs are methods, output is data.
 *
 *     ticks, peers' messages, clients' requests  ->  Server  ->  Ready: to send, to persist, to answer, to close
 *
 * There is no timer, socket, file, clock or source of chance in here, so the same inputs give the same output, in
 * production and in the simulator alike. This file and its roles (roles/) join the two halves, which do not know each
 * other: consensus (zab/), to which a transaction is opaque bytes, and state (state/, writes/, clients/), which knows
 * nothing of peers.
 *
 * Inputs      go to the present role: looking, leading or following. No role calls back; after every input `#settle`
 *             draws the conclusions, all of them and nowhere else.
 *
 * Host        calls the inputs, then takes `ready()` until it is null. `dial`, `sendNow`, `replies`, `close` may go at
 *             once; then `persist`, in order; then `sendAfterPersist`; then `advance(ready)`, for each ready in the
 *             order it was taken. An AssertionError means that the machine is broken: the host must stop it and discard
 *             it.
 * Source      design of etcd-io/raft (RawNode and Ready); ZooKeeper's request processors.
 */
import { assert } from '../../../core/assert.ts'
import type { Configuration } from '../../wire/configuration.ts'
import type { Notification, Packet } from '../../wire/packets.ts'
import type { ClientMessage } from '../../wire/records.ts'
import { decodeTransaction } from '../../wire/transactions.ts'
import type { Transaction } from '../../wire/transactions.ts'
import { zooKeeperPassword } from '../../wire/zookeeper-password.ts'
import { Connections } from './clients/connections.ts'
import { LeaderExchange } from './clients/leader-exchange.ts'
import type { ServerConfig } from './config.ts'
import { withDigests } from './roles/digested-log.ts'
import { inspect } from './inspection.ts'
import type { ServerInspection } from './inspection.ts'
import type { ServerPorts } from './ports.ts'
import type { Ready, ServerEvent, ServerStatus } from './ready.ts'
import { Following } from './roles/following.ts'
import { Leading } from './roles/leading.ts'
import { Looking } from './roles/looking.ts'
import type { RoleEnd, ServerParts } from './roles/role.ts'
import { NO_IDENTITIES } from './state/identities.ts'
import type { Identity } from './state/identities.ts'
import { Replica } from './state/replica.ts'
import type { RecoveredState } from './state/replica.ts'
import type { State } from './state/state.ts'
import { beginningOf } from './zab/beginning.ts'
import { Election, NOBODY } from './zab/election.ts'
import type { Elected } from './zab/election.ts'
import { Journal, NO_COMMIT_LOG } from './zab/journal.ts'
import type { LogEntry, Recovered } from './zab/journal.ts'
import { membershipOf } from './zab/membership.ts'
import type { Membership } from './zab/membership.ts'
import { Outbox } from './zab/outbox.ts'
import { zxidOf } from './zab/zxid.ts'

/** One server. */
export class Server {
  readonly #config: ServerConfig
  readonly #ports: ServerPorts
  readonly #journal: Journal
  readonly #membership: Membership
  readonly #outbox = new Outbox()
  readonly #election: Election
  readonly #connections: Connections
  readonly #replica: Replica
  readonly #parts: ServerParts
  readonly #exchange = new LeaderExchange()
  /** Who is at the other end of each link that is open. */
  readonly #links = new Map<number, number>()
  #role: Looking | Leading | Following
  #serving = false
  #hasServed = false
  #epochFloor: number
  #needsState = false
  #rewindTo: bigint | null = null
  #isLeaving = false
  #ticks = 0
  #wallTimeMs: number
  #events: ServerEvent[] = []

  /**
   * Makes a server that starts to look for a leader.
   *
   * @param config - its configuration
   * @param recovered - the contents of its storage
   * @param ports - the functions of its host that it uses
   * @param wallTimeMs - wall clock, milliseconds since 1970
   */
  constructor(config: ServerConfig, recovered: Recovered & RecoveredState, ports: ServerPorts, wallTimeMs: number) {
    this.#config = config
    this.#epochFloor = config.firstEpoch - 1
    this.#ports = ports
    this.#wallTimeMs = wallTimeMs
    this.#journal = new Journal(recovered)
    this.#replica = new Replica(config, recovered, ports.random)
    this.#membership = membershipOf(config, this.#replica.configuration, this.#journal)
    const { configuration } = this.#replica
    if (configuration !== null && this.#membership.enter(configuration)) this.#reportConfiguration(configuration)
    const beginning = beginningOf(config, this.#journal, ports.random)
    this.#election = new Election(config, this.#membership, this.#outbox, beginning)
    if (config.bootstrap) this.#journal.grantVote()
    this.#connections = this.#makeConnections()
    this.#parts = this.#makeParts()
    this.#reportLooking('start')
    this.#role = new Looking(this.#parts, { waitTicks: 0, goneLeader: null, isLeaving: false })
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
    this.#role.tick()
    this.#election.tick()
    this.#connections.tick()
    this.#settle()
  }

  /** Receives a vote of another server. */
  receiveVote(from: number, notification: Notification): void {
    this.#learnConfiguration(from, notification)
    this.#election.receiveVote(from, notification)
    this.#settle()
  }

  /**
   * A link to or from another server is there.
   *
   * @param link - its number, which the host gives and never again
   * @param isDialled - whether a `dial` asked for it
   */
  peerConnected(link: number, peer: number, isDialled: boolean): void {
    assert(!this.#links.has(link), () => `link ${link} is opened twice`)
    this.#links.set(link, peer)
    this.#role.linkOpened(peer, link, isDialled)
    this.#settle()
  }

  /** A server that was dialled cannot be reached. */
  peerUnreachable(peer: number): void {
    this.#role.unreachable(peer)
    this.#settle()
  }

  /** Receives a packet on a link. */
  receivePeer(link: number, packet: Packet): void {
    const peer = this.#links.get(link)
    // This server may have closed it meanwhile.
    if (peer === undefined) return
    this.#role.receivePacket(peer, link, packet)
    this.#settle()
  }

  /** A link has ended, and not by a `closeLinks`. */
  peerClosed(link: number): void {
    const peer = this.#links.get(link)
    if (peer === undefined) return
    this.#links.delete(link)
    this.#role.linkClosed(peer, link)
    this.#settle()
  }

  /**
   * A client has connected. The host calls this before the client's first message, if it knows the address.
   *
   * @param address - its IP address, which is an identity of the client
   * @param proved - the identities that it proved while it connected
   */
  openClient(connection: number, address: string, proved: readonly Identity[] = NO_IDENTITIES): void {
    this.#connections.open(connection, address, proved)
  }

  /** Receives a message of a client on a connection; the first message opens it. */
  receiveClient(connection: number, message: ClientMessage): void {
    this.#connections.receiveMessage(connection, message)
    this.#settle()
  }

  /** A client was heard of whose message waits for its turn: its session lives. */
  heardClient(connection: number): void {
    this.#connections.heard(connection)
  }

  /** A connection of a client is closed. */
  disconnectClient(connection: number): void {
    this.#connections.disconnect(connection)
  }

  /**
   * Ends a session as if its time-out had passed, if this server alone knows it, or leads; false if there is none.
   */
  expireSession(sessionId: bigint): boolean {
    const isExpired = this.#connections.expireLocal(sessionId) || (this.#leading?.expire(sessionId) ?? false)
    this.#settle()
    return isExpired
  }

  /** Cuts the connection of a session that is connected here, as a broken network would. */
  disconnectSession(sessionId: bigint): boolean {
    return this.#connections.disconnectSession(sessionId)
  }

  /**
   * This server is about to end. If it leads, it takes nothing more on, does what it has begun, and then makes way for
   * another leader; it no longer votes. {@link hasLeft} tells when the host may end it.
   */
  leave(): void {
    this.#isLeaving = true
    this.#leading?.makeWay()
    this.#settle()
  }

  /** Whether the end of this server would cost the others no leader. */
  get hasLeft(): boolean {
    return this.#leading === null || !this.#serving
  }

  // Output

  /** The work for the host, or null if there is none. May be called again before the last one is advanced. */
  ready(): Ready | null {
    this.#role.flush()
    this.#settle()
    const { hasOutput } = this.#connections
    const snapshot = this.#replica.takeSnapshot()
    const isIdle = this.#outbox.empty && !hasOutput && !this.#journal.dirty && snapshot === null
    if (isIdle && this.#events.length === 0) return null
    const { dials: dial, sendNow, sendAfterPersist, closeLinks } = this.#outbox
    for (const { link } of closeLinks) this.#links.delete(link)
    this.#outbox.dials = []
    this.#outbox.sendNow = []
    this.#outbox.sendAfterPersist = []
    this.#outbox.closeLinks = []
    const { replies, closes } = this.#connections.take()
    const events = this.#events
    this.#events = []
    const { mark } = this.#journal
    const persist = withDigests(this.#journal.take(), this.#replica.logDigest, (entry) => this.#decoded(entry))
    const afterwards = { close: closes, closeLinks, events, mark, rewindTo: this.#rewindTo }
    return { dial, sendNow, persist, sendAfterPersist, snapshot, replies, ...afterwards }
  }

  /** Learns that everything of this ready is done, and what was to be persisted is durable. */
  advance(ready: Ready): void {
    if (ready.persist.length === 0) return
    this.#journal.persisted(ready.mark)
    this.#role.persisted()
    this.#settle()
  }

  /** The status of this server. */
  status(): ServerStatus {
    const state = this.#replica.readable
    return {
      myid: this.#config.myid,
      role: this.#role.name,
      leader: this.#role.leader,
      serving: this.#serving,
      readOnly: this.#replica.isReadOnly,
      epoch: this.#journal.currentEpoch,
      zxid: state.lastZxid,
      loggedZxid: this.#journal.lastZxid,
      sessions: state.sessions.size,
      localSessions: this.#connections.localSessions.size,
      connections: this.#connections.count,
      watches: this.#connections.watches.count,
      nodes: state.tree.nodeCount,
    }
  }

  /** Requests of clients that are not answered yet, and sessions that are being set up. */
  get unanswered(): number {
    return this.#connections.unanswered
  }

  /** A point-in-time view for operators; its lists are built lazily. */
  inspect(): ServerInspection {
    return inspect({
      replica: this.#replica,
      connections: this.#connections,
      expiresInMs: (sessionId) => this.#leading?.expiresInMs(sessionId) ?? null,
      leading: this.#leading?.inspection ?? null,
      hasLocalSessions: this.#config.localSessions !== 'off',
    })
  }

  /** The applied state as a snapshot: equal states give equal bytes. */
  snapshot(): Uint8Array {
    return this.#state.snapshot()
  }

  // Roles

  /** Draws the conclusions of an input; nothing else does. */
  #settle(): void {
    this.#connections.expectConsensus()
    const elected = this.#election.takeElected()
    if (elected !== null) this.#join(elected)
    if (this.#role.end !== null) this.#look(this.#role.end)
    this.#applyCommitted()
    const { configuration } = this.#replica
    if (configuration !== null) this.#enter(configuration)
    if (this.#role.mayServe && !this.#serving) this.#serve()
    if (this.#role.kind === 'looking' && this.#role.isReadOnlyDue) this.#openReadOnly()
    this.#deliverAnswers()
  }

  /** An election is decided. */
  #join({ vote, supporters }: Elected): void {
    this.#events.push({ type: 'elected', vote, supporters, round: this.#election.logicalClock })
    assert(vote.leader !== NOBODY, 'nobody was elected')
    assert(this.#role.kind === 'looking', 'an election ends while the server looks')
    const { early } = this.#role
    if (this.#replica.isReadOnly) this.#endClients()
    this.#role = vote.leader === this.#config.myid
      ? new Leading(this.#parts, this.#epochFloor)
      : new Following(this.#parts, {
        leader: vote.leader,
        uptimeTicks: this.#ticks,
        needsState: this.#needsState,
      })
    this.#election.settle(this.#role.name)
    for (const { from, link, packet } of early) this.#role.receivePacket(from, link, packet)
  }

  /** A role is over: looks for a leader, at once if it has served, otherwise with the next tick. */
  #look({ reason, epochFloor, needsState = false, rewindTo = null, goneLeader = null }: RoleEnd): void {
    this.#needsState = needsState
    this.#rewindTo = rewindTo
    this.#epochFloor = Math.max(this.#epochFloor, epochFloor)
    const hadService = this.#serving
    this.#role.close()
    this.#serving = false
    this.#exchange.forgetSyncs()
    this.#endClients()
    this.#reportLooking(reason)
    // An attempt that failed before it served is repeated by the clock, not by messages, so that two cannot spin.
    const waitTicks = hadService ? 0 : 1
    this.#role = new Looking(this.#parts, { waitTicks, goneLeader, isLeaving: this.#isLeaving })
  }

  /** A server that looks may have missed a configuration; another one that names one has it in force. */
  #learnConfiguration(from: number, { configuration }: Notification): void {
    if (!this.#config.reconfigurable || this.#role.kind !== 'looking' || configuration === undefined) return
    if (this.#membership.believes(from, this.#config)) this.#enter(configuration)
  }

  /** A committed configuration is in force from now on, if it is newer. */
  #enter(configuration: Configuration): void {
    if (!this.#membership.enter(configuration)) return
    this.#reportConfiguration(configuration)
    this.#role.reconfigured()
    if (this.#role.end !== null) this.#look(this.#role.end)
  }

  #reportConfiguration({ version, text }: Configuration): void {
    this.#events.push({ type: 'reconfigured', version, text })
  }

  #reportLooking(reason: string): void {
    this.#events.push({ type: 'looking', round: this.#election.logicalClock + 1, reason })
  }

  #serve(): void {
    assert(this.#role.kind !== 'looking', 'a server that looks serves nobody')
    this.#role.serve()
    this.#serving = true
    this.#hasServed = true
    this.#events.push({ type: 'serving', role: this.#role.name, epoch: this.#journal.currentEpoch })
  }

  /** There is no leader: whoever says so reads what is here. A server that knows nothing has nothing to show. */
  #openReadOnly(): void {
    const durable = this.#journal.durable.zxid
    if (this.#replica.isReadOnly || durable === 0n) return
    this.#replica.openReadOnly(this.#hasServed ? [] : this.#journal.range(this.#state.lastZxid, durable))
    this.#events.push({ type: 'read-only', zxid: this.#replica.readable.lastZxid })
  }

  #endClients(): void {
    this.#replica.closeReadOnly()
    this.#connections.closeAll()
  }

  /** Syncs wait until what they confirm is applied here. */
  #deliverAnswers(): void {
    for (const answer of this.#role.takeAnswers()) {
      if (answer.type === 'REVALIDATED') this.#connections.revalidated(answer)
      else this.#exchange.confirm(answer.syncId, this.#role.committedZxid)
    }
    for (;;) {
      const syncId = this.#exchange.takeDue(this.#state.lastZxid)
      if (syncId === null) return
      this.#connections.synced(syncId)
    }
  }

  get #leading(): Leading | null {
    return this.#role.kind === 'leading' ? this.#role : null
  }

  #makeParts(): ServerParts {
    const wallTimeMs = (): number => this.#wallTimeMs
    return {
      config: this.#config,
      journal: this.#journal,
      membership: this.#membership,
      outbox: this.#outbox,
      election: this.#election,
      replica: this.#replica,
      connections: this.#connections,
      exchange: this.#exchange,
      isFull: this.#ports.isFull,
      get wallTimeMs() {
        return wallTimeMs()
      },
      report: (event) => {
        this.#events.push(event)
      },
    }
  }

  // Requests

  #makeConnections(): Connections {
    return new Connections({
      ...this.#config,
      reconfiguration: !this.#config.reconfigEnabled ? 'disabled' : this.#config.reconfigurable ? 'enabled' : 'absent',
      isAlone: () => this.#membership.isAlone(this.#config.myid),
      isReadOnly: () => this.#replica.isReadOnly,
      isFull: () => this.#ports.isFull?.() ?? false,
      isConfirmed: () => !this.#replica.isReadOnly && !this.#role.isPlain,
      state: () => this.#replica.readable,
      secretOf: (sessionId) => this.#secretOf(sessionId),
      takesClients: () => this.#serving && this.#role.takesClients,
      seenHere: () => this.#replica.seenUpTo(zxidOf(this.#journal.currentEpoch, 0)),
      submit: (request) => {
        this.#role.submit(request)
      },
      sync: (syncId) => {
        this.#role.sync(syncId)
      },
      revalidate: (packet) => {
        this.#role.revalidate(packet)
      },
      report: (event) => {
        this.#events.push(event)
      },
      touch: (sessionId) => this.#role.touch(sessionId),
    }, this.#ports)
  }

  /** Sessions that began under a leader of ZooKeeper have a password that is computed from their id. */
  #secretOf(sessionId: bigint): Uint8Array | null {
    const known = this.#state.sessions.get(sessionId)
    if (known !== undefined) return known.passwd
    return this.#role.isPlain ? zooKeeperPassword(sessionId) : null
  }

  // State

  get #state(): State {
    return this.#replica.state
  }

  /** Applies, in order, the entries that are committed and durable here: clients see nothing that a crash can undo. */
  #applyCommitted(): void {
    if (!this.#role.isUpToDate) return
    this.#replica.confirm()
    const committed = this.#role.committedZxid
    const durable = this.#journal.durable.zxid
    const end = committed < durable ? committed : durable
    if (end <= this.#state.lastZxid) return
    for (const entry of this.#journal.range(this.#state.lastZxid, end)) this.#apply(entry)
    this.#replica.logDigest?.applied()
    this.#journal.trim(this.#state.lastZxid, this.#leading?.isAlone === true ? NO_COMMIT_LOG : this.#config)
    this.#replica.openDueSnapshot()
  }

  #decoded(entry: LogEntry): Transaction {
    return this.#leading?.take(entry) ?? decodeTransaction(entry.txn)
  }

  #apply(entry: LogEntry): void {
    const { zxid, txn } = entry
    const transaction = this.#replica.logDigest?.take(zxid) ?? this.#decoded(entry)
    const applied = this.#replica.apply(transaction, txn.length)
    this.#leading?.applied(zxid, applied)
    this.#connections.applied(transaction, applied)
  }
}
