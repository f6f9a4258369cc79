/**
 * Recognition: how a kept node is known from another's at its path, when the answer to its create or its session
 * was lost.
 *
 * By mark      its data begin with a UUID of its handle.
 * By creation  its data are exactly the caller's. A node is ours if we know its creation. It is ours too if a create of
 *              ours may have made it, since that answer was lost, and it belongs to a session that the client has had
 *              since that create was sent. Of several handles of a client at one path, one alone takes it.
 */
import type { NodeData, Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { markData, newMark, unmarkData } from './marked-data.ts'
import { isOutcomeUnknown } from './protected-writes.ts'

/** How one handle recognises its node. */
export interface Recognition {
  /** Makes the bytes to store of the handle's data. */
  stored(data: Uint8Array): Uint8Array
  /** To be called with each write that may make the node, before its answer; null if it has made none. */
  follow(making: Promise<Stat | null>): void
  /** Whether a node is the handle's. If so, no other handle of the client takes it from then on. */
  takes(found: NodeData): boolean
  /** Lets other handles of the client have the path. */
  end(): void
}

/** Makes the recognition of a handle that keeps a node at a path. */
export type MakeRecognition = (client: Client, path: string) => Recognition

/** Recognises a node by a mark before its data. */
export const byMark: MakeRecognition = () => {
  const mark = newMark()
  return {
    stored: (data) => markData(mark, data),
    follow: () => undefined,
    takes: ({ data }) => unmarkData(data)?.mark === mark,
    end: () => undefined,
  }
}

/** Recognises a node by its creation, or by the sessions on which a lost create may have made it. */
export const byCreation: MakeRecognition = (client, path) => new CreationRecognition(client, path)

/** Which handle has which node. */
interface Claimed {
  readonly by: CreationRecognition
  readonly czxid: bigint
}

/** The nodes of a client's handles, by path. */
type Taken = Map<string, Claimed>

const takenOf = new WeakMap<Client, Taken>()

class CreationRecognition implements Recognition {
  readonly #client: Client
  readonly #path: string
  readonly #taken: Taken
  /** The sessions on which a create whose answer was lost may have made a node. */
  readonly #suspects = new Set<bigint>()
  #made: bigint | null = null

  constructor(client: Client, path: string) {
    this.#client = client
    this.#path = path
    this.#taken = takenOf.get(client) ?? new Map<string, Claimed>()
    takenOf.set(client, this.#taken)
  }

  stored(data: Uint8Array): Uint8Array {
    return data
  }

  follow(making: Promise<Stat | null>): void {
    const sessions = new Set<bigint>()
    const remember = (): void => {
      const { sessionId } = this.#client
      if (sessionId !== null) sessions.add(sessionId)
    }
    remember()
    const unlisten = this.#client.onState(remember)
    const end = (isInDoubt: boolean, stat: Stat | null): void => {
      unlisten()
      remember()
      if (stat !== null) this.#take(stat.czxid)
      if (isInDoubt) for (const id of sessions) this.#suspects.add(id)
    }
    making.then((stat) => end(false, stat), (error: unknown) => end(isOutcomeUnknown(error), null))
  }

  takes({ stat }: NodeData): boolean {
    if (stat.czxid === this.#made) return true
    const taken = this.#taken.get(this.#path)
    if (taken?.czxid === stat.czxid) return taken.by === this
    if (!this.#suspects.has(stat.ephemeralOwner)) return false
    this.#take(stat.czxid)
    return true
  }

  end(): void {
    if (this.#taken.get(this.#path)?.by === this) this.#taken.delete(this.#path)
  }

  #take(czxid: bigint): void {
    this.#made = czxid
    this.#suspects.clear()
    this.#taken.set(this.#path, { by: this, czxid })
  }
}
