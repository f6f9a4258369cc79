/**
 * Transactions: what their functions read and wrote, held against the committed log.
 *
 * TX1  all that a committed run has read is true right before its commit, of absent nodes and of lists too; and the
 *      commit writes what the run wrote, and nothing else.
 * TX2  no commit makes money or loses any, and whoever counts it finds all.
 * TX3  of the runs of a call one is committed at most: one if the call was confirmed and has written, none if it was
 *      refused.
 * TX4  all that a call has read which wrote nothing is true at one instant of that call.
 * TX5  once there is service, everybody gets a transaction done, in time.
 */
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import { heldSince } from './instants.ts'

/** One run of a transaction's function; no two have the same stamp. */
export interface TransactionRun {
  /** The call, and which of its runs it is; part of everything that it writes. */
  readonly call: string
  readonly stamp: string
  /** The data of the nodes it has read; null where there was none. */
  readonly reads: Map<string, string | null>
  readonly lists: Map<string, readonly string[]>
  /** The data of the nodes it writes; null deletes. */
  readonly writes: Map<string, string | null>
}

const decoder = new TextDecoder()

/** The money that the data of an account stands for. */
export function balanceOf(text: string): number {
  return Number(/^\d+/.exec(text)?.[0] ?? 0)
}

export class TransactionsCheck implements Check, LedgerListener {
  readonly name = 'transactions'
  readonly covers = ['TX1', 'TX2', 'TX3', 'TX4', 'TX5']
  readonly #ledger: Ledger
  readonly #root: string
  readonly #total: number
  readonly #runs = new Map<string, TransactionRun>()
  /** By call, the stamp of the run that was committed. */
  readonly #committed = new Map<string, string>()
  readonly #refused = new Set<string>()

  /**
   * Checks the accounts of a world that has not run yet.
   *
   * @param root - the parent of the accounts
   * @param total - the money that is in them, from when they are made
   */
  constructor(ledger: Ledger, root: string, total: number) {
    this.#ledger = ledger
    this.#root = root
    this.#total = total
    ledger.listen(this)
  }

  /** The last state before a call. */
  get now(): bigint {
    return this.#ledger.model.zxid
  }

  /** To be told when the function of a transaction has run. */
  ran(run: TransactionRun): void {
    this.#runs.set(run.stamp, run)
  }

  /** To be told, in the same event, that a call was confirmed; of its last run. */
  confirmed(run: TransactionRun, since: bigint, node: SimNode): void {
    const who = `${run.call} of ${node.name} was confirmed`
    if (run.writes.size > 0) {
      const stamp = this.#committed.get(run.call)
      if (stamp !== run.stamp) this.#fail(`TX3: ${who} as ${run.stamp}, and ${stamp ?? 'none'} was committed`)
    } else if (!heldSince(this.#ledger, since, (zxid) => this.#falseAt(run, zxid) === null)) {
      this.#fail(`TX4: ${who}, and what it has read was never true together`)
    }
  }

  /** To be told, in the same event, how much money a transaction has counted that was confirmed. */
  counted(sum: number, node: SimNode): void {
    if (sum !== this.#total) this.#fail(`TX2: ${node.name} has counted ${sum} of ${this.#total}`)
  }

  /** To be told that a call was refused for sure. */
  refused(call: string): void {
    this.#refused.add(call)
  }

  committed({ transaction: { header: { zxid } }, changes }: Replayed): void {
    const { model } = this.#ledger
    // A node that a multi makes and deletes was never there.
    const paths = [...new Set(changes.map(({ path }) => path))].filter((path) => {
      const isOurs = path === this.#root || path.startsWith(`${this.#root}/`)
      return isOurs && model.node(path, zxid) !== model.node(path, zxid - 1n)
    })
    const written = paths.filter((path) => !this.#hasSameData(path, zxid))
    if (written.length === 0) return
    const run = this.#runOf(written, zxid)
    if (run === undefined) return this.#fail(`TX1: ${written.join(' ')} changed at ${hex(zxid)} by no transaction`)
    if (this.#committed.has(run.call)) this.#fail(`TX3: ${run.call} was committed again at ${hex(zxid)}`)
    this.#committed.set(run.call, run.stamp)
    const wrong = this.#falseAt(run, zxid - 1n)
    if (wrong !== null) this.#fail(`TX1: ${run.stamp} was committed at ${hex(zxid)}, and had read that ${wrong}`)
    for (const path of new Set([...written, ...run.writes.keys()])) {
      const expected = run.writes.get(path)
      const found = this.#textAt(path, zxid)
      if (found !== expected) this.#fail(`TX1: ${run.stamp} wrote ${expected} to ${path}, and ${found} is there`)
    }
    const names = model.names(this.#root, zxid)
    const sum = names.reduce((all, name) => all + balanceOf(this.#textAt(`${this.#root}/${name}`, zxid) ?? ''), 0)
    if (sum !== this.#total) this.#fail(`TX2: there is ${sum} of ${this.#total} after ${run.stamp}`)
  }

  atEnd(): void {
    for (const call of this.#refused) {
      if (this.#committed.has(call)) this.#fail(`TX3: ${call} was refused, and was committed`)
    }
  }

  /** The run whose stamp something bears that was written. */
  #runOf(paths: readonly string[], zxid: bigint): TransactionRun | undefined {
    const stamps = paths.flatMap((path) => / (\S+)$/.exec(this.#textAt(path, zxid) ?? '')?.[1] ?? [])
    return this.#runs.get(stamps[0] ?? '')
  }

  /** A parent counts its children without a change of its data. */
  #hasSameData(path: string, zxid: bigint): boolean {
    const { model } = this.#ledger
    const [before, after] = [model.node(path, zxid - 1n), model.node(path, zxid)]
    return before?.czxid === after?.czxid && before?.version === after?.version
  }

  /** Something that a run has read and that is not so in a state; null if all is. */
  #falseAt({ reads, lists }: TransactionRun, zxid: bigint): string | null {
    for (const [path, text] of reads) {
      if (this.#textAt(path, zxid) !== text) return `${path} is ${text}`
    }
    for (const [path, names] of lists) {
      if (this.#ledger.model.names(path, zxid).join(' ') !== names.join(' ')) return `${path} has ${names.join(' ')}`
    }
    return null
  }

  #textAt(path: string, zxid: bigint): string | null {
    const node = this.#ledger.model.node(path, zxid)
    return node === null ? null : decoder.decode(node.data)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
