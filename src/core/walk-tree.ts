/**
 * Walks over trees of nodes, level by level with many reads in flight. Nodes that go meanwhile are left out.
 *
 * Cost      one list of names per node.
 */
import type { Stat } from './backend.ts'
import type { Client } from './client.ts'
import { CoordinationError } from './errors.ts'
import { joinPath, nameOf, parentOf } from './path.ts'
import { readEach, unlessGone } from './read-each.ts'

/** A node that was met, and the names of its children in their order. */
export interface Met {
  readonly path: string
  readonly names: readonly string[]
  readonly stat: Stat
  /** Whether the walk began here. */
  readonly isRoot: boolean
}

/** How far a walk goes. */
export interface WalkLimits {
  /** Nodes that are read at most. */
  readonly nodesMax: number
  /** Levels that are read at most; 1 for the roots alone. */
  readonly levelsMax: number
  /** Whether to go on below a node. */
  readonly descends: (met: Met) => boolean
}

/** The nodes that a walk met, parents before children. */
export interface Walked {
  readonly met: readonly Met[]
  /** The limit that left nodes out; null if nothing was left out. */
  readonly stoppedBy: 'nodes' | 'levels' | null
}

/** A node with all that is below it. */
export interface TreeNode {
  readonly path: string
  /** The last segment of its path; for the root of the tree its path. */
  readonly name: string
  readonly stat: Stat
  /** In order of their names. */
  readonly children: readonly TreeNode[]
}

/** A node that is still to be read. */
type Unread = Pick<Met, 'path' | 'isRoot'>

/**
 * Walks over the nodes at and below some paths.
 *
 * @param roots - where to begin; one that is not there is left out
 * @throws CoordinationError as `Client.children`, but for `NO_NODE`
 */
export async function walkTree(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
  { nodesMax, levelsMax, descends }: WalkLimits,
): Promise<Walked> {
  const met: Met[] = []
  let level: Unread[] = [...new Set(roots)].map((path) => ({ path, isRoot: true }))
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === levelsMax) return { met, stoppedBy: 'levels' }
    const room = nodesMax - met.length
    const found = await readEach(level.slice(0, room), async (one): Promise<Met | null> => {
      const read = await unlessGone(client.children(one.path, { signal }))
      return read === null ? null : { ...one, ...read }
    })
    const next: Unread[] = []
    for (const node of found) {
      if (node === null) continue
      met.push(node)
      if (!descends(node)) continue
      for (const name of node.names) next.push({ path: joinPath(node.path, name), isRoot: false })
    }
    if (level.length > room) return { met, stoppedBy: 'nodes' }
    level = next
  }
  return { met, stoppedBy: null }
}

/**
 * Reads a tree.
 *
 * @param path - its root
 * @param depth - how many levels below the root; all if absent
 * @throws CoordinationError `NO_NODE` (outcome `rejected`) if there is no root; as `Client.children`
 */
export async function readTree(client: Client, path: string, signal: AbortSignal, depth = Infinity): Promise<TreeNode> {
  const limits = { nodesMax: Infinity, levelsMax: depth + 1, descends: () => true }
  const { met } = await walkTree(client, [path], signal, limits)
  const root = met[0]
  if (root === undefined) {
    throw new CoordinationError('NO_NODE', `there is no node ${path}`, { outcome: 'rejected', path })
  }
  const children = new Map<string, TreeNode[]>(met.map((node) => [node.path, []]))
  const treeNode = ({ path: at, stat }: Met, name: string): TreeNode => {
    return { path: at, name, stat, children: children.get(at) as TreeNode[] }
  }
  for (const node of met) {
    if (!node.isRoot) children.get(parentOf(node.path))?.push(treeNode(node, nameOf(node.path)))
  }
  return treeNode(root, path)
}

/** The nodes of a tree, each before those below it. */
export function* preOrder(node: TreeNode): Generator<TreeNode> {
  // A stack of its own: trees may be deeper than the language's.
  const stack = [node]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next
    for (let index = next.children.length - 1; index >= 0; index--) stack.push(next.children[index] as TreeNode)
  }
}
