/**
 * Caches: the changes that followers of nodes are told, held against the committed log.
 *
 * CC1  the changes that a follower is told make, step by step, states that were there at one moment, all nodes
 *      together, and moments never go back. In the end everyone has the last.
 * CC2  a step adds nodes that were not there, removes nodes that were, and changes a node that stays the same one: one
 *      that was deleted and made again is told as removed and added.
 * CC3  a cache that is out of touch says so.
 */
import { joinPath } from '../../src/core/path.ts'
import type { CacheChange } from '../../src/recipes/caches/cache-base.ts'
import type { MirrorNode } from '../../src/recipes/engine/mirror.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelNode, Replayed } from '../model.ts'

/** Which nodes a cache has: all at and below the root, or the children of the root. */
export type CacheKind = 'tree' | 'children'

/** One follower of one cache, and what it was told. */
export interface CacheFollower {
  readonly name: string
  readonly kind: CacheKind
  /** The moment of the last state that it was told, as an index into all of them; -1 before the first. */
  moment: number
  /** By path, each node in that state. */
  readonly nodes: Map<string, string>
}

/** The states that the nodes of a kind of cache have had. */
interface States {
  /** By what a state looks like, the moments at which it was there. */
  readonly momentsOf: Map<string, number[]>
  latest: string
}

const decoder = new TextDecoder()

export class CachesCheck implements Check, LedgerListener {
  readonly name = 'caches'
  readonly covers = ['CC1', 'CC2', 'CC3']
  readonly #ledger: Ledger
  readonly #root: string
  /** How many states the tree has had; at the first one there was nothing. */
  #moments = 1
  readonly #states: Readonly<Record<CacheKind, States>> = { tree: newStates(), children: newStates() }

  /**
   * Checks a tree of a world that has not run yet.
   *
   * @param root - where all caches are
   */
  constructor(ledger: Ledger, root: string) {
    this.#ledger = ledger
    this.#root = root
    ledger.listen(this)
  }

  committed({ transaction, changes }: Replayed): void {
    const isTouched = changes.some(({ path }) => path === this.#root || path.startsWith(`${this.#root}/`))
    if (!isTouched) return
    const all = this.#nodesAt(transaction.header.zxid)
    const children = [...all].filter(([path]) => this.#isChild(path))
    this.#enter('tree', stateOf(all))
    this.#enter('children', stateOf(children))
    this.#moments += 1
  }

  /** To be called for each change that a follower is told. */
  told(follower: CacheFollower, { added, changed, removed }: CacheChange): void {
    const { name, kind, nodes } = follower
    for (const { path } of removed) {
      if (!nodes.delete(path)) this.#fail(`CC2: ${name} was told that ${path} is gone, and had not heard of it`)
    }
    for (const node of added) {
      if (nodes.has(node.path)) this.#fail(`CC2: ${name} was told that ${node.path} was added, and knew it`)
      nodes.set(node.path, looksOf(node))
    }
    for (const { before, after } of changed) {
      const { path } = after
      if (nodes.get(path) !== looksOf(before)) this.#fail(`CC2: ${name} had not heard of ${path} as it was`)
      const isSame = before.stat.czxid === after.stat.czxid
      if (!isSame) this.#fail(`CC2: ${name} was told that ${path} changed, and it was made again`)
      nodes.set(path, looksOf(after))
    }
    const moments = this.#states[kind].momentsOf.get(stateOf(nodes))
    if (moments === undefined) this.#fail(`CC1: ${name} was told of a state that never was: ${stateOf(nodes)}`)
    const moment = moments.find((candidate) => candidate >= follower.moment)
    if (moment === undefined) this.#fail(`CC1: ${name} was told of moment ${moments.at(-1)} after ${follower.moment}`)
    follower.moment = moment
  }

  /** To be told where a cache says that it stands, and whether its client is in touch. */
  looked({ name }: CacheFollower, stale: boolean, isInTouch: boolean): void {
    if (!isInTouch && !stale) this.#fail(`CC3: the cache of ${name} is out of touch, and does not say so`)
  }

  /** Whether a follower was told of what is there now. */
  isUpToDate({ kind, moment, nodes }: CacheFollower): boolean {
    return moment >= 0 && stateOf(nodes) === this.#states[kind].latest
  }

  #enter(kind: CacheKind, state: string): void {
    const states = this.#states[kind]
    states.latest = state
    const moments = states.momentsOf.get(state)
    if (moments === undefined) states.momentsOf.set(state, [this.#moments])
    else moments.push(this.#moments)
  }

  #nodesAt(zxid: bigint): Map<string, string> {
    const { model } = this.#ledger
    const nodes = new Map<string, string>()
    const visit = (path: string): void => {
      const node = model.node(path, zxid)
      if (node === null) return
      nodes.set(path, looksOfModel(node))
      for (const name of model.names(path, zxid)) visit(joinPath(path, name))
    }
    visit(this.#root)
    return nodes
  }

  #isChild(path: string): boolean {
    return path !== this.#root && !path.slice(this.#root.length + 1).includes('/')
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

function newStates(): States {
  return { momentsOf: new Map([['', [0]]]), latest: '' }
}

function looksOf({ data, stat }: MirrorNode): string {
  return `${stat.czxid} ${stat.mzxid} ${decoder.decode(data)}`
}

function looksOfModel({ data, czxid, mzxid }: ModelNode): string {
  return `${czxid} ${mzxid} ${decoder.decode(data)}`
}

function stateOf(nodes: Iterable<readonly [string, string]>): string {
  return [...nodes].map(([path, looks]) => `${path} ${looks}`).sort().join('\n')
}
