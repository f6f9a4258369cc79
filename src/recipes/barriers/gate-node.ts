/**
 * Shared by the barriers: a node whose presence or absence is the news, watched and removed as that very node.
 *
 * Identity  two nodes at one path, one after the other, look the same but for their czxid. A removal names the node
 *           that was seen, so that a repeated one, whose first answer was lost, never meets the node of the next round.
 */
import type { Stat, WatchEvent } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { refusal } from '../../core/refusal.ts'
import type { NodeIdentity } from '../engine/protected-writes.ts'
import { checkIdentity, isGone } from '../engine/protected-writes.ts'
import type { Wait } from '../engine/wait.ts'

/** One round of waiting: whatever it has armed rings it, and so does every change of the client's state. */
export class Bell {
  readonly #client: Client
  readonly #rung = deferred<undefined>()
  readonly #ends: (() => void)[]

  /** Makes a bell; end it in a finally. */
  constructor(client: Client) {
    this.#client = client
    this.#ends = [client.onState(() => this.ring())]
  }

  /** Rings it; to be given to a read as its watch, after {@link Bell.on}. */
  readonly ring = (): void => {
    this.#rung.resolve(undefined)
  }

  /** Makes a watch of a path that rings, and is forgotten when the bell ends. */
  on(path: string, tell: (event: WatchEvent) => void): (event: WatchEvent) => void {
    const watch = (event: WatchEvent): void => {
      tell(event)
      this.ring()
    }
    this.#ends.push(() => this.#client.unwatch(path, watch))
    return watch
  }

  /** Waits until it rings. */
  async heard(wait: Wait): Promise<void> {
    await abortable(this.#rung.promise, wait.signal)
  }

  /** Forgets what it has armed. */
  end(): void {
    for (const end of this.#ends.splice(0)) end()
  }
}

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
 * @throws CoordinationError what ended the wait; what the servers refused it with, such as `NOT_EMPTY`
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
