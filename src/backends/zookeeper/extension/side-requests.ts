/**
 * Requests beside those of a session, on the session's own connection: for the parts of ZooKeeper's protocol that the
 * contract of a backend has not.
 *
 * Model     a dialer around a session's dialer. It sends requests of its own with xids that the session never uses,
 *           takes their replies out, and lets everything else pass; events go to its watches and on to the session.
 * Order     one connection, so its requests and the session's are served in the order in which they were made.
 * Repeats   none: a request in flight when a connection is lost fails, and one that is made while there is none was not
 *           sent. Identities and persistent watches are told to each new connection; watches end with their session.
 */
import type { Channel, ChannelListener, Dialer } from '../../client/channel.ts'
import { AddWatchMode, Err, EventType, OpCode, errorCodeOf } from '../../wire/codes.ts'
import type { AuthRequest, ClientMessage, ReplyBodies, Request } from '../../wire/records.ts'
import type { Reply, RequestBodies, ServerMessage, WatcherEvent } from '../../wire/records.ts'
import type { WatchEvent } from '../../../core/backend.ts'
import { CoordinationError } from '../../../core/errors.ts'

/** Sessions count their xids from 1: two ranges that do not meet within two years of 16 requests a second. */
const XID_MIN = 0x4000_0000

/** The messages for people in the place of a code. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [Err.authFailed, 'the servers refuse this identity'],
  [Err.noWatcher, 'there is no such watch'],
  [Err.quotaExceeded, 'a quota is exceeded'],
  [Err.newConfigNoQuorum, 'no majority of the new voters follows the leader: add new servers as observers first'],
  [Err.reconfigInProgress, 'another change of the servers is under way'],
  [Err.reconfigDisabled, 'changes of the servers are switched off: reconfigEnabled=true in zoo.cfg of all of them'],
])

const EVENTS: ReadonlyMap<number, WatchEvent['type']> = new Map([
  [EventType.nodeCreated, 'created'],
  [EventType.nodeDeleted, 'deleted'],
  [EventType.nodeDataChanged, 'changed'],
  [EventType.nodeChildrenChanged, 'children'],
])

/** How long a watch lives and what it sees: until it is removed, of one node or of all below it too. */
export type PersistentWatchMode = keyof typeof AddWatchMode

/** Hears of what a persistent watch has seen; the path is that of the node that it happened to. */
export type PersistentWatcher = (event: WatchEvent) => void

interface InFlight {
  readonly path: string
  readonly resolve: (body: never) => void
  readonly reject: (error: CoordinationError) => void
}

interface PersistentWatch {
  readonly mode: PersistentWatchMode
  readonly watcher: PersistentWatcher
}

/** The requests beside those of one session. Paths are those of the servers. */
export class SideRequests {
  readonly #identities: AuthRequest[] = []
  readonly #watches = new Map<string, PersistentWatch>()
  readonly #inFlight = new Map<number, InFlight>()
  /** The connection that a server has answered on. */
  #channel: Channel | null = null
  #sessionId = 0n
  #lastXid = XID_MIN

  /** Goes between a session and its dialer. */
  around(dialer: Dialer): Dialer {
    return {
      get serverCount() {
        return dialer.serverCount
      },
      dial: (listener) => this.#dial(dialer, listener),
    }
  }

  /**
   * Sends a request.
   *
   * @param path - the path for its error
   * @throws CoordinationError with the code of what the servers refuse it with; `CONNECTION_LOSS` (outcome `not-sent`,
   * or `unknown` if it was in flight)
   */
  request<O extends keyof RequestBodies>(op: O, body: RequestBodies[O], path: string): Promise<ReplyBodies[O]> {
    return new Promise((resolve, reject) => {
      if (this.#channel === null) {
        reject(new CoordinationError('CONNECTION_LOSS', 'no server is in touch', { outcome: 'not-sent', path }))
        return
      }
      this.#lastXid += 1
      this.#inFlight.set(this.#lastXid, { path, resolve, reject })
      this.#channel.send({ kind: 'request', request: { xid: this.#lastXid, op, body } as Request })
    })
  }

  /** Proves who this is, to this server and to those that come after it. */
  async addAuth(scheme: string, auth: Uint8Array): Promise<void> {
    const identity = { type: 0, scheme, auth }
    await this.request(OpCode.auth, identity, '')
    this.#identities.push(identity)
  }

  /** Sets a persistent watch; a path has one, and a second one takes its place. */
  async addWatch(path: string, mode: PersistentWatchMode, watcher: PersistentWatcher): Promise<void> {
    await this.request(OpCode.addWatch, { path, mode: AddWatchMode[mode] }, path)
    this.#watches.set(path, { mode, watcher })
  }

  /** Removes watches of a path, of a WatcherType of codes.ts. */
  async removeWatches(path: string, type: number): Promise<void> {
    this.#watches.delete(path)
    await this.request(OpCode.removeWatches, { path, type }, path)
  }

  #dial(dialer: Dialer, listener: ChannelListener): Channel {
    const inner = dialer.dial({
      onMessage: (message) => {
        this.#onMessage(inner, listener, message)
      },
      onClose: (reason) => {
        if (this.#channel === inner) this.#lose()
        listener.onClose(reason)
      },
    })
    return {
      server: inner.server,
      send: (message) => {
        inner.send(message)
        if (this.#channel === inner) this.#onSessionSent(inner, message)
      },
      close: () => inner.close(),
    }
  }

  #onMessage(channel: Channel, listener: ChannelListener, message: ServerMessage): void {
    if (message.kind === 'reply' && this.#settle(message.reply)) return
    if (message.kind === 'connect' && message.response.timeOut > 0) {
      if (message.response.sessionId !== this.#sessionId) this.#watches.clear()
      this.#sessionId = message.response.sessionId
      this.#channel = channel
      // Before any request of the session's, which may need them.
      for (const identity of this.#identities) this.#repeat(OpCode.auth, identity)
      for (const [path, { mode }] of this.#watches) this.#repeat(OpCode.addWatch, { path, mode: AddWatchMode[mode] })
    }
    if (message.kind === 'event') this.#fire(message.event)
    listener.onMessage(message)
  }

  /**
   * A session's requests for watches on a path take away our persistent one: it removes all when it has none left,
   * and in ZooKeeper 3.8 a one-shot watch takes the place of a persistent one. So ours is set again after it.
   */
  #onSessionSent(channel: Channel, message: ClientMessage): void {
    if (message.kind !== 'request' || channel !== this.#channel) return
    for (const path of watchedBy(message.request)) {
      const watch = this.#watches.get(path)
      if (watch !== undefined) this.#repeat(OpCode.addWatch, { path, mode: AddWatchMode[watch.mode] })
    }
  }

  /** Sends again what a server has taken before. */
  #repeat<O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): void {
    // A server that refuses it now closes the connection, or has lost the node's permission: there is nobody to tell.
    this.request(op, body, '').catch(() => undefined)
  }

  /** @returns whether the reply was one of ours */
  #settle({ xid, err, body }: Reply): boolean {
    const call = this.#inFlight.get(xid)
    if (call === undefined) return false
    this.#inFlight.delete(xid)
    if (err === Err.ok) call.resolve(body as never)
    else call.reject(refusal(err, call.path))
    return true
  }

  #fire({ type, path }: WatcherEvent): void {
    const eventType = EVENTS.get(type)
    if (eventType === undefined) return
    for (const [watched, { mode, watcher }] of this.#watches) {
      if (sees(watched, mode, eventType, path)) watcher({ type: eventType, path })
    }
  }

  #lose(): void {
    this.#channel = null
    const calls = [...this.#inFlight.values()]
    this.#inFlight.clear()
    for (const { path, reject } of calls) {
      reject(new CoordinationError('CONNECTION_LOSS', 'the connection was lost', { outcome: 'unknown', path }))
    }
  }
}

/** The paths whose watches a request of a session changes. */
function watchedBy({ op, body }: Request): readonly string[] {
  switch (op) {
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren:
    case OpCode.getChildren2:
      return body.watch ? [body.path] : []
    case OpCode.removeWatches:
      return [body.path]
    case OpCode.setWatches:
      return [...body.dataWatches, ...body.existWatches, ...body.childWatches]
    default:
      return []
  }
}

/** Whether an event is one that a persistent watch is about. */
function sees(watched: string, mode: PersistentWatchMode, type: WatchEvent['type'], path: string): boolean {
  if (mode === 'persistent') return path === watched
  const isBelow = path === watched || watched === '/' || path.startsWith(`${watched}/`)
  return isBelow && type !== 'children'
}

function refusal(err: number, path: string): CoordinationError {
  const code = errorCodeOf(err)
  const what = NAMES.get(err) ?? code
  const where = path === '' ? {} : { path }
  return new CoordinationError(code, `${what} (${err})`, { outcome: 'rejected', ...where })
}
