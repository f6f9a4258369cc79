/**
 * One server of an ensemble whose servers are processes of their own, and the client's way to that ensemble.
 *
 * Use       `const member = embedded({ myid: 1, servers: { 1: 'app-1:2888:3888;2181', 2: ... }, dataDir })`, and then
 *           `connect(member)`
 * Model     the server is the machine of server/, joined to the others over TCP. Clients of this process talk to it in
 *           memory, and to the others over TCP while it does not serve (host/clients/member-dialer.ts).
 * Beginning voters with empty storages wait until all of them have met (decision 0016).
 * Not here  are the levers for tests of an ensemble in one process: to crash a process, kill it.
 */
import type { Backend, Capabilities, OpenOptions, Session } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { OwnDialect } from '../client/dialect.ts'
import { configurationOf } from '../wire/configuration.ts'
import { SocketDialer } from '../client/io/socket-dialer.ts'
import { textOf } from '../client/server-address.ts'
import { openClientSession } from '../client/session.ts'
import { CAPABILITIES, DURABLE_CAPABILITIES } from './capabilities.ts'
import { EnsembleEvents } from './ensemble-events.ts'
import type { EnsembleEvent, EnsembleServerStatus } from './ensemble-events.ts'
import { firstEpoch, noteEpoch } from './host/epochs.ts'
import { MemberDialer } from './host/clients/member-dialer.ts'
import { MemoryDialer } from './host/clients/memory.ts'
import { TcpPeers } from './host/peers/tcp/tcp-peers.ts'
import { Certificates } from './host/tls/certificates.ts'
import { KnownServers } from './known-servers.ts'
import { LocalServer, drain } from './local-server.ts'
import { memberSettingsOf } from './member-options.ts'
import type { MemberOptions, MemberSettings } from './member-options.ts'
import { NODE_PARTS } from './node-parts.ts'
import type { EnsembleStorages } from './parts.ts'
import { sessionsOf } from './session-list.ts'
import type { EnsembleSession } from './session-list.ts'

/** How long a server that ends as the leader may take to do what it has begun, in milliseconds. */
const HAND_OVER_MS_MAX = 1_000

/** How long a client that opens its session before anybody serves waits between two rounds over the servers. */
const OPEN_PAUSE_MS = 200

/** One server of an ensemble of processes; made by `embedded()`. It starts with its first client, or by `start`. */
export class EnsembleMember implements Backend, AsyncDisposable {
  readonly name = 'embedded'
  readonly capabilities: Capabilities
  /** Which server of the ensemble this is. */
  readonly myid: number
  readonly #settings: MemberSettings
  readonly #known: KnownServers
  readonly #storages: EnsembleStorages
  readonly #events: EnsembleEvents
  readonly #server: LocalServer
  #peers: TcpPeers | null = null
  #starting: Promise<void> | null = null
  #serving: Deferred<void> = deferred()
  #hasServed = false
  #isDraining = false
  #closing: Promise<void> | null = null

  /**
   * Makes a server that is not started.
   *
   * @param options - see {@link MemberOptions}
   * @throws TypeError or RangeError for a wrong option
   */
  constructor(options: MemberOptions) {
    this.#settings = memberSettingsOf(options)
    const { myid, common } = this.#settings
    this.myid = myid
    this.capabilities = common.storage.dataDir === null ? CAPABILITIES : DURABLE_CAPABILITIES
    this.#known = new KnownServers(myid, this.#settings.servers)
    this.#events = new EnsembleEvents(common)
    this.#followConfiguration()
    this.#storages = NODE_PARTS.storagesOf(common.storage, true, (_, event) => {
      this.#events.emit(myid, event)
      // The others go on; it is back when what it has begun is durable (decision 0017). The only voter waits as it is.
      if (event.type === 'disk-full' && !this.#isOnlyVoter) this.#startAgain()
    })
    this.#server = this.#makeServer()
    // A caller that only listens to events need not wait for it.
    this.#serving.promise.catch(() => undefined)
  }

  /**
   * Starts the server. Resolves when it serves: a majority of the ensemble has to be up, and the first time all of its
   * voters. Idempotent.
   *
   * @throws Error that names address and port if one of its ports is not available, or a file of TLS and its key
   * @throws StorageError `LOCKED` if another process uses the data directory, `MISPLACED` if it is another server's;
   * an error of the storage; errors of the system
   */
  async start(): Promise<void> {
    await this.#begin()
    await this.#serving.promise
  }

  /** Opens a session with this server, or with another one if this one does not serve. Waits until one of them does. */
  async open(options: OpenOptions): Promise<Session> {
    await abortable(this.#begin(), options.signal)
    for (;;) {
      try {
        return await this.#open(options)
      } catch (error) {
        const isEarly = !this.#hasServed && this.#closing === null
        if (!isEarly || !isCoordinationError(error, 'CONNECTION_LOSS')) throw error
      }
      const pause = new Promise<void>((resolve) => {
        setTimeout(resolve, OPEN_PAUSE_MS)
      })
      await abortable(Promise.race([pause, this.#serving.promise]), options.signal)
    }
  }

  /** The status of the server. */
  status(): EnsembleServerStatus {
    return this.#server.status()
  }

  /** The open sessions of the ensemble, by id. It takes time in proportion to them and their nodes. */
  sessions(): EnsembleSession[] {
    const { host } = this.#server
    return host === null ? [] : sessionsOf([host])
  }

  /** myid of the leader that this server follows or is; null while it does not serve. */
  get leader(): number | null {
    const { leader, serving } = this.status()
    return serving ? leader : null
  }

  /** Where clients reach this server, such as `127.0.0.1:2181`; null if it serves none over TCP. */
  get clientAddress(): string | null {
    const { clientPort } = this.#settings
    const port = this.#server.port?.port
    return clientPort === null || port === undefined ? null : textOf({ host: clientPort.host, port })
  }

  /** The port on which it serves clients by TLS alone; null if it has none. */
  get secureClientPort(): number | null {
    return this.#server.port?.securePort ?? null
  }

  /** The port of its AdminServer; null if it has none. */
  get adminPort(): number | null {
    return this.#server.admin?.port ?? null
  }

  /**
   * Listens to the events of this server: elections with their votes, service, failures.
   *
   * @param listener - called within the turn in which the event happens; its errors go to `onError`
   * @returns a function that ends the listening
   */
  onEvent(listener: (event: EnsembleEvent) => void): () => void {
    return this.#events.listen(listener)
  }

  /**
   * Ends the server. Requests that clients have sent by now are answered first, within the option `drainMs`; nothing
   * more is taken from them. A server that leads then has everything committed that it has begun, for others' clients
   * too, and makes way for another leader. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** See {@link EnsembleMember.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #begin(): Promise<void> {
    if (this.#closing !== null) return Promise.reject(new TypeError('this server is closed'))
    this.#starting ??= this.#startServer().catch(async (error: unknown) => {
      await this.#end()
      this.#starting = null
      throw error
    })
    return this.#starting
  }

  async #startServer(): Promise<void> {
    const { myid, voters } = this.#settings
    await this.#storages.openFor(myid)
    const isNew = this.#isOnlyVoter && (await this.#storages.begin(voters))
    await this.#startHost(isNew)
  }

  async #startHost(isNew: boolean, rewindTo: bigint | null = null): Promise<void> {
    const { myid, common, voters } = this.#settings
    const peers = this.#makePeers()
    this.#peers = peers
    await Promise.all([peers.listen(), this.#server.listen()])
    if (this.#closing !== null) throw new TypeError('this server is closed')
    this.#server.start({
      config: {
        ...common.server,
        myid,
        voters,
        bootstrap: isNew,
        beginsTogether: !this.#isOnlyVoter,
        // A life in memory is later than all before. On disk are the epochs themselves.
        firstEpoch: common.storage.dataDir === null ? firstEpoch() : 1,
        membership: this.#membership,
        // A configuration in its log holds, also where nobody may change it any more.
        reconfigurable: true,
      },
      storage: this.#storages.of(myid),
      transport: peers,
      rewindTo,
    })
  }

  #startAgain(rewindTo: bigint | null = null): void {
    if (!this.#server.isUp || this.#closing !== null) return
    const { myid } = this.#settings
    this.#server.stop()
    this.#events.emit(myid, { type: 'crashed' })
    this.#startHost(false, rewindTo).catch((error: unknown) => {
      if (this.#closing === null) this.#events.failed(myid, error)
    })
  }

  get #isOnlyVoter(): boolean {
    return this.#known.voterCount === 1 && this.#known.votes
  }

  #makePeers(): TcpPeers {
    const { myid, peerListenHost, peerTls, connectTimeoutMs, common } = this.#settings
    const onEvent = (event: EnsembleEvent['event']): void => {
      this.#events.emit(myid, event)
    }
    return new TcpPeers({
      myid,
      servers: this.#known.addresses,
      listenHost: peerListenHost,
      connectTimeoutMs,
      idleTimeoutMs: common.server.syncLimitTicks * common.server.tickMs,
      configuration: () => this.#known.text,
      tls: peerTls === null ? null : { ...peerTls, certificates: new Certificates(peerTls, 'ssl.quorum', onEvent) },
      onEvent,
    })
  }

  #makeServer(): LocalServer {
    const { myid, clientPort, secureClientPort, adminPort, common, servers } = this.#settings
    const known = this.#known
    const slowedHandshakes = (): number => this.#peers?.slowedHandshakes ?? 0
    return new LocalServer({
      id: myid,
      parts: NODE_PARTS,
      clients: { ...common.clients, address: clientPort?.host ?? common.clients.address },
      clientPort: clientPort?.port ?? null,
      secureClientPort,
      adminPort,
      company: {
        get isStandalone() {
          return known.size === 1
        },
        get voters() {
          return known.voterCount
        },
        get slowedHandshakes() {
          return slowedHandshakes()
        },
      },
      events: this.#events,
      configuration: () => {
        const directories = this.#storages.directoriesOf(myid)
        const one = { id: myid, votes: known.votes, ports: servers.get(myid) ?? null, directories }
        return NODE_PARTS.configurationText(one, known.text, common)
      },
      directories: () => this.#storages.directoriesOf(myid),
      isIsolated: () => false,
      plug: (host) => {
        this.#peers?.attach(host)
      },
      unplug: () => {
        this.#peers?.destroy()
      },
      serves: (epoch) => {
        noteEpoch(epoch)
        this.#hasServed = true
        this.#serving.resolve()
      },
      rewinds: (zxid) => {
        this.#startAgain(zxid)
      },
      failed: (error) => {
        this.#serving.reject(error)
        this.#events.failed(myid, error)
      },
    })
  }

  /** The same text at every server: /zookeeper/config is a part of the state that they have in common. */
  get #membership(): string {
    return configurationOf(this.#settings.servers, 0n).text
  }

  #followConfiguration(): void {
    this.#events.listen(({ event }) => {
      if (event.type === 'reconfigured') this.#known.reconfigured(event.text)
    })
  }

  #open(options: OpenOptions): Promise<Session> {
    const { myid, common, clientSasl } = this.#settings
    const isClosing = (): boolean => this.#isDraining
    const own = new MemoryDialer({
      ids: [myid],
      host: () => this.#server.host ?? undefined,
      isIsolated: () => false,
      get isClosing() {
        return isClosing()
      },
    }, 0)
    const others = this.#known.otherClients
    const remote = others.length === 0 ? null : new SocketDialer(others, { tls: null, lookup: undefined })
    // A session that another server alone knows would end if it left that server.
    const mayReturn = common.server.localSessions === 'off'
    const untilServing = (signal: AbortSignal): Promise<void> => this.#untilServing(signal)
    const dialer = new MemberDialer({ dialer: own, mayReturn, untilServing }, remote)
    const opening = openClientSession(dialer, {
      ...options,
      sessionTimeoutMs: options.sessionTimeoutMs ?? common.sessionTimeoutMs,
      requestBytesMax: common.clients.frameBytesMax,
      sasl: clientSasl,
      dialect: (requests) => new OwnDialect(requests, remote !== null),
    })
    return remote === null ? opening : this.#following(opening, remote)
  }

  /** The others as they are reconfigured, for a session until it is over. */
  async #following(opening: Promise<Session>, others: SocketDialer): Promise<Session> {
    const unlisten = this.#events.listen(({ event }) => {
      if (event.type === 'reconfigured') others.replace(this.#known.otherClients)
    })
    try {
      const session = await opening
      session.onState(({ status }) => {
        if (status === 'expired' || status === 'closed') unlisten()
      })
      return session
    } catch (error) {
      unlisten()
      throw error
    }
  }

  get #takesClients(): boolean {
    const { role, serving } = this.status()
    if (this.#isDraining || !serving) return false
    return role !== 'LEADING' || this.#settings.common.server.leaderServes || this.#known.voterCount === 1
  }

  async #untilServing(signal: AbortSignal): Promise<void> {
    while (!this.#takesClients) {
      const { promise, resolve } = deferred<void>()
      const unlisten = this.onEvent(({ event }) => {
        if (event.type === 'serving') resolve()
      })
      await abortable(promise, signal).finally(unlisten)
    }
  }

  async #close(): Promise<void> {
    this.#serving.reject(new TypeError('this server is closed'))
    await this.#starting?.catch(() => undefined)
    const untilMs = performance.now() + this.#settings.common.drainMs
    await drain([this.#server], untilMs, () => {
      this.#isDraining = true
    })
    await this.#server.handOver(performance.now() + HAND_OVER_MS_MAX)
    const wasUp = this.#server.isUp
    await this.#peers?.close()
    await this.#end()
    if (wasUp) this.#events.emit(this.myid, { type: 'crashed' })
    this.#events.clear()
  }

  async #end(): Promise<void> {
    this.#server.stop()
    await this.#storages.close()
  }
}
