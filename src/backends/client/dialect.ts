/**
 * The differences between servers that speak this protocol: the proof that a session lives, the request that makes
 * later reads linearizable, and the comparisons that a multi may hold.
 *
 * Ours      answer a ping, a write and a `sync` only when a majority has confirmed it, compare creations, and date the
 *           creates of a multi: each of these is one plain request.
 * ZooKeeper see zookeeper/dialect.ts.
 */
import type { Created, CreateOptions, Operation, OperationResult, Stat } from '../../core/backend.ts'
import { Call, dated, readNothing, readStat } from './calls.ts'
import { AnsweredLease } from './lease.ts'
import type { ClientLease } from './lease.ts'
import { OWN_SERVER, OpCode } from '../wire/codes.ts'
import type { Acl, AuthRequest } from '../wire/records.ts'

/** The requests that a dialect is made of. They leave in the order of the calls, and are answered in it. */
export interface PlainRequests {
  /** The access control list of the nodes that this client makes. */
  readonly acl: readonly Acl[]
  /** Whether the application has told the servers nothing of who it is. */
  readonly isAnonymous: boolean
  create(path: string, data: Uint8Array, options: CreateOptions, acl: readonly Acl[]): Promise<Created>
  exists(path: string): Promise<Stat | null>
  set(path: string, data: Uint8Array, version: number): Promise<Stat>
  /**
   * @param named - the path that its error names
   * @param isUrgent - whether it goes before the calls that wait for room
   */
  delete(path: string, version: number, named: string, isUrgent?: boolean): Promise<void>
  /**
   * A multi of these operations and no others.
   *
   * @param aclOf - gives the access control list of a node that it creates
   */
  multi(operations: readonly Operation[], aclOf: (operation: Operation) => readonly Acl[]): Promise<OperationResult[]>
  /** The request that ZooKeeper calls sync. */
  sync(path: string, isUrgent?: boolean): Promise<void>
  /**
   * The knowledge of a node that a watch on it gives: `stands` if a read has shown this creation, and its watch has not
   * fired since; `coming` if such a read is on its way; none while no server is in touch.
   */
  watchOn(path: string, czxid: bigint): 'stands' | 'coming' | 'none'
  /** Tells the present server, if there is one, of another identity; the next ones hear of {@link Dialect.auth}. */
  introduce(auth: AuthRequest): void
}

/** One session's way to speak to its servers. */
export interface Dialect {
  readonly lease: ClientLease
  /** Most calls in flight; the proof of a lease waits for the answers of all that were sent before it. */
  readonly inFlightMax: number
  /** Identities that are introduced to each server, after those of the application. */
  readonly auth: readonly AuthRequest[]
  /** A server did not take one of {@link Dialect.auth}; it ends the connection. */
  refused(): void
  /**
   * Whether the server that is attached now is one of ours; with each server the first word is no. A dialect without
   * it does not ask.
   */
  recognise?(isOurs: boolean): void
  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created>
  multi(operations: readonly Operation[]): Promise<OperationResult[]>
  sync(path: string): Promise<void>
}

/**
 * Makes the dialect of one session.
 *
 * @param bound - the same requests, for the server that is attached when they are called and for no other: a request
 * not yet sent when its connection is lost fails, as not sent
 */
export type MakeDialect = (requests: PlainRequests, bound: PlainRequests) => Dialect

/** Asks whether the server is one of ours; any answer but yes means that it is not. */
export function recognition(xid: number, answered: (isOurs: boolean) => void): Call {
  const resolve = (stat: Stat | null): void => {
    answered(stat !== null)
  }
  const request = { xid, op: OpCode.exists, body: { path: OWN_SERVER, watch: false } }
  return new Call(request, OWN_SERVER, undefined, { read: readStat, resolve, reject: readNothing })
}

/** The dialect of our own servers. */
export class OwnDialect implements Dialect {
  readonly lease = new AnsweredLease()
  /** Any answer to a write is a proof. */
  readonly inFlightMax = Infinity
  readonly auth: readonly AuthRequest[] = []
  readonly #requests: PlainRequests
  readonly #isRemote: boolean

  /** @param isRemote - whether it may be reached over the wire, where nobody dates the creates of a multi */
  constructor(requests: PlainRequests, isRemote = false) {
    this.#requests = requests
    this.#isRemote = isRemote
  }

  refused(): void {
    // There is none of its own.
  }

  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created> {
    return this.#requests.create(path, data, options, this.#requests.acl)
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const results = this.#requests.multi(operations, () => this.#requests.acl)
    return this.#isRemote ? dated(results, (path) => this.#requests.exists(path)) : results
  }

  sync(path: string): Promise<void> {
    return this.#requests.sync(path)
  }
}
