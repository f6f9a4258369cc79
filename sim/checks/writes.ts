/**
 * Writes: the answers that clients were told, against the common history.
 *
 * C1   a write that was sent when someone had been told of a zxid has a greater one; its reply names the transaction
 *      that it became, with the result that a replay gives.
 * C2   replies come in the order of the requests, and zxids of one session's writes in the order of their sending.
 * C5   a request becomes at most one transaction, and nothing but what the contract says it must become in the state
 *      before it.
 * C6   a multi is in the history whole, with the result of a replay for each part.
 */
import { Err, OpCode, Xid } from '../../src/backends/wire/codes.ts'
import type { MultiResult, Reply, Request } from '../../src/backends/wire/records.ts'
import type { LogEntry } from '../../src/backends/embedded/server/zab/journal.ts'
import { decodeTransaction } from '../../src/backends/wire/transactions.ts'
import type { TxnBody, TxnHeader } from '../../src/backends/wire/transactions.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { judge, partsOf, sameParts } from '../judgement.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { PartResult, Replayed } from '../model.ts'
import { sameStat } from '../stats.ts'
import { isWrite } from '../tap.ts'
import type { SentRequest, Tap, TapConnection, TapObserver } from '../tap.ts'

/** Refusals that are about the session, not about what was asked. */
const SESSION_REFUSALS: ReadonlySet<number> = new Set([Err.sessionExpired, Err.sessionMoved])
/** The refusals of a server by itself, without the leader: the request is too long, or not known. */
const LOCAL_REFUSALS: ReadonlySet<number> = new Set([Err.badArguments, Err.unimplemented])

interface SessionWrites {
  /** Those that were sent and are not in the history, by xid. */
  readonly requests: Map<number, Request>
  /** xid of the last one that is in the history. */
  lastXid: number
  /** zxid of the last one that was answered. */
  lastZxid: bigint
}

export class WritesCheck implements Check, TapObserver, LedgerListener {
  readonly name = 'writes'
  readonly covers = ['C1', 'C2', 'C5', 'C6', 'S3']
  readonly #ledger: Ledger
  readonly #sessions = new Map<bigint, SessionWrites>()

  /** Checks the writes of a world. */
  constructor(ledger: Ledger, tap: Tap) {
    this.#ledger = ledger
    ledger.listen(this)
    tap.observe(this)
  }

  requested({ sessionId }: TapConnection, { request }: SentRequest): void {
    if (isWrite(request)) this.#session(sessionId).requests.set(request.xid, request)
  }

  /** Looks at what the leader made of a request, in the state before it. */
  committing({ txn: bytes }: LogEntry): void {
    const { header, txn } = decodeTransaction(bytes)
    // Requests of the servers themselves have no number: sessions that begin or expire, nodes whose time is over.
    if (header.cxid === 0) return
    const session = this.#session(header.clientId)
    const request = session.requests.get(header.cxid)
    const where = `request ${header.cxid} of session ${header.clientId} at ${hex(header.zxid)}`
    if (request === undefined) this.#fail(`C5: ${where} was never sent, or is in the history already`)
    session.requests.delete(header.cxid)
    if (txn.type === OpCode.error && SESSION_REFUSALS.has(txn.body.err)) {
      // It can come late, through a server that the client has left.
      const isOpen = this.#ledger.model.isOpen(header.clientId)
      if (txn.body.err === Err.sessionExpired && isOpen) {
        this.#fail(`S3: ${where} was refused, though the session is open`)
      }
      return
    }
    if (header.cxid <= session.lastXid) this.#fail(`C2: ${where} is behind request ${session.lastXid}`)
    session.lastXid = header.cxid
    this.#judge(where, header, txn, request)
  }

  replied(connection: TapConnection, sent: SentRequest | null, reply: Reply): void {
    const { sessionId } = connection
    if (reply.xid === Xid.ping) return
    if (sent === null || sent.request.xid !== reply.xid) {
      this.#fail(`C2: session ${sessionId} got a reply to ${reply.xid}, the next was ${sent?.request.xid ?? 'none'}`)
    }
    if (!isWrite(sent.request)) return
    // The end of a local session is in no transaction.
    if (sent.request.op === OpCode.closeSession && this.#ledger.model.isLocal(sessionId) && reply.err === Err.ok) return
    const where = `request ${reply.xid} of session ${sessionId}`
    const zxid = hex(reply.zxid)
    const replayed = this.#ledger.model.replayed(reply.zxid)
    const header = replayed?.transaction.header
    if (replayed === undefined || header?.clientId !== sessionId || header.cxid !== reply.xid) {
      if (LOCAL_REFUSALS.has(reply.err)) return
      this.#fail(`C1: ${where} was answered at ${zxid}, which is not it`)
    }
    if (reply.zxid <= sent.floor) {
      this.#fail(`C1: ${where} is at ${zxid}, ${hex(sent.floor)} was known before`)
    }
    const session = this.#session(sessionId)
    if (reply.zxid <= session.lastZxid) {
      this.#fail(`C2: ${where} is at ${zxid}, behind ${hex(session.lastZxid)}`)
    }
    session.lastZxid = reply.zxid
    if (!isAnswerOf(reply, replayed)) {
      this.#fail(`C1: ${where} at ${zxid} was answered with something else`)
    }
  }

  #judge(where: string, header: TxnHeader, txn: TxnBody, request: Request): void {
    const expected = judge(this.#ledger.model, request, header)
    if (expected === null) {
      if (txn.type !== OpCode.closeSession) this.#fail(`C5: ${where} became a transaction of type ${txn.type}`)
      return
    }
    const found = partsOf(txn)
    if (sameParts(expected, found)) return
    const [wanted, got] = [expected, found].map((parts) => parts.map(({ text }) => text).join(', '))
    this.#fail(`C5: ${where} became "${got}", it had to be "${wanted}"`)
  }

  #session(id: bigint): SessionWrites {
    const known = this.#sessions.get(id)
    if (known !== undefined) return known
    const session = { requests: new Map<number, Request>(), lastXid: 0, lastZxid: 0n }
    this.#sessions.set(id, session)
    return session
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

/** Whether a reply says what the replay gave. */
function isAnswerOf(reply: Reply, { transaction, results }: Replayed): boolean {
  if (transaction.txn.type === OpCode.multi) {
    const parts = reply.body as readonly MultiResult[] | null
    if (reply.err !== Err.ok || parts?.length !== results.length) return false
    return results.every((result, i) => isPart(parts[i], result))
  }
  const [result] = results
  if (result === undefined) return reply.err === Err.ok
  if (result.type === 'error') return reply.err === result.err
  return reply.err === Err.ok && isBody(reply.body, result)
}

function isBody(body: Reply['body'], result: PartResult): boolean {
  switch (result.type) {
    case 'create':
      if (body === null || !('stat' in body) || !('path' in body)) return false
      return body.path === result.path && sameStat(body.stat, result.stat)
    case 'set':
      return body !== null && 'stat' in body && sameStat(body.stat, result.stat)
    default:
      return body === null
  }
}

function isPart(part: MultiResult | undefined, result: PartResult): boolean {
  switch (result.type) {
    case 'error':
      return part?.op === OpCode.error && part.err === result.err
    case 'create':
      if (part?.op !== OpCode.create && part?.op !== OpCode.create2) return false
      return part.path === result.path && part.stat !== null && sameStat(part.stat, result.stat)
    case 'set':
      return part?.op === OpCode.setData && sameStat(part.stat, result.stat)
    case 'delete':
      return part?.op === OpCode.delete
    case 'check':
      return part?.op === OpCode.check
  }
}
