/**
 * Claim: how a kept node is made at its path, over lost answers, and which node there is its own.
 *
 * Safety    a node is the claimant's by its creation, whatever somebody has written into it, or as its recognition says
 *           (recognition.ts). Any other is another's. One that an older session of the same claimant has left is
 *           replaced by one atomic delete and create.
 */
import type { NodeData, Stat } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { parentOf } from '../../core/path.ts'
import { CREATE_ATTEMPTS_MAX, checkIdentity, isOutcomeUnknown, readSynced } from './protected-writes.ts'
import type { OwnedNode } from './protected-writes.ts'
import type { Recognition } from './recognition.ts'
import { sessionOver } from './wait.ts'

/** Who claims a node, and where. */
export interface Claimant {
  readonly client: Client
  readonly path: string
  /** Tells its node from another's. */
  readonly recognition: Recognition
  /** The node of its latest registration. */
  readonly known: OwnedNode | null
  /** Whether it goes on when its session ends. */
  readonly queuesAgain: boolean
  /** Ends the claim. */
  readonly signal: AbortSignal
  /** Called with each write that may make the node, before its answer. */
  readonly onWrite: (writing: Promise<unknown>) => void
}

/** The result of a claim. */
export interface Claimed {
  readonly stat: Stat
  /** Whether it is the claimant's, or another's. */
  readonly isOurs: boolean
  /** Whether it holds the data that were given, rather than older ones. */
  readonly isFresh: boolean
}

/**
 * Makes the node, or finds it made.
 *
 * @param bytes - its data, as they are stored
 * @returns the node at the path, be it the claimant's or another's
 * @throws CoordinationError `SESSION_EXPIRED` for a claimant that does not queue again; a refusal of the servers
 */
export async function claim(claimant: Claimant, bytes: Uint8Array): Promise<Claimed> {
  const { client, path, queuesAgain, signal } = claimant
  for (let attempt = 1; ; attempt += 1) {
    try {
      const creating = client.create(path, bytes, { mode: 'ephemeral', owned: true })
      const stat = await write(claimant, creating.then((created) => created.stat))
      return { stat, isOurs: true, isFresh: true }
    } catch (error) {
      if (attempt === CREATE_ATTEMPTS_MAX || signal.aborted) throw error
      if (!queuesAgain && isCoordinationError(error, 'SESSION_EXPIRED')) throw sessionOver(path, error)
      if (isCoordinationError(error, 'NO_NODE')) {
        await client.makePath(parentOf(path), { signal })
        continue
      }
      if (!isCoordinationError(error, 'NODE_EXISTS') && !isOutcomeUnknown(error)) throw error
    }
    const found = await readSynced(client, path, signal)
    if (found === null) continue
    if (!isOwn(claimant, found)) return { stat: found.stat, isOurs: false, isFresh: false }
    if (found.stat.ephemeralOwner === client.sessionId) return { stat: found.stat, isOurs: true, isFresh: false }
    const replaced = await replace(claimant, found.stat, bytes)
    if (replaced !== null) return { stat: replaced, isOurs: true, isFresh: true }
  }
}

/** Whether a node is the claimant's: by its creation, or as its recognition says. */
export function isOwn({ recognition, known }: Pick<Claimant, 'recognition' | 'known'>, found: NodeData): boolean {
  return found.stat.czxid === known?.czxid || recognition.takes(found)
}

/**
 * Waits until whoever has a node may have left it, or a watch may have been lost.
 *
 * @param signal - ends the wait
 */
export async function untilFree(client: Client, path: string, signal: AbortSignal): Promise<void> {
  const bell = deferred<undefined>()
  const ring = (): void => bell.resolve(undefined)
  const unlisten = client.onState(ring)
  try {
    const stat = await client.exists(path, { watch: ring, signal })
    if (stat !== null) await abortable(bell.promise, signal)
  } catch (error) {
    if (!isPassing(error) && !signal.aborted) client.report(error)
  } finally {
    unlisten()
    client.unwatch(path, ring)
  }
}

/** Whether an error may be gone at another attempt. */
export function isPassing(error: unknown): boolean {
  return isOutcomeUnknown(error) || isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED', 'SESSION_MOVED')
}

/** Replaces what an older session has left. Null: something else has happened to it, look again. */
async function replace(claimant: Claimant, { czxid, version }: Stat, data: Uint8Array): Promise<Stat | null> {
  const { client, path } = claimant
  try {
    const replacing = client.multi([
      checkIdentity({ path, czxid }),
      { type: 'delete', path, version },
      { type: 'create', path, data, mode: 'ephemeral', owned: true },
    ])
    return await write(
      claimant,
      replacing.then(([, , created]) => (created?.type === 'create' ? created.stat : null)),
    )
  } catch (error) {
    if (isCoordinationError(error, 'BAD_VERSION', 'NO_NODE', 'NODE_EXISTS') || isOutcomeUnknown(error)) return null
    throw error
  }
}

function write<R extends Stat | null>({ recognition, onWrite, signal }: Claimant, writing: Promise<R>): Promise<R> {
  recognition.follow(writing)
  onWrite(writing)
  return abortable(writing, signal)
}
