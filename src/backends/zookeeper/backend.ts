/**
 * ZooKeeper as a backend: sessions over its own protocol.
 *
 * Secrets   `auth` and `tls` are kept in private fields, and are in no message and no inspection.
 * Abilities containers are there since 3.5; whether nodes may have a time to live is a setting of the servers, and is
 *           asked for with the first session.
 */
import type { Backend, Capabilities, OpenOptions, Session } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { makePath } from '../../core/make-path.ts'
import { namespaced } from '../../core/session/namespaced.ts'
import type { Dialer } from '../client/channel.ts'
import { SocketDialer } from '../client/io/socket-dialer.ts'
import { textOf } from '../client/server-address.ts'
import { openClientSession } from '../client/session.ts'
import type { Destination } from './connection-string.ts'
import { ZooKeeperDialect } from './dialect.ts'
import { EnsembleTracker } from './ensemble-tracker.ts'
import type { OwnershipSupport } from './owned-nodes.ts'
import { REQUEST_OVERHEAD_BYTES } from './options.ts'
import type { ZooKeeperSettings } from './options.ts'

/** The granularity of the time itself; the servers look once a minute for nodes whose time is over. */
const TTL_GRANULARITY_MS = 1

/** The create that tells whether a time to live would be taken: none of 0 ms ever is. */
const TTL_PROBE = { mode: 'persistent-with-ttl', ttlMs: 0 } as const
const TTL_PROBE_PATH = '/zookeeper/ttl-probe'

const NO_BYTES = new Uint8Array()

/** A server that leaves a call without an answer for so many session time-outs, and so long at least, is left. */
const ANSWER_TIMEOUTS = 3
const ANSWER_MS_MIN = 30_000

/** A ZooKeeper that can be connected to; made by `zookeeper()`. */
export class ZooKeeperBackend implements Backend {
  readonly name: string
  readonly capabilities: Capabilities
  readonly root: string
  readonly #destination: Destination
  readonly #settings: ZooKeeperSettings
  readonly #around: (dialer: Dialer) => Dialer
  readonly #tracker: EnsembleTracker
  readonly #ownership: OwnershipSupport = { isRefused: false }
  #hasTtl: boolean | null = null
  #isChrootMade = false

  /**
   * Makes a backend.
   *
   * @param around - puts something between each session and its connections: the shell's own requests
   */
  constructor(destination: Destination, settings: ZooKeeperSettings, around = (dialer: Dialer): Dialer => dialer) {
    const chroot = destination.chroot === '/' ? '' : destination.chroot
    this.name = `zookeeper ${destination.servers.map(textOf).join(',')}${chroot}`
    this.root = destination.chroot
    this.#destination = destination
    this.#settings = settings
    this.#tracker = new EnsembleTracker(destination.servers)
    this.#around = around
    this.capabilities = capabilitiesOf(settings.dataBytesMax, () => this.#hasTtl === true)
  }

  async open(options: OpenOptions): Promise<Session> {
    const { tls, lookup, connectTimeoutMs, auth, sasl, acl, readOnly, sessionTimeoutMs, dataBytesMax } = this.#settings
    const sockets = new SocketDialer(this.#tracker.servers, { tls, lookup })
    const timeoutMs = options.sessionTimeoutMs ?? sessionTimeoutMs
    const session = await openClientSession(this.#around(sockets), {
      sessionTimeoutMs: timeoutMs,
      answerMsMax: Math.max(ANSWER_MS_MIN, ANSWER_TIMEOUTS * timeoutMs),
      auth,
      sasl,
      acl,
      readOnly,
      requestBytesMax: dataBytesMax + REQUEST_OVERHEAD_BYTES,
      dialect: (requests, bound) => new ZooKeeperDialect(requests, bound, this.#ownership),
      onError: options.onError,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(options.callTimeoutMs === undefined ? {} : { callTimeoutMs: options.callTimeoutMs }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    try {
      await this.#prepare(session)
    } catch (error) {
      await session.close()
      throw error
    }
    if (this.#settings.ensembleTracker) this.#tracker.follow(session, sockets)
    return namespaced(session, this.#destination.chroot)
  }

  /** Probes the servers and makes the chroot; done once, with the first session. */
  async #prepare(session: Session): Promise<void> {
    this.#hasTtl ??= await probeTtl(session)
    if (this.#isChrootMade) return
    const { chroot } = this.#destination
    if (chroot !== '/') await makePath(session, chroot, 'persistent', undefined)
    this.#isChrootMade = true
  }
}

function capabilitiesOf(dataBytesMax: number, hasTtl: () => boolean): Capabilities {
  return Object.freeze({
    durability: 'disk',
    linearizableSync: true,
    comparesCreations: false,
    containers: true,
    get ttlGranularityMs(): number | null {
      return hasTtl() ? TTL_GRANULARITY_MS : null
    },
    acl: true,
    dataBytesMax,
  })
}

/** @returns null if this server could not tell */
async function probeTtl(session: Session): Promise<boolean | null> {
  try {
    await session.create(TTL_PROBE_PATH, NO_BYTES, TTL_PROBE)
    return null
  } catch (error) {
    if (isCoordinationError(error, 'UNSUPPORTED')) return false
    if (isCoordinationError(error, 'BAD_ARGUMENTS')) return true
    if (isCoordinationError(error, 'READ_ONLY', 'THROTTLED', 'SYSTEM_ERROR', 'NO_AUTH')) return null
    throw error
  }
}
