/**
 * A candidacy: the way of one campaign from the queue to the leadership.
 *
 * Transfer  whoever is admitted looks at the note of its predecessor. If that hands over to another candidate which
 *           still stands in the queue, this one gives its place back before anybody heard that it leads, and queues
 *           again, after the other. So the chosen one leads after as many steps as stand before it, and those keep
 *           their order. A note that was written before its leader's node went is seen by all who saw that node go.
 */
import { abortable } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { checkSessionLoss } from '../engine/acquire-options.ts'
import type { OnSessionLoss } from '../engine/acquire-options.ts'
import type { Contenders } from '../engine/contenders.ts'
import type { Lease } from '../engine/lease.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { handBack } from '../engine/hand-back.ts'
import { lossReason } from '../engine/ownership.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { sessionOver } from '../engine/wait.ts'
import type { ContenderNames } from '../engine/contender.ts'
import { readNote } from './leader-note.ts'

/** Options of {@link LeaderElection.campaign}. */
export interface CampaignOptions extends TimedWaitOptions {
  /**
   * The fate of the wait when the session ends, and its place in line with it: `queue-again` on the next session,
   * at the end (the default), or `reject` with `SESSION_EXPIRED`.
   */
  readonly onSessionLoss?: OnSessionLoss
}

/** A candidate that leads. */
export interface Elected {
  readonly lease: Lease
  readonly candidate: OwnedNode
}

/** The queue of an election. */
export interface CandidateQueue {
  readonly contenders: Contenders
  readonly names: ContenderNames
}

const OPTIONS = optionNames<CampaignOptions>({ waitMs: true, signal: true, onSessionLoss: true })

/** One campaign. */
export class Candidacy {
  readonly #client: Client
  readonly #contenders: Contenders
  readonly #names: ContenderNames
  readonly #id: string
  readonly #onSessionLoss: OnSessionLoss

  /**
   * @param queue - of the election, and the names of its candidates
   * @param id - the candidate's
   * @throws TypeError for a wrong option
   */
  constructor(client: Client, queue: CandidateQueue, id: string, options: CampaignOptions) {
    refuseUnknown(options, OPTIONS, 'campaign')
    checkSessionLoss(options.onSessionLoss)
    this.#client = client
    this.#contenders = queue.contenders
    this.#names = queue.names
    this.#id = id
    this.#onSessionLoss = options.onSessionLoss ?? 'queue-again'
  }

  /** Waits until it leads. */
  async untilElected(wait: Wait): Promise<Elected> {
    const tries = wait.isPatient ? {} : { waitMs: 0 }
    const options = { signal: wait.signal, data: this.#id, onSessionLoss: this.#onSessionLoss, ...tries }
    for (;;) {
      const lease = await this.#contenders.acquire(options)
      const elected = await this.#acceptUnlessPassedOver(lease, wait)
      if (elected !== null) return elected
      this.throwIfRejected(lease.signal)
      if (!wait.isPatient) wait.timeOut('the last leader hands over to another')
      wait.check()
    }
  }

  /**
   * Ends the campaign if what it had won was lost with its session and it is not to queue again.
   *
   * @throws CoordinationError `SESSION_EXPIRED`
   */
  throwIfRejected(lost: AbortSignal): void {
    const isRejected = lossReason(lost) === 'session-expired' && this.#onSessionLoss === 'reject'
    if (isRejected) throw sessionOver(this.#contenders.path)
  }

  /** Null: it is lost already, or was given back in favour of another. */
  async #acceptUnlessPassedOver(lease: Lease, wait: Wait): Promise<Elected | null> {
    const { sessionId } = this.#client
    if (sessionId === null || lease.signal.aborted) {
      void lease.release()
      return null
    }
    const candidate = { path: lease.path, czxid: lease.token, sessionId }
    try {
      const isPassedOver = await wait.insist(() => this.#isPassedOver(lease, wait.signal))
      const isProven = !isPassedOver && (await proveLease(this.#client, candidate, wait))
      if (isProven && !lease.signal.aborted) return { lease, candidate }
    } catch (error) {
      await handBack(this.#client, lease.release())
      throw error
    }
    await abortable(lease.release(), wait.signal)
    return null
  }

  /** Whether the last leader hands over to another, which is there. */
  async #isPassedOver({ path: ownPath }: Lease, signal: AbortSignal): Promise<boolean> {
    const { path } = this.#contenders
    const note = await readNote(this.#client, path, signal)
    if (note === null || this.#names.parse(note.successor) === null) return false
    const chosen = joinPath(path, note.successor)
    return chosen !== ownPath && (await this.#client.exists(chosen, { signal })) !== null
  }
}
