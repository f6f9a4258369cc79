/**
 * The contract between what people use (the client and the recipes) and what does the work (a backend).
 *
 * Model     a tree of nodes, each with data and (unless ephemeral) children, changed by operations in one total order;
 *           one-shot watches; sessions whose end removes their ephemeral nodes.
 * Order     a session's operations take effect and are answered in the order in which they were called. Writes are
 *           linearizable; reads are sequentially consistent, and linearizable after `sync`.
 * Growth    an engine that cannot give something says so in {@link Capabilities}; this interface is not widened for
 *           one.
 * Source    ZooKeeper Programmer's Guide; docs/architecture.md.
 */

/** The kind of node that a create makes. The sequential kinds append a ten-digit counter of the parent to the name. */
export type CreateMode =
  | 'persistent'
  | 'ephemeral'
  | 'persistent-sequential'
  | 'ephemeral-sequential'
  /** Removed by the servers some time after its last child is gone. */
  | 'container'
  /** Removed by the servers some time after it has had no children and no change for `ttlMs`. */
  | 'persistent-with-ttl'

/** The metadata of a node. On engines other than ZooKeeper, their revision stands in zxid's place. */
export interface Stat {
  /** zxid of the transaction that created the node. */
  readonly czxid: bigint
  /** zxid of the transaction that last changed its data. */
  readonly mzxid: bigint
  /** zxid of the transaction that last created or deleted a child of it. */
  readonly pzxid: bigint
  /** Wall-clock time of its creation, in milliseconds since 1970, by the leader's clock. */
  readonly ctime: number
  /** Wall-clock time of the last change of its data, likewise. */
  readonly mtime: number
  /** Number of changes of its data. */
  readonly version: number
  /** Number of creations and deletions of children. */
  readonly cversion: number
  /** Number of changes of its access control list. */
  readonly aversion: number
  /** The session that owns it if it is ephemeral, otherwise 0n. */
  readonly ephemeralOwner: bigint
  /** Length of its data in bytes. */
  readonly dataLength: number
  /** Number of its children. */
  readonly numChildren: number
}

/** The notification of a watch: a hint to read again; it never carries the new data. */
export interface WatchEvent {
  /** `children` is the addition or removal of a child; the others concern the node itself. */
  readonly type: 'created' | 'changed' | 'deleted' | 'children'
  /** The node that the watch was set on. */
  readonly path: string
}

/**
 * A one-shot callback. It is called at most once, from the session's ordered queue; its errors are reported, no
 * more.
 */
export type Watcher = (event: WatchEvent) => void

/** Options of a create. */
export interface CreateOptions {
  /** The kind of node to make. */
  readonly mode: CreateMode
  /** With mode `persistent-with-ttl` only: its time to live in milliseconds, 1 to 2^40 - 1. */
  readonly ttlMs?: number
  /**
   * For ephemeral nodes: whether no other session will ever set its data. An engine that compares no creations tells
   * the node from another's by that: there no other session may. False by default.
   */
  readonly owned?: boolean
}

/** The result of a create. */
export interface Created {
  /** The path of the new node; for a sequential mode with the counter appended. */
  readonly path: string
  /** Its stat as it was made. `ephemeralOwner` is the session that made it, if it is ephemeral. */
  readonly stat: Stat
}

/** The result of a get. */
export interface NodeData {
  /** The node's data; do not modify. */
  readonly data: Uint8Array
  /** The stat that goes with exactly these data. */
  readonly stat: Stat
}

/** The result of a children read. */
export interface Children {
  /** Names (not paths) of the children, sorted by code unit. */
  readonly names: readonly string[]
  /** The parent's stat. */
  readonly stat: Stat
}

/** One part of a {@link Session.multi}. */
export type Operation =
  | {
      readonly type: 'create'
      readonly path: string
      readonly data: Uint8Array
      readonly mode: CreateMode
      readonly ttlMs?: number
      readonly owned?: boolean
    }
  | { readonly type: 'set'; readonly path: string; readonly data: Uint8Array; readonly version: number }
  | { readonly type: 'delete'; readonly path: string; readonly version: number }
  /**
   * Refuses the whole multi unless the node exists and has this version (-1: any). With `czxid` also unless it is the
   * node of this creation: two nodes at one path, one after the other, have equal versions and different czxids.
   * Compared atomically with the rest of the multi; another creation is refused with `BAD_VERSION`. On an engine that
   * does not compare creations itself such a multi takes several requests, and calls made after it may come first.
   */
  | { readonly type: 'check'; readonly path: string; readonly version: number; readonly czxid?: bigint }

/** The result of one part of a successful multi, at the index of its operation. */
export type OperationResult =
  | { readonly type: 'create'; readonly path: string; readonly stat: Stat }
  | { readonly type: 'set'; readonly stat: Stat }
  | { readonly type: 'delete' }
  | { readonly type: 'check' }

/**
 * Where a session stands.
 *
 * - `connected`: a server answers for it.
 * - `suspended`: no server is in touch; it lives on and may be picked up again. After `deadlineMs` (on
 *   `performance.now()`) this process can no longer be sure that the servers have not ended it.
 * - `expired`: it is over, and its ephemeral nodes with it. Final.
 * - `closed`: it was closed from here. Final.
 */
export type SessionState =
  | { readonly status: 'connected' }
  | { readonly status: 'suspended'; readonly deadlineMs: number }
  | { readonly status: 'expired' }
  | { readonly status: 'closed' }

/**
 * One session with the servers: the node model in ten methods, and the end of watches.
 *
 * Arguments arrive validated and with their defaults filled in by the client; paths are absolute. Every method may
 * reject with `CONNECTION_LOSS` (outcome `not-sent` or, for a write, `unknown`), `SESSION_EXPIRED` (outcome
 * `session-over`; `unknown` for a write that was in flight) or `CLIENT_CLOSED` (outcome `not-sent`; `unknown` for a
 * write that was in flight).
 *
 * A `watch` is a one-shot callback, armed atomically with the read it rides on. It fires at most once, before this
 * session can read the state that fired it: `exists` -> created, changed, deleted; `get` -> changed, deleted;
 * `children` -> children changed, deleted. Changes to a child's data, or to grandchildren, do not fire a children
 * watch. To keep watching, read again. One function given to several reads of one path is armed, and called, once per
 * read that armed it. A watch outlives a change of server; it dies silently with the session, so a watcher listens to
 * the state too.
 */
export interface Session {
  /** The session's id, as it stands in `ephemeralOwner`. */
  readonly id: bigint
  /** The negotiated session time-out in milliseconds. */
  readonly timeoutMs: number
  /** Where the session stands now. */
  readonly state: SessionState
  /**
   * The instant on `performance.now()` up to which the servers cannot have ended this session. Each answered ping,
   * write and `sync` moves it, counted from when that was *sent*, if a majority stands behind such answers. (A read
   * does not: any server answers it alone.) Where one server answers for all, better proofs are made while somebody
   * asks for this. A lease on this session must not be trusted beyond it.
   */
  readonly leaseDeadlineMs: number
  /**
   * Listens to changes of the state, in order, from the session's ordered queue.
   *
   * @param listener - called with each new state
   * @returns a function that ends the listening
   */
  onState(listener: (state: SessionState) => void): () => void
  /**
   * Creates a node.
   *
   * @throws `NODE_EXISTS`, `NO_NODE` (the parent is missing), `NO_CHILDREN_FOR_EPHEMERALS`
   */
  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created>
  /**
   * Reads a node's data.
   *
   * @throws `NO_NODE`; then the watch is not armed
   */
  get(path: string, watch?: Watcher): Promise<NodeData>
  /** Reads a node's stat, or null if there is none; the watch is armed either way. */
  exists(path: string, watch?: Watcher): Promise<Stat | null>
  /**
   * Reads the names of a node's children.
   *
   * @throws `NO_NODE`; then the watch is not armed
   */
  children(path: string, watch?: Watcher): Promise<Children>
  /**
   * Replaces a node's data if its version is the one given; -1 stands for any.
   *
   * @throws `NO_NODE`, `BAD_VERSION`
   */
  set(path: string, data: Uint8Array, version: number): Promise<Stat>
  /**
   * Deletes a node that has no children if its version is the one given; -1 stands for any.
   *
   * @throws `NO_NODE`, `BAD_VERSION`, `NOT_EMPTY`
   */
  delete(path: string, version: number): Promise<void>
  /**
   * Does all of the operations at one zxid, or none.
   *
   * @returns one result per operation, in order
   * @throws the error of the first operation that was refused, with its `index`
   */
  multi(operations: readonly Operation[]): Promise<OperationResult[]>
  /**
   * Resolves when every write that was acknowledged to anyone before this call is visible to later reads of this
   * session.
   */
  sync(path: string): Promise<void>
  /**
   * Forgets watches: drops this callback from every read of this path that it rode on, and disarms the server when no
   * callback is left on the path. Idempotent; it never rejects, and may be called in any state.
   */
  unwatch(path: string, watch: Watcher): void
  /**
   * Ends the session and its ephemeral nodes. Idempotent. Resolves when the servers have confirmed or cannot be
   * reached.
   */
  close(): Promise<void>
}

/** The guarantees and features of an engine. Recipes ask for these; nothing outside backends/ asks an engine's name. */
export interface Capabilities {
  /**
   * How many servers may end without losing an acknowledged write: all (`disk`), a minority (`memory`), or none
   * (`best-effort`).
   */
  readonly durability: 'disk' | 'memory' | 'best-effort'
  /** Whether a read after `sync` is linearizable even while leadership changes. */
  readonly linearizableSync: boolean
  /**
   * Whether the engine compares the creation of a `check` in the request itself. Where not, such a multi takes several
   * requests, is tried again while others create nodes under the same parent, and may come after calls made later: it
   * is for what must not happen to another's node, and for nothing that is done often.
   */
  readonly comparesCreations: boolean
  /** Whether `container` nodes exist; where not, recipes make persistent parents. */
  readonly containers: boolean
  /** Granularity of time to live in milliseconds, or null if there is none. */
  readonly ttlGranularityMs: number | null
  /** Whether nodes carry access control lists. */
  readonly acl: boolean
  /** Longest data of one node in bytes. */
  readonly dataBytesMax: number
}

/** Options of {@link Backend.open}. */
export interface OpenOptions {
  /** The session time-out to ask for, in milliseconds; the engine may clamp it. Its own default if absent. */
  readonly sessionTimeoutMs?: number
  /**
   * How long a call waits for a server while none is in touch, in milliseconds; then it fails with `CONNECTION_LOSS`
   * and outcome `not-sent`. Until the session is over by default.
   */
  readonly callTimeoutMs?: number
  /** Ends the attempt. */
  readonly signal?: AbortSignal
  /**
   * Where errors go that have no caller to reject to, such as a watcher that throws, and their source if that is
   * known.
   */
  readonly onError: (error: unknown, where?: string) => void
}

/** An engine that can open sessions. */
export interface Backend {
  /** For people and logs; no code may branch on it. */
  readonly name: string
  /** The guarantees and features of this engine. */
  readonly capabilities: Capabilities
  /** The path on the servers of what its sessions call `/`, such as ZooKeeper's chroot; `/` if absent. */
  readonly root?: string
  /**
   * Opens a new session. One attempt with the engine's own hosts in turn; the client repeats it.
   *
   * @throws `CONNECTION_LOSS` with outcome `not-sent` if no server that serves was found
   */
  open(options: OpenOptions): Promise<Session>
}
