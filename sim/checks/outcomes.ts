/**
 * C5: the outcome that a caller was told of a write is true.
 *
 * - `ok`: it is in the common history, once.
 * - `rejected`, `not-sent`, `session-over`: it changed nothing, and never will.
 * - `unknown`: at most once, which the history itself is held to.
 *
 * A call is known by its session and the number of its request, so that no data need be unique.
 */
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { ApiCall, RecordedSession } from '../recorded-session.ts'
import type { Tap, TapObserver } from '../tap.ts'

export class OutcomesCheck implements Check, TapObserver, LedgerListener {
  readonly name = 'outcomes'
  readonly covers = ['C5']
  /** Writes that have ended, to be looked at when the history is complete. */
  readonly #writes: ApiCall[] = []
  /** By session, the requests that changed something. */
  readonly #done = new Map<bigint, Set<number>>()

  /** Checks the calls of a world. */
  constructor(ledger: Ledger, tap: Tap) {
    ledger.listen(this)
    tap.observe(this)
  }

  settled(_session: RecordedSession, call: ApiCall): void {
    if (!call.isWrite) return
    this.#writes.push(call)
    if (call.outcome === 'ok' && !this.#isDone(call)) this.#fail(call, 'it is not in the history')
  }

  committed({ transaction: { header, txn }, results }: Replayed): void {
    if (header.cxid === 0 || txn.type === OpCode.error || results.some(({ type }) => type === 'error')) return
    const done = this.#done.get(header.clientId)
    if (done === undefined) this.#done.set(header.clientId, new Set([header.cxid]))
    else done.add(header.cxid)
  }

  atEnd(): void {
    for (const call of this.#writes) {
      const { outcome } = call
      const isDefinite = outcome === 'rejected' || outcome === 'not-sent' || outcome === 'session-over'
      if (isDefinite && this.#isDone(call)) this.#fail(call, 'it is in the history')
    }
  }

  #isDone({ sessionId, xid }: ApiCall): boolean {
    return xid !== null && this.#done.get(sessionId)?.has(xid) === true
  }

  #fail({ sessionId, xid, path, outcome, code }: ApiCall, what: string): never {
    const told = code === null ? outcome : `${code}, ${outcome}`
    const call = `request ${xid} of session ${sessionId} on ${path}`
    throw new Violation(this.name, `C5: ${call} ended with ${told}, and ${what}`)
  }
}
