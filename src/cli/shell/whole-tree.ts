/** All of a tree, while the terminal shows how far the reading is. */
import type { Client } from '../../core/client.ts'
import type { TreeNode } from '../../core/walk-tree.ts'
import { readTree } from '../../core/walk-tree.ts'
import { WorkProgress } from '../work-progress.ts'

/**
 * Reads it.
 *
 * @throws CoordinationError `NO_NODE` if there is no root
 */
export async function readWholeTree(client: Client, path: string, signal: AbortSignal): Promise<TreeNode> {
  const progress = new WorkProgress({ what: 'nodes found' })
  try {
    return await readTree(client, path, signal, Infinity, () => progress.add(1))
  } finally {
    progress.end()
  }
}
