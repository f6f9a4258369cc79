/**
 * Reads and syncs: a client sees a state that existed, and never an older one than before.
 *
 * C3   the zxid of replies never falls within a session, whichever server it is on, so that it sees its own writes;
 *      the answer of a read is the state at the zxid of its reply.
 * C4   when a sync is answered, its server has everything that anyone had been told of when the sync was sent.
 * C6   that state lies between transactions, never within one.
 */
import { Err, OpCode } from '../../src/backends/wire/codes.ts'
import type { Reply, ReplyBodies, Request } from '../../src/backends/wire/records.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex, sameBytes } from '../ledger.ts'
import type { Ledger } from '../ledger.ts'
import { describeStat, sameStat } from '../stats.ts'
import type { SentRequest, Tap, TapConnection, TapObserver } from '../tap.ts'

export class ReadsCheck implements Check, TapObserver {
  readonly name = 'reads'
  readonly covers = ['C3', 'C4', 'C6']
  readonly #ledger: Ledger
  readonly #tap: Tap

  /** Checks the reads of a world. */
  constructor(ledger: Ledger, tap: Tap) {
    this.#ledger = ledger
    this.#tap = tap
    tap.observe(this)
  }

  replied({ sessionId, server }: TapConnection, sent: SentRequest | null, reply: Reply): void {
    const seen = this.#tap.session(sessionId)?.zxid ?? 0n
    const { zxid } = reply
    if (zxid < seen) {
      this.#fail(`C3: session ${sessionId} was at ${hex(seen)}, server ${server} answered at ${hex(zxid)}`)
    }
    if (zxid > this.#ledger.model.zxid) {
      this.#fail(`C3: server ${server} answered at ${hex(zxid)}, which is not in the common history`)
    }
    if (sent === null || reply.err === Err.sessionExpired) return
    if (sent.request.op === OpCode.sync && reply.err === Err.ok && zxid < sent.floor) {
      this.#fail(`C4: a sync of session ${sessionId} came back at ${hex(zxid)}, ${hex(sent.floor)} was known before it`)
    }
    this.#read(server, sent.request, reply)
  }

  #read(server: number, request: Request, { err, body, zxid }: Reply): void {
    switch (request.op) {
      case OpCode.getData:
      case OpCode.exists:
      case OpCode.getChildren2:
        break
      default:
        return
    }
    const { model } = this.#ledger
    const { path } = request.body
    const where = `server ${server} at ${hex(zxid)} on ${path}`
    const node = model.node(path, zxid)
    if (err !== (node === null ? Err.noNode : Err.ok)) {
      this.#fail(`C3: ${where} answered with error ${err}, the node is ${node === null ? 'not ' : ''}there`)
    }
    if (node === null) return
    const answer = body as ReplyBodies[typeof request.op]
    const stat = model.stat(path, zxid)
    if (!sameStat(answer.stat, stat)) {
      this.#fail(`C3: ${where} answered with ${describeStat(answer.stat)}, it is ${describeStat(stat)}`)
    }
    if ('data' in answer && !sameBytes(answer.data ?? new Uint8Array(), node.data)) {
      this.#fail(`C3: ${where} answered with other data`)
    }
    if (!('children' in answer)) return
    const names = model.names(path, zxid)
    const found = [...answer.children].sort()
    if (names.length !== found.length || names.some((name, i) => name !== found[i])) {
      this.#fail(`C3: ${where} answered with children ${found.join(' ')}, they are ${names.join(' ')}`)
    }
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
