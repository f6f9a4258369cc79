/**
 * The JSON API of the dashboard, as types that the server and the page share. Same origin, under `api/v1`.
 *
 * Numbers   of 64 bits are strings: a zxid and a session in hexadecimal, a token in decimal. Times are milliseconds
 *           since 1970 by the clock of the process that serves the dashboard, or, where a node tells it, of the leader.
 * Not told  a field of type {@link Told} is null if the engine does not tell it, and `untold` says why. Never a guess,
 *           and never 0.
 * Text      of nodes is text: nothing is ever inserted as HTML.
 * Live      `stream?topic=...` sends the answer of a read whenever it is another one. A topic is the address of a read,
 *           such as `lock?path=/locks/a`.
 */

/** `0x` and hexadecimal digits; an engine other than ZooKeeper's kind has its revision in its place. */
export type Zxid = string
/** Decimal, as applications print `lease.token`. */
export type Token = string
/** `0x` and hexadecimal digits. */
export type SessionId = string
/** A value that the engine may not tell: null then. */
export type Told<T> = T | null

/** The answer to a read. */
export interface Answer<T> {
  readonly data: T
  /** When it was read. */
  readonly asOfMs: number
  /** Where the next page begins, which is a name and never an offset; null at the end. */
  readonly next: string | null
  /** How many there are in all; null if nobody has counted. */
  readonly total: number | null
  /** Name of a field, or of a panel, to the sentence that says why it is not told. */
  readonly untold: Readonly<Record<string, string>>
}

/** The answer to a call that failed. */
export interface Failure {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly outcome: string
    readonly path?: string
    /** With BAD_VERSION: the version that is there now. */
    readonly version?: number
  }
}

/** The views of the page. */
export type View =
  | 'overview' | 'sessions' | 'events'
  | 'locks' | 'leaders' | 'members' | 'config' | 'services'
  | 'tree'
/** The changes that the page can make. */
export type Action = 'node.write' | 'node.create' | 'node.delete' | 'config.rollback'
/** Families of recipes that are looked for below paths of their own. */
export type Family = 'locks' | 'leaders' | 'groups' | 'config' | 'services'

/** The settings that the page loads first. */
export interface Meta {
  /** The name of the ensemble, for its heading. */
  readonly name: string
  /** For people; the page never branches on it. */
  readonly engine: string
  /** The views of this dashboard. */
  readonly views: readonly View[]
  /** True, or the sentence that the dashed button shows. */
  readonly can: Readonly<Record<Action, true | string>>
  /** Below which nodes each family is looked for. */
  readonly roots: Readonly<Record<Family, readonly string[]>>
}

/** The state of a server; null if it does not answer. */
export type Role = 'LOOKING' | 'LEADING' | 'FOLLOWING' | 'OBSERVING' | 'STANDALONE' | null

/** One server of the ensemble. */
export interface Server {
  readonly id: string
  readonly role: Role
  readonly epoch: Told<number>
  readonly applied: Told<Zxid>
  /** How many writes it is behind the leader; null if its epoch is another one. */
  readonly behind: Told<number>
  readonly clients: Told<number>
  readonly watches: Told<number>
  readonly latencyMs: Told<number>
  /** Why there is no answer. */
  readonly why: string | null
  /** Its roles since this process looks, oldest first; each lasts until the next. */
  readonly lane: readonly { readonly fromMs: number; readonly is: Role }[]
}

/** Something that somebody should look at. */
export interface Finding {
  readonly level: 'warn' | 'bad'
  readonly text: string
}

/** The ensemble, as far as its servers tell. */
export interface Ensemble {
  /** Whether the dashboard's own client is answered. */
  readonly serving: boolean
  /** The session of the dashboard itself. */
  readonly session: { readonly id: SessionId | null; readonly status: string; readonly roundTripMs: number | null }
  readonly leader: Told<string>
  readonly leaderSinceMs: Told<number>
  readonly epoch: Told<number>
  readonly zxid: Told<Zxid>
  readonly voters: Told<number>
  readonly answering: Told<number>
  /** How many more voters may stop before nothing is served. */
  readonly canLose: Told<number>
  readonly sessions: Told<number>
  readonly watches: Told<number>
  readonly nodes: Told<number>
  /** Since when the lanes of the servers are kept. */
  readonly lanesSinceMs: number
  readonly servers: readonly Server[]
  /** Worst first. */
  readonly findings: readonly Finding[]
}

/** An event since this process began to look. */
export interface LogEvent {
  readonly id: number
  readonly ms: number
  readonly server: string | null
  readonly kind: string
  readonly level: 'info' | 'warn' | 'bad'
  readonly text: string
}

/** Stat of a node. */
export interface NodeStat {
  readonly czxid: Zxid
  readonly mzxid: Zxid
  readonly pzxid: Zxid
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: SessionId | null
  readonly dataLength: number
  readonly numChildren: number
}

/** A node with its data. */
export interface TreeNode {
  readonly path: string
  readonly stat: NodeStat
  /** At most 256 KiB of them; `cutAt` says where they were cut, in bytes. */
  readonly data: { readonly encoding: 'utf8' | 'base64'; readonly text: string; readonly cutAt: number | null }
}

/** A child, with what is asked for by `stat=1`: null if that was not asked for, or it is gone since. */
export interface Child {
  readonly name: string
  readonly children: number | null
  readonly isEphemeral: boolean | null
}

/** One who holds a lock, leads an election, or waits for that. */
export interface Contender {
  readonly path: string
  /** Place in line, counted from 0. */
  readonly position: number
  /** The kind of its claim: `lock`, `read`, `write`, `permit`, `leadership`. */
  readonly kind: string
  readonly state: 'held' | 'waits'
  readonly session: SessionId
  /** The data of its node as text; empty if there are none. */
  readonly says: string
  readonly sinceMs: number
  readonly token: Token
}

/** A lock that somebody holds or waits for. */
export interface Lock {
  readonly path: string
  readonly kind: 'fair' | 'exclusive' | 'read-write' | 'semaphore'
  /** At most five. */
  readonly holders: readonly Contender[]
  readonly held: number
  readonly waiting: number
  /** Since when the first in line waits; null if nobody does. */
  readonly waitsSinceMs: number | null
}

/** A lock and a page of its queue. */
export interface LockQueue extends Lock {
  readonly queue: readonly Contender[]
}

/** Sessions that hold one lock and wait for another. */
export interface WaitFor {
  readonly waits: readonly {
    readonly session: SessionId
    readonly says: string
    readonly holds: readonly string[]
    readonly waitsFor: string
    readonly heldBy: readonly SessionId[]
  }[]
  /** Rings of sessions that wait for each other. Two tasks of one process look like one, so each is only possible. */
  readonly rings: readonly (readonly SessionId[])[]
}

/** An election. */
export interface Election {
  readonly path: string
  readonly leader: Contender | null
  readonly candidates: readonly Contender[]
  /** The data that the leader proclaims; null if there are none, or if they cannot be read as text. */
  readonly proclaims: string | null
}

/** A group and its members. */
export interface Group {
  readonly path: string
  readonly members: readonly {
    readonly id: string
    readonly session: SessionId
    readonly sinceMs: number
    readonly incarnation: Zxid
    readonly says: string
  }[]
}

/** A service and its instances. */
export interface Service {
  readonly path: string
  readonly name: string
  readonly instances: readonly {
    readonly id: string
    readonly path: string
    /** `host:port`, as far as it says. */
    readonly address: string | null
    /** `withheld`: it is disabled, and no provider hands it out. `unreadable`: the node holds no instance. */
    readonly state: 'offered' | 'withheld' | 'unreadable'
    /** Null: it stays when its session ends. */
    readonly session: SessionId | null
    readonly sinceMs: number
    /** Its payload as text; empty if there is none. */
    readonly says: string
  }[]
}

/** An open session. */
export interface SessionRow {
  readonly id: SessionId
  /** That of the dashboard itself. */
  readonly isOwn: boolean
  readonly timeoutMs: Told<number>
  /** When it ends if nothing is heard of it, from when it was read. */
  readonly expiresInMs: Told<number>
  /** The server that its client is connected to; null also if that is none of those that were asked. */
  readonly server: Told<string>
  /** Where its client is; null as `server` is. */
  readonly address: Told<string>
  /** How many nodes go when it ends. */
  readonly ephemerals: Told<number>
  /** The first of these that the dashboard's client can see. */
  readonly paths: readonly string[]
}

/** A value of a configuration. */
export interface ConfigKey {
  readonly path: string
  readonly version: number
  readonly changedMs: number
  readonly bytes: number
}

/** A value that is or was in force. */
export interface Release {
  /** Of the history; null for a value that was written by somebody who keeps none. */
  readonly version: number | null
  readonly nodeVersion: number
  readonly ms: number
  readonly kind: string
  /** Null: not recorded. */
  readonly by: string | null
  readonly note: string | null
  /** Null: too large to be kept, or damaged. */
  readonly value: string | null
  readonly isInForce: boolean
  /** For a roll-back: the version whose value was written again. */
  readonly of: number | null
}

/** A value and its history, newest first. */
export interface ConfigDetail {
  readonly path: string
  /** Of the node. */
  readonly version: number
  readonly mzxid: Zxid
  readonly value: string
  readonly history: readonly Release[]
}

/** The reads, by the name in their URL, and their answers. */
export interface Reads {
  readonly meta: Meta
  readonly ensemble: Ensemble
  readonly events: readonly LogEvent[]
  /** `node?path=` */
  readonly node: TreeNode
  /** `children?path=&prefix=&after=&limit=&stat=` */
  readonly children: readonly Child[]
  readonly locks: readonly Lock[]
  /** `lock?path=&limit=` */
  readonly lock: LockQueue
  readonly 'wait-for': WaitFor
  readonly leaders: readonly Election[]
  readonly groups: readonly Group[]
  readonly services: readonly Service[]
  readonly sessions: readonly SessionRow[]
  readonly config: readonly ConfigKey[]
  /** `release?path=` */
  readonly release: ConfigDetail
}

/**
 * The node as the page showed it. The engine compares the version in the step that writes; the dashboard compares
 * mzxid just before, since a node that was deleted and made again counts its versions from 0 again.
 */
export interface Seen {
  readonly version: number
  readonly mzxid: Zxid
}

/** Bodies of changes. */
export interface Changes {
  readonly 'PUT node': {
    readonly path: string
    readonly data: string
    readonly encoding: 'utf8' | 'base64'
    readonly seen: Seen
  }
  readonly 'POST node': {
    readonly path: string
    readonly data: string
    readonly encoding: 'utf8' | 'base64'
    readonly mode: 'persistent' | 'container'
  }
  readonly 'DELETE node': { readonly path: string; readonly seen: Seen }
  /** Writes the value of an older version again, as a new entry of the history. */
  readonly 'POST rollback': {
    readonly path: string
    /** Of the history. */
    readonly version: number
    /** Kept with the new entry; the comment in place of that of the version. */
    readonly author?: string
    readonly comment?: string
    readonly seen: Seen
  }
}

/** The answer to a change. */
export interface Done {
  readonly path: string
  readonly version: number | null
  readonly zxid: Told<Zxid>
}

/** Events of `stream`: `event:` is the key, `data:` the value as JSON. */
export interface StreamEvents {
  /** An answer that is another one than the last of this topic. */
  readonly answer: { readonly topic: string; readonly answer: Answer<unknown> }
  /** A topic that cannot be read now; it is tried again. */
  readonly failed: { readonly topic: string } & Failure
  /** Every two seconds; none for five seconds is "not live". */
  readonly beat: { readonly ms: number }
}
