/**
 * `locks --graph`: who waits for whom, among those who hold a lock and wait for another, with possible deadlocks marked.
 *
 * Form      a line per wait: who, what that session holds, and what it waits for, which is whose. Rings come first. Two
 *           tasks of one process share a session, so a ring is only possibly a deadlock.
 * Status    1 if there is a ring, so that a script can tell.
 */
import type { WaitFor } from '../../dashboard/api.ts'
import { readWaitFor } from '../../dashboard/readings/wait-for.ts'
import { Failure } from '../exit-status.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { CommandContext } from './command.ts'

/**
 * Prints the graph of the locks below a node.
 *
 * @throws Failure without a message if there is a ring
 */
export async function showGraph(
  { client, signal, print, note }: Pick<CommandContext, 'client' | 'signal' | 'print' | 'note'>,
  path: string,
): Promise<void> {
  const { data, untold } = await readWaitFor(client(), [path], signal)
  print({ text: graphText(data), json: { path, ...data } })
  for (const sentence of Object.values(untold)) note(`${sentence}\n`)
  if (data.rings.length > 0) throw new Failure('')
}

/** The graph for people. */
function graphText({ waits, rings }: WaitFor): string {
  if (waits.length === 0) return 'nobody holds a lock and waits for another\n'
  const inRing = new Set(rings.flat())
  const ringLines = rings.map((ring) => `possible deadlock: ${[...ring, ring[0] ?? ''].join(' waits for ')}\n`)
  const waitLines = waits.map(({ session, says, holds, waitsFor, heldBy }) => {
    const who = says === '' ? session : `${session} (${visibleLine(says)})`
    const mark = inRing.has(session) && heldBy.some((holder) => inRing.has(holder)) ? '!' : ' '
    return `${mark} ${who}\n    holds ${holds.map(oneLine).join(', ')}\n    waits for ${oneLine(waitsFor)}, held by ` +
      `${heldBy.length === 0 ? 'nobody now' : heldBy.join(', ')}\n`
  })
  return [...ringLines, ...waitLines].join('')
}
