/**
 * Protected writes: they may be repeated when their answer was lost, because their effect can be recognised.
 *
 * Create    the name holds a UUID of this attempt. A lost answer is looked up in the list of the parent's children: a
 *           node with our UUID is ours if the session that is live now owns it; one of an older session of ours is
 *           about to go and is deleted, never adopted (CURATOR-498, 604); any other is that of somebody who has copied
 *           the name. Once a create was sent, its clean-up must be done, whatever happens.
 * Identity  a node that is ours is deleted, set or replaced only by a multi that begins with a check of its czxid: two
 *           nodes at one path, one after the other, have equal versions, and the second one may be another's.
 * Delete    repeated until the node is known to be gone or the session that owned it is over.
 * Lookups   follow a `sync`, since the server that answers may not have seen yet what the lost one had done.
 */
import type { Created, NodeData, Operation, Stat } from '../../core/backend.ts'
import type { Client, Data } from '../../core/client.ts'
import { abortable } from '../../core/async.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { CoordinationError } from '../../core/errors.ts'
import { joinPath } from '../../core/path.ts'
import type { CleanupTask } from './cleanups.ts'
import { Cleanups } from './cleanups.ts'
import type { Wait } from './wait.ts'
import { sessionOver } from './wait.ts'

/** How often a create is tried while its parent vanishes, or (unless its caller is patient) its answers are lost. */
export const CREATE_ATTEMPTS_MAX = 10

/** The identity of a node among all others, also those at the same path before and after it. */
export interface NodeIdentity {
  /** Where it is. */
  readonly path: string
  /** zxid of its creation: another node of the same path has another. */
  readonly czxid: bigint
}

/** An ephemeral node that this process made. */
export interface OwnedNode extends NodeIdentity {
  /** The session that owns it. */
  readonly sessionId: bigint
}

/** The node that a protected create makes. */
export interface ProtectedCreate {
  /** The parent; made as a container if it is missing. */
  readonly parent: string
  /** The beginning of the node's name; that of no other attempt is the same. */
  readonly mark: string
  /** The rest of the name before its sequence number, such as `lock-`. */
  readonly rest: string
  /** The node's data. */
  readonly data: Data
  /** Whether others may write its data; by default only its session may, where the backend can see to that. */
  readonly isWritable?: true
}

/** Describes a node that was just created as an owned one. */
export function ownedNode(path: string, stat: Stat): OwnedNode {
  return { path, czxid: stat.czxid, sessionId: stat.ephemeralOwner }
}

/**
 * Reads a node that is at least as new as every write that was acknowledged before the call. One after the other and
 * not in one round trip: the client may repeat either over a connection loss, and would not keep their order.
 *
 * @returns null if there is none
 */
export async function readSynced(client: Client, path: string, signal: AbortSignal): Promise<NodeData | null> {
  await client.sync(path, { signal })
  return readOrNull(client, path, signal)
}

/** Reads a node as its server has it. Null: there is none. */
export async function readOrNull(client: Client, path: string, signal: AbortSignal): Promise<NodeData | null> {
  try {
    return await client.get(path, { signal })
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return null
    throw error
  }
}

/** Whether a write may have taken effect although it failed. */
export function isOutcomeUnknown(error: unknown): error is CoordinationError {
  return isCoordinationError(error) && error.outcome === 'unknown'
}

/**
 * Creates an ephemeral sequential node of the live session, over lost answers and vanishing parents.
 *
 * @param client - on whose session
 * @param request - where and what
 * @param wait - ends it; then the node, if it was made, is deleted or handed to the clean-ups before this rejects
 * @returns the node; the live session owned it when it was last looked at
 * @throws CoordinationError what ended the wait, `SESSION_EXPIRED`, or a refusal of the servers
 */
export async function protectedCreate(client: Client, request: ProtectedCreate, wait: Wait): Promise<Created> {
  const path = joinPath(request.parent, request.mark + request.rest)
  const search = new MarkSearch(client, request)
  let owed: Promise<Created> | null = null
  let vanished = 0
  try {
    for (let attempt = 1; ; attempt += 1) {
      wait.check()
      // Without the wait's signal: the fate of the create must be known before it can be cleaned up.
      const owned = request.isWritable !== true
      const creating = client.create(path, request.data, { mode: 'ephemeral-sequential', owned })
      owed = creating
      try {
        return await abortable(creating, wait.signal)
      } catch (error) {
        wait.check()
        if (!isOutcomeUnknown(error)) owed = null
        if (isCoordinationError(error, 'NO_NODE')) {
          vanished += 1
          if (vanished === CREATE_ATTEMPTS_MAX) throw error
          await wait.insist(() => makeParent(client, request.parent, wait.signal))
          continue
        }
        if (isCoordinationError(error, 'SESSION_EXPIRED')) throw sessionOver(request.parent, error)
        if (!isCoordinationError(error, 'CONNECTION_LOSS')) throw error
        if (!wait.isPatient && (owed === null || attempt === CREATE_ATTEMPTS_MAX)) throw error
        if (isOutcomeUnknown(error)) {
          const found = await wait.insist(() => findOwn(client, search, wait.signal))
          if (found !== null) return found
        }
        if (wait.isPatient) await wait.pause(attempt)
      }
    }
  } catch (error) {
    if (owed !== null) await sweep(client, search, owed)
    throw wait.explain(error)
  } finally {
    search.end()
  }
}

/** For each client, the parents that it is making. */
const parentsOf = new WeakMap<Client, Map<string, Promise<void>>>()

/** Makes a parent once for all of a client's callers that miss it, who then go on in the order in which they came. */
async function makeParent(client: Client, parent: string, signal: AbortSignal): Promise<void> {
  const parents = parentsOf.get(client) ?? new Map<string, Promise<void>>()
  parentsOf.set(client, parents)
  const known = parents.get(parent)
  const making = known ?? client.makePath(parent).finally(() => parents.delete(parent))
  if (known === undefined) parents.set(parent, making)
  await abortable(making, signal)
}

/** Deletes whatever a create has made or will yet make, once it is known what became of it. */
async function sweep(client: Client, search: MarkSearch, creating: Promise<Created>): Promise<void> {
  await Cleanups.of(client).confirmOrHandOver(async (signal, giveUp) => {
    const created = await abortable(creating.catch(() => null), signal)
    if (created !== null) return deletion(client, ownedNode(created.path, created.stat))(signal, giveUp)
    const found = await search.nodes(signal)
    await Promise.all(found.map((node) => deleteNode(client, node, signal)))
  })
}

/** Finds the node that a create with a lost answer has made, and deletes what older sessions have left of it. */
async function findOwn(client: Client, search: MarkSearch, signal: AbortSignal): Promise<Created | null> {
  for (const { path, czxid, stat } of await search.nodes(signal)) {
    if (stat.ephemeralOwner === client.sessionId) return { path, stat }
    await deleteNode(client, { path, czxid }, signal)
  }
  return null
}

/** A node whose name has a mark of ours. */
interface FoundNode extends NodeIdentity {
  readonly stat: Stat
}

/**
 * Looks for what a create has made: nodes with its mark, of the sessions that the client has had since. Others may have
 * copied the name: who puts a deleted node back, as it was, has a session of its own, or none.
 */
class MarkSearch {
  readonly #client: Client
  readonly #request: ProtectedCreate
  readonly #sessionIds = new Set<bigint>()
  readonly #unlisten: () => void

  constructor(client: Client, request: ProtectedCreate) {
    this.#client = client
    this.#request = request
    this.#remember()
    this.#unlisten = client.onState(() => {
      this.#remember()
    })
  }

  /** The nodes that are there now; writes before the call are seen. */
  async nodes(signal: AbortSignal): Promise<FoundNode[]> {
    const { parent, mark } = this.#request
    const found: FoundNode[] = []
    for (const name of await namesMarked(this.#client, parent, mark, signal)) {
      const path = joinPath(parent, name)
      const stat = await this.#client.exists(path, { signal })
      this.#remember()
      if (stat !== null && this.#sessionIds.has(stat.ephemeralOwner)) found.push({ path, czxid: stat.czxid, stat })
    }
    return found
  }

  /** Remembers no more sessions by itself. */
  end(): void {
    this.#unlisten()
  }

  #remember(): void {
    const { sessionId } = this.#client
    if (sessionId !== null) this.#sessionIds.add(sessionId)
  }
}

async function namesMarked(client: Client, parent: string, mark: string, signal: AbortSignal): Promise<string[]> {
  try {
    await client.sync(parent, { signal })
    const { names } = await client.children(parent, { signal })
    return names.filter((name) => name.startsWith(mark))
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return []
    throw error
  }
}

/**
 * The operation that a multi on a node of ours begins with: by it the whole is refused unless the node is still there,
 * and no other in its place.
 */
export function checkIdentity({ path, czxid }: NodeIdentity): Operation {
  return { type: 'check', path, version: -1, czxid }
}

/** Whether a multi that begins with {@link checkIdentity} was refused by it: the node that was meant is gone. */
export function isGone(error: unknown): boolean {
  return isCoordinationError(error, 'NO_NODE', 'BAD_VERSION') && error.index === 0
}

/** Deletes this very node; if it is gone, nothing. */
export async function deleteNode(client: Client, node: NodeIdentity, signal: AbortSignal): Promise<void> {
  const { path } = node
  try {
    await client.multi([checkIdentity(node), { type: 'delete', path, version: -1 }], { signal })
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

/**
 * Makes the task that deletes an ephemeral node of ours, to be run by {@link Cleanups}.
 *
 * @param client - through which it was created
 * @param node - the node to delete; no other node at its path is
 * @returns one attempt; it resolves when the node is gone or its session is over
 */
export function deletion(client: Client, node: OwnedNode): CleanupTask {
  return async (signal, giveUp) => {
    const look = (): void => {
      // A client that closes does not say whether its session is over.
      if (client.state.status !== 'closed' && client.sessionId !== node.sessionId) giveUp()
    }
    const unlisten = client.onState(look)
    try {
      look()
      if (!signal.aborted) await deleteNode(client, node, signal)
    } finally {
      unlisten()
    }
  }
}
