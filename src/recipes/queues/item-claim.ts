/**
 * The claim of an item: an ephemeral node of the item's name, made in one multi that counts the attempt.
 *
 * Count     by the version of the item's node, which the multi names and raises: two consumers cannot count the same
 *           attempt, and none is lost by a crash.
 * Lost      an answer that was lost is looked up by the mark in the claim's data. Once it was sent, the clean-up of a
 *           claim must still be done, whatever ends the wait.
 */
import { abortable } from '../../core/async.ts'
import type { NodeData, OperationResult } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { Cleanups } from '../engine/cleanups.ts'
import { newMark } from '../engine/marked-data.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import { deletion, isOutcomeUnknown, ownedNode, readSynced } from '../engine/protected-writes.ts'
import type { Wait } from '../engine/wait.ts'
import type { QueueFolders } from './queue-folders.ts'

/**
 * Claims an item.
 *
 * @param name - of the item
 * @param found - the item as it was read: it is claimed only as that
 * @returns null if another is quicker, or the item is gone
 * @throws CoordinationError what ended the wait, or a refusal of the servers; nothing is claimed then
 */
export async function claimItem(
  client: Client,
  folders: QueueFolders,
  name: string,
  found: NodeData,
  wait: Wait,
): Promise<OwnedNode | null> {
  const mark = newMark()
  const path = folders.pathOf('claims', name)
  // Without the wait's signal: the fate of the claim must be known before it can be cleaned up.
  const claiming = client.multi([
    { type: 'create', path, data: new TextEncoder().encode(mark), mode: 'ephemeral', owned: true },
    { type: 'set', path: folders.pathOf('items', name), data: found.data, version: found.stat.version },
  ])
  try {
    return claimOf(await abortable(claiming, wait.signal))
  } catch (error) {
    if (wait.signal.aborted || isOutcomeUnknown(error)) {
      try {
        return await wait.insist(() => findClaim(client, path, mark, wait.signal))
      } catch (ended) {
        await withdraw(client, claiming, path, mark)
        throw ended
      }
    }
    if (isCoordinationError(error, 'NODE_EXISTS', 'BAD_VERSION')) return null
    if (isCoordinationError(error, 'NO_NODE')) {
      if (error.index === 0) await folders.make('claims', wait)
      return null
    }
    if (!wait.isPatient || !isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error
    await wait.pause(1)
    return null
  }
}

function claimOf([created]: readonly OperationResult[]): OwnedNode | null {
  return created?.type === 'create' ? ownedNode(created.path, created.stat) : null
}

/** The claim with this mark, if the session that is live now owns it. */
async function findClaim(client: Client, path: string, mark: string, signal: AbortSignal): Promise<OwnedNode | null> {
  const found = await readSynced(client, path, signal)
  if (found === null || new TextDecoder().decode(found.data) !== mark) return null
  return found.stat.ephemeralOwner === client.sessionId ? ownedNode(path, found.stat) : null
}

/** Removes what an attempt that was given up has made, or will yet make. */
async function withdraw(
  client: Client,
  claiming: Promise<readonly OperationResult[]>,
  path: string,
  mark: string,
): Promise<void> {
  await Cleanups.of(client).confirmOrHandOver(async (signal, giveUp) => {
    const results = await abortable(claiming.catch(() => null), signal)
    const claim = results === null ? await findClaim(client, path, mark, signal) : claimOf(results)
    if (claim !== null) await deletion(client, claim)(signal, giveUp)
  })
}
