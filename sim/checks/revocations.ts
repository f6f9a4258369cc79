/**
 * Requests to give up, and evictions: what those who asked and those who were asked were told, held against the queues
 * in the committed log (which the check of locks keeps).
 *
 * RV1  a request to all reaches whoever was told that it holds before the request began, and holds when it is answered.
 * RV2  a request to all reaches nobody who has never held.
 * RV3  a contender's node is written by requests alone, and deleted by another process only if that named it: nobody
 *      touches a node that came to the same path.
 * RV4  a holder hears what was asked of it, and nothing else.
 * RV5  who was evicted is gone when the eviction has resolved, and is told.
 *
 * Operators put contenders into a queue that hold by their names, and take others out: of a queue that they meddle with
 *           RV1 and RV2 say nothing.
 */
import { parentOf } from '../../src/core/path.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import type { ContenderRef } from '../../src/recipes/engine/revocation.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'
import type { SeenContender } from './locks.ts'

/** What the check looks at. */
export interface RevocationsCheckOptions {
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOperator' | 'isOf'>
  /** The paths of the locks. */
  readonly locks: readonly string[]
  /** What became of a contender so far, by its token; null if there was none. */
  readonly contenderOf: (token: bigint) => SeenContender | null
}

/** One process that asked, in which life, and whom: all who hold at a lock, or one by its token. */
interface Asker {
  readonly node: SimNode
  readonly incarnation: number
  readonly whom: string | bigint
  readonly how: 'ask' | 'evict'
}

type SeenLease = Pick<Lease, 'path' | 'token'>

const REQUEST = /^__REVOKE__(?: (.*))?$/s

export class RevocationsCheck implements Check, LedgerListener {
  readonly name = 'revocations'
  readonly covers = ['RV1', 'RV2', 'RV3', 'RV4', 'RV5']
  readonly #ledger: Ledger
  readonly #owners: RevocationsCheckOptions['owners']
  readonly #locks: ReadonlySet<string>
  readonly #contenderOf: RevocationsCheckOptions['contenderOf']
  /** Everybody who ever asked: an answer may be lost, and the request arrive late. */
  readonly #askers: Asker[] = []
  /** Leases that may be asked for and are not being released, by token. */
  readonly #held = new Map<bigint, SeenLease>()
  /** What was written to nodes as requests, by token. */
  readonly #reasons = new Map<bigint, Set<string>>()

  /** Checks the locks of a world that has not run yet. */
  constructor({ ledger, owners, locks, contenderOf }: RevocationsCheckOptions) {
    this.#ledger = ledger
    this.#owners = owners
    this.#locks = new Set(locks)
    this.#contenderOf = contenderOf
    ledger.listen(this)
  }

  /** Whether the process of a session has said that it evicts the contender of a token. */
  mayEvict(token: bigint, sessionId: bigint): boolean {
    return this.#hasAsked(sessionId, ({ how, whom }) => how === 'evict' && whom === token)
  }

  /** To be told of every lease that may be asked for. */
  granted(lease: SeenLease): void {
    this.#held.set(lease.token, lease)
  }

  /** To be told before a lease is released, and when it is lost. */
  releasing({ token }: SeenLease): void {
    this.#held.delete(token)
  }

  /** To be told before one contender is asked or evicted. */
  names({ token }: ContenderRef, how: Asker['how'], node: SimNode): void {
    this.#askers.push({ node, incarnation: node.incarnation, whom: token, how })
  }

  /** To be told before all who hold are asked. Returns whom to tell what the call came to, if it did not fail. */
  asksAll(lock: string, node: SimNode): (asked: readonly ContenderRef[]) => void {
    this.#askers.push({ node, incarnation: node.incarnation, whom: lock, how: 'ask' })
    const before = [...this.#held.values()].filter(({ path }) => parentOf(path) === lock)
    return (asked) => {
      const tokens = new Set(asked.map(({ token }) => token))
      for (const { path, token } of before) {
        const contender = this.#contenderOf(token)
        const isHeld = this.#held.has(token) && contender?.isOver === false && !contender.isMeddledWith
        if (!isHeld || tokens.has(token)) continue
        this.#fail(`RV1: ${node.name} asked all of ${lock}, and not ${path}, which holds`)
      }
      for (const { path, token } of asked) this.#expectHeld(token, `${node.name} asked ${path}`)
    }
  }

  /** To be told when an eviction has resolved. */
  evicted({ path, token }: ContenderRef): void {
    const contender = this.#contenderOf(token)
    if (contender?.isOver === false) this.#fail(`RV5: ${path} with token ${hex(token)} was evicted, and is still there`)
  }

  /** To be told of each request that a holder hears. */
  heard({ path, token }: SeenLease, reason: string): void {
    if (this.#reasons.get(token)?.has(reason) === true) return
    this.#fail(`RV4: the holder of ${path} heard ${JSON.stringify(reason)}, which nobody asked`)
  }

  committed({ transaction: { header: { zxid, clientId } }, changes }: Replayed): void {
    if (this.#owners.isOperator(clientId)) return
    for (const change of changes) {
      if (change.type === 'changed' && this.#locks.has(parentOf(change.path))) this.#asked(change, zxid, clientId)
    }
  }

  #asked({ path }: ModelChange, zxid: bigint, sessionId: bigint): void {
    const node = this.#ledger.model.node(path, zxid)
    const token = node?.czxid ?? 0n
    const request = REQUEST.exec(new TextDecoder().decode(node?.data))
    const who = `${path} with token ${hex(token)} was written by ${hex(sessionId)}`
    if (request === null) this.#fail(`RV3: ${who}, and it is no request`)
    const isNamed = this.#hasAsked(sessionId, ({ whom, how }) => how === 'ask' && whom === token)
    if (!isNamed) {
      const hasAskedAll = this.#hasAsked(sessionId, ({ whom }) => whom === parentOf(path))
      if (!hasAskedAll) this.#fail(`RV3: ${who}, which did not ask`)
      this.#expectHeld(token, who)
    }
    const reasons = this.#reasons.get(token) ?? new Set<string>()
    this.#reasons.set(token, reasons.add(request[1] ?? ''))
  }

  #expectHeld(token: bigint, what: string): void {
    const contender = this.#contenderOf(token)
    const isExcused = contender === null || contender.isMeddledWith || this.#owners.isOperator(contender.owner)
    if (!isExcused && contender.tenure === 0) this.#fail(`RV2: ${what}, which has never held`)
  }

  #hasAsked(sessionId: bigint, isMeant: (asker: Asker) => boolean): boolean {
    return this.#askers.some((asker) => isMeant(asker) && this.#owners.isOf(sessionId, asker))
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
