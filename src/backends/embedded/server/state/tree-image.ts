/**
 * A tree as it was at one moment, read while the tree changes.
 *
 * Model     copy on write. Before a node changes or goes, the tree shows it to each open image, which keeps it as it
 *           was: once, and only if the node was there at that moment and the last walk has not passed it.
 * Safety    a walk gives every node of that moment, once, as it was then; decision 0013.
 * Order     parents first, siblings by code unit. Of two paths a walk reaches the lesser one first, where `/` counts as
 *           less than any other character.
 * Cost      nothing that grows with the tree until it is walked; then one look-up per node. It keeps at most as many
 *           nodes as change while it is open, so whoever opens one closes it.
 */
import { assert } from '../../../../core/assert.ts'
import { joinPath } from '../../../../core/path.ts'
import type { NodeImage } from './node.ts'

/** The tree, as far as an image needs it. */
export interface ImagedTree {
  get(path: string): ImagedNode | undefined
}

interface ImagedNode {
  readonly czxid: bigint
  image(): NodeImage
}

/** One node of a walk. */
export interface Visit {
  readonly path: string
  readonly node: NodeImage
}

/** The children of a node that are still to be visited. */
interface Siblings {
  readonly parent: string
  readonly parts: NodeImage['names']
  part: number
  next: number
}

const SLASH = 0x2f

/** A tree as it was when this was made. */
export class TreeImage {
  readonly #tree: ImagedTree
  readonly #zxid: bigint
  readonly #kept = new Map<string, NodeImage>()
  /** The node at which the last walk is; null before it. */
  #passed: string | null = null

  /**
   * Makes an image of a tree as it is now; the tree must show it what changes.
   *
   * @param zxid - of the last transaction that is in the tree
   */
  constructor(tree: ImagedTree, zxid: bigint) {
    this.#tree = tree
    this.#zxid = zxid
  }

  /** The node at this path is about to change, or to go. */
  keep(path: string, node: ImagedNode): void {
    if (node.czxid > this.#zxid || this.#kept.has(path)) return
    if (this.#passed !== null && !isVisitedLater(path, this.#passed)) return
    this.#kept.set(path, node.image())
  }

  /** Every node, parents first. */
  walk(): Generator<Visit, void> {
    return this.#visit(false)
  }

  /** As {@link TreeImage.walk}; nodes that the walk has passed are not kept any more. */
  lastWalk(): Generator<Visit, void> {
    return this.#visit(true)
  }

  *#visit(isLast: boolean): Generator<Visit, void> {
    const stack: Siblings[] = []
    for (let path: string | null = '/'; path !== null; path = nextOf(stack)) {
      const node = this.#at(path)
      if (isLast) {
        this.#passed = path
        this.#kept.delete(path)
      }
      if (node.names.length > 0) stack.push({ parent: path, parts: node.names, part: 0, next: 0 })
      yield { path, node }
    }
  }

  #at(path: string): NodeImage {
    const kept = this.#kept.get(path)
    if (kept !== undefined) return kept
    const node = this.#tree.get(path)
    assert(node !== undefined && node.czxid <= this.#zxid, () => `node ${path} is no longer as it was`)
    return node.image()
  }
}

/** Takes the next node of a walk; null at its end. No recursion: paths can be deep. */
function nextOf(stack: Siblings[]): string | null {
  for (let siblings = stack.at(-1); siblings !== undefined; siblings = stack.at(-1)) {
    const name = siblings.parts[siblings.part]?.[siblings.next]
    if (name !== undefined) {
      siblings.next += 1
      return joinPath(siblings.parent, name)
    }
    siblings.part += 1
    siblings.next = 0
    if (siblings.part >= siblings.parts.length) stack.pop()
  }
  return null
}

/** Whether a walk that is at `reached` comes to `path` later. */
function isVisitedLater(path: string, reached: string): boolean {
  if (path === '/' || reached === '/') return path !== '/'
  const length = Math.min(path.length, reached.length)
  for (let i = 0; i < length; i++) {
    const one = path.charCodeAt(i)
    const other = reached.charCodeAt(i)
    if (one !== other) return other === SLASH || (one !== SLASH && one > other)
  }
  return path.length > reached.length
}
