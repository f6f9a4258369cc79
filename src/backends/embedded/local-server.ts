/**
 * One server that runs in this process: its host, and its ports for clients and operators if it has them. Its owner
 * joins it to the others, in memory or over TCP.
 */
import { downStatus } from './down-status.ts'
import type { EnsembleServerStatus } from './ensemble-events.ts'
import type { AdminServer } from './host/admin/admin-server.ts'
import type { ClientPort } from './host/clients/tcp-port.ts'
import type { Host } from './host/host.ts'
import { HostSlot } from './host/host-slot.ts'
import type { MemoryGateOptions } from './host/memory-gate.ts'
import type { PeerTransport } from './host/peers/transport.ts'
import type { Storage } from './host/storage/storage.ts'
import { holdsBy, twoTurns } from './host/turns.ts'
import type { EnsembleParts, PortOptions } from './parts.ts'
import type { ServerConfig } from './server/config.ts'
import type { SaslAuthority } from './server/ports.ts'

/** The settings and callbacks that the owner of a server gives it. */
export interface LocalServerOptions extends PortOptions {
  /** Those of the platform. */
  readonly parts: EnsembleParts
  /** It runs: the others can reach it. */
  plug(host: Host): void
  /** It has ended. */
  unplug(): void
  /** It serves clients, in this epoch. */
  serves(epoch: number): void
  /** It has to start again, and to rewind its files to this zxid. */
  rewinds(zxid: bigint): void
  /** It has ended by itself. */
  failed(error: unknown): void
}

/** The parts that a server starts with. */
export interface LocalServerStart {
  readonly config: ServerConfig
  readonly storage: Storage
  readonly transport: PeerTransport
  /** Its storage is not touched before. */
  readonly storageReady?: Promise<void> | undefined
  /** Where its files end for it; null if all of them counts. */
  readonly rewindTo?: bigint | null
}

/** One server. */
export class LocalServer {
  readonly id: number
  /** Where ZooKeeper's clients connect to it; null if it serves none. */
  readonly port: ClientPort | null
  /** Where operators look at it over HTTP; null if they cannot. */
  readonly admin: AdminServer | null
  /** It lost its storage and may have forgotten promises. */
  isWiped = false
  readonly #options: LocalServerOptions
  readonly #slot = new HostSlot()
  readonly #sasl: SaslAuthority | undefined

  /**
   * Makes a server that is down.
   *
   * @param options - see {@link LocalServerOptions}
   */
  constructor(options: LocalServerOptions) {
    this.id = options.id
    this.#options = options
    const { id, clients: { sasl }, parts, events } = options
    this.#sasl = sasl === null ? undefined : parts.saslOf(sasl, (event) => {
      events.emit(id, event)
    })
    const { port, admin } = parts.portsOf(options)
    this.port = port
    this.admin = admin
  }

  /** The host that runs; null while none does, and while one is being opened. */
  get host(): Host | null {
    return this.#slot.host
  }

  /** Whether it runs, or is about to. */
  get isUp(): boolean {
    return this.#slot.isTaken
  }

  /** Its status; `DOWN` while it does not run. */
  status(): EnsembleServerStatus {
    return this.host?.status() ?? downStatus(this.id)
  }

  /**
   * Opens its ports.
   *
   * @throws Error that names address and port if one of them is not available; close them then
   */
  async listen(): Promise<void> {
    await Promise.all([this.port?.listen(), this.admin?.listen()])
  }

  /** Closes its ports and every connection, at once. They can be opened again. Idempotent. */
  closePorts(): void {
    this.port?.close()
    this.admin?.close()
  }

  /** Starts it; its ports are opened by the owner. */
  start({ config, storage, transport, storageReady, rewindTo = null }: LocalServerStart): void {
    const { id, events, parts } = this.#options
    this.#slot.open({
      config,
      storage,
      random: parts.random,
      digest: parts.digest,
      sasl: this.#sasl,
      transport,
      memory: this.#memory,
      rewindTo,
      onEvent: (event) => {
        if (event.type === 'serving') this.#options.serves(event.epoch)
        events.emit(id, event)
        if (event.type === 'auth-failed') this.port?.noteAuthFailure(event)
        if (event.type !== 'client-failed') return
        this.port?.noteClientError()
        events.tellClientError(event.error)
      },
      onRewind: (zxid) => {
        this.#options.rewinds(zxid)
      },
      onFailure: (error) => {
        this.stop()
        this.#options.failed(error)
      },
    }, (host) => {
      this.port?.attach(host)
      this.#options.plug(host)
      const { epoch, loggedZxid } = host.status()
      events.emit(id, { type: 'started', epoch, loggedZxid })
    }, storageReady)
  }

  get #memory(): MemoryGateOptions | undefined {
    const { parts: { memoryPercent }, clients: { limits } } = this.#options
    if (memoryPercent === undefined) return undefined
    const { heapThrottlePercent, heapRefusePercent } = limits
    return { heapThrottlePercent, heapRefusePercent, measure: memoryPercent }
  }

  /**
   * If it leads, it has everything done that it has begun, and then makes way for another leader.
   *
   * @param untilMs - when to stop waiting, on `performance.now()`
   */
  async handOver(untilMs: number): Promise<void> {
    const { host } = this
    if (host === null || host.hasLeft) return
    host.leave()
    await holdsBy(() => host.hasLeft, untilMs)
  }

  /** Ends it at once, as if its process had died. */
  stop(): void {
    this.closePorts()
    this.#options.unplug()
    this.#slot.empty()
  }
}

/**
 * Waits until the requests that clients have sent to some servers so far are answered.
 *
 * @param untilMs - when to stop waiting, on `performance.now()`
 * @param refuse - called when nothing more is taken from clients of this process
 * @returns nothing if there are no clients
 */
export function drain(servers: readonly LocalServer[], untilMs: number, refuse: () => void): Promise<void> | undefined {
  const hosts = (): Host[] => servers.flatMap(({ host }) => host ?? [])
  const ports = servers.flatMap(({ port }) => port ?? [])
  if (hosts().every((host) => host.clientCount === 0) && ports.every((port) => port.connectionCount === 0)) return
  return answered(hosts, ports, untilMs, refuse)
}

async function answered(
  hosts: () => readonly Host[],
  ports: readonly ClientPort[],
  untilMs: number,
  refuse: () => void,
): Promise<void> {
  // The calls of this process's clients are on their way to the servers.
  await twoTurns()
  refuse()
  await Promise.all([
    ...ports.map((port) => port.drain(untilMs)),
    holdsBy(() => hosts().every((host) => host.isAnswered), untilMs),
  ])
}
