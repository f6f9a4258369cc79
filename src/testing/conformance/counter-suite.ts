/**
 * The conformance suite of counters and shared values: no change is lost or made twice, and everyone comes to the last
 * value.
 *
 * Use       counterSuite({ describe, it }, { name: 'mine', connect, makeCounter: (client, path) => new Mine(...) })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a counter that the suite calls. */
export interface TestedCounter {
  /** The number. */
  get(): Promise<bigint>
  /** Adds, and tells the number before and after that. */
  add(delta: number): Promise<{ readonly before: bigint; readonly after: bigint }>
  /** Sets it if it is as expected. */
  compareAndSet(expected: number, next: number): Promise<boolean>
}

/** The subject and options of {@link counterSuite}. */
export interface CounterSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the counter at a path; nothing may be there yet. */
  readonly makeCounter: (client: Client, path: string) => TestedCounter
}

/** The part of a shared number that the suite calls. */
export interface TestedShared {
  /** The number that this client knows. */
  readonly current: number | undefined
  /** Waits until it was read once. */
  ready(): Promise<number>
  /** Reads it from the servers. */
  get(): Promise<number>
  /** Sets it. */
  set(value: number): Promise<void>
  /** Sets it unless it is not what this client has seen last. */
  trySet(value: number): Promise<boolean>
}

/** The subject and options of {@link sharedSuite}. */
export interface SharedSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the number at a path, which is 0 at first. */
  readonly makeShared: (client: Client, path: string) => TestedShared
}

/** The part of an allocator that the suite calls. */
export interface TestedIds {
  /** Gives an id. */
  next(): Promise<bigint>
}

/** The subject and options of {@link idSuite}. */
export interface IdSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the allocator at a path, which takes so many ids at a time. */
  readonly makeIds: (client: Client, path: string, block: number) => TestedIds
}

interface IdWorld {
  readonly world: RecipeWorld
  readonly idsOf: (client: Client, block: number) => TestedIds
}

interface CounterWorld {
  readonly world: RecipeWorld
  readonly counterOf: (client: Client) => TestedCounter
}

interface SharedWorld {
  readonly world: RecipeWorld
  readonly sharedOf: (client: Client) => TestedShared
}

const CLIENTS = 5
const ROUNDS = 4

const COUNTER_CASES: readonly Case<CounterWorld>[] = [
  {
    name: 'begins at 0, and tells the number before and after each change',
    run: async ({ world, counterOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      equal(await counterOf(a).get(), 0n, 'the number before any change')
      equal(await counterOf(a).add(3), { before: 0n, after: 3n }, 'the first change')
      equal(await counterOf(b).add(-5), { before: 3n, after: -2n }, 'a change by another client')
      equal(await counterOf(a).get(), -2n, 'the number after both')
    },
  },
  {
    name: 'loses no change of many clients at once, and tells no step twice',
    run: async ({ world, counterOf }) => {
      const clients = await world.connectMany(CLIENTS)
      const work = clients.map(async (client) => {
        const befores: bigint[] = []
        for (let round = 0; round < ROUNDS; round++) befores.push((await counterOf(client).add(1)).before)
        return befores
      })
      const befores = (await Promise.all(work)).flat().sort((x, y) => Number(x - y))
      const steps = Array.from({ length: CLIENTS * ROUNDS }, (_, index) => BigInt(index))
      equal(befores, steps, 'the numbers before each change')
      const [client] = clients
      ok(client !== undefined, 'there is a client')
      equal(await counterOf(client).get(), BigInt(CLIENTS * ROUNDS), 'the number in the end')
      equal(await world.ephemerals(client), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'is set by one of many who expect the same number',
    run: async ({ world, counterOf }) => {
      const clients = await world.connectMany(CLIENTS)
      const answers = await Promise.all(clients.map((client, index) => counterOf(client).compareAndSet(0, index + 1)))
      equal(answers.filter(Boolean).length, 1, 'how many have set it')
      const [client] = clients
      ok(client !== undefined, 'there is a client')
      equal(await counterOf(client).get(), BigInt(answers.indexOf(true) + 1), 'the number that was set')
    },
  },
]

const SHARED_CASES: readonly Case<SharedWorld>[] = [
  {
    name: 'everyone comes to what was set last',
    run: async ({ world, sharedOf }) => {
      const clients = await world.connectMany(3)
      const shared = clients.map(sharedOf)
      equal(await Promise.all(shared.map((one) => one.ready())), [0, 0, 0], 'what everyone begins with')
      for (const [index, one] of shared.entries()) {
        await one.set(index + 1)
        equal(one.current, index + 1, 'what the one who set it knows')
      }
      await world.eventually(() => shared.every(({ current }) => current === 3), 'everyone comes to 3')
      equal(await Promise.all(shared.map((one) => one.get())), [3, 3, 3], 'what the servers have')
    },
  },
  {
    name: 'of many who replace what they have all seen one does, and loses nothing',
    run: async ({ world, sharedOf }) => {
      const shared = (await world.connectMany(CLIENTS)).map(sharedOf)
      await Promise.all(shared.map((one) => one.ready()))
      const first = await Promise.all(shared.map((one, index) => one.trySet(index + 1)))
      equal(first.filter(Boolean).length, 1, 'how many have set it')
      const winner = first.indexOf(true)
      await world.eventually(() => shared.every(({ current }) => current === winner + 1), 'everyone comes to that')
      const counts = shared.map(async (one) => {
        let won = 0
        for (let round = 0; round < ROUNDS; round++) if (await one.trySet((one.current ?? 0) + 1)) won += 1
        return won
      })
      const won = (await Promise.all(counts)).reduce((sum, each) => sum + each, winner + 1)
      const [one] = shared
      equal(await one?.get(), won, 'the number in the end')
    },
  },
  {
    name: 'a node that was made again is not taken for the one that was seen',
    run: async ({ world, sharedOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      const shared = sharedOf(a)
      await shared.set(1)
      await b.delete(world.path('shared'))
      const other = sharedOf(b)
      await other.set(2)
      await world.eventually(() => shared.current === 2, 'the new value is seen')
      equal(await shared.get(), 2, 'what the servers have')
    },
  },
]

const ID_CASES: readonly Case<IdWorld>[] = [
  {
    name: 'gives each id once, whoever asks, and growing ones to each',
    run: async ({ world, idsOf }) => {
      const clients = await world.connectMany(CLIENTS)
      const work = clients.map(async (client, index) => {
        const [ids, given] = [idsOf(client, index + 1), [] as bigint[]]
        for (let round = 0; round < ROUNDS; round++) given.push(await ids.next())
        return given
      })
      const given = await Promise.all(work)
      for (const own of given) equal(own, own.toSorted((x, y) => (x < y ? -1 : 1)), 'the ids of one client')
      equal(new Set(given.flat()).size, CLIENTS * ROUNDS, 'how many different ids there are')
    },
  },
  {
    name: 'gives ids that were not given before, over the end of its session',
    needs: ['expire'],
    run: async ({ world, idsOf }) => {
      const client = await world.connect()
      const ids = idsOf(client, 2)
      const given = [await ids.next()]
      await world.expire(client)
      for (let round = 0; round < ROUNDS; round++) given.push(await world.answer(ids.next(), 'an id'))
      equal(new Set(given).size, ROUNDS + 1, 'how many different ids there are')
    },
  },
]

/**
 * Registers the cases that every allocator of ids has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the allocator to test
 */
export function idSuite(runner: Runner, options: IdSuiteOptions): void {
  registerRecipe(runner, `ids ${options.name}`, options, ID_CASES, (world) => {
    return { world, idsOf: (client, block) => options.makeIds(client, world.path('ids'), block) }
  })
}

/**
 * Registers the cases that every counter has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the counter to test
 */
export function counterSuite(runner: Runner, options: CounterSuiteOptions): void {
  registerRecipe(runner, `counter ${options.name}`, options, COUNTER_CASES, (world) => {
    return { world, counterOf: (client) => options.makeCounter(client, world.path('counter')) }
  })
}

/**
 * Registers the cases that every shared number has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the shared number to test
 */
export function sharedSuite(runner: Runner, options: SharedSuiteOptions): void {
  registerRecipe(runner, `shared number ${options.name}`, options, SHARED_CASES, (world) => {
    return { world, sharedOf: (client) => options.makeShared(client, world.path('shared')) }
  })
}
