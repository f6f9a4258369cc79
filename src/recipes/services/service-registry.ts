/**
 * Service registry: instances of services that say where they are to be reached.
 *
 * Model     a kept node (engine/kept-node.ts) `base/<service>/<id>` per instance, with Curator's JSON. It goes with its
 *           session, and is made again on the next one.
 * Safety    another's node is never taken over: where Curator deletes and makes again whatever has the id, here the
 *           second instance is refused.
 * Cost      register: 1 round trip; a change costs each watcher 1 event + 1 or 2 reads.
 * Source    Curator x-discovery, ServiceDiscoveryImpl.
 */
import type { Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateBoolean, validateInteger, validateText } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import { unlessGone } from '../../core/read-each.ts'
import { checkSessionLoss } from '../engine/acquire-options.ts'
import type { OnSessionLoss } from '../engine/acquire-options.ts'
import { invalidValue } from '../engine/codec.ts'
import { KeptNode } from '../engine/kept-node.ts'
import type { KeptState } from '../engine/kept-node.ts'
import { byCreation } from '../engine/recognition.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { encodeInstance } from './service-instance.ts'
import type { ServiceInstance } from './service-instance.ts'

/** The details of an instance that it registers, and may change. */
export type InstanceDetails = Partial<
  Pick<ServiceInstance, 'address' | 'port' | 'sslPort' | 'payload' | 'uriSpec' | 'enabled'>
>

/** Options of {@link ServiceRegistry.register}. */
export interface RegisterOptions extends InstanceDetails, TimedWaitOptions {
  /** The instance's id, nobody else's in its service; a UUID by default. */
  readonly id?: string
  /** The fate of the call when the session ends before it has registered; `reject` by default. */
  readonly onSessionLoss?: OnSessionLoss
}

const DETAILS = { address: true, port: true, sslPort: true, payload: true, uriSpec: true, enabled: true } as const
const UPDATE_OPTIONS = optionNames<InstanceDetails>(DETAILS)
const OPTIONS = optionNames<RegisterOptions>({ ...DETAILS, id: true, onSessionLoss: true, waitMs: true, signal: true })
const PORT_MAX = 65_535

/** The services below a path. */
export class ServiceRegistry {
  /** The parent of the services. */
  readonly path: string
  readonly #client: Client

  /**
   * Makes a registry's client side; nothing is sent.
   *
   * @param client - on whose sessions instances are registered; when it closes, they go
   * @param path - the parent of the services, `basePath` of Curator
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string) {
    validateClient(client, 'ServiceRegistry')
    validatePath(path)
    this.path = path
    this.#client = client
  }

  /**
   * Registers an instance.
   *
   * @param name - of the service: one segment of a path
   * @param options - how to reach it, and the limits of the wait; with `waitMs` it waits for an id that another
   * has to be free: above all for the node of an older session of a process that was started again
   * @returns a handle that registers again by itself when its session is lost, until `unregister()`
   * @throws CoordinationError `NODE_EXISTS` if another has the id, at once or when `waitMs` have passed; `ABORTED`,
   * `TIMEOUT`, `INVALID_VALUE`, `PAYLOAD_TOO_LARGE`, `CLIENT_CLOSED`, a refusal of the servers, and with `reject`
   * `SESSION_EXPIRED`, `CONNECTION_LOSS`
   * @throws TypeError or RangeError for a wrong name, id or option
   */
  async register(name: string, options: RegisterOptions = {}): Promise<ServiceRegistration> {
    refuseUnknown(options, OPTIONS, 'register')
    const { id = crypto.randomUUID(), onSessionLoss, waitMs, signal, ...details } = options
    validateSegment('name', name)
    validateSegment('id', id)
    checkDetails(details)
    checkSessionLoss(onSessionLoss)
    const instance: ServiceInstance = {
      name,
      id,
      address: null,
      port: null,
      sslPort: null,
      payload: null,
      registrationTimeUTC: Date.now(),
      serviceType: 'DYNAMIC',
      uriSpec: null,
      enabled: true,
      ...details,
    }
    const waiting = {
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(signal === undefined ? {} : { signal }),
      ...(onSessionLoss === undefined ? {} : { onSessionLoss }),
    }
    const path = joinPath(joinPath(this.path, name), id)
    const keeping = { ...waiting, taken: idTaken, recognition: byCreation }
    const node = await KeptNode.keep(this.#client, path, bytesOf(instance, path), keeping)
    return new ServiceRegistration(this.#client, node, instance)
  }

  /**
   * Reads the names of the services, not older than any change that was acknowledged before the call. A service stays
   * for a while after its last instance has gone.
   *
   * @param options - the signal and the time limit of the wait
   * @returns the names, sorted
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async names(options: TimedWaitOptions = {}): Promise<readonly string[]> {
    return withinWait(this.#client, { what: 'names', path: this.path }, options, async (signal) => {
      await this.#client.sync(this.path, { signal })
      return (await unlessGone(this.#client.children(this.path, { signal })))?.names ?? []
    })
  }
}

/** One instance that is registered; made by `ServiceRegistry.register`. */
export class ServiceRegistration implements AsyncDisposable {
  /** Its node. */
  readonly path: string
  readonly #client: Client
  readonly #node: KeptNode
  #instance: ServiceInstance

  /** Made by `ServiceRegistry.register`. */
  constructor(client: Client, node: KeptNode, instance: ServiceInstance) {
    this.path = node.path
    this.#client = client
    this.#node = node
    this.#instance = Object.freeze(instance)
  }

  /** The instance as it was registered or updated last. */
  get instance(): ServiceInstance {
    return this.#instance
  }

  /** Where it stands at this instant. */
  get state(): KeptState {
    return this.#node.state
  }

  /** Aborted when the present registration can no longer be relied on. After another one there is another signal. */
  get signal(): AbortSignal {
    return this.#node.signal
  }

  /**
   * Changes what it says of itself. Changes that come faster than they can be stored replace each other.
   *
   * @param details - the details to change; the rest stays
   * @param options - the signal and the time limit of the wait; the change is stored all the same
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `INVALID_VALUE`, `PAYLOAD_TOO_LARGE`, or why it is registered no
   * more: `NODE_EXISTS`, `CLIENT_CLOSED`, or a refusal of the servers
   */
  async update(details: InstanceDetails, options: TimedWaitOptions = {}): Promise<void> {
    refuseUnknown(details, UPDATE_OPTIONS, 'update')
    checkDetails(details)
    const instance = Object.freeze({ ...this.#instance, ...details })
    const bytes = bytesOf(instance, this.path)
    await withinWait(this.#client, { what: 'update', path: this.path }, options, async (_, wait) => {
      this.#node.throwIfEnded()
      const storing = this.#node.store(bytes, wait)
      this.#instance = instance
      await storing
    })
  }

  /** Ends the registration. Idempotent; never rejects. Resolves when the servers have confirmed it. */
  unregister(): Promise<void> {
    return this.#node.withdraw()
  }

  /** Ends the registration. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unregister()
  }
}

function bytesOf(instance: ServiceInstance, path: string): Uint8Array {
  try {
    return encodeInstance(instance)
  } catch (cause) {
    throw invalidValue(path, [{ message: cause instanceof Error ? cause.message : String(cause) }], 'not-sent')
  }
}

function checkDetails({ address, port, sslPort, enabled }: InstanceDetails): void {
  if (address !== undefined && address !== null) validateText('address', address)
  if (port !== undefined && port !== null) validateInteger('port', port, 0, PORT_MAX)
  if (sslPort !== undefined && sslPort !== null) validateInteger('sslPort', sslPort, 0, PORT_MAX)
  if (enabled !== undefined) validateBoolean('enabled', enabled)
}

/** Checks a name: an id with a slash would make a path that no reader looks at. */
export function validateSegment(what: string, value: unknown): asserts value is string {
  validateText(what, value)
  validatePath(`/${value}`, what)
  if (value.includes('/')) throw new TypeError(`${what} must be one segment of a path, got ${JSON.stringify(value)}`)
}

function idTaken(path: string, { ctime, ephemeralOwner }: Stat): CoordinationError {
  const owner = ephemeralOwner === 0n ? 'no session' : `session 0x${ephemeralOwner.toString(16)}`
  const message = `another instance has ${path} since ${new Date(ctime).toISOString()}, on ${owner}: `
    + 'register({ waitMs }) waits until it goes'
  return new CoordinationError('NODE_EXISTS', message, { outcome: 'rejected', path })
}
