/**
 * A rate limiter: what takers were told, held against the buckets in the committed log, by the order of its commits.
 *
 * RT1  whoever was given tokens has taken them: by a commit of its own process, during its call, which nobody else was
 *      given tokens for.
 * RT2  nobody is given tokens before the fleet's clock has come to where they are there.
 * RT3  a bucket gets fuller by time alone, or by the process that took last, which puts back what it took.
 * RT4  tokens are paid for when they are taken: not at a time before the taker asked for the first time, nor before the
 *      last commit. So no stretch of time has more than a burst and what drops in.
 * RT5  nobody notes a time that has not come.
 *
 * Clock     the fleet's is not known, only bounds of it: it is no later than the latest time of a commit, carried on by
 *           the fastest clock that there may be; no earlier than what a taker has read, carried on by the slowest.
 */
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'

/** The rate that all takers were made with. */
export interface CheckedRate {
  readonly limit: number
  readonly perMs: number
  readonly burst: number
}

/** The world that the check looks at. */
export interface RatesCheckOptions {
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOf' | 'isSameProcess'>
  readonly clocks: Pick<Kernel, 'nowMs'>
  readonly path: string
  readonly rate: CheckedRate
}

/** The part of a bucket that is looked at, as its node has it. */
interface Noted {
  readonly fullAtMs: number
  readonly atMs: number
}

/** A bucket as it was committed. */
interface Version {
  readonly fullAtMs: number
  /** The later of the time of the commit and of that which its writer noted. */
  readonly timeMs: number
  /** When it was committed, by the world's clock. */
  readonly atMs: number
  readonly sessionId: bigint
  isGiven: boolean
}

/** The clock of one process, as far as it is known. */
interface Taker {
  readonly incarnation: number
  /** When it asked first, by the world's clock. */
  readonly firstMs: number
  /** A time that its clock had reached, and when. */
  reached: { readonly timeMs: number; readonly atMs: number } | null
}

/** A call that goes on. */
export interface Taking {
  readonly tokens: number
  readonly node: SimNode
  readonly taker: Taker
  readonly sinceMs: number
  /** The first version that may be its own. */
  readonly from: number
}

/** Clocks run so much faster or slower than the world's, at most. */
const DRIFT = 0.1
/** The error of sums of fractions, in milliseconds. */
const ROUNDING_MS = 1e-3

export class RatesCheck implements Check, LedgerListener {
  readonly name = 'rates'
  readonly covers = ['RT1', 'RT2', 'RT3', 'RT4', 'RT5']
  readonly #options: RatesCheckOptions
  readonly #versions: Version[] = []
  readonly #takers = new Map<SimNode, Taker>()
  /** The fleet's clock is no later than this was at that instant of the world. */
  #latest = { timeMs: 0, atMs: 0 }

  /** Checks the limiter of a world that has not run yet. */
  constructor(options: RatesCheckOptions) {
    this.#options = options
    options.ledger.listen(this)
  }

  committed({ transaction: { header: { zxid, clientId, time } }, changes }: Replayed): void {
    const { path, ledger, owners, clocks } = this.#options
    if (!changes.some((change) => change.path === path)) return
    const node = ledger.model.node(path, zxid)
    if (node === null) this.#fail(`RT3: ${path} was deleted`)
    const { fullAtMs, atMs: notedMs } = JSON.parse(new TextDecoder().decode(node.data)) as Noted
    const [last, older] = [this.#versions.at(-1), this.#versions.at(-2)]
    const isFuller = last !== undefined && fullAtMs < last.fullAtMs
    const isPutBack = isFuller && fullAtMs === older?.fullAtMs && owners.isSameProcess(last.sessionId, clientId)
    if (isFuller && (!isPutBack || last.isGiven)) {
      this.#fail(`RT3: ${path} went from ${last.fullAtMs} back to ${fullAtMs}`)
    }
    const atMs = clocks.nowMs
    if (notedMs > this.#latestMs() + ROUNDING_MS) {
      this.#fail(`RT5: ${notedMs} was noted in ${path}; it was ${this.#latestMs()} at most`)
    }
    this.#versions.push({
      fullAtMs, timeMs: Math.max(time, notedMs), atMs, sessionId: clientId, isGiven: false,
    })
    this.#latest = { timeMs: Math.max(this.#latestMs(), time), atMs }
  }

  /** To be told before tokens are asked for; a process asks once at a time. */
  takes(tokens: number, node: SimNode): Taking {
    const sinceMs = this.#options.clocks.nowMs
    const known = this.#takers.get(node)
    const isKnown = known?.incarnation === node.incarnation
    const taker = isKnown ? known : { incarnation: node.incarnation, firstMs: sinceMs, reached: null }
    this.#takers.set(node, taker)
    return { tokens, node, taker, sinceMs, from: this.#versions.length }
  }

  /** To be told, in the same event, that tokens were given. */
  given({ tokens, node, taker, sinceMs, from }: Taking): void {
    const who = `${node.name} was given ${tokens} of ${this.#options.path}`
    const index = this.#versions.findLastIndex(({ sessionId, fullAtMs }, at) => {
      const isOwn = this.#options.owners.isOf(sessionId, { node, incarnation: taker.incarnation })
      return isOwn && fullAtMs > (this.#versions[at - 1]?.fullAtMs ?? 0)
    })
    const taken = this.#versions[index]
    if (taken === undefined || index < from || taken.isGiven) this.#fail(`RT1: ${who}, and has taken none`)
    taken.isGiven = true
    const readyAtMs = taken.fullAtMs - this.#refillMs(this.#options.rate.burst)
    if (this.#latestMs() < readyAtMs - ROUNDING_MS) {
      this.#fail(`RT2: ${who}, which are there at ${readyAtMs}; it is ${this.#latestMs()} at most`)
    }
    const before = this.#versions[index - 1]
    if (before === undefined || before.atMs < taker.firstMs) this.#fail(`RT4: ${who}, and did not know the time`)
    const heldMs = Math.max(before.atMs, sinceMs) - (taker.reached?.atMs ?? Infinity)
    const carriedMs = (taker.reached?.timeMs ?? -Infinity) + Math.max(heldMs, 0) * (1 - DRIFT)
    const atLeastMs = Math.max(before.fullAtMs, before.timeMs, carriedMs) + this.#refillMs(tokens)
    if (taken.fullAtMs < atLeastMs - ROUNDING_MS) {
      this.#fail(`RT4: ${who}, which fills the bucket at ${taken.fullAtMs}, and not at ${atLeastMs} or later`)
    }
    taker.reached ??= { timeMs: before.timeMs, atMs: taken.atMs }
  }

  /** The latest that the fleet's clock can show now. */
  #latestMs(): number {
    const { timeMs, atMs } = this.#latest
    return timeMs + (this.#options.clocks.nowMs - atMs) * (1 + DRIFT)
  }

  #refillMs(tokens: number): number {
    const { limit, perMs } = this.#options.rate
    return tokens * perMs / limit
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
