/**
 * The note of a leader: its data, and the candidate it hands over to. It is a node beside the election,
 * `<path>-leader`.
 *
 * Model     ephemeral, written by nobody but the leader: each write is a multi that begins with a check of the leader's
 *           own candidate node, so the tree itself refuses one who leads no longer. Readers believe a note only if its
 *           token is that of the candidate which leads.
 * Place     not in the candidate's own node: a write there would use up the watch of the next LeaderLatch in line,
 *           which looks at deletions only and would wait on. Not below the election: LeaderLatch lists all children as
 *           participants.
 * Format    the leader's token in decimal, a line feed, the name of the candidate that it hands over to (or nothing), a
 *           line feed, and the bytes of what it proclaims (or nothing).
 * Replies   lost ones cost nothing: whoever may write at all repeats its own write with the same effect.
 */
import type { NodeData, Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { CleanupTask } from '../engine/cleanups.ts'
import { checkIdentity, deleteNode, isGone, readSynced } from '../engine/protected-writes.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import type { Wait } from '../engine/wait.ts'

/** The note of a leader: its data, and its successor. */
export interface LeaderNote {
  /** The token of its leadership. */
  readonly token: bigint
  /** Name of the candidate that it hands over to; empty if it does not. */
  readonly successor: string
  /** The data that it proclaims, encoded; empty if none. */
  readonly data: Uint8Array
}

const LINE_FEED = 0x0a
const TOKEN = /^\d{1,20}$/

/** Where the note of an election is. */
export function notePathOf(path: string): string {
  return `${path}-leader`
}

/** Makes the bytes of a note. */
function encodeNote({ token, successor, data }: LeaderNote): Uint8Array {
  const head = new TextEncoder().encode(`${token}\n${successor}\n`)
  const bytes = new Uint8Array(head.length + data.length)
  bytes.set(head)
  bytes.set(data, head.length)
  return bytes
}

/** Reads the bytes of a note; null if nobody of ours wrote them. */
export function decodeNote(bytes: Uint8Array): LeaderNote | null {
  const first = bytes.indexOf(LINE_FEED)
  const second = bytes.indexOf(LINE_FEED, first + 1)
  if (first === -1 || second === -1) return null
  const [token = '', successor = ''] = new TextDecoder().decode(bytes.subarray(0, second)).split('\n')
  return TOKEN.test(token) ? { token: BigInt(token), successor, data: bytes.subarray(second + 1) } : null
}

/** Reads the note of an election; null if there is none. */
export async function readNote(client: Client, path: string, signal: AbortSignal): Promise<LeaderNote | null> {
  try {
    return decodeNote((await client.get(notePathOf(path), { signal })).data)
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return null
    throw error
  }
}

/**
 * Writes a note, over lost replies.
 *
 * @param candidate - the node of the leader who writes it
 * @param wait - ends it
 * @returns whether it is written; false if the candidate is gone, and with it the right to write
 */
export async function writeNote(
  client: Client,
  candidate: OwnedNode,
  path: string,
  note: LeaderNote,
  wait: Wait,
): Promise<boolean> {
  const notePath = notePathOf(path)
  const { signal } = wait
  for (let attempt = 1; ; attempt += 1) {
    const there = await wait.insist(() => readSynced(client, notePath, signal))
    if (client.sessionId !== candidate.sessionId) return false
    try {
      const results = await client.multi(
        [checkIdentity(candidate), ...writing(there, candidate, notePath, note)],
        { signal },
      )
      // The client may have come by another session meanwhile, while the candidate of the old one was still there.
      return results.every((result) => result.type !== 'create' || result.stat.ephemeralOwner === candidate.sessionId)
    } catch (error) {
      wait.check()
      if (isGone(error) || isCoordinationError(error, 'SESSION_EXPIRED')) return false
      // Another note was there by then, or none; or it is not known what became of the write.
      if (!isCoordinationError(error, 'NODE_EXISTS', 'NO_NODE', 'CONNECTION_LOSS')) throw error
      if (isCoordinationError(error, 'CONNECTION_LOSS')) await wait.pause(attempt)
    }
  }
}

/** The operations that put a note in the place of what is there. */
function writing(there: NodeData | null, candidate: OwnedNode, path: string, note: LeaderNote): Operation[] {
  const data = encodeNote(note)
  if (there?.stat.ephemeralOwner === candidate.sessionId) return [{ type: 'set', path, data, version: -1 }]
  const create: Operation = { type: 'create', path, data, mode: 'ephemeral', owned: true }
  return there === null ? [create] : [{ type: 'delete', path, version: -1 }, create]
}

/**
 * Makes the task that removes the note of a leadership which is over. It ends the candidate first: after that no write
 * of that leadership can come in any more.
 */
export function noteRemoval(client: Client, candidate: OwnedNode, path: string): CleanupTask {
  const notePath = notePathOf(path)
  return async (signal) => {
    await deleteNode(client, candidate, signal)
    const found = await readSynced(client, notePath, signal)
    if (found === null || decodeNote(found.data)?.token !== candidate.czxid) return
    await deleteNode(client, { path: notePath, czxid: found.stat.czxid }, signal)
  }
}
