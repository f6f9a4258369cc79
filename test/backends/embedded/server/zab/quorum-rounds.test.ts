import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { QuorumRounds } from '../../../../../src/backends/embedded/server/zab/quorum-rounds.ts'
import { fixedMembership } from '../fixed-membership.ts'

const MYID = 1
const OBSERVER = 9
/** A voter that has no vote yet (decision 0006). */
const WITHOUT_VOTE = 2

interface Ping {
  readonly to: number
  readonly at: number
  isAnswered: boolean
}

interface Ask {
  readonly asker: number
  readonly syncId: number
  readonly zxid: bigint
  readonly at: number
}

/** Remembers every ping and when it was sent, and looks through all of them for each sync. */
class NaiveRounds {
  readonly #voters: readonly number[]
  #now = 0
  #begunAt = 0
  #pings: Ping[] = []
  #asks: Ask[] = []

  constructor(voters: readonly number[]) {
    this.#voters = voters
  }

  ask(asker: number, syncId: number, zxid: bigint): void {
    this.#asks.push({ asker, syncId, zxid, at: this.#next() })
  }

  begin(learners: readonly { readonly id: number }[]): void {
    this.#begunAt = this.#next()
    for (const { id } of learners) this.#pings.push({ to: id, at: this.#begunAt, isAnswered: false })
  }

  answered(from: number): void {
    const oldest = this.#pings.find(({ to, isAnswered }) => to === from && !isAnswered)
    if (oldest !== undefined) oldest.isAnswered = true
  }

  forget(learner: number): void {
    this.#pings = this.#pings.filter(({ to }) => to !== learner)
    this.#asks = this.#asks.filter(({ asker }) => asker !== learner)
  }

  takeConfirmed(committed: bigint): readonly Ask[] {
    const taken = this.#asks.filter((ask) => this.#isConfirmed(ask) && ask.zxid <= committed)
    this.#asks = this.#asks.filter((ask) => !taken.includes(ask))
    return taken
  }

  get isDue(): boolean {
    return this.#asks.some(({ at }) => at > this.#begunAt)
  }

  get pendingCount(): number {
    return this.#asks.length
  }

  #isConfirmed({ at }: Ask): boolean {
    const supporters = new Set(this.#begunAt > at ? [MYID] : [])
    for (const ping of this.#pings) {
      if (ping.isAnswered && ping.at > at && hasVote(ping.to, this.#voters)) supporters.add(ping.to)
    }
    return supporters.size * 2 > this.#voters.length
  }

  #next(): number {
    this.#now += 1
    return this.#now
  }
}

function hasVote(id: number, voters: readonly number[]): boolean {
  return voters.includes(id) && id !== WITHOUT_VOTE
}

type Step =
  | { readonly type: 'ask'; readonly asker: number }
  | { readonly type: 'begin'; readonly learners: readonly number[] }
  | { readonly type: 'answered'; readonly from: number }
  | { readonly type: 'forget'; readonly learner: number }
  | { readonly type: 'commit' }

interface Pipeline {
  readonly voters: readonly number[]
  readonly steps: readonly Step[]
}

function typed<T extends string, F extends object>(
  type: T,
  fields: { [K in keyof F]: fc.Arbitrary<F[K]> },
): fc.Arbitrary<F & { readonly type: T }> {
  return fc.record(fields).map((drawn) => ({ ...drawn, type }))
}

function pipelines(): fc.Arbitrary<Pipeline> {
  return fc.integer({ min: 1, max: 6 }).chain((count) => {
    const voters = Array.from({ length: count }, (_, index) => index + 1)
    const learners = [...voters.filter((id) => id !== MYID), OBSERVER]
    const learner = fc.constantFrom(...learners)
    const step = fc.oneof(
      { weight: 4, arbitrary: typed('ask', { asker: fc.constantFrom(MYID, ...learners) }) },
      { weight: 2, arbitrary: typed('begin', { learners: fc.constant(learners) }) },
      { weight: 1, arbitrary: typed('begin', { learners: fc.shuffledSubarray(learners) }) },
      { weight: 12, arbitrary: typed('answered', { from: learner }) },
      { weight: 1, arbitrary: typed('forget', { learner }) },
      { weight: 4, arbitrary: typed('commit', {}) },
    )
    return fc.record({ voters: fc.constant(voters), steps: fc.array(step, { maxLength: 120, size: 'max' }) })
  })
}

/** Takes the steps with both; returns how many syncs were confirmed. */
function compare({ voters, steps }: Pipeline): number {
  const rounds = new QuorumRounds(MYID, fixedMembership(voters))
  const naive = new NaiveRounds(voters)
  let proposed = 0n
  let committed = 0n
  let confirmed = 0
  for (const [index, step] of steps.entries()) {
    if (step.type === 'ask') {
      proposed += BigInt(index % 2)
      for (const one of [rounds, naive]) one.ask(step.asker, index, proposed)
    } else if (step.type === 'begin') {
      const learners = step.learners.map((id) => ({ id, votes: hasVote(id, voters) }))
      for (const one of [rounds, naive]) one.begin(learners)
    } else if (step.type === 'answered') {
      for (const one of [rounds, naive]) one.answered(step.from)
    } else if (step.type === 'forget') {
      for (const one of [rounds, naive]) one.forget(step.learner)
    } else committed = proposed
    const [outcome, expected] = [rounds, naive].map((one) => {
      return [...one.takeConfirmed(committed).map(({ syncId }) => syncId), one.isDue, one.pendingCount]
    })
    expect(outcome).toEqual(expected)
    confirmed += (expected?.length ?? 0) - 2
  }
  return confirmed
}

describe('rounds of pings', () => {
  it('confirm the syncs that a majority confirms by pings sent after each, whatever happens in whatever order', () => {
    let confirmed = 0
    fc.assert(fc.property(pipelines(), (pipeline) => {
      confirmed += compare(pipeline)
    }), { numRuns: 300 })
    expect(confirmed, 'the pipelines confirm something').toBeGreaterThan(1_000)
  })

  it('confirm nothing by answers to pings that were sent before', () => {
    const rounds = new QuorumRounds(MYID, fixedMembership([1, 2, 3]))
    const learners = [2, 3].map((id) => ({ id, votes: true }))
    rounds.begin(learners)
    rounds.ask(MYID, 1, 0n)
    rounds.begin(learners)
    for (const id of [2, 3]) rounds.answered(id)
    expect(rounds.takeConfirmed(0n)).toEqual([])
    rounds.answered(3)
    expect(rounds.takeConfirmed(0n)).toMatchObject([{ asker: MYID, syncId: 1 }])
  })
})
