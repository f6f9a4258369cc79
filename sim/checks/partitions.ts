/**
 * Partitions: who believes to own an item, held against the committed log.
 *
 * N1   of an item, nobody believes to be the owner whose node is not there; so no two do at any moment. A node that
 *      operators have deleted is excused until the signal tells of it.
 * N2   tokens of an item grow from owner to owner, and are those of its nodes; a resource that refuses smaller tokens
 *      accepts the writes of one owner after the other.
 * N3   when it is calm, every item has an owner.
 * N4   an item that is no longer owned is told as such: its signal is aborted, and `onRevoke` is called once
 *      and waited for.
 * R3   at the end nothing is left.
 */
import { joinPath, nameOf, parentOf } from '../../src/core/path.ts'
import type { Assignment } from '../../src/recipes/membership/partition-share.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'

/** The part of an assignment that the check looks at. */
type SeenAssignment = Pick<Assignment, 'item' | 'token' | 'state' | 'signal'>

/** An assignment, and in which life of which process. */
interface Holding {
  readonly assignment: SeenAssignment
  readonly node: SimNode
  readonly incarnation: number
}

/** The parts of the run that the check looks at. */
export interface PartitionsCheckOptions {
  /** Runs something on the clock of a node. */
  readonly clocks: Pick<Kernel, 'as'>
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOperator' | 'isSameProcess'>
  /** The parent of the items' nodes. */
  readonly path: string
  readonly items: readonly string[]
}

export class PartitionsCheck implements Check, LedgerListener {
  readonly name = 'partitions'
  readonly covers = ['N1', 'N2', 'N3', 'N4', 'R3']
  readonly #clocks: Pick<Kernel, 'as'>
  readonly #ledger: Ledger
  readonly #owners: PartitionsCheckOptions['owners']
  readonly #path: string
  readonly #items: readonly string[]
  /** Assignments that are not yet revoked, by item. */
  readonly #holdings = new Map<string, Set<Holding>>()
  /** The greatest token that was assigned of each item, and that was written with. */
  readonly #tokens = new Map<string, bigint>()
  readonly #written = new Map<string, bigint>()
  /** Tokens of which `onRevoke` was called. */
  readonly #revoked = new Set<bigint>()
  /** Tokens that operators have made an end of. */
  readonly #struck = new Set<bigint>()

  /** Checks the items of a world that has not run yet. */
  constructor({ clocks, ledger, owners, path, items }: PartitionsCheckOptions) {
    this.#clocks = clocks
    this.#ledger = ledger
    this.#owners = owners
    this.#path = path
    this.#items = items
    ledger.listen(this)
  }

  committed({ transaction, changes }: Replayed): void {
    const { zxid, clientId } = transaction.header
    for (const { type, path } of changes) {
      if (path === '/' || parentOf(path) !== this.#path || type === 'created') continue
      const before = this.#ledger.model.node(path, zxid - 1n)
      const now = this.#ledger.model.node(path, zxid)
      if (before === null || before.czxid === now?.czxid) continue
      const isStruck = this.#owners.isOperator(clientId)
      if (isStruck) this.#struck.add(before.czxid)
      else this.#expectNoBelief(nameOf(path), before.czxid)
    }
  }

  /** To be called for each assignment, which may have ended already. */
  assigned(assignment: SeenAssignment, node: SimNode): void {
    const { item, token } = assignment
    const what = `item ${item} with token ${hex(token)} of ${node.name}`
    const holding = { assignment, node, incarnation: node.incarnation }
    if (!this.#believes(holding)) return
    const found = this.#ledger.model.node(joinPath(this.#path, item))
    if (found?.czxid !== token && !this.#struck.has(token)) {
      this.#fail(`N1: ${what} was assigned, and its node is ${hex(found?.czxid ?? 0n)}`)
    }
    const greatest = this.#tokens.get(item) ?? 0n
    if (token <= greatest && !this.#struck.has(token)) this.#fail(`N2: ${what} comes after ${hex(greatest)}`)
    if (token > greatest) this.#tokens.set(item, token)
    const holdings = this.#holdings.get(item) ?? new Set<Holding>()
    for (const other of holdings) {
      const isExcused = this.#struck.has(token) || this.#struck.has(other.assignment.token)
      if (this.#believes(other) && !isExcused) {
        this.#fail(`N1: ${what} was assigned, and ${other.node.name} has it`)
      }
    }
    this.#holdings.set(item, holdings.add(holding))
  }

  /** To be told by `onRevoke`. */
  revoked({ item, token }: SeenAssignment, node: SimNode): void {
    const what = `item ${item} with token ${hex(token)} of ${node.name}`
    if (this.#revoked.has(token)) this.#fail(`N4: ${what} is revoked twice`)
    this.#revoked.add(token)
  }

  /** To be told when `onRevoke` is about to resolve. */
  lettingGo({ item, token, state }: SeenAssignment, node: SimNode): void {
    if (state !== 'revoked') return
    this.#fail(`N4: item ${item} with token ${hex(token)} of ${node.name} was given away before onRevoke had ended`)
  }

  /** To be told when an assignment is not among those of its member any more. */
  ended(assignment: SeenAssignment, node: SimNode): void {
    const { item, token, signal, state } = assignment
    const holdings = this.#holdings.get(item) ?? new Set<Holding>()
    for (const holding of holdings) if (holding.assignment.token === token) holdings.delete(holding)
    if (!signal.aborted || state === 'held') {
      this.#fail(`N4: item ${item} with token ${hex(token)} of ${node.name} has ended, and is ${state}`)
    }
  }

  /** To be called for every write under an assignment, with the answer of the fenced resource. */
  wrote({ item, token }: SeenAssignment, isAccepted: boolean): void {
    const written = this.#written.get(item) ?? 0n
    if (isAccepted && token < written) this.#fail(`N2: a write of ${hex(token)} was accepted after ${hex(written)}`)
    if (isAccepted) this.#written.set(item, token)
  }

  /** Whether every item has an owner; N3. */
  get isCalm(): boolean {
    return this.#items.every((item) => this.#ledger.model.node(joinPath(this.#path, item)) !== null)
  }

  /** The items that nobody owns, for a message. */
  get unowned(): string {
    return this.#items.filter((item) => this.#ledger.model.node(joinPath(this.#path, item)) === null).join(' ')
  }

  atEnd(): void {
    const [left] = this.#ledger.model.names(this.#path)
    if (left !== undefined) this.#fail(`R3: item ${left} is left`)
  }

  #expectNoBelief(item: string, token: bigint): void {
    for (const holding of this.#holdings.get(item) ?? []) {
      if (holding.assignment.token !== token || !this.#believes(holding)) continue
      this.#fail(`N1: item ${item} with token ${hex(token)} is gone, and ${holding.node.name} still believes to own it`)
    }
  }

  /** Whether an owner would say at this instant, by its own clock, that the item is its own. */
  #believes({ assignment, node, incarnation }: Holding): boolean {
    if (!node.isUp || node.incarnation !== incarnation) return false
    return this.#clocks.as(node, () => assignment.state === 'held')
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
