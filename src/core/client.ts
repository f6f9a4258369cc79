/**
 * The client, as an application holds it: its methods, their options, and its states. kept-client.ts is the one that
 * there is, and connect.ts makes it.
 */
import type { ClientState } from './client-state.ts'
import type { Data, WaitOptions } from './call-options.ts'
import type { Logger } from './log-observer.ts'
import type { Notices, Observer } from './observer.ts'
import type { Capabilities, Children, Created, CreateMode, NodeData, Operation } from './backend.ts'
import type { OperationResult, Stat, Watcher } from './backend.ts'
import type { Transaction } from './transaction.ts'

export type { Data, WaitOptions } from './call-options.ts'
export type { ClientState } from './client-state.ts'

/** Options of {@link Client.create}. */
export interface ClientCreateOptions extends WaitOptions {
  /** The kind of node; `persistent` by default. */
  readonly mode?: CreateMode
  /** With mode `persistent-with-ttl` only: milliseconds to live. */
  readonly ttlMs?: number
  /**
   * For ephemeral nodes: whether only this client will set the node's data. On ZooKeeper no other session may then, so
   * that a multi which checks the node's `czxid` need not wait until nobody creates beside it; elsewhere it changes
   * nothing. False by default.
   */
  readonly owned?: boolean
}

/** Options of the three reads. */
export interface ReadOptions extends WaitOptions {
  /**
   * One-shot callback, armed with this read; see {@link Session}. It may be called before the code that awaits the
   * read runs on. It dies silently with the session, so whoever watches listens to the state too.
   */
  readonly watch?: Watcher
}

/** Options of {@link Client.set} and {@link Client.delete}. */
export interface VersionOptions extends WaitOptions {
  /** The version that the node must have; -1, the default, stands for any. */
  readonly version?: number
}

/** Options of {@link Client.makePath}. */
export interface MakePathOptions extends WaitOptions {
  /**
   * Kind of every node that is missing: `container` by default, which the servers remove when it is empty again;
   * `persistent` on engines without containers.
   */
  readonly mode?: 'container' | 'persistent'
}

/** Options of {@link Client.close}. */
export interface CloseOptions {
  /**
   * How long to wait, in milliseconds, for the calls that are in flight and the releases that are under way, before
   * anything is ended. Calls made meanwhile are sent and waited for too. 0 by default: calls in flight reject.
   */
  readonly drainMs?: number
}

/** Something that was opened through a client and must end before it: a lease, a membership, a subscription. */
export interface OwnedResource {
  /** Ends it; called once, by `client.close()`. */
  close(): Promise<void>
  /** Waits for what it is doing of itself, such as a release; called by `client.close({ drainMs })` first. */
  drain?(): Promise<void>
}

/**
 * A client; made by `connect`. All paths are relative to its namespace, and absolute within it.
 *
 * Misuse is a TypeError or a RangeError. Each method documents the codes that it rejects with on every engine; the
 * servers may refuse any call for reasons of their own, such as an access control list or a quota (docs/errors.md).
 */
export interface Client extends AsyncDisposable {
  /** The path under which everything of this client lives; `/` if it has no namespace. */
  readonly namespace: string
  /**
   * The path on the servers of this client's `/`: its namespace, below what its backend is given of the tree
   * (ZooKeeper's chroot). Two clients of one tree mean the same node by paths that are equal below their roots.
   */
  readonly root: string
  /** The guarantees and features of the engine. */
  readonly capabilities: Capabilities
  /** Where the client stands now. */
  readonly state: ClientState
  /** Id of the live session, or null while there is none. Compare a node's `ephemeralOwner` with it. */
  readonly sessionId: bigint | null
  /** The negotiated time-out of the live (or last) session in milliseconds. */
  readonly sessionTimeoutMs: number
  /**
   * The instant on `performance.now()` up to which the live session cannot have ended; `-Infinity` while there is none.
   */
  readonly leaseDeadlineMs: number
  /**
   * Listens to changes of the state, in order.
   *
   * @param listener - called with each new state; its errors go to `onError`
   * @returns a function that ends the listening
   */
  onState(listener: (state: ClientState) => void): () => void
  /**
   * Creates a node. Waits up to `operationTimeoutMs` for a session, and is not repeated when its outcome is unknown:
   * see the recipes for creates that are.
   *
   * @param path - where; for the sequential modes a prefix, which may end in `/`
   * @param data - its first data; empty by default
   * @throws CoordinationError `NODE_EXISTS`, `NO_NODE` (no parent), `NO_CHILDREN_FOR_EPHEMERALS`, `PAYLOAD_TOO_LARGE`,
   * `UNSUPPORTED`; `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  create(path: string, data?: Data, options?: ClientCreateOptions): Promise<Created>
  /**
   * Reads a node's data. Repeated over connection losses and expiries for `operationTimeoutMs`.
   *
   * @throws CoordinationError `NO_NODE`, and then the watch is not armed;
   * `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  get(path: string, options?: ReadOptions): Promise<NodeData>
  /**
   * Reads a node's stat, or null if there is none; the watch is armed either way. Repeated over connection losses and
   * expiries for `operationTimeoutMs`.
   *
   * @throws CoordinationError `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  exists(path: string, options?: ReadOptions): Promise<Stat | null>
  /**
   * Reads the names of a node's children, sorted. Repeated over connection losses and expiries for
   * `operationTimeoutMs`.
   *
   * @throws CoordinationError `NO_NODE`, and then the watch is not armed;
   * `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  children(path: string, options?: ReadOptions): Promise<Children>
  /**
   * Replaces a node's data. Waits up to `operationTimeoutMs` for a session; not repeated when its outcome is unknown.
   *
   * @throws CoordinationError `NO_NODE`, `BAD_VERSION`, `PAYLOAD_TOO_LARGE`;
   * `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  set(path: string, data: Data, options?: VersionOptions): Promise<Stat>
  /**
   * Deletes a node that has no children. Waits up to `operationTimeoutMs` for a session; not repeated when its outcome
   * is unknown.
   *
   * @throws CoordinationError `NO_NODE`, `BAD_VERSION`, `NOT_EMPTY`, `BAD_ARGUMENTS` (the root);
   * `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  delete(path: string, options?: VersionOptions): Promise<void>
  /**
   * Does all of the operations at one zxid, or none. Waits up to `operationTimeoutMs` for a session; not repeated when
   * its outcome is unknown.
   *
   * @throws CoordinationError the error of the first operation that was refused, with its `index`: `NODE_EXISTS`,
   * `NO_NODE`, `NO_CHILDREN_FOR_EPHEMERALS`, `BAD_VERSION`, `NOT_EMPTY`, `BAD_ARGUMENTS`, `PAYLOAD_TOO_LARGE`,
   * `UNSUPPORTED`; `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  multi(operations: readonly Operation[], options?: WaitOptions): Promise<OperationResult[]>
  /**
   * Begins a multi that is put together part by part, whose results have types. Nothing is sent before its `commit`.
   */
  transaction(): Transaction
  /**
   * Makes later reads of this client see every write that was acknowledged to anyone before this call. Repeated over
   * connection losses and expiries for `operationTimeoutMs`.
   *
   * @param path - `/` by default; engines with one order for all paths ignore it
   * @throws CoordinationError `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  sync(path?: string, options?: WaitOptions): Promise<void>
  /** Forgets a watch on a path; see {@link Session.unwatch}. Idempotent, never throws. */
  unwatch(path: string, watch: Watcher): void
  /**
   * Makes a node and its missing ancestors, all with empty data. It is no error if they are there. Repeated over
   * connection losses and expiries for `operationTimeoutMs`.
   *
   * @throws CoordinationError `NO_NODE` if ancestors vanish again and again; `NO_CHILDREN_FOR_EPHEMERALS`;
   * `ABORTED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  makePath(path: string, options?: MakePathOptions): Promise<void>
  /**
   * Hands something to the client that must end before it does.
   *
   * @returns a function that takes it back, to be called when it ended by itself
   */
  own(resource: OwnedResource): () => void
  /**
   * Where recipes tell what they do; null if nobody measures this client.
   *
   * @internal
   */
  readonly notices: Notices | null
  /** Tells the `onError` of this client about an error that has no caller to reject to. */
  report(error: unknown, where?: string): void
  /**
   * Ends everything that was opened through this client, newest first, then its session, and resolves when that is
   * done. Owned resources may call the client until they have ended; then calls reject with `CLIENT_CLOSED`, and so
   * do those in flight, unless `drainMs` gives them time. Idempotent, and rejects for wrong options only: what fails to
   * end is reported to `onError`. While no server is in touch it waits for none: the servers end the session at its
   * time-out. A second `close()` without `drainMs` ends the wait of the first. Once it has resolved no listener is
   * called any more.
   */
  close(options?: CloseOptions): Promise<void>
}

/** Options of `connect`. */
export interface ConnectOptions {
  /** Prefix of every path of this client, such as `/app`; made if it is missing. Default `/`. */
  readonly namespace?: string
  /** The session time-out to ask for in milliseconds; the engine's default if absent. */
  readonly sessionTimeoutMs?: number
  /** How long `connect` tries before it rejects with `TIMEOUT`, in milliseconds; 15 s by default. */
  readonly connectTimeoutMs?: number
  /**
   * False: `connect` resolves at once, with a client that opens its first session in its own time, however long that
   * takes. Its state is `expired` until then. Refusals of the servers go to `onError`. True by default.
   */
  readonly waitForSession?: boolean
  /**
   * How long a read is repeated over connection losses and expiries, and how long any call waits for a session while
   * there is none, in milliseconds, counted from when it first failed. 15 s by default. One attempt is not cut short:
   * a call that waits for a suspended session ends with it, at the latest at 4/3 of its time-out.
   */
  readonly operationTimeoutMs?: number
  /** Ends the connecting. */
  readonly signal?: AbortSignal
  /**
   * Gets errors that have no caller, such as a listener that throws, and where they come from, such as `the watcher
   * "onChange" of /a`. By default they are emitted as process warnings, with their stack.
   */
  readonly onError?: (error: unknown, where?: string) => void
  /**
   * Hears of calls, states, waits, leases, elections and changes of configurations, with their durations; nobody by
   * default. Its errors go to `onError`.
   */
  readonly observer?: Observer | readonly Observer[]
  /**
   * Gets a line of text for what an operator should know: `console`, a logger of pino, or anything with these methods.
   * Nothing is logged by default. States and elections are `info`, losses `warn`, leases, waits and failed calls
   * `debug`.
   */
  readonly logger?: Logger
}
