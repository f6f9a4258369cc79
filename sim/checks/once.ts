/**
 * Work that is done once: what its callers were given, held against the committed log.
 *
 * OO1  a result is recorded by a process that is first in the queue of its key at that instant. It stays, or is
 *      replaced once its time is over by the clock of the leader.
 * OO2  work begins while its caller holds the lease, and then no result is there that counts; its token is greater than
 *      those of all work on the key before.
 * OO3  every caller is given a result that was recorded at an instant of its call; work that failed, or whose end was
 *      refused, records nothing.
 * OO4  once there is service, everybody is given the one result of a key, in time, and nobody is left in a queue.
 */
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelNode, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'
import { heldSince } from './instants.ts'

/** The parts of the run that the check looks at. */
export interface OnceCheckOptions {
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOf' | 'isSameProcess'>
  /** The keys, and how long their results are good for, in milliseconds; infinite ones stay. */
  readonly keys: ReadonlyMap<string, number>
}

/** The bytes before a result: a mark, and a line feed. */
const MARK_BYTES = 37
const decoder = new TextDecoder()

export class OnceCheck implements Check, LedgerListener {
  readonly name = 'once'
  readonly covers = ['OO1', 'OO2', 'OO3', 'OO4']
  readonly #options: OnceCheckOptions
  /** By key, the greatest token of its work. */
  readonly #tokens = new Map<string, bigint>()
  /** Results that must never be recorded. */
  readonly #void = new Set<string>()

  /** Checks the keys of a world that has not run yet. */
  constructor(options: OnceCheckOptions) {
    this.#options = options
    options.ledger.listen(this)
  }

  /** The last state before a call. */
  get now(): bigint {
    return this.#options.ledger.model.zxid
  }

  /** To be told, in the same event, that work begins, with its token. */
  begins(key: string, token: bigint, node: SimNode): void {
    const who = `the work of ${key} begins on ${node.name} with token ${hex(token)}`
    const last = this.#tokens.get(key) ?? 0n
    if (token <= last) this.#fail(`OO2: ${who}, after ${hex(last)}`)
    this.#tokens.set(key, token)
    const { ledger: { model }, owners } = this.#options
    const lease = this.#queueAt(key, model.zxid).find(({ czxid }) => czxid === token)
    // One that is lost by now is not told so yet: nothing is recorded by it.
    if (lease === undefined) return
    const { incarnation } = node
    if (!owners.isOf(lease.owner, { node, incarnation })) this.#fail(`OO2: ${who}, which is the lease of another`)
    const found = model.node(key)
    if (found !== null && !this.#isOver(key, found, lease.ctime)) {
      this.#fail(`OO2: ${who}, and ${textOf(found)} is its result`)
    }
  }

  /** To be told, in the same event, of the result that a caller was given. */
  given(key: string, since: bigint, value: string, node: SimNode): void {
    const { ledger } = this.#options
    const isThere = (zxid: bigint): boolean => textOf(ledger.model.node(key, zxid)) === JSON.stringify(value)
    if (heldSince(ledger, since, isThere)) return
    this.#fail(`OO3: ${node.name} was given ${value} for ${key}, which was not recorded`)
  }

  /** To be told of a result that must not be recorded. */
  isVoid(value: string): void {
    this.#void.add(JSON.stringify(value))
  }

  committed({ transaction: { header: { zxid, clientId, time } }, changes }: Replayed): void {
    const { ledger: { model }, keys, owners } = this.#options
    for (const { type, path } of changes) {
      if (!keys.has(path)) continue
      const what = `the result of ${path} was ${type} at ${hex(zxid)}`
      if (type === 'deleted') this.#fail(`OO1: ${what}`)
      const [first] = this.#queueAt(path, zxid)
      if (first === undefined || !owners.isSameProcess(first.owner, clientId)) {
        this.#fail(`OO1: ${what} by a process that is not first in the queue`)
      }
      const before = model.node(path, zxid - 1n)
      if (before !== null && !this.#isOver(path, before, Math.max(time, first.ctime))) {
        this.#fail(`OO1: ${what}, ${time - before.mtime} ms after the one before`)
      }
    }
  }

  atEnd(): void {
    const { ledger: { committed, model }, keys } = this.#options
    for (const key of keys.keys()) {
      const [first] = this.#queueAt(key, model.zxid)
      if (first !== undefined) this.#fail(`OO4: somebody is left in the queue of ${key}`)
      for (const { zxid } of committed) {
        const text = textOf(model.node(key, zxid))
        if (text !== null && this.#void.has(text)) this.#fail(`OO3: ${text} was recorded for ${key}, and must not be`)
      }
    }
  }

  #isOver(key: string, { mtime }: ModelNode, atMs: number): boolean {
    return atMs - mtime >= (this.#options.keys.get(key) ?? Infinity)
  }

  /** The nodes of those who hold or wait, in their order. */
  #queueAt(key: string, zxid: bigint): ModelNode[] {
    const { model } = this.#options.ledger
    const names = model.names(`${key}-lock`, zxid)
    const sequenceOf = (name: string): string => /\d+$/.exec(name)?.[0] ?? ''
    const sorted = names.sort((a, b) => (sequenceOf(a) < sequenceOf(b) ? -1 : 1))
    return sorted.flatMap((name) => model.node(`${key}-lock/${name}`, zxid) ?? [])
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

function textOf(node: ModelNode | null): string | null {
  return node === null ? null : decoder.decode(node.data.subarray(MARK_BYTES))
}
