/**
 * Persistent node: an ephemeral node that is kept at its path for as long as its handle lives.
 *
 * Model     a kept node (engine/kept-node.ts) whose data are exactly the given bytes. It goes with its session, and is
 *           made again on the next one, or when somebody deletes it.
 * Safety    another's node at the path is never taken over, overwritten or deleted. Its own is known by its creation;
 *           if the answer to a create was lost, by the sessions that the client has had since. So a client uses a path
 *           for one thing.
 * Signal    `signal` belongs to one creation: after the node was made again there is another one.
 * Cost      open: 1 round trip; after a lost session: 1 more, or 4 if the old node is still there.
 * Source    Curator PersistentNode; CURATOR-297, 506.
 */
import type { Stat } from '../../core/backend.ts'
import type { Client, Data } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { checkSessionLoss } from '../engine/acquire-options.ts'
import type { OnSessionLoss } from '../engine/acquire-options.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { KeptNode, standingChange } from '../engine/kept-node.ts'
import type { KeptState, Standing } from '../engine/kept-node.ts'
import { namedListener } from '../engine/listener.ts'
import { checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import { byCreation } from '../engine/recognition.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** Options of {@link PersistentNode.open}. */
export interface PersistentNodeOptions extends TimedWaitOptions {
  /**
   * The fate of the call if the session ends, or no server is in touch, before the node was made: `reject` by default,
   * or `queue-again`, for as long as the wait lasts.
   */
  readonly onSessionLoss?: OnSessionLoss
}

/** A state of a persistent node, as its subscribers get it. */
export interface PersistentNodeNotice {
  /** Where it stands. */
  readonly state: KeptState
  /** zxid of its creation: a node that was made again has another. */
  readonly incarnation: bigint
  /** Whether it was made again since the notice before. */
  readonly remade: boolean
  /** With state `lost`: why. */
  readonly error?: unknown
}

const OPTIONS = optionNames<PersistentNodeOptions>({ onSessionLoss: true, waitMs: true, signal: true })

/** A node that is kept at its path. */
export class PersistentNode implements AsyncDisposable {
  /** Where it is. */
  readonly path: string
  readonly #client: Client
  readonly #node: KeptNode

  private constructor(client: Client, node: KeptNode) {
    this.path = node.path
    this.#client = client
    this.#node = node
  }

  /**
   * Makes the node, and keeps it from then on.
   *
   * @param client - on whose sessions; when it closes, the node is removed
   * @param path - where; missing parents are made
   * @param data - exactly what the node holds; a string is stored as UTF-8
   * @param options.signal - ends the attempt; a node that it has made is removed before this rejects
   * @param options.waitMs - longest attempt in milliseconds; no limit by default. If it is given, and another has the
   * path, it waits for that one to go
   * @param options.onSessionLoss - `reject` by default; `queue-again` goes on over losses of the session and of touch
   * @returns a handle that makes the node again when it is lost, until `close()`
   * @throws CoordinationError `NODE_EXISTS` if another has the path, at once or when `waitMs` have passed; `ABORTED`,
   * `TIMEOUT`, `PAYLOAD_TOO_LARGE`, `CLIENT_CLOSED`, a refusal of the servers, and with `reject` `SESSION_EXPIRED`,
   * `CONNECTION_LOSS`
   * @throws TypeError or RangeError for a wrong path, wrong data or a wrong option
   */
  static async open(
    client: Client,
    path: string,
    data: Data,
    options: PersistentNodeOptions = {},
  ): Promise<PersistentNode> {
    validateClient(client, 'PersistentNode')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'PersistentNode.open')
    checkSessionLoss(options.onSessionLoss)
    const keeping = { ...options, taken: nodeExists, recognition: byCreation }
    return new PersistentNode(client, await KeptNode.keep(client, path, bytesOf(data), keeping))
  }

  /** Where it stands at this instant. */
  get state(): KeptState {
    return this.#node.state
  }

  /**
   * Aborted when the node can no longer be relied on: at a local deadline before the servers could remove it, or when
   * it is deleted, the session over or the client closed; never by `close()`. See `lossReason`. After the node was made
   * again there is another signal.
   */
  get signal(): AbortSignal {
    return this.#node.signal
  }

  /** zxid of the creation of the node. It grows each time it is made. */
  get incarnation(): bigint {
    return this.#node.incarnation
  }

  /**
   * Replaces the data. Those that come faster than they can be stored replace each other.
   *
   * @param data - exactly what the node is to hold
   * @param options - the signal and the time limit of the wait; the data are stored all the same
   * @returns resolves when these or later data are stored
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `PAYLOAD_TOO_LARGE`, or why the node is kept no more:
   * `NODE_EXISTS`, `CLIENT_CLOSED`, or a refusal of the servers
   */
  async set(data: Data, options: TimedWaitOptions = {}): Promise<void> {
    const bytes = bytesOf(data)
    const call = { what: 'set', path: this.path }
    await withinWait(this.#client, call, options, (_, wait) => this.#node.store(bytes, wait))
  }

  /**
   * Removes the node, and keeps it no more. Idempotent. Resolves when the servers have confirmed it or the session is
   * over (`withdrawn`), or when they refused it or the client closed before, whose `close()` waits a little for it
   * (`suspect`); it never rejects.
   */
  close(): Promise<void> {
    return this.#node.withdraw()
  }

  /** Removes the node. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Listens to the states of the node; the latest state wins.
   *
   * @param listener - called with each notice; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present state; true by default
   * @returns ends the listening
   */
  subscribe(
    listener: (notice: PersistentNodeNotice) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Unsubscribe {
    checkSubscribe(listener, options)
    return this.#node.feed.subscribe(this.path, describe, namedListener('a node', this.path, listener), options)
  }

  /**
   * Iterates over the states of the node; the latest state wins. Ends after the final state.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   */
  watch(options: IterateOptions = {}): AsyncGenerator<PersistentNodeNotice, void, undefined> {
    checkIterate(options)
    return this.#watch(options)
  }

  async *#watch(options: IterateOptions): AsyncGenerator<PersistentNodeNotice, void, undefined> {
    for await (const notice of this.#node.feed.iterate(this.path, describe, options)) {
      yield notice
      if (notice.state === 'withdrawn' || notice.state === 'lost') return
    }
  }
}

function describe(delivery: Delivery<Standing>): PersistentNodeNotice | null {
  const change = standingChange(delivery)
  if (change === null) return null
  const { state, incarnation, isAgain, error } = change
  return { state, incarnation, remade: isAgain, ...(error === undefined ? {} : { error }) }
}

function bytesOf(data: unknown): Uint8Array {
  if (typeof data === 'string') return new TextEncoder().encode(data)
  // A copy: the caller may go on with its own.
  if (data instanceof Uint8Array) return Uint8Array.from(data)
  throw new TypeError(`data must be a string or a Uint8Array, got ${textOf(data)}`)
}

function nodeExists(path: string, { ctime, ephemeralOwner }: Stat): CoordinationError {
  const owner = ephemeralOwner === 0n ? 'no session' : `session 0x${ephemeralOwner.toString(16)}`
  const message = `another has made ${path} at ${new Date(ctime).toISOString()}, on ${owner}: open({ waitMs }) waits `
    + 'until it goes'
  return new CoordinationError('NODE_EXISTS', message, { outcome: 'rejected', path })
}
