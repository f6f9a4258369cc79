/** A tree of nodes, read level by level with many reads in flight. Nodes that go meanwhile are not in it. */
import type { Stat } from '../../core/backend.ts'
import { abortable } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { joinPath } from '../../core/path.ts'
import { WorkProgress } from '../work-progress.ts'

/** A node with what is below it. */
export interface TreeNode {
  readonly path: string
  /** The last segment of its path; for the root of the tree its path. */
  readonly name: string
  readonly stat: Stat
  /** In order of their names. */
  readonly children: readonly TreeNode[]
}

/** A node that is still to be read. */
interface Unread {
  readonly path: string
  readonly name: string
  /** Where it belongs. */
  readonly siblings: TreeNode[]
}

/** How many reads are in flight at a time. */
const READS_IN_FLIGHT_MAX = 128

/** How deep a tree is read if nothing is said. */
export const DEPTH_MAX = 1_000_000

/**
 * Reads a tree.
 *
 * @param path - its root
 * @param depth - how many levels below the root
 * @param onRead - hears how many more nodes were read
 * @throws CoordinationError `NO_NODE` if there is no root
 */
export async function readTree(
  client: Client,
  path: string,
  depth: number,
  signal: AbortSignal,
  onRead: (count: number) => void = () => undefined,
): Promise<TreeNode> {
  const roots: TreeNode[] = []
  let level: Unread[] = [{ path, name: path, siblings: roots }]
  for (let at = 0; at <= depth && level.length > 0; at++) {
    const next: Unread[] = []
    for (let start = 0; start < level.length; start += READS_IN_FLIGHT_MAX) {
      const reading = level.slice(start, start + READS_IN_FLIGHT_MAX).map((node) => readNode(client, node, at === 0))
      for (const place of await abortable(Promise.all(reading), signal)) next.push(...place())
      onRead(reading.length)
    }
    level = next
  }
  return roots[0] as TreeNode
}

/** Reads all of a tree, and says on the terminal how far it is. */
export async function readWholeTree(client: Client, path: string, signal: AbortSignal): Promise<TreeNode> {
  const progress = new WorkProgress({ what: 'nodes found' })
  try {
    return await readTree(client, path, DEPTH_MAX, signal, (count) => progress.add(count))
  } finally {
    progress.end()
  }
}

/** The nodes of a tree, each before what is below it. */
export function* preOrder(node: TreeNode): Generator<TreeNode> {
  // A stack of its own: trees may be deeper than the language's.
  const stack = [node]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next
    for (let index = next.children.length - 1; index >= 0; index--) stack.push(next.children[index] as TreeNode)
  }
}

/** Reads a node. The function that it gives puts it into its place, and gives those below it. */
async function readNode(client: Client, { path, name, siblings }: Unread, isRoot: boolean): Promise<() => Unread[]> {
  try {
    const { names, stat } = await client.children(path)
    const children: TreeNode[] = []
    return () => {
      siblings.push({ path, name, stat, children })
      return names.map((child) => ({ path: joinPath(path, child), name: child, siblings: children }))
    }
  } catch (error) {
    if (isRoot || !isCoordinationError(error, 'NO_NODE')) throw error
    return () => []
  }
}
