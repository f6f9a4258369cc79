/**
 * Where things stand in etcd. Everything is text, so that `etcdctl get --prefix` shows it.
 *
 * Layout    <prefix>/nodes/<depth><path>      a node; its depth is the number of its path's segments, so that the
 *                                             children of a node are one range of keys
 *           <prefix>/counts/<depth><path>     how many children it ever had; it changes with its children alone
 *           <prefix>/sessions/<id>            an open session, on its lease; the id is hexadecimal, as in `etcdctl`
 * Watched   nodes and sessions are one range, in which the counts do not lie.
 */

/** A range of keys: from `key` on, and before `end`. */
export interface KeyRange {
  readonly key: string
  readonly end: string
}

/** The meaning of a key that is watched. */
export type WatchedKey = { readonly path: string } | { readonly session: bigint }

const HEXADECIMAL = 16

/** The keys under one prefix. */
export class Keys {
  /** Nodes and sessions: the range that a watch covers. */
  readonly watched: KeyRange
  readonly #nodes: string
  readonly #counts: string
  readonly #sessions: string

  /** @param prefix - begins every key */
  constructor(prefix: string) {
    this.#nodes = `${prefix}/nodes/`
    this.#counts = `${prefix}/counts/`
    this.#sessions = `${prefix}/sessions/`
    this.watched = { key: this.#nodes, end: behind(this.#sessions) }
  }

  /** The key of a node. */
  node(path: string): string {
    return `${this.#nodes}${depthOf(path)}${path}`
  }

  /** The key of the count of a node's children. */
  count(path: string): string {
    return `${this.#counts}${depthOf(path)}${path}`
  }

  /** The keys of a node's children. */
  children(path: string): KeyRange {
    const key = path === '/' ? `${this.#nodes}1/` : `${this.#nodes}${depthOf(path) + 1}${path}/`
    return { key, end: behind(key) }
  }

  /** The key of a session. */
  session(id: bigint): string {
    return `${this.#sessions}${id.toString(HEXADECIMAL)}`
  }

  /** The meaning of a key in the watched range; null for a key that somebody else put there. */
  read(key: string): WatchedKey | null {
    if (key.startsWith(this.#nodes)) {
      const slash = key.indexOf('/', this.#nodes.length)
      const path = key.slice(slash)
      return slash >= 0 && key === this.node(path) ? { path } : null
    }
    const id = key.slice(this.#sessions.length)
    return key.startsWith(this.#sessions) && /^[0-9a-f]{1,16}$/.test(id) ? { session: BigInt(`0x${id}`) } : null
  }
}

/** The first key after all that begin with this one, which ends in `/`. */
function behind(key: string): string {
  return `${key.slice(0, -1)}0`
}

function depthOf(path: string): number {
  return path === '/' ? 0 : path.split('/').length - 1
}
