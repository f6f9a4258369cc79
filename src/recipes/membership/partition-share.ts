/**
 * Share: one item of a partitioner, as one member has it or wants it.
 *
 * Model     an ephemeral node of the item is its lease: whoever made it owns the item. One loop per item claims the
 *           node when the item is wanted, has it, and lets go of it when it is not wanted any more or was lost.
 * Order     to let go: `onRevoke` is called and waited for, the signal aborts, then the node is removed. A lost item
 *           is reported at once; `onRevoke` is waited for before the item is claimed again.
 */
import type { Stat } from '../../core/backend.ts'
import { abortable, deferred, delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { KeptNode } from '../engine/kept-node.ts'
import { lossReason } from '../engine/ownership.ts'

/**
 * Where an assignment stands.
 *
 * - `held`: the item is this member's, and the servers answer.
 * - `suspect`: no server is in touch; the item is this member's until the signal says otherwise.
 * - `lost`: over without a hand-over; another member may have the item already. Final.
 * - `revoked`: over, since the item is to be another's or the partitioner stops. Final.
 */
export type AssignmentState = 'held' | 'suspect' | 'lost' | 'revoked'

/** An item that this member owns. */
export interface Assignment {
  /** The item. */
  readonly item: string
  /** Grows strictly from owner to owner of an item. A fence for what is done with it. */
  readonly token: bigint
  /**
   * Aborted when the assignment is lost, before another member can have the item, or when `onRevoke` has resolved. Its
   * reason is a `LEASE_LOST` error.
   */
  readonly signal: AbortSignal
  /** Where it stands at this instant. */
  readonly state: AssignmentState
  /**
   * Makes sure at this instant that the item is this member's. It asks the clock and not a timer.
   *
   * @throws CoordinationError `LEASE_LOST` with outcome `lost` if it is not
   */
  throwIfLost(): void
}

/** The item of a share, its node, and the callbacks of its owner. */
export interface ShareOptions {
  readonly client: Client
  readonly item: string
  /** The node of the item. */
  readonly path: string
  /** The data of the node, which name its owner. */
  readonly owner: Uint8Array
  /** Called and waited for before the item is let go of; its errors are reported. */
  readonly onRevoke: (assignment: Assignment) => void | Promise<void>
  /** Called when `current` has changed. */
  readonly onChange: () => void
}

const RETRY_MS = 1_000

export class Share {
  readonly #options: ShareOptions
  readonly #running: Promise<void>
  #current: HeldItem | null = null
  #isWanted = false
  #isOver = false
  /** Settled when the item is wanted or the share is over. */
  #call = deferred<undefined>()
  /** Aborted when the item is not wanted any more. */
  #unwanted = new AbortController()

  constructor(options: ShareOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** The item, while it is this member's. */
  get current(): Assignment | null {
    return this.#current
  }

  /** Says whether this member is to have the item. */
  want(isWanted: boolean): void {
    if (this.#isOver || isWanted === this.#isWanted) return
    this.#isWanted = isWanted
    if (isWanted) this.#unwanted = new AbortController()
    else this.#unwanted.abort()
    if (isWanted) this.#call.resolve(undefined)
    else this.#call = deferred()
  }

  /** Lets go of the item, for good. Resolves when that is confirmed; never rejects. */
  end(): Promise<void> {
    this.want(false)
    this.#isOver = true
    this.#call.resolve(undefined)
    return this.#running
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#call.promise
      if (this.#isOver) return
      const unwanted = this.#unwanted.signal
      const node = await this.#claim(unwanted)
      if (node !== null) await this.#have(node, unwanted)
    }
  }

  /** Waits until whoever has the item has let go of it. Null if it is not wanted any more, or was refused. */
  async #claim(unwanted: AbortSignal): Promise<KeptNode | null> {
    const { client, path, owner } = this.#options
    try {
      const waiting = { waitMs: Infinity, signal: unwanted, onSessionLoss: 'queue-again', taken: isTaken } as const
      return await KeptNode.keep(client, path, owner, waiting)
    } catch (error) {
      // A client that closes says so before its state does.
      if (isCoordinationError(error, 'CLIENT_CLOSED')) this.#isOver = true
      if (unwanted.aborted || this.#isOver) return null
      client.report(error)
      await delay(RETRY_MS, unwanted).catch(() => undefined)
      return null
    }
  }

  /** Has the item until it is lost or not wanted any more, and lets go of it. */
  async #have(node: KeptNode, unwanted: AbortSignal): Promise<void> {
    const held = new HeldItem(this.#options.item, node)
    this.#show(held)
    await abortable(held.lost, unwanted).catch(() => undefined)
    if (held.signal.aborted) {
      if (lossReason(held.signal) === 'client-closed') this.#isOver = true
      // The loss is reported first, and the next owner must not wait for this member's clean-up.
      this.#show(null)
      await Promise.all([node.withdraw(), this.#revoke(held)])
      return
    }
    await this.#revoke(held)
    held.end()
    this.#show(null)
    await node.withdraw()
  }

  async #revoke(held: HeldItem): Promise<void> {
    try {
      await this.#options.onRevoke(held)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `onRevoke of ${this.#options.path} threw: ${why}`
      this.#options.client.report(new Error(message, { cause }))
    }
  }

  #show(held: HeldItem | null): void {
    this.#current = held
    this.#options.onChange()
  }
}

/** An item in hand: one registration of its node, and no later one. */
class HeldItem implements Assignment {
  readonly item: string
  readonly token: bigint
  /** Resolves when it is lost. */
  readonly lost: Promise<undefined>
  readonly #node: KeptNode
  readonly #registration: AbortSignal
  readonly #ending = new AbortController()
  #isRevoked = false

  constructor(item: string, node: KeptNode) {
    this.item = item
    this.token = node.incarnation
    this.#node = node
    this.#registration = node.signal
    const losing = deferred<undefined>()
    this.lost = losing.promise
    const onLost = (): void => {
      losing.resolve(undefined)
      // Now: left to itself, the node would be made again.
      void node.withdraw()
      this.#ending.abort(this.#registration.reason)
    }
    if (this.#registration.aborted) onLost()
    else this.#registration.addEventListener('abort', onLost, { once: true })
  }

  get signal(): AbortSignal {
    return this.#ending.signal
  }

  get state(): AssignmentState {
    if (this.#isRevoked) return 'revoked'
    if (this.#registration.aborted) return 'lost'
    return this.#node.state === 'registered' ? 'held' : 'suspect'
  }

  throwIfLost(): void {
    if (!this.signal.aborted && this.#node.isProven) return
    const reason: unknown = this.signal.reason
    throw reason instanceof Error ? reason : leaseLost(this.#node.path, 'its deadline has passed')
  }

  /** Ends it before it is given away. */
  end(): void {
    if (this.signal.aborted) return
    this.#isRevoked = true
    this.#ending.abort(leaseLost(this.#node.path, 'it was given away'))
  }
}

function leaseLost(path: string, why: string): CoordinationError {
  return new CoordinationError('LEASE_LOST', `${path} is no longer owned: ${why}`, { outcome: 'lost', path })
}

function isTaken(path: string, { ephemeralOwner }: Stat): CoordinationError {
  const message = `${path} is owned on session 0x${ephemeralOwner.toString(16)}`
  return new CoordinationError('NODE_EXISTS', message, { outcome: 'rejected', path })
}
