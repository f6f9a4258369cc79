/**
 * Strikes: a holder whose node somebody else has deleted hears of it in time.
 *
 * L9   once a session has heard of a state without the node, in the answer to a call that it made after the lease was
 *      given out, the lease is lost: the event of the node's watch comes before that answer, and so does the answer to
 *      the look that arms the watch.
 *
 * Excused   a holder whose node was written meanwhile, as its watch is being armed again; and one whose connection has
 *           ended, as a look that fails by that is made again only when there is another.
 */
import type { Lease } from '../../src/recipes/engine/lease.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ApiCall, RecordedSession } from '../recorded-session.ts'
import type { Tap, TapConnection, TapObserver } from '../tap.ts'

type SeenLease = Pick<Lease, 'path' | 'token' | 'signal'>

/** The parts of the run that the check looks at. */
export interface StrikesCheckOptions {
  readonly ledger: Ledger
  readonly tap: Tap
  readonly probes: Probes
}

/** A lease that is not being released, in one life of its holder's process. */
interface Holding {
  readonly lease: SeenLease
  readonly sessionId: bigint
  readonly node: SimNode
  readonly incarnation: number
  /** The number of the first call that the session made after the lease was given out. */
  readonly firstCall: number
  /** zxid of the end of its node; null while that is there. */
  goneZxid: bigint | null
}

export class StrikesCheck implements Check, LedgerListener, TapObserver {
  readonly name = 'strikes'
  readonly covers = ['L9']
  readonly #ledger: Ledger
  readonly #probes: Probes
  /** By token. */
  readonly #holdings = new Map<bigint, Holding>()
  /** Holders who have the answer, to be looked at when they have dealt with all that came with it. */
  readonly #due = new Map<Holding, bigint>()
  readonly #numbers = new WeakMap<ApiCall, number>()
  #calls = 0

  /** Checks the holders of a world that has not run yet. */
  constructor({ ledger, tap, probes }: StrikesCheckOptions) {
    this.#ledger = ledger
    this.#probes = probes
    ledger.listen(this)
    tap.observe(this)
  }

  /** To be told, in the same event, of every lease that a client was given. */
  granted(lease: SeenLease, node: SimNode): void {
    const { path, token } = lease
    const sessionId = this.#ledger.model.node(path, token)?.owner
    // One that was lost before anybody was given it has nothing to hear.
    if (sessionId === undefined || this.#ledger.model.node(path)?.czxid !== token) return
    const { incarnation } = node
    this.#holdings.set(token, { lease, sessionId, node, incarnation, firstCall: this.#calls, goneZxid: null })
  }

  /** To be told before a lease is released. */
  releasing({ token }: Pick<SeenLease, 'token'>): void {
    this.#holdings.delete(token)
  }

  committed({ transaction: { header: { zxid } }, changes }: Replayed): void {
    for (const { type, path } of changes) {
      for (const holding of this.#holdings.values()) {
        if (holding.lease.path !== path || holding.goneZxid !== null) continue
        if (type === 'deleted') holding.goneZxid = zxid
        else this.#holdings.delete(holding.lease.token)
      }
    }
  }

  called(_session: unknown, call: ApiCall): void {
    this.#numbers.set(call, this.#calls)
    this.#calls += 1
  }

  settled({ id }: Pick<RecordedSession, 'id'>, call: ApiCall): void {
    const { zxid, outcome } = call
    if (outcome !== 'ok' || zxid === null) return
    const number = this.#numbers.get(call) ?? -1
    for (const holding of this.#holdings.values()) {
      const { sessionId, firstCall, goneZxid } = holding
      if (sessionId === id && number >= firstCall && goneZxid !== null && goneZxid <= zxid) this.#due.set(holding, zxid)
    }
  }

  closed({ sessionId }: TapConnection): void {
    for (const holding of this.#holdings.values()) {
      if (holding.sessionId === sessionId) this.#holdings.delete(holding.lease.token)
    }
  }

  afterEvent(): void {
    for (const [holding, zxid] of this.#due) {
      this.#due.delete(holding)
      const { lease: { path, token, signal }, node, incarnation, goneZxid } = holding
      const isHeld = this.#holdings.delete(token)
      if (!isHeld || !node.isUp || node.incarnation !== incarnation) continue
      this.#probes.hit('strike-heard')
      if (signal.aborted) continue
      const what = `${path} with token ${hex(token)} ended at ${hex(goneZxid ?? 0n)}`
      this.#fail(`L9: ${what}, and ${node.name}, who has heard of ${hex(zxid)}, still holds it`)
    }
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
