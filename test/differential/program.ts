/**
 * Random programs, and their parts.
 *
 * Model     a few sessions, each in a slot, act one after the other. A burst is a few requests pipelined in one of
 *           them; after it every connection is asked for its events, so that a transcript does not depend
 *           on timing.
 */

/** One entry of an access control list; null strings are one of the malformed things that are sent. */
export interface AclEntry {
  readonly perms: number
  readonly scheme: string | null
  readonly id: string | null
}

/** Strings are usually strings; bytes that are no UTF-8, and null, are sent too. */
export type Text = string | Uint8Array | null

export interface CreateFields {
  readonly path: Text
  readonly data: Uint8Array | null
  readonly acl: readonly AclEntry[] | null
  readonly flags: number
}

/** The four kinds of create, of which `createTTL` has a time to live. */
export type Creation =
  | ({ readonly name: 'create' | 'create2' | 'createContainer' } & CreateFields)
  | ({ readonly name: 'createTTL'; readonly ttl: bigint } & CreateFields)

export type Part =
  | Creation
  | { readonly name: 'delete' | 'check'; readonly path: Text; readonly version: number }
  | { readonly name: 'setData'; readonly path: Text; readonly data: Uint8Array | null; readonly version: number }

export interface WatchLists {
  readonly data: readonly Text[]
  readonly exist: readonly Text[]
  readonly child: readonly Text[]
}

interface ReadFields {
  readonly path: Text
  readonly watch: boolean
}

/** The operation of a request. */
export type Operation =
  | Part
  | ({ readonly name: 'exists' | 'getData' | 'getChildren' | 'getChildren2' } & ReadFields)
  | { readonly name: 'getACL' | 'sync' | 'getAllChildrenNumber' | 'getEphemerals'; readonly path: Text }
  | { readonly name: 'setACL'; readonly path: Text; readonly acl: readonly AclEntry[] | null; readonly version: number }
  | { readonly name: 'multi'; readonly parts: readonly Part[] }
  | {
      readonly name: 'multiRead'
      readonly parts: readonly ({ readonly name: 'getData' | 'getChildren' } & ReadFields)[]
    }
  | { readonly name: 'removeWatches' | 'checkWatches'; readonly path: Text; readonly type: number }
  | { readonly name: 'addWatch'; readonly path: Text; readonly mode: number }
  /** `zxidsBack`: how far behind the last zxid the client claims to be. */
  | ({ readonly name: 'setWatches'; readonly zxidsBack: number } & WatchLists)
  | ({
      readonly name: 'setWatches2'
      readonly zxidsBack: number
      readonly persistent: readonly Text[]
      readonly recursive: readonly Text[]
    } & WatchLists)
  | { readonly name: 'ping' | 'whoAmI' | 'closeSession' }
  | { readonly name: 'auth'; readonly scheme: string | null; readonly auth: Uint8Array | null }
  | { readonly name: 'sasl'; readonly token: Uint8Array | null }
  | {
      readonly name: 'reconfig'
      readonly joining: string | null
      readonly leaving: string | null
      readonly members: string | null
      readonly config: bigint
    }
  /** An operation by its number with a body of any bytes. */
  | { readonly name: 'raw'; readonly op: number; readonly body: Uint8Array }

/** How the bytes of a request's body are damaged on their way. */
export type Damage =
  | { readonly kind: 'cut'; readonly bytes: number }
  | { readonly kind: 'longer'; readonly bytes: number }

export interface Request {
  readonly xid: number
  readonly operation: Operation
  readonly damage: Damage | null
}

/** How a session that may be connected comes back on a new connection. */
export type Resume = 'after a disconnect' | 'while connected' | 'with a wrong password' | 'from the future'

export type Step =
  | { readonly kind: 'burst'; readonly slot: number; readonly requests: readonly Request[] }
  /** A new session in a slot whose session is closed, or that has none. */
  | { readonly kind: 'connect'; readonly slot: number; readonly timeoutMs: number; readonly isOldClient: boolean }
  | { readonly kind: 'resume'; readonly slot: number; readonly how: Resume }
  /** Bytes that are no request, on the slot's connection. */
  | { readonly kind: 'noise'; readonly slot: number; readonly bytes: Uint8Array }
  /** Bytes that are no client, on a connection of their own. */
  | { readonly kind: 'stranger'; readonly bytes: Uint8Array }

export interface Program {
  readonly seed: number
  /** Everything that a program makes is below it, or below its quota node. */
  readonly root: string
  readonly steps: readonly Step[]
}
