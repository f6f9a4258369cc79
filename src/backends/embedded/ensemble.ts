/**
 * An ensemble of servers in this process: the composition root of the embedded backend.
 *
 * Use       `const ensemble = embedded({ servers: 3 }); const client = await connect(ensemble)`
 * Model     the servers are the machines of server/, joined by a network in memory. A server's storage survives its
 *           crash; only a storage in files (`dataDir`) survives the end of the process.
 * For tests the levers of chaos.ts: `crash`, `restart`, `partition`, `heal`, and those of sessions.
 */
import type { Backend, Capabilities, OpenOptions, Session } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import type { Dialer } from '../client/channel.ts'
import { openClientSession } from '../client/session.ts'
import { CAPABILITIES, DURABLE_CAPABILITIES } from './capabilities.ts'
import { Chaos } from './chaos.ts'
import { EnsembleEvents } from './ensemble-events.ts'
import type { EnsembleEvent, EnsembleServerStatus } from './ensemble-events.ts'
import { firstEpoch, noteEpoch } from './host/epochs.ts'
import { MemoryDialer } from './host/clients/memory.ts'
import { MemoryNetwork } from './host/peers/memory.ts'
import { LocalServer, drain } from './local-server.ts'
import { membershipText } from './membership-text.ts'
import { checkId, settingsOf } from './options.ts'
import type { EmbeddedOptions, EmbeddedSettings } from './options.ts'
import type { EnsembleParts, EnsembleStorages } from './parts.ts'
import { sessionsOf } from './session-list.ts'
import type { EnsembleSession } from './session-list.ts'

/** How long a start waits for the last servers, once a majority serves. */
const START_GRACE_TICKS = 4

/** An embedded ensemble; made by `embedded()`. It starts with its first client, or by {@link Ensemble.start}. */
export class Ensemble implements Backend, AsyncDisposable {
  readonly name = 'embedded'
  readonly capabilities: Capabilities
  readonly #settings: EmbeddedSettings
  readonly #parts: EnsembleParts
  readonly #storages: EnsembleStorages
  readonly #network = new MemoryNetwork()
  readonly #members = new Map<number, LocalServer>()
  readonly #voters: readonly number[]
  readonly #chaos: Chaos
  readonly #events: EnsembleEvents
  readonly #started: Deferred<void> = deferred()
  #startTimer: NodeJS.Timeout | undefined
  #starting: Promise<void> | null = null
  #isStarted = false
  /** The first epoch of this life: nothing of an earlier life is left, but clients have seen it. */
  #firstEpoch = 1
  #isClosed = false
  #closing: Promise<void> | null = null
  /** Nothing more is taken from clients. */
  #isDraining = false
  #opened = 0

  /**
   * Makes an ensemble that is not started.
   *
   * @param options - see {@link EmbeddedOptions}
   * @param parts - those of the platform
   * @throws TypeError or RangeError for a wrong option
   * @internal
   */
  constructor(options: EmbeddedOptions, parts: EnsembleParts) {
    this.#settings = settingsOf(options)
    this.#parts = parts
    this.#events = new EnsembleEvents(this.#settings)
    const { servers, observers, storage } = this.#settings
    this.capabilities = storage.dataDir === null ? CAPABILITIES : DURABLE_CAPABILITIES
    this.#storages = parts.storagesOf(storage, this.#isStandalone, (id, event) => {
      this.#events.emit(id, event)
      // The others go on; it is back when what it has begun is durable (decision 0017). One alone waits as it is.
      if (event.type === 'disk-full' && this.#voters.some((voter) => voter !== id)) this.#startAgain(id)
    })
    this.#chaos = new Chaos({
      members: this.#members,
      network: this.#network,
      events: this.#events,
      start: (member, wipe) => {
        this.#bringBack(member, wipe)
      },
    })
    this.#voters = Array.from({ length: servers }, (_, index) => index + 1)
    for (let id = 1; id <= servers + observers; id++) this.#addMember(id)
  }

  /**
   * Starts the servers. Resolves when they serve, or at least a majority of them does. Idempotent.
   *
   * @throws Error that names address and port if one of `clientPorts` or `adminPorts` is not available; nothing is
   * started then
   * @throws StorageError `LOCKED` if another process uses the data directory; an error of a storage, if there is no
   * majority without it; errors of the system
   */
  async start(): Promise<void> {
    if (this.#isClosed) throw new TypeError('this ensemble is closed')
    this.#starting ??= this.#startServers()
    await this.#starting
  }

  /** The ports on which the servers serve ZooKeeper's clients, in the order of their ids; empty if they serve none. */
  get clientPorts(): readonly number[] {
    if (this.#settings.clients.ports.length === 0) return []
    return this.#ids.flatMap((id) => this.#member(id).port?.port ?? [])
  }

  /** Those that speak TLS alone, in the order of their ids; empty if there are none. */
  get secureClientPorts(): readonly number[] {
    return this.#ids.flatMap((id) => this.#member(id).port?.securePort ?? [])
  }

  /** The ports of their AdminServers, in the order of their ids; empty if there are none. */
  get adminPorts(): readonly number[] {
    return this.#ids.flatMap((id) => this.#member(id).admin?.port ?? [])
  }

  /**
   * Where ZooKeeper's clients reach a server, such as `127.0.0.1:2181`; null if it serves none.
   *
   * @param id - myid of the server
   * @throws RangeError if there is no such server
   */
  clientAddress(id: number): string | null {
    const { port } = this.#member(id)
    const { address } = this.#settings.clients
    if (port === null || this.#settings.clients.ports.length === 0) return null
    return `${address.includes(':') ? `[${address}]` : address}:${port.port}`
  }

  /** Opens a session with any of the servers; the next one in turn for each session. */
  async open(options: OpenOptions): Promise<Session> {
    this.#opened += 1
    return this.#open(this.#opened - 1, options)
  }

  /**
   * The same ensemble, for clients that want to begin with a certain server. When it ends, they move to the others.
   *
   * @param id - myid of the server
   * @throws RangeError if there is no such server
   */
  at(id: number): Backend {
    checkId(id, this.#ids)
    const { name, capabilities } = this
    return { name, capabilities, open: (options) => this.#open(this.#ids.indexOf(id), options) }
  }

  /**
   * A client's way to the servers, which tries them in turn. The ensemble has to be started.
   *
   * @param turn - the index among their ids to begin with
   * @internal
   */
  dialer(turn: number): Dialer {
    const isDraining = (): boolean => this.#isDraining
    return new MemoryDialer({
      ids: this.#ids,
      host: (id: number) => this.#members.get(id)?.host ?? undefined,
      isIsolated: this.#chaos.isIsolated,
      get isClosing() {
        return isDraining()
      },
    }, turn)
  }

  /** The status of each server, by id. */
  status(): EnsembleServerStatus[] {
    return this.#ids.map((id) => this.#member(id).status())
  }

  /** The open sessions, by id. It takes time in proportion to them and their nodes. */
  sessions(): EnsembleSession[] {
    return sessionsOf(this.#ids.flatMap((id) => this.#member(id).host ?? []))
  }

  /** myid of the server that leads and serves, or null. */
  get leader(): number | null {
    return this.status().find((server) => server.role === 'LEADING' && server.serving)?.myid ?? null
  }

  /**
   * Listens to the events of the servers: elections with their votes, service, crashes.
   *
   * @param listener - called within the turn in which the event happens; its errors go to `onError`
   * @returns a function that ends the listening
   */
  onEvent(listener: (event: EnsembleEvent) => void): () => void {
    return this.#events.listen(listener)
  }

  /**
   * Ends a server at once, as if its process had died. Its storage stays. Nothing happens if it is down.
   *
   * @throws RangeError if there is no such server
   */
  crash(id: number): void {
    this.#chaos.crash(id)
  }

  /**
   * Starts a server that is down, with the storage it had.
   *
   * @param id - myid of the server
   * @param options - `wipe: true` deletes its storage first; it then votes only when it has caught up
   * @throws RangeError if there is no such server, or it is up
   */
  restart(id: number, options: { readonly wipe?: boolean } = {}): void {
    this.#chaos.restart(id, options)
  }

  /**
   * Lets only servers of the same group talk to each other. Clients reach all of them.
   *
   * @param groups - ids; servers that are not named form one more group
   * @throws RangeError if a server does not exist or is named twice
   */
  partition(groups: readonly (readonly number[])[]): void {
    this.#chaos.partition(groups)
  }

  /** Ends the partition. */
  heal(): void {
    this.#chaos.heal()
  }

  /**
   * Ends a session as if its time-out had passed. Nothing happens while there is no leader, or while a local session is
   * just becoming one of the ensemble.
   *
   * @param sessionId - such as `client.sessionId`
   */
  expireSession(sessionId: bigint): void {
    this.#chaos.expire(sessionId)
  }

  /**
   * Cuts the connection of a session, as a broken network would; its client connects to another server.
   *
   * @param sessionId - such as `client.sessionId`
   */
  disconnectSession(sessionId: bigint): void {
    this.#chaos.disconnect(sessionId)
  }

  /**
   * Cuts a session off from all servers, as a client's broken network would, until {@link Ensemble.rejoinSession}. If
   * that takes longer than its time-out, the servers end it.
   *
   * @param sessionId - such as `client.sessionId`
   */
  isolateSession(sessionId: bigint): void {
    this.#chaos.isolate(sessionId)
  }

  /** Lets the client of an isolated session reach the servers again. */
  rejoinSession(sessionId: bigint): void {
    this.#chaos.rejoin(sessionId)
  }

  /**
   * Adds a server that learns and serves, but has no vote.
   *
   * @returns its id, when it serves
   */
  async addObserver(): Promise<number> {
    const id = Math.max(...this.#ids) + 1
    this.#addMember(id)
    const serves = deferred<void>()
    const stop = this.onEvent(({ server, event }) => {
      if (server === id && event.type === 'serving') serves.resolve()
    })
    if (this.#isStarted) this.#startHost(id)
    await Promise.all([this.start(), serves.promise])
    stop()
    return id
  }

  /**
   * Ends all servers. Requests that clients have sent by now are answered first, within the option `drainMs`; nothing
   * more is taken from them. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#startTimer)
    const untilMs = performance.now() + this.#settings.drainMs
    const draining = drain([...this.#members.values()], untilMs, () => {
      this.#isDraining = true
    })
    if (draining !== undefined) await draining
    for (const id of this.#ids) this.crash(id)
    this.#closePorts()
    await this.#storages.close()
    this.#events.clear()
  }

  /** See {@link Ensemble.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #open(turn: number, options: OpenOptions): Promise<Session> {
    await abortable(this.start(), options.signal)
    return openClientSession(this.dialer(turn), {
      ...options,
      sessionTimeoutMs: options.sessionTimeoutMs ?? this.#settings.sessionTimeoutMs,
    })
  }

  get #ids(): readonly number[] {
    return [...this.#members.keys()].sort((a, b) => a - b)
  }

  #member(id: number): LocalServer {
    checkId(id, this.#ids)
    return this.#members.get(id) as LocalServer
  }

  #addMember(id: number): void {
    const { clients } = this.#settings
    this.#members.set(id, new LocalServer({
      id,
      parts: this.#parts,
      clients,
      clientPort: clients.ports[id - 1] ?? null,
      secureClientPort: clients.securePorts[id - 1] ?? null,
      adminPort: clients.adminPorts[id - 1] ?? null,
      company: { isStandalone: this.#isStandalone, voters: this.#voters.length },
      events: this.#events,
      configuration: () => {
        const directories = this.#storages.directoriesOf(id)
        const one = { id, votes: this.#voters.includes(id), ports: null, directories }
        return this.#parts.configurationText(one, this.#membership, this.#settings)
      },
      directories: () => this.#storages.directoriesOf(id),
      isIsolated: this.#chaos.isIsolated,
      plug: (host) => {
        this.#network.attach(id, host)
      },
      unplug: () => {
        this.#network.detach(id)
      },
      serves: (epoch) => {
        this.#noteService(epoch)
      },
      rewinds: (zxid) => {
        this.#startAgain(id, zxid)
      },
      failed: (error) => {
        this.#failed(id, error)
      },
    }))
  }

  get #isStandalone(): boolean {
    return this.#settings.servers + this.#settings.observers === 1
  }

  /** The servers that the ensemble has from the beginning, whose ports are known once they are open. */
  get #membership(): string {
    const { servers, observers, clients } = this.#settings
    if (this.#isStandalone) return ''
    const members = Array.from({ length: servers + observers }, (_, index) => {
      return { id: index + 1, votes: index < servers, port: this.#member(index + 1).port?.port ?? null }
    })
    return membershipText(members, clients.address)
  }

  #closePorts(): void {
    for (const id of this.#ids) this.#member(id).closePorts()
  }

  async #startServers(): Promise<void> {
    if (this.#ids.some((id) => this.#member(id).port !== null)) await this.#openPorts()
    if (this.#isClosed) throw new TypeError('this ensemble is closed')
    const { isNew } = await this.#openStorages()
    this.#isStarted = true
    // A life in memory is later than all before. On disk are the epochs themselves.
    if (this.#settings.storage.dataDir === null) this.#firstEpoch = firstEpoch()
    for (const id of this.#voters) this.#member(id).isWiped = !isNew
    for (const id of this.#ids) this.#startHost(id)
    await this.#started.promise
  }

  async #openStorages(): Promise<{ readonly isNew: boolean }> {
    try {
      return await this.#storages.open(this.#voters)
    } catch (error) {
      this.#closePorts()
      await this.#storages.close()
      this.#starting = null
      throw error
    }
  }

  async #openPorts(): Promise<void> {
    const opened = await Promise.allSettled(this.#ids.map((id) => this.#member(id).listen()))
    const failed = opened.find((result) => result.status === 'rejected')
    if (failed === undefined) return
    this.#closePorts()
    this.#starting = null
    throw failed.reason
  }

  #startHost(id: number, storageReady?: Promise<void>, rewindTo: bigint | null = null): void {
    const member = this.#member(id)
    member.start({
      config: {
        ...this.#settings.server,
        myid: id,
        voters: this.#voters,
        firstEpoch: this.#firstEpoch,
        // An observer that is made a voter later has to catch up first.
        bootstrap: !member.isWiped && this.#voters.includes(id),
        membership: this.#membership,
      },
      storage: this.#storages.of(id),
      transport: this.#network.transportOf(id),
      storageReady,
      rewindTo,
    })
  }

  #bringBack(member: LocalServer, wipe: boolean, rewindTo: bigint | null = null): void {
    const { id } = member
    const wiped = wipe ? this.#storages.wipe(id) : undefined
    if (wipe) member.isWiped = true
    if (!this.#isStarted) return
    this.#startHost(id, wiped, rewindTo)
    member.listen().catch((error: unknown) => {
      member.stop()
      this.#failed(id, error)
    })
  }

  #startAgain(id: number, rewindTo: bigint | null = null): void {
    const member = this.#member(id)
    if (!member.isUp) return
    this.crash(id)
    this.#bringBack(member, false, rewindTo)
  }

  /** The ensemble has started when everybody serves; when a majority does, the others have a little time left. */
  #noteService(epoch: number): void {
    noteEpoch(epoch)
    const { tickMs } = this.#settings.server
    const serving = this.status().filter((server) => server.serving).length
    if (serving === this.#members.size) this.#started.resolve()
    else if (serving > this.#voters.length / 2) {
      this.#startTimer ??= setTimeout(this.#started.resolve, START_GRACE_TICKS * tickMs)
    }
  }

  #failed(id: number, error: unknown): void {
    // Without a majority nobody will ever serve.
    const left = this.#voters.filter((voter) => this.#member(voter).isUp)
    if (left.length <= this.#voters.length / 2) this.#started.reject(error)
    this.#events.failed(id, error)
  }
}
