/** The backend: the parts that its sessions share, and the opening of one. */
import type { Backend, Capabilities, OpenOptions, Session } from '../../core/backend.ts'
import { abortable, abortedError, limited } from '../../core/async.ts'
import { CoordinationError } from '../../core/errors.ts'
import { failure, reasonOf } from './calls.ts'
import { Channel, RpcError } from './io/channel.ts'
import { Keys } from './keys.ts'
import { Methods, valueOf } from './messages.ts'
import type { RequestOp, TxnRequest } from './messages.ts'
import { encodeNode } from './node-value.ts'
import type { EtcdSettings } from './options.ts'
import { EtcdSession } from './session.ts'
import type { Shared } from './session.ts'
import { Hints } from './snapshot.ts'
import { Turns } from './turns.ts'
import { WatchHub } from './watch-hub.ts'

/** etcd takes requests of 1.5 MiB by default: the largest data leave room for the rest of a request. */
const DATA_BYTES_MAX = 1_000_000

const MS_A_SECOND = 1_000
/** etcd ends no lease before 1.5 times its election time-out, 1 s by default, in whole seconds. */
const TIMEOUT_SECONDS_MIN = 2

const CAPABILITIES: Capabilities = Object.freeze({
  durability: 'disk',
  linearizableSync: true,
  comparesCreations: true,
  containers: false,
  ttlGranularityMs: null,
  acl: false,
  dataBytesMax: DATA_BYTES_MAX,
})

/** A backend on one cluster and prefix. */
export class EtcdBackend implements Backend {
  readonly name: string
  readonly capabilities = CAPABILITIES
  readonly #settings: EtcdSettings
  readonly #shared: Shared
  #nextEndpoint: number

  /** Connects to nothing yet. */
  constructor(settings: EtcdSettings) {
    const channel = new Channel(settings)
    const keys = new Keys(settings.prefix)
    this.name = `etcd at ${settings.endpoints.map(({ host }) => host).join()}`
    this.#settings = settings
    this.#nextEndpoint = Math.floor(Math.random() * channel.endpointCount)
    const { requestTimeoutMs } = settings
    const hub = new WatchHub(channel, keys)
    this.#shared = { channel, keys, hub, hints: new Hints(), turns: new Turns(), requestTimeoutMs }
  }

  async open(options: OpenOptions): Promise<Session> {
    const { signal } = options
    if (signal?.aborted === true) throw abortedError(signal)
    const opening = this.#open(options)
    const closeLate = (session: EtcdSession): void => {
      if (signal?.aborted === true) void session.close()
    }
    opening.then(closeLate, () => undefined)
    return abortable(opening, signal)
  }

  /** Asks each member once, until one opens a session. */
  async #open(options: OpenOptions): Promise<EtcdSession> {
    const { endpointCount } = this.#shared.channel
    let last: RpcError | null = null
    for (let i = 0; i < endpointCount; i++) {
      const endpoint = this.#nextEndpoint++
      try {
        return await this.#openAt(endpoint, options)
      } catch (error) {
        if (!(error instanceof RpcError)) throw error
        if (error.failure === 'refused') throw failure(error, null)
        last = error
      }
    }
    const reason = last === null ? 'there are none' : reasonOf(last)
    const message = `none of ${endpointCount} members opened a session; the last: ${reason}`
    throw new CoordinationError('CONNECTION_LOSS', message, { outcome: 'not-sent', cause: last })
  }

  async #openAt(endpoint: number, options: OpenOptions): Promise<EtcdSession> {
    const { channel, hub } = this.#shared
    const askedMs = options.sessionTimeoutMs ?? this.#settings.sessionTimeoutMs
    const seconds = Math.max(TIMEOUT_SECONDS_MIN, Math.ceil(askedMs / MS_A_SECOND))
    const waitMs = this.#settings.requestTimeoutMs
    const sentMs = performance.now()
    const { id = 0n, ttl = 0n } = await channel.call(endpoint, Methods.leaseGrant, { ttl: BigInt(seconds) }, waitMs)
    const timeoutMs = Number(ttl) * MS_A_SECOND
    const lease = { id, timeoutMs, sentMs, endpoint }
    const { callTimeoutMs = Infinity, onError } = options
    const session = new EtcdSession(this.#shared, lease, { callTimeoutMs, onError })
    try {
      await limited(hub.add(session), waitMs, () => new RpcError('lost', `no watch within ${waitMs} ms`))
      await channel.call(endpoint, Methods.txn, this.#entry(id, timeoutMs), waitMs)
    } catch (error) {
      await session.close()
      throw error
    }
    session.start()
    return session
  }

  /** Puts the session's key, and the root if this is the first session of all. */
  #entry(id: bigint, timeoutMs: number): TxnRequest {
    const { keys } = this.#shared
    const root = keys.node('/')
    const put: RequestOp = { put: { key: keys.session(id), value: valueOf(`${timeoutMs} ms`), lease: id } }
    const header = { isEphemeral: false, version: 0, ctimeMs: 0, mtimeMs: 0, czxid: 0n }
    const value = encodeNode(header, new Uint8Array())
    const count = { key: keys.count('/'), value: valueOf('0') }
    return {
      compare: [{ result: 'greater', key: root, target: 'create', createRevision: 0n }],
      success: [put],
      failure: [{ put: { key: root, value } }, { put: count }, put],
    }
  }
}
