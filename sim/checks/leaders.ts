/**
 * Leaders and counters: their answers to callers, held against the committed log. Who leads is judged as the holder of
 * a lock is; see the check of locks.
 *
 * LE1  the note beside an election is written by whoever leads at that instant, under its own token, and by no other.
 * LE2  who has resigned, and knows that it has, has left no note.
 *      Operators delete candidates and put them back: those lead nobody, and write nothing.
 * CT1  a counter is changed by one step at a time: no step is made on a number that is no longer there.
 * CT2  a step that was confirmed was made once, and one that was refused was not made. Of the others each was made once
 *      or not at all: so a counter is never beyond those that were confirmed and those that are not known.
 * CT3  no two confirmed steps are told the same number.
 */
import { decodeInteger } from '../../src/recipes/counters/integer-bytes.ts'
import type { Counted } from '../../src/recipes/counters/atomic-counter.ts'
import { decodeNote, notePathOf } from '../../src/recipes/leader/leader-note.ts'
import { parentOf, compareSequence, sequenceOf } from '../../src/core/path.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'

/** The end of an attempt to count, as its caller was told. */
export type StepEnd = 'never' | 'maybe' | Counted

interface Count {
  value: bigint
  confirmed: bigint
  unknown: bigint
  /** Those that go on, or whose process has died. */
  open: bigint
  readonly befores: Set<bigint>
}

export class LeadersCheck implements Check, LedgerListener {
  readonly name = 'leaders'
  readonly covers = ['LE1', 'LE2', 'CT1', 'CT2', 'CT3']
  readonly #ledger: Ledger
  readonly #owners: Pick<Owners, 'isOperator'>
  readonly #election: string
  /** Who stands, by path: its token. */
  readonly #candidates = new Map<string, bigint>()
  readonly #counts: ReadonlyMap<string, Count>

  /**
   * Checks a world that has not run yet.
   *
   * @param owners - who the operators are
   * @param election - the path of the election
   * @param counters - those of the counters
   */
  constructor(
    ledger: Ledger,
    owners: Pick<Owners, 'isOperator'>,
    election: string,
    counters: readonly string[],
  ) {
    this.#ledger = ledger
    this.#owners = owners
    this.#election = election
    this.#counts = new Map(counters.map((path) => {
      return [path, { value: 0n, confirmed: 0n, unknown: 0n, open: 0n, befores: new Set() }]
    }))
    ledger.listen(this)
  }

  committed({ transaction, changes }: Replayed): void {
    const { zxid, clientId } = transaction.header
    for (const change of changes) {
      if (parentOf(change.path) === this.#election) this.#stand(change, zxid, this.#owners.isOperator(clientId))
      else if (change.path === notePathOf(this.#election) && change.type !== 'deleted') this.#note(change.path, zxid)
      else this.#count(change, zxid)
    }
  }

  /** To be told when a resignation has resolved that counts as confirmed. */
  resigned(token: bigint): void {
    const node = this.#ledger.model.node(notePathOf(this.#election))
    if (node === null || decodeNote(node.data)?.token !== token) return
    this.#fail(`LE2: who led under ${hex(token)} has resigned, and its note is there`)
  }

  /** To be told before a step. */
  steps(path: string): void {
    this.#of(path).open += 1n
  }

  /** To be told what became of it. */
  stepped(path: string, end: StepEnd): void {
    const count = this.#of(path)
    count.open -= 1n
    if (end === 'never') return
    if (end === 'maybe') {
      count.unknown += 1n
      return
    }
    const { before, after } = end
    if (after !== before + 1n) this.#fail(`CT2: a step of ${path} led from ${before} to ${after}`)
    if (count.befores.has(before)) this.#fail(`CT3: two steps of ${path} were told that they began at ${before}`)
    count.befores.add(before)
    count.confirmed += 1n
    if (count.value < after) this.#fail(`CT2: a step of ${path} to ${after} was confirmed, where ${count.value} is`)
  }

  atEnd(): void {
    for (const [path, { value, confirmed, unknown, open }] of this.#counts) {
      if (value >= confirmed && value <= confirmed + unknown + open) continue
      const steps = `${confirmed} steps that were confirmed and ${unknown + open} not known`
      this.#fail(`CT2: ${path} is ${value} after ${steps}`)
    }
    const note = this.#ledger.model.node(notePathOf(this.#election))
    if (note !== null) this.#fail('LE2: a note is left at the end')
  }

  #stand({ type, path }: ModelChange, zxid: bigint, isOperator: boolean): void {
    if (type === 'created' && !isOperator) this.#candidates.set(path, zxid)
    if (type === 'deleted') this.#candidates.delete(path)
  }

  #note(path: string, zxid: bigint): void {
    const node = this.#ledger.model.node(path, zxid)
    const note = node === null ? null : decodeNote(node.data)
    if (note === null) this.#fail(`LE1: what was written to ${path} at ${hex(zxid)} is no note`)
    const standing = [...this.#candidates].sort(([a], [b]) => compareSequence(sequenceOf(a) ?? 0, sequenceOf(b) ?? 0))
    const leader = standing.find(([, token]) => token === note.token)
    if (leader === undefined) this.#fail(`LE1: a note of ${hex(note.token)}, which is gone, was written`)
    if (leader !== standing[0]) this.#fail(`LE1: a note of ${hex(note.token)}, which leads not, was written`)
  }

  #count({ type, path }: ModelChange, zxid: bigint): void {
    const count = this.#counts.get(path)
    if (count === undefined) return
    const node = this.#ledger.model.node(path, zxid)
    const value = node === null ? 0n : decodeInteger(node.data, 64, path)
    if (type === 'deleted' || value !== count.value + 1n) {
      this.#fail(`CT1: ${path} went from ${count.value} to ${value} at ${hex(zxid)}`)
    }
    count.value = value
  }

  #of(path: string): Count {
    const count = this.#counts.get(path)
    if (count === undefined) this.#fail(`nobody counts ${path}`)
    return count
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
