/**
 * The conformance suite of barriers: while it is up nobody passes, and when it is lowered all do.
 *
 * Use       barrierSuite({ describe, it }, { name: 'mine', connect, makeBarrier: (client, path) => new Mine(...) })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** Options of a wait at a barrier. */
export interface TestedBarrierOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal
  /** Longest wait in milliseconds. */
  readonly waitMs?: number
}

/** The part of a barrier that the suite calls. */
export interface TestedBarrier {
  /** Raises it. */
  raise(): Promise<void>
  /** Lowers it, and tells whether it was up. */
  lower(): Promise<boolean>
  /** Waits until it is down. */
  wait(options?: TestedBarrierOptions): Promise<void>
  /** Whether it is up. */
  isUp(): Promise<boolean>
}

/** The subject and options of {@link barrierSuite}. */
export interface BarrierSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the barrier at a path, which is down at first. */
  readonly makeBarrier: (client: Client, path: string) => TestedBarrier
}

/** The part of a latch that the suite calls. */
export interface TestedLatch {
  /** Counts one thing as done. */
  countDown(options?: { readonly id?: string }): Promise<void>
  /** Waits until everything is done. */
  wait(options?: TestedBarrierOptions): Promise<void>
  /** How many things are still to be done. */
  remaining(): Promise<number>
  /** Removes it. */
  remove(): Promise<boolean>
}

/** The subject and options of {@link latchSuite}. */
export interface LatchSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the latch at a path. */
  readonly makeLatch: (client: Client, path: string, count: number) => TestedLatch
}

/** The part of one member's side of a double barrier that the suite calls. */
export interface TestedDoubleBarrier {
  /** Waits until so many members are here. */
  enter(options?: TestedBarrierOptions): Promise<void>
  /** Waits until all of its round have left. */
  leave(options?: TestedBarrierOptions): Promise<void>
}

/** The subject and options of {@link doubleBarrierSuite}. */
export interface DoubleBarrierSuiteOptions extends RecipeSuiteOptions {
  /** Makes one member's side of the double barrier at a path. */
  readonly makeDoubleBarrier: (client: Client, path: string, count: number) => TestedDoubleBarrier
}

interface DoubleBarrierWorld {
  readonly world: RecipeWorld
  readonly memberOf: (client: Client, count: number) => TestedDoubleBarrier
}

interface LatchWorld {
  readonly world: RecipeWorld
  readonly latchOf: (client: Client) => TestedLatch
}

interface BarrierWorld {
  readonly world: RecipeWorld
  readonly barrierOf: (client: Client) => TestedBarrier
}

const WAITERS = 4
const MOMENT_MS = 50

const CASES: readonly Case<BarrierWorld>[] = [
  {
    name: 'is down at first, and lets everyone pass',
    run: async ({ world, barrierOf }) => {
      const barrier = barrierOf(await world.connect())
      equal(await barrier.isUp(), false, 'whether it is up')
      await world.answer(barrier.wait(), 'a wait at a barrier that is down')
      equal(await barrier.lower(), false, 'whether it was up when it was lowered')
    },
  },
  {
    name: 'a raise that was confirmed holds who comes after it',
    run: async ({ world, barrierOf }) => {
      const [raiser, ...others] = await world.connectMany(WAITERS)
      ok(raiser !== undefined, 'there is a raiser')
      await barrierOf(raiser).raise()
      for (const client of others) {
        const wait = barrierOf(client).wait({ waitMs: MOMENT_MS })
        await rejects(wait, { code: 'TIMEOUT', outcome: 'aborted' }, 'a wait at a barrier that is up')
      }
    },
  },
  {
    name: 'lets all pass when it is lowered, by whomever',
    run: async ({ world, barrierOf }) => {
      const [raiser, ...others] = await world.connectMany(WAITERS)
      const [lowerer] = others
      ok(raiser !== undefined && lowerer !== undefined, 'two clients')
      await barrierOf(raiser).raise()
      let passed = 0
      const waits = others.map(async (client) => {
        await barrierOf(client).wait()
        passed += 1
      })
      equal(await barrierOf(lowerer).isUp(), true, 'whether it is up')
      equal(passed, 0, 'how many have passed while it is up')
      equal(await barrierOf(lowerer).lower(), true, 'whether it was up when it was lowered')
      await world.answer(Promise.all(waits), 'those who waited')
      equal(await barrierOf(raiser).isUp(), false, 'whether it is up in the end')
    },
  },
  {
    name: 'stays up when who has raised it is gone',
    run: async ({ world, barrierOf }) => {
      const [raiser, other] = await world.connectMany(2)
      ok(raiser !== undefined && other !== undefined, 'two clients')
      await barrierOf(raiser).raise()
      await raiser.close()
      equal(await barrierOf(other).isUp(), true, 'whether it is up')
    },
  },
  {
    name: 'an abort ends a wait, and nobody else notices',
    run: async ({ world, barrierOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      await barrierOf(a).raise()
      const controller = new AbortController()
      const ended = barrierOf(a).wait({ signal: controller.signal })
      const other = barrierOf(b).wait()
      controller.abort()
      await rejects(ended, { code: 'ABORTED', outcome: 'aborted' }, 'a wait whose signal is aborted')
      await barrierOf(a).lower()
      await world.answer(other, 'the other wait')
    },
  },
  {
    name: 'goes on waiting when the session of who waits ends',
    needs: ['expire'],
    run: async ({ world, barrierOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      await barrierOf(b).raise()
      const outcome = barrierOf(a).wait().then(() => 'passed', () => 'rejected')
      equal(await barrierOf(a).isUp(), true, 'whether it is up')
      await world.expire(a)
      await barrierOf(b).lower()
      equal(await world.answer(outcome, 'the wait'), 'passed', 'what the wait came to')
    },
  },
]

const LATCH_CASES: readonly Case<LatchWorld>[] = [
  {
    name: 'opens when everything is done, and not before',
    run: async ({ world, latchOf }) => {
      const clients = await world.connectMany(WAITERS)
      const [first, ...others] = clients.map(latchOf)
      ok(first !== undefined, 'there is a client')
      for (const latch of others) await latch.countDown()
      equal(await first.remaining(), 1, 'what is still to be done')
      const early = first.wait({ waitMs: MOMENT_MS })
      await rejects(early, { code: 'TIMEOUT', outcome: 'aborted' }, 'a wait before everything is done')
      const waits = others.map((latch) => latch.wait())
      await first.countDown()
      await world.answer(Promise.all(waits), 'those who waited')
      equal(await first.remaining(), 0, 'what is still to be done in the end')
    },
  },
  {
    name: 'counts an id once, whoever says it',
    run: async ({ world, latchOf }) => {
      const clients = await world.connectMany(WAITERS)
      await Promise.all(clients.map((client) => latchOf(client).countDown({ id: 'the-same' })))
      const [client] = clients
      ok(client !== undefined, 'there is a client')
      equal(await latchOf(client).remaining(), WAITERS - 1, 'what is still to be done')
    },
  },
  {
    name: 'keeps what was counted when its client is gone',
    run: async ({ world, latchOf }) => {
      const [counter, other] = await world.connectMany(2)
      ok(counter !== undefined && other !== undefined, 'two clients')
      await latchOf(counter).countDown()
      await counter.close()
      equal(await latchOf(other).remaining(), WAITERS - 1, 'what is still to be done')
    },
  },
  {
    name: 'is as new when it was removed',
    run: async ({ world, latchOf }) => {
      const latch = latchOf(await world.connect())
      await latch.countDown()
      equal(await latch.remove(), true, 'whether there was one')
      equal(await latch.remaining(), WAITERS, 'what is to be done')
      equal(await latch.remove(), false, 'whether there is another')
    },
  },
]

const ROUNDS = 10

const DOUBLE_CASES: readonly Case<DoubleBarrierWorld>[] = [
  {
    name: 'lets nobody in before so many are there, and nobody out before all are done',
    run: async ({ world, memberOf }) => {
      const [first, ...others] = (await world.connectMany(WAITERS)).map((client) => memberOf(client, WAITERS))
      ok(first !== undefined, 'there is a member')
      let isLast = false
      const entries = others.map(async (member) => {
        await member.enter()
        equal(isLast, true, 'whether the last one had come when another was let in')
      })
      const early = Promise.race([...entries, new Promise((resolve) => setTimeout(resolve, MOMENT_MS))])
      await world.answer(early, 'a moment')
      isLast = true
      await world.answer(Promise.all([first.enter(), ...entries]), 'the entries')
      let isDone = false
      const exits = others.map(async (member) => {
        await member.leave()
        equal(isDone, true, 'whether the last one was done when another was let out')
      })
      await world.answer(Promise.race([...exits, new Promise((resolve) => setTimeout(resolve, MOMENT_MS))]), 'a moment')
      isDone = true
      await world.answer(Promise.all([first.leave(), ...exits]), 'the exits')
    },
  },
  {
    name: 'a member that gave up does not count, and leaves nothing behind',
    run: async ({ world, memberOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      for (const client of [a, b]) {
        const entry = memberOf(client, 2).enter({ waitMs: MOMENT_MS })
        await rejects(entry, { code: 'TIMEOUT', outcome: 'aborted' }, 'an entry alone')
      }
      await world.eventually(async () => (await world.ephemerals(a)).length === 0, 'no node is left')
    },
  },
  {
    name: 'holds together round after round',
    run: async ({ world, memberOf }) => {
      const clients = await world.connectMany(WAITERS)
      const rounds = clients.map(() => 0)
      await world.answer(Promise.all(clients.map(async (client, index) => {
        const member = memberOf(client, WAITERS)
        for (let round = 1; round <= ROUNDS; round++) {
          await member.enter()
          rounds[index] = round
          equal(Math.max(...rounds), round, 'the round of the quickest one')
          await member.leave()
          equal(Math.min(...rounds), round, 'the round of the slowest one')
        }
      })), 'all rounds')
    },
  },
  {
    name: 'whoever comes during a round waits for the next one',
    run: async ({ world, memberOf }) => {
      const [a, b, late] = (await world.connectMany(3)).map((client) => memberOf(client, 2))
      ok(a !== undefined && b !== undefined && late !== undefined, 'three members')
      await world.answer(Promise.all([a.enter(), b.enter()]), 'the entries')
      const early = late.enter({ waitMs: MOMENT_MS })
      await rejects(early, { code: 'TIMEOUT', outcome: 'aborted' }, 'an entry during a round')
      const entry = late.enter()
      await world.answer(Promise.all([a.leave(), b.leave()]), 'the exits')
      await world.answer(Promise.all([entry, a.enter()]), 'the entries of the next round')
    },
  },
  {
    name: 'a member that is gone holds nobody up',
    run: async ({ world, memberOf }) => {
      const [gone, other] = await world.connectMany(2)
      ok(gone !== undefined && other !== undefined, 'two clients')
      const member = memberOf(other, 2)
      await world.answer(Promise.all([memberOf(gone, 2).enter(), member.enter()]), 'the entries')
      await gone.close()
      await world.answer(member.leave(), 'the exit')
      const next = member.enter({ waitMs: MOMENT_MS })
      await rejects(next, { code: 'TIMEOUT', outcome: 'aborted' }, 'an entry alone, in the next round')
    },
  },
  {
    name: 'a member whose session ends before the round opens comes again',
    needs: ['expire'],
    run: async ({ world, memberOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      const outcome = memberOf(a, 2).enter().then(() => 'in', () => 'rejected')
      await world.eventually(async () => (await world.ephemerals(b)).length === 1, 'the first one waits')
      await world.expire(a)
      await Promise.race([outcome, memberOf(b, 2).enter({ waitMs: world.patienceMs }).catch(() => undefined)])
      equal(await world.answer(outcome, 'the entry'), 'in', 'what the entry came to')
    },
  },
]

/**
 * Registers the cases that every double barrier has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the double barrier to test
 */
export function doubleBarrierSuite(runner: Runner, options: DoubleBarrierSuiteOptions): void {
  registerRecipe(runner, `double barrier ${options.name}`, options, DOUBLE_CASES, (world) => {
    return { world, memberOf: (client, count) => options.makeDoubleBarrier(client, world.path('double'), count) }
  })
}

/**
 * Registers the cases that every count-down latch has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the latch to test
 */
export function latchSuite(runner: Runner, options: LatchSuiteOptions): void {
  registerRecipe(runner, `latch ${options.name}`, options, LATCH_CASES, (world) => {
    return { world, latchOf: (client) => options.makeLatch(client, world.path('latch'), WAITERS) }
  })
}

/**
 * Registers the cases that every barrier has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the barrier to test
 */
export function barrierSuite(runner: Runner, options: BarrierSuiteOptions): void {
  registerRecipe(runner, `barrier ${options.name}`, options, CASES, (world) => {
    return { world, barrierOf: (client) => options.makeBarrier(client, world.path('barrier')) }
  })
}
