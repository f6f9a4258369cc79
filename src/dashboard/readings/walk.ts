/** The walks of readings. They are bounded, and an answer says so when its walk has met a bound. */
import type { Client } from '../../core/client.ts'
import { walkTree } from '../../core/walk-tree.ts'
import type { Met } from '../../core/walk-tree.ts'

/** The nodes that a walk met. */
export interface BoundedWalk {
  readonly met: readonly Met[]
  /** The sentence that says what was left out; null if nothing was. */
  readonly left: string | null
}

const NODES_MAX = 1_000
const LEVELS_MAX = 8

const LEFT = {
  nodes: `Only the first ${NODES_MAX} nodes were looked at.`,
  levels: `Nodes more than ${LEVELS_MAX} levels down are left out.`,
}

/**
 * Walks over the nodes at and below some paths.
 *
 * @param descends - whether to go on below a node; the names of its children are not read otherwise
 */
export async function walk(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
  descends: (met: Met) => boolean,
): Promise<BoundedWalk> {
  const limits = { nodesMax: NODES_MAX, levelsMax: LEVELS_MAX, descends }
  const { met, stoppedBy } = await walkTree(client, roots, signal, limits)
  return { met, left: stoppedBy === null ? null : LEFT[stoppedBy] }
}

/** The note of an answer whose walk left something out. */
export function untoldOf({ left }: BoundedWalk): Record<string, string> {
  return left === null ? {} : { all: left }
}
