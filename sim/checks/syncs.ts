/**
 * Syncs: who has lost the answer to a write, and looks after a sync for what became of it, must see it or never see
 * it.
 *
 * C5   a write of an earlier connection of a session is not committed after a sync that was answered on a later one.
 */
import { Err, OpCode } from '../../src/backends/wire/codes.ts'
import type { Reply } from '../../src/backends/wire/records.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { SentRequest, Tap, TapConnection, TapObserver } from '../tap.ts'

/** Requests that the servers turn into transactions. */
const WRITES: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.multi,
])

/** The last sync of a session that was answered. */
interface Answered {
  readonly connection: number
  readonly zxid: bigint
}

export class SyncsCheck implements Check, LedgerListener, TapObserver {
  readonly name = 'syncs'
  readonly covers = ['C5']
  readonly #syncs = new Map<bigint, Answered>()
  /** By session and xid, the connection of each write that has no answer. */
  readonly #unanswered = new Map<string, number>()

  /** Checks the syncs of a world. */
  constructor(ledger: Ledger, tap: Tap) {
    ledger.listen(this)
    tap.observe(this)
  }

  requested({ number, sessionId }: TapConnection, { request }: SentRequest): void {
    if (WRITES.has(request.op)) this.#unanswered.set(`${sessionId} ${request.xid}`, number)
  }

  replied({ number, sessionId }: TapConnection, sent: SentRequest | null, { err, zxid }: Reply): void {
    if (sent === null) return
    if (WRITES.has(sent.request.op)) this.#unanswered.delete(`${sessionId} ${sent.request.xid}`)
    else if (sent.request.op === OpCode.sync && err === Err.ok) this.#syncs.set(sessionId, { connection: number, zxid })
  }

  committed({ transaction: { header, txn } }: Replayed): void {
    const { clientId, cxid, zxid } = header
    const lost = this.#unanswered.get(`${clientId} ${cxid}`)
    // One that was refused, because its session has moved, may come late: nobody sees it.
    if (lost === undefined || txn.type === OpCode.error) return
    const sync = this.#syncs.get(clientId)
    if (sync === undefined || sync.connection <= lost || zxid <= sync.zxid) return
    const write = `request ${cxid} of session ${clientId}, lost with its connection,`
    throw new Violation(this.name, `C5: ${write} is ${hex(zxid)}; a later sync of it was answered at ${hex(sync.zxid)}`)
  }
}
