/**
 * The lease of one item of a queue: the rights of the claim's owner, and how it ends.
 *
 * Safety    an item is removed in one multi with its claim, which must still be the very node: a consumer whose claim
 *           is gone removes nothing, since another may be at work. A settlement whose answer was lost is repeated. If
 *           the claim is gone by then, it counts as done only where nobody else can have done it.
 * Loss      as that of any lease: at a local deadline, before the servers could give the item to another.
 */
import { deferred } from '../../core/async.ts'
import type { Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { validateText } from '../../core/options.ts'
import { refusal } from '../../core/refusal.ts'
import { Cleanups } from '../engine/cleanups.ts'
import type { LossReason } from '../engine/ownership.ts'
import { NodeWatch, Ownership } from '../engine/ownership.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import { CREATE_ATTEMPTS_MAX, checkIdentity, deletion, isGone, isOutcomeUnknown } from '../engine/protected-writes.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { Waits } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import type { QueueFolders } from './queue-folders.ts'
import { deadData } from './queue-names.ts'

/** An item that was claimed. */
export interface ClaimedItem {
  readonly name: string
  /** Where it is. */
  readonly folders: QueueFolders
  readonly bytes: Uint8Array
  /** How often it has been handed out, this time included. */
  readonly attempt: number
  /** Called when there is no room to put it away, before it is free for others. */
  readonly onFull: () => void
}

export class ItemLease {
  /** The leased item. */
  readonly claimed: ClaimedItem
  readonly #client: Client
  readonly #claim: OwnedNode
  readonly #watch = new NodeWatch()
  readonly #ownership: Ownership
  readonly #disown: () => void
  readonly #over = deferred<undefined>()
  #stage: 'leased' | 'settling' | 'settled' = 'leased'
  #settling: Promise<void> = Promise.resolve()

  /** Begins the lease of an item whose claim the live session owns. */
  constructor(client: Client, claim: OwnedNode, claimed: ClaimedItem) {
    this.claimed = claimed
    this.#client = client
    this.#claim = claim
    this.#disown = client.own({ close: () => this.#closeWithClient() })
    this.#ownership = new Ownership(client, claim, this.#watch, (reason) => this.#onLost(reason))
    this.#ownership.begin(false)
  }

  /** Grows with every time that the item is handed out. */
  get token(): bigint {
    return this.#claim.czxid
  }

  /** Aborted when the lease is lost. */
  get signal(): AbortSignal {
    return this.#ownership.signal
  }

  /** Resolves when it is settled or lost. */
  get over(): Promise<undefined> {
    return this.#over.promise
  }

  /** Makes sure at this instant that the lease is held. */
  throwIfLost(): void {
    if (this.#stage === 'leased' && !this.#ownership.isProven) this.#ownership.lose('deadline-passed')
    if (this.signal.aborted) throw this.signal.reason
    if (this.#stage !== 'leased') throw lostError(this.#path, 'is settled')
  }

  /** Removes the item: it is done. */
  ack(options: TimedWaitOptions): Promise<void> {
    return this.#settle('ack', options, [])
  }

  /** Puts the item away. */
  async deadLetter(reason: string, options: TimedWaitOptions): Promise<void> {
    validateText('reason', reason)
    const { bytes, attempt, folders, name, onFull } = this.claimed
    const data = deadData({ reason, attempt }, bytes)
    const create = { type: 'create', path: folders.pathOf('dead', name), data, mode: 'persistent' } as const
    await this.#settle('deadLetter', options, [create], async (wait) => {
      try {
        await folders.refuseFull('dead', wait)
      } catch (error) {
        if (isCoordinationError(error, 'QUEUE_FULL')) onFull()
        throw error
      }
    })
  }

  /** Gives the item back, unless it is settled or lost; never rejects. */
  nack(): Promise<void> {
    if (this.#stage === 'leased' && !this.#ownership.isLost) {
      this.#begin(Cleanups.of(this.#client).run(deletion(this.#client, this.#claim)))
    }
    return this.#settling.catch(() => undefined)
  }

  get #path(): string {
    return this.claimed.folders.pathOf('items', this.claimed.name)
  }

  #begin(settling: Promise<unknown>): void {
    this.#stage = 'settling'
    // From here on the servers say whose the item is. The deletion of the claim is no loss any more.
    this.#ownership.end()
    this.#settling = settling.then(() => undefined).finally(() => {
      this.#stage = 'settled'
      this.#forget()
    })
  }

  async #settle(
    what: string,
    options: TimedWaitOptions,
    more: readonly Operation[],
    before: (wait: Wait) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const path = this.#path
    try {
      await withinWait(this.#client, { what, path, isUnlimited: true }, options, async (_signal, wait) => {
        await before(wait)
        if (this.#ownership.isLost) throw this.signal.reason
        if (this.#stage !== 'leased') throw lostError(path, 'was settled before')
        this.#begin(this.#send(more, wait))
        await this.#settling
      })
    } catch (error) {
      // One that ended before it has sent anything still has the claim.
      if (isCoordinationError(error) && this.#stage === 'leased' && !this.#ownership.isLost) {
        this.#begin(this.#removeClaim())
        await this.#settling.catch(() => undefined)
      }
      throw error
    }
  }

  async #send(more: readonly Operation[], wait: Wait): Promise<void> {
    const path = this.#path
    const removals = [path, this.#claim.path].map((gone) => ({ type: 'delete', path: gone, version: -1 }) as const)
    let lost: CoordinationError | null = null
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await this.#client.multi([checkIdentity(this.#claim), ...removals, ...more], { signal: wait.signal })
          return
        } catch (error) {
          wait.check()
          if (isGone(error)) return await this.#afterLoss(lost, wait)
          if (isOutcomeUnknown(error)) lost = error
          if (isCoordinationError(error, 'NO_NODE') && error.index === 1 + removals.length) {
            if (attempt === CREATE_ATTEMPTS_MAX) throw error
            await this.claimed.folders.make('dead', wait)
          } else {
            const isPassing = isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')
            if (!isPassing || !wait.isPatient) throw namedError(error, path)
            await wait.pause(attempt)
          }
        }
      }
    } catch (error) {
      await Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, this.#claim))
      throw error
    }
  }

  /** The claim is gone. If an answer was lost, it may be gone by that. */
  async #afterLoss(lost: CoordinationError | null, wait: Wait): Promise<void> {
    const path = this.#path
    if (lost === null) throw lostError(path, 'is claimed no longer')
    await wait.insist(() => this.#client.sync(path, { signal: wait.signal }))
    const stat = await wait.insist(() => this.#client.exists(path, { signal: wait.signal }))
    if (stat !== null) throw lostError(path, 'is claimed no longer')
    // Of a session that is over the claim was free for others, who may have settled it.
    if (this.#client.sessionId !== this.#claim.sessionId) throw lost
  }

  #onLost(reason: LossReason): void {
    this.#forget()
    if (reason === 'deadline-passed') void this.#removeClaim()
  }

  /** The consumer must stop before the item can go to another, so the signal comes first. */
  async #closeWithClient(): Promise<void> {
    const waiting = Waits.of(this.#client).end()
    if (this.#stage === 'leased') {
      this.#ownership.lose('client-closed')
      await this.#removeClaim()
    } else await this.#settling.catch(() => undefined)
    await waiting
  }

  #removeClaim(): Promise<void> {
    return Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, this.#claim))
  }

  #forget(): void {
    this.#disown()
    this.#ownership.retire()
    this.#over.resolve(undefined)
  }
}

function lostError(path: string, what: string): CoordinationError {
  return new CoordinationError('LEASE_LOST', `${path} ${what}`, { outcome: 'lost', path })
}

/** The refusal of a multi, as a refusal of the item. */
function namedError(error: unknown, path: string): unknown {
  return isCoordinationError(error) && error.index !== undefined ? refusal(error.code, path, { cause: error }) : error
}
