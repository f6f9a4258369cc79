/**
 * Barriers and latches: what those who wait were told, held against the committed log.
 *
 * BA1  an answer of a barrier is true at an instant of its call: who is let through met it down, who has raised it met
 *      it up, and whoever asks is told what was there.
 * BA2  a raise makes at most one node, a lowering removes at most one, and one that was refused does neither.
 * BA3  a round opens while so many members are there; who is in was one of them.
 * BA4  a round ends when nobody is left who was in it; who has left finds nobody of it.
 * BA5  a latch that is open has so many counts; a count is there when it is confirmed, is made once, and not at all
 *      where it was refused.
 * BA6  once there is service, a round of so many opens, a latch that is counted down lets everybody go on, and a
 *      barrier that is down holds nobody.
 */
import { joinPath, nameOf, parentOf } from '../../src/core/path.ts'
import { READY } from '../../src/recipes/barriers/double-barrier.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'
import { heldSince } from './instants.ts'

/** The parts of the run that the check looks at. */
export interface BarriersCheckOptions {
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOf'>
  /** The nodes of the recipes. */
  readonly paths: { readonly barrier: string; readonly doubles: readonly string[]; readonly latches: readonly string[] }
  /** How many members open a round, and how many counts a latch. */
  readonly count: number
}

/** A call under way, or one that has ended and may still take effect. */
export interface GateCall {
  /** The last state before it. */
  readonly since: bigint
  readonly node: SimNode
  readonly incarnation: number
  /** Transactions that count as its effect. */
  effects: number
  isRefused: boolean
}

/** One round of a double barrier: its `ready`, and who was there when that was made. */
interface Round {
  readonly zxid: bigint
  readonly members: readonly { readonly path: string; readonly czxid: bigint; readonly owner: bigint }[]
}

type Change = 'raise' | 'lower'

export class BarriersCheck implements Check, LedgerListener {
  readonly name = 'barriers'
  readonly covers = ['BA1', 'BA2', 'BA3', 'BA4', 'BA5', 'BA6']
  readonly #options: BarriersCheckOptions
  readonly #changes: Readonly<Record<Change, GateCall[]>> = { raise: [], lower: [] }
  /** By double barrier, its rounds; the last one may be under way. */
  readonly #rounds = new Map<string, Round[]>()
  /** The rounds that members are in, by their calls. */
  readonly #entered = new Map<GateCall, { readonly path: string; readonly round: Round }>()
  /** By path, the counts that were made. */
  readonly #counted = new Set<string>()
  readonly #refusedCounts = new Set<string>()

  /** Checks barriers and latches of a world that has not run yet. */
  constructor(options: BarriersCheckOptions) {
    this.#options = options
    options.ledger.listen(this)
  }

  /** To be told of a call before it is made. */
  call(node: SimNode): GateCall {
    const { zxid } = this.#options.ledger.model
    return { since: zxid, node, incarnation: node.incarnation, effects: 0, isRefused: false }
  }

  /** To be told of a call that raises or lowers the barrier, before it is made. */
  changes(change: Change, node: SimNode): GateCall {
    const call = this.call(node)
    this.#changes[change].push(call)
    return call
  }

  /** To be told that a call was refused for sure. */
  refused(call: GateCall): void {
    call.isRefused = true
    if (call.effects > 0) this.#fail(`BA2: ${call.node.name} was told that its call is refused, and it took effect`)
  }

  /** To be told, in the same event, of what the barrier was said to be. */
  said(call: GateCall, isUp: boolean): void {
    const { ledger, paths: { barrier } } = this.#options
    if (heldSince(ledger, call.since, (zxid) => (ledger.model.node(barrier, zxid) !== null) === isUp)) return
    const what = isUp ? 'up' : 'down'
    this.#fail(`BA1: ${call.node.name} was told that the barrier is ${what}, and it never was meanwhile`)
  }

  /** To be told, in the same event, of a member that is in. */
  isIn(call: GateCall, path: string): void {
    const rounds = this.#rounds.get(path) ?? []
    const own = rounds.filter(({ zxid, members }) => {
      return zxid > call.since && members.some(({ owner }) => this.#options.owners.isOf(owner, call))
    })
    const round = own.at(-1)
    if (round === undefined) return this.#fail(`BA3: ${call.node.name} is in ${path}, and was in no round of it`)
    this.#entered.set(call, { path, round })
  }

  /** To be told, in the same event, that a member has left, and finds nobody. */
  left(call: GateCall): void {
    const entered = this.#entered.get(call)
    if (entered === undefined) return
    const other = this.#someoneIn(entered.round)
    if (other !== undefined) this.#fail(`BA4: ${call.node.name} has left ${entered.path}, and ${other} is still in`)
  }

  /** To be told, in the same event, of a count that was confirmed. */
  counted(call: GateCall, latch: string, id: string): void {
    const { ledger } = this.#options
    const path = joinPath(latch, id)
    if (heldSince(ledger, call.since, (zxid) => ledger.model.node(path, zxid) !== null)) return
    this.#fail(`BA5: ${call.node.name} was told that ${id} counts, and it does not`)
  }

  /** To be told of a count that was refused for sure. */
  refusedCount(latch: string, id: string): void {
    this.#refusedCounts.add(joinPath(latch, id))
  }

  /** To be told, in the same event, how many counts a latch was said to lack. */
  lacks(call: GateCall, latch: string, lacking: number): void {
    const { ledger, count } = this.#options
    const isTrue = (zxid: bigint): boolean => Math.max(0, count - ledger.model.names(latch, zxid).length) === lacking
    if (heldSince(ledger, call.since, isTrue)) return
    this.#fail(`BA5: ${call.node.name} was told that ${latch} lacks ${lacking}, and it never did meanwhile`)
  }

  committed({ transaction: { header: { zxid, clientId } }, changes }: Replayed): void {
    const { barrier, doubles, latches } = this.#options.paths
    for (const change of changes) {
      if (change.path === '/') continue
      const parent = parentOf(change.path)
      if (change.path === barrier) this.#barrierChanged(change, zxid, clientId)
      else if (doubles.includes(parent) && nameOf(change.path) === READY) this.#readyChanged(change, parent, zxid)
      else if (latches.includes(parent) && change.type === 'created') this.#count(change.path)
    }
  }

  atEnd(): void {
    for (const path of this.#refusedCounts) {
      if (this.#counted.has(path)) this.#fail(`BA5: ${path} was refused, and counted`)
    }
  }

  #barrierChanged({ type }: ModelChange, zxid: bigint, sessionId: bigint): void {
    const change: Change = type === 'created' ? 'raise' : 'lower'
    const call = this.#changes[change].find((one) => {
      return one.effects === 0 && !one.isRefused && this.#options.owners.isOf(sessionId, one)
    })
    if (call === undefined) this.#fail(`BA2: the barrier was ${type} at ${hex(zxid)}, and no call of its session asked`)
    call.effects += 1
  }

  #readyChanged({ type }: ModelChange, parent: string, zxid: bigint): void {
    const { ledger: { model }, count } = this.#options
    const rounds = this.#rounds.get(parent) ?? []
    this.#rounds.set(parent, rounds)
    if (type === 'created') {
      const names = model.names(parent, zxid).filter((name) => name !== READY)
      if (names.length < count) this.#fail(`BA3: ${parent} opened at ${hex(zxid)} with ${names.length} of ${count}`)
      rounds.push({
        zxid,
        members: names.map((name) => {
          const path = joinPath(parent, name)
          const node = model.node(path, zxid)
          return { path, czxid: node?.czxid ?? 0n, owner: node?.owner ?? 0n }
        }),
      })
    } else if (type === 'deleted') {
      const round = rounds.at(-1)
      const other = round === undefined ? undefined : this.#someoneIn(round)
      if (other !== undefined) this.#fail(`BA4: a round of ${parent} ended at ${hex(zxid)}, and ${other} is still in`)
    }
  }

  #count(path: string): void {
    if (this.#counted.has(path)) this.#fail(`BA5: ${path} was counted twice`)
    this.#counted.add(path)
  }

  /** The node of a member of a round that is still there. */
  #someoneIn({ members }: Round): string | undefined {
    const { model } = this.#options.ledger
    return members.find(({ path, czxid }) => model.node(path)?.czxid === czxid)?.path
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
