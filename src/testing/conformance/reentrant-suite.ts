/**
 * The conformance suite of reentrant locks: what they have to keep beside what every lock does. They have to pass
 * {@link lockSuite} too.
 *
 * Use       reentrantSuite({ describe, it }, { name, connect, makeLock: (client, path) => new Mine(client, path) })
 * Source    docs/guide/reentrant-lock.md
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok } from './expect.ts'
import type { TestedLease, TestedLock } from './lock-suite.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a reentrant lock that the suite calls. */
export interface TestedReentrantLock extends TestedLock {
  /** Acquires, runs the work as the holder, releases. */
  using<T>(work: (lease: TestedLease) => Promise<T>): Promise<T>
}

/** The subject and options of {@link reentrantSuite}. */
export interface ReentrantSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the lock at a path; nothing may be there yet. */
  readonly makeLock: (client: Client, path: string) => TestedReentrantLock
}

interface ReentrantWorld {
  readonly world: RecipeWorld
  /** Makes the lock of this case, for one client. */
  readonly lockOf: (client: Client) => TestedReentrantLock
}

const TASKS = 4

const CASES: readonly Case<ReentrantWorld>[] = [
  {
    name: 'its holder acquires it again, while others wait, and adds no node',
    run: async ({ world, lockOf }) => {
      const [client, other] = [await world.connect(), await world.connect()]
      await lockOf(client).using(async (outer) => {
        const before = await world.ephemerals(client)
        await lockOf(client).using(async (inner) => {
          equal(inner.token, outer.token, 'token of the inner lease')
          equal((await lockOf(client).tryAcquire())?.state, 'held', 'state of a lease by tryAcquire of the holder')
          equal(await world.ephemerals(client), before, 'ephemeral nodes while it is held three times')
          equal(await lockOf(other).tryAcquire(), null, 'tryAcquire of another client')
        })
        equal(await lockOf(other).tryAcquire(), null, 'tryAcquire of another client after the inner release')
      })
    },
  },
  {
    name: 'it is given back with the last of its leases, in whatever order they are released',
    run: async ({ world, lockOf }) => {
      const [client, other] = [await world.connect(), await world.connect()]
      let inner: TestedLease | undefined
      await lockOf(client).using(async () => {
        inner = await lockOf(client).acquire()
      })
      equal(inner?.state, 'held', 'state of the inner lease after the outer one was released')
      equal(await lockOf(other).tryAcquire(), null, 'tryAcquire of another client while one lease is left')
      await inner?.release()
      equal((await lockOf(other).tryAcquire())?.state, 'held', 'state of the lease of the next one')
    },
  },
  {
    name: 'a task that outlives the holder it was started by waits like any other',
    run: async ({ world, lockOf }) => {
      const [client, other] = [await world.connect(), await world.connect()]
      let begin: () => void = () => undefined
      const begun = new Promise<void>((resolve) => {
        begin = resolve
      })
      const tasks: Promise<unknown>[] = []
      await lockOf(client).using(async () => {
        tasks.push(begun.then(() => lockOf(client).tryAcquire()))
      })
      const next = await lockOf(other).acquire()
      begin()
      equal(await Promise.all(tasks), [null], 'tryAcquire of the task, while another client holds')
      await next.release()
    },
  },
  {
    name: 'tasks of one function that hold nothing yet exclude each other',
    run: async ({ world, lockOf }) => {
      const client = await world.connect()
      let [inside, turns] = [0, 0]
      const task = (): Promise<void> => lockOf(client).using(async () => {
        inside += 1
        ok(inside === 1, 'one task holds at a time')
        await client.sync()
        inside -= 1
        turns += 1
      })
      await Promise.all(Array.from({ length: TASKS }, task))
      equal(turns, TASKS, 'turns')
    },
  },
  {
    name: 'a loss is told to every lease',
    needs: ['expire'],
    run: async ({ world, lockOf }) => {
      const client = await world.connect()
      const leases: TestedLease[] = []
      const working = lockOf(client).using(async (outer) => {
        leases.push(outer, await lockOf(client).acquire())
        await world.expire(client)
        await world.eventually(() => leases.every(({ signal }) => signal.aborted), 'the signals of both are aborted')
      })
      const code = await working.then(() => 'none', (error: unknown) => Reflect.get(Object(error), 'code') as unknown)
      equal(code, 'LEASE_LOST', 'code of the error of the work')
      equal(leases.map(({ state }) => state), ['lost', 'lost'], 'states of both leases')
    },
  },
]

/**
 * Registers the cases that every reentrant lock has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the lock to test
 */
export function reentrantSuite(runner: Runner, options: ReentrantSuiteOptions): void {
  registerRecipe(runner, `reentrant lock ${options.name}`, options, CASES, (world) => {
    return { world, lockOf: (client) => options.makeLock(client, world.path('lock')) }
  })
}
