/**
 * The conformance suite of staged roll-outs: who has which value, and that nobody goes back to an older one.
 *
 * Use       rolloutSuite({ describe, it }, { name: 'mine', connect, makeConfig: (client, path, id) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** For whom a value is staged: so many of a hundred, or the processes with these ids. */
export interface TestedSelection {
  /** So many of a hundred. */
  readonly percent?: number
  /** Those with these ids. */
  readonly members?: readonly string[]
}

/** The part of a configuration with roll-outs that the suite calls. Its values are numbers. */
export interface TestedRollout {
  /** The value in force in this process; undefined without one. */
  readonly current: number | undefined
  /** Resolves when the value was read once. */
  ready(): Promise<unknown>
  /** Publishes a value, for all or for some. */
  publish(
    value: number,
    options?: { readonly rollout?: TestedSelection; readonly staged?: 'keep' | 'withdraw' },
  ): Promise<{ readonly historyVersion?: number }>
  /** Calls a listener with every value that comes into force. */
  subscribe(listener: (change: { readonly value: number | undefined }) => void): () => void
  /** The steps of a roll-out. */
  readonly rollout: {
    /** Chooses other processes for the staged value. */
    select(selection: TestedSelection): Promise<unknown>
    /** Publishes the staged value for all. */
    promote(): Promise<unknown>
    /** Takes the staged value away. */
    withdraw(): Promise<unknown>
    /** Who has which version of the history. */
    applied(): Promise<readonly { readonly id: string; readonly version: number | null; readonly isStaged: boolean }[]>
  }
}

/** The subject and options of {@link rolloutSuite}. */
export interface RolloutSuiteOptions extends RecipeSuiteOptions {
  /** Makes the side of a process that takes part with this id; null: that keeps a history, and takes no part. */
  readonly makeConfig: (client: Client, path: string, id: string | null) => TestedRollout
}

/** A process, and each value that it had, one after the other. */
interface Process {
  readonly client: Client
  readonly config: TestedRollout
  readonly values: (number | undefined)[]
}

interface RolloutWorld {
  readonly world: RecipeWorld
  readonly open: (id: string | null) => Promise<Process>
}

const MANY = 10

const CASES: readonly Case<RolloutWorld>[] = [
  {
    name: 'the staged value is in force where it is chosen, and everybody says which one they have',
    run: async ({ world, open }) => {
      const { operator, members } = await fleet(open, ['a', 'b'])
      equal((await operator.config.publish(2, { rollout: { members: ['b'] } })).historyVersion, 2, 'the version')
      await world.eventually(() => members[1]?.config.current === 2, 'b has the staged value')
      const expected = [['a', 1, false], ['b', 2, true]]
      await world.eventually(async () => isEqual(await applied(operator), expected), 'both say what they have')
      equal([operator, ...members].map(({ config }) => config.current), [1, 1, 2], 'what they have')
    },
  },
  {
    name: 'a promotion brings the value to all, and nobody goes back in between',
    run: async ({ world, open }) => {
      const { operator, members } = await fleet(open, ['a', 'b'])
      await operator.config.publish(2, { rollout: { members: ['b'] } })
      await world.eventually(() => members[1]?.config.current === 2, 'b has the staged value')
      await operator.config.rollout.promote()
      const expected = [['a', 3, false], ['b', 3, false]]
      await world.eventually(async () => isEqual(await applied(operator), expected), 'both have the value for all')
      equal(members.map(({ values }) => values), [[1, 2], [1, 2]], 'the values that they had')
    },
  },
  {
    name: 'a withdrawal brings back the value for all',
    run: async ({ world, open }) => {
      const { operator, members: [one] } = await fleet(open, ['a'])
      await operator.config.publish(2, { rollout: { percent: 100 } })
      await world.eventually(() => one?.config.current === 2, 'it has the staged value')
      await operator.config.rollout.withdraw()
      await world.eventually(() => one?.config.current === 1, 'it has the value for all')
      await rejects(operator.config.rollout.promote(), { code: 'NO_NODE' }, 'a promotion of what was withdrawn')
      await operator.config.publish(3)
      await world.eventually(() => one?.config.current === 3, 'it follows the value for all')
    },
  },
  {
    name: 'a publish for all does not touch what is staged unless it says so',
    run: async ({ world, open }) => {
      const { operator, members: [one, other] } = await fleet(open, ['a', 'b'])
      await operator.config.publish(2, { rollout: { members: ['b'] } })
      await world.eventually(() => other?.config.current === 2, 'b has the staged value')
      await rejects(operator.config.publish(3), { code: 'VALUE_STAGED', outcome: 'rejected' }, 'a publish for all')
      await operator.config.publish(3, { staged: 'keep' })
      await world.eventually(() => one?.config.current === 3, 'a has the value for all')
      equal(other?.config.current, 2, 'the value of b')
      await rejects(operator.config.rollout.promote(), { code: 'BAD_VERSION' }, 'a promotion over a newer value')
      await operator.config.publish(4, { staged: 'withdraw' })
      await world.eventually(() => other?.config.current === 4, 'b has the value for all')
      equal(other?.values, [1, 2, 4], 'the values that b had')
    },
  },
  {
    name: 'a higher percentage adds processes and takes the value back from none',
    run: async ({ world, open }) => {
      const { operator, members } = await fleet(open, Array.from({ length: MANY }, (_, index) => `m${String(index)}`))
      // Of so many processes it is as good as certain that 90 percent are at least one.
      await operator.config.publish(2, { rollout: { percent: 90 } })
      await world.eventually(() => members.some(({ config }) => config.current === 2), 'some have the staged value')
      await operator.config.rollout.select({ percent: 95 })
      await operator.config.rollout.select({ percent: 100 })
      await world.eventually(() => members.every(({ config }) => config.current === 2), 'all have the staged value')
      equal(members.map(({ values }) => values), members.map(() => [1, 2]), 'the values that they had')
    },
  },
  {
    name: 'a process that comes later begins with the staged value that is chosen for it',
    run: async ({ world, open }) => {
      const { operator } = await fleet(open, [])
      await operator.config.publish(2, { rollout: { percent: 100 } })
      const late = await open('late')
      equal(await world.answer(late.config.ready(), 'the first reading'), 2, 'its first value')
      await world.eventually(async () => isEqual(await applied(operator), [['late', 2, true]]), 'it says so')
      equal(late.values, [2], 'the values that it had')
    },
  },
  {
    name: 'of two who end a roll-out at the same time one is refused, and all have one value',
    run: async ({ world, open }) => {
      const { operator, members } = await fleet(open, ['a', 'b'])
      const rival = await open(null)
      await operator.config.publish(2, { rollout: { members: ['b'] } })
      const ends = [operator.config.rollout.promote(), rival.config.rollout.withdraw()]
      const outcomes = await world.answer(Promise.allSettled(ends), 'both ends')
      equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1, 'ends that took effect')
      const final = outcomes[0]?.status === 'fulfilled' ? 2 : 1
      const all = [operator, rival, ...members]
      await world.eventually(() => all.every(({ config }) => config.current === final), `all have ${String(final)}`)
    },
  },
  {
    name: 'a process keeps the staged value over the end of its session, and says so again',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const { operator, members: [one] } = await fleet(open, ['a'])
      ok(one !== undefined, 'a member')
      await operator.config.publish(2, { rollout: { percent: 100 } })
      await world.eventually(() => one.config.current === 2, 'it has the staged value')
      await world.expire(one.client)
      await world.eventually(async () => isEqual(await applied(operator), [['a', 2, true]]), 'it says so again')
      equal(one.values, [1, 2], 'the values that it had')
    },
  },
]

/**
 * Registers the cases that every roll-out of a configuration has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the configuration to test
 */
export function rolloutSuite(runner: Runner, options: RolloutSuiteOptions): void {
  registerRecipe(runner, `roll-outs of ${options.name}`, options, CASES, (world) => {
    const path = world.path('config')
    const open: RolloutWorld['open'] = async (id) => {
      const client = await world.connect()
      const config = options.makeConfig(client, path, id)
      const values: (number | undefined)[] = []
      config.subscribe(({ value }) => {
        if (values.length === 0 || values.at(-1) !== value) values.push(value)
      })
      return { client, config, values }
    }
    return { world, open }
  })
}

/** An operator who has published 1, and processes that have it. */
async function fleet(
  open: RolloutWorld['open'],
  ids: readonly string[],
): Promise<{ readonly operator: Process; readonly members: readonly Process[] }> {
  const operator = await open(null)
  await operator.config.publish(1)
  const members = await Promise.all(ids.map((id) => open(id)))
  await Promise.all(members.map(({ config }) => config.ready()))
  return { operator, members }
}

async function applied({ config }: Process): Promise<unknown[]> {
  return (await config.rollout.applied()).map(({ id, version, isStaged }) => [id, version, isStaged])
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
