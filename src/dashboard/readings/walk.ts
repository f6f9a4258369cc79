/**
 * A walk over the nodes below some paths, a level at a time.
 *
 * Bounds    a number of nodes and of levels; a walk that has met one says so, and never looks whole when it is not.
 */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from './reading.ts'

/** A node that was met, and the names of its children. */
export interface Met {
  readonly path: string
  readonly names: readonly string[]
  readonly isRoot: boolean
}

/** What a walk came to. */
export interface Walked {
  readonly met: readonly Met[]
  /** The sentence that says what was left out; null if nothing was. */
  readonly left: string | null
}

const NODES_MAX = 1_000
const LEVELS_MAX = 8

/**
 * Walks.
 *
 * @param descends - whether to go on below a node; the names of its children are not read otherwise
 */
export async function walk(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
  descends: (met: Met) => boolean,
): Promise<Walked> {
  const met: Met[] = []
  let level = [...new Set(roots)].map((path) => ({ path, isRoot: true }))
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === LEVELS_MAX) return { met, left: `Nodes more than ${LEVELS_MAX} levels down are left out.` }
    const room = NODES_MAX - met.length
    const found = await readEach(level.slice(0, room), async (one) => {
      const children = await unlessGone(client.children(one.path, { signal }))
      return children === null ? null : { ...one, names: children.names }
    })
    const there = found.filter((one) => one !== null)
    met.push(...there)
    if (level.length > room) return { met, left: `Only the first ${NODES_MAX} nodes were looked at.` }
    level = there.filter(descends).flatMap(({ path, names }) => {
      return names.map((name) => ({ path: joinPath(path, name), isRoot: false }))
    })
  }
  return { met, left: null }
}

/** What an answer says of a walk that left something out. */
export function untoldOf({ left }: Walked): Record<string, string> {
  return left === null ? {} : { all: left }
}
