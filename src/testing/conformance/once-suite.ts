/**
 * The conformance suite of work that is done once for all processes.
 *
 * Use       onceSuite({ describe, it }, { name: 'mine', connect, onceOnly: (client, path, work, ttlMs) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The handle that work gets. */
export interface TestedOnceWork {
  /** Aborted when the work should stop. */
  readonly signal: AbortSignal
  /** Grows with each time that the work is done. */
  readonly token: bigint
}

/** The subject and options of {@link onceSuite}. */
export interface OnceSuiteOptions extends RecipeSuiteOptions {
  /** Does work once for all processes that name a path. */
  readonly onceOnly: (
    client: Client,
    path: string,
    work: (given: TestedOnceWork) => Promise<number>,
    ttlMs?: number,
  ) => Promise<number>
}

interface OnceWorld {
  readonly world: RecipeWorld
  readonly once: (client: Client, work: (given: TestedOnceWork) => Promise<number>, ttlMs?: number) => Promise<number>
}

const CLIENTS = 4
const WORK_MS = 100
const TTL_MS = 300

const CASES: readonly Case<OnceWorld>[] = [
  {
    name: 'of many callers in many processes one does the work, and all get its result',
    run: async ({ world, once }) => {
      const clients = await world.connectMany(CLIENTS)
      let count = 0
      const work = async (): Promise<number> => {
        count += 1
        const mine = count
        await pause(WORK_MS)
        return mine
      }
      const calls = clients.flatMap((client) => [once(client, work), once(client, work)])
      equal(await world.answer(Promise.all(calls), 'all calls'), calls.map(() => 1), 'the results')
      equal([await once(await world.connect(), work), count], [1, 1], 'a later result, and how often it was done')
    },
  },
  {
    name: 'work that throws records nothing, and the next caller does it',
    run: async ({ world, once }) => {
      const [one, other] = [await world.connect(), await world.connect()]
      const failure = new Error('no luck')
      const outcome = await once(one, () => Promise.reject(failure)).catch((error: unknown) => error)
      ok(outcome === failure, 'the caller gets the error of its work')
      equal(await world.answer(once(other, () => Promise.resolve(2)), 'the next call'), 2, 'the next result')
    },
  },
  {
    name: 'a result that is over is made again, once',
    run: async ({ world, once }) => {
      const clients = await world.connectMany(CLIENTS)
      let count = 0
      const work = (): Promise<number> => Promise.resolve((count += 1))
      const [first] = clients
      ok(first !== undefined, 'a client')
      equal(await once(first, work, TTL_MS), 1, 'the first result')
      await pause(2 * TTL_MS)
      const results = await world.answer(Promise.all(clients.map((client) => once(client, work, TTL_MS * 100))), 'all')
      equal(results, clients.map(() => 1), 'results that are good for longer')
      equal(await once(first, work, TTL_MS), 2, 'the result that is made again')
      const again = await world.answer(Promise.all(clients.map((client) => once(client, work, TTL_MS * 100))), 'all')
      equal(again, clients.map(() => 2), 'the results of all')
    },
  },
  {
    name: 'work whose process loses its session is done by the next, and only that is recorded',
    needs: ['expire'],
    run: async ({ world, once }) => {
      const [one, other] = [await world.connect(), await world.connect()]
      const given: TestedOnceWork[] = []
      const lost = once(one, async (mine) => {
        given.push(mine)
        await new Promise<void>((resolve) => mine.signal.addEventListener('abort', () => resolve(), { once: true }))
        return 1
      })
      const told = rejects(lost, { code: 'LEASE_LOST', outcome: 'lost' }, 'the call of the one that was lost')
      await world.eventually(() => given.length === 1, 'the work has begun')
      await world.expire(one)
      await world.answer(told, 'the call of the one that was lost')
      const next = once(other, (mine) => {
        given.push(mine)
        return Promise.resolve(2)
      })
      equal(await world.answer(next, 'the next call'), 2, 'the next result')
      const [before, after] = given.map(({ token }) => token)
      ok(before !== undefined && after !== undefined && after > before, 'the token grows')
      equal(await world.answer(once(one, () => Promise.resolve(3)), 'a later call'), 2, 'a later result')
    },
  },
  {
    name: 'nothing is left behind but the result',
    run: async ({ world, once }) => {
      const client = await world.connect()
      await once(client, () => Promise.resolve(1))
      await world.eventually(async () => (await world.ephemerals(client)).length === 0, 'no ephemeral node is left')
    },
  },
]

/**
 * Registers the cases that work which is done once has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the subject
 */
export function onceSuite(runner: Runner, options: OnceSuiteOptions): void {
  registerRecipe(runner, `once only: ${options.name}`, options, CASES, (world) => {
    const path = world.path('key')
    return { world, once: (client, work, ttlMs) => options.onceOnly(client, path, work, ttlMs) }
  })
}

function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeMs)
  })
}
