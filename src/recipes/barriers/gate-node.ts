/**
 * Shared by the barriers: a node whose presence or absence is the news, watched and removed as that very node.
 *
 * Identity  two nodes at one path, one after the other, look the same but for their czxid. A removal names the node
 *           that was seen, so that a repeated one, whose first answer was lost, never meets the node of the next round.
 */
import type { Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { refusal } from '../../core/refusal.ts'
import { Bell } from '../engine/bell.ts'
import type { NodeIdentity } from '../engine/protected-writes.ts'
import { checkIdentity, isGone } from '../engine/protected-writes.ts'
import type { Wait } from '../engine/wait.ts'

/**
 * Reads the stat of a node as of now: no write that was confirmed before the call is missed.
 *
 * @returns null if there is none
 */
export async function statNow(client: Client, path: string, wait: Wait): Promise<Stat | null> {
  const { signal } = wait
  await wait.insist(() => client.sync(path, { signal }))
  return wait.insist(() => client.exists(path, { signal }))
}

/**
 * Waits until this very node is gone. Another that was made in its place does not keep the wait.
 *
 * @param node - the node; it was seen before
 */
export async function untilGone(client: Client, node: NodeIdentity, wait: Wait): Promise<void> {
  for (let isThere = true; isThere;) {
    const bell = new Bell(client)
    try {
      const watch = bell.on(node.path, ({ type }) => {
        if (type === 'deleted') isThere = false
      })
      const { stat } = await wait.insist(() => client.get(node.path, { watch, signal: wait.signal }))
      if (stat.czxid !== node.czxid) return
      await bell.heard(wait)
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return
      throw error
    } finally {
      bell.end()
    }
  }
}

/**
 * Removes this very node, over lost answers: repeated, it meets no other.
 *
 * @throws CoordinationError what ended the wait; a refusal of the servers, such as `NOT_EMPTY`
 */
export async function removeThis(client: Client, node: NodeIdentity, wait: Wait): Promise<void> {
  const { path } = node
  try {
    await wait.insist(async () => {
      const remove = { type: 'delete', path, version: -1 } as const
      await client.multi([checkIdentity(node), remove], { signal: wait.signal })
    })
  } catch (error) {
    if (isGone(error)) return
    throw isCoordinationError(error) && error.index !== undefined ? refusal(error.code, path, { cause: error }) : error
  }
}
