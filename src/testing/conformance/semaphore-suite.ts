/**
 * The conformance suite of semaphores.
 *
 * Use       semaphoreSuite({ describe, it }, { name, connect, makeSemaphore: (client, path, permits) => ... })
 * Source    docs/guide/semaphore.md
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import type { TestedLease } from './lock-suite.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** Options of a call for permits. */
export interface TestedPermitOptions {
  /** How many; 1 by default. */
  readonly permits?: number
  /** Ends the wait. */
  readonly signal?: AbortSignal
  /** Longest wait in milliseconds. */
  readonly waitMs?: number
}

/** The part of a semaphore that the suite calls. */
export interface TestedSemaphore {
  /** Waits for permits, all or none. */
  acquire(options?: TestedPermitOptions): Promise<TestedLease>
  /** Gets permits if they are free; otherwise null. */
  tryAcquire(options?: Pick<TestedPermitOptions, 'permits'>): Promise<TestedLease | null>
  /** Acquires, runs the work, releases. */
  using<T>(options: TestedPermitOptions, work: (lease: TestedLease) => Promise<T>): Promise<T>
  /** Changes the number of permits for all. */
  setPermits(permits: number): Promise<void>
}

/** The subject and options of {@link semaphoreSuite}. */
export interface SemaphoreSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the semaphore at a path; nothing may be there yet. */
  readonly makeSemaphore: (client: Client, path: string, permits: number) => TestedSemaphore
}

interface SemaphoreWorld {
  readonly world: RecipeWorld
  /** Makes the semaphore of this case, for one client. */
  readonly of: (client: Client) => TestedSemaphore
}

const PERMITS = 3
const CLIENTS = 4
const ROUNDS = 2
const SHORT_WAIT_MS = 30

const CASES: readonly Case<SemaphoreWorld>[] = [
  {
    name: 'no more permits are held than there are, and everybody gets its turn',
    run: async ({ world, of }) => {
      const clients = await world.connectMany(CLIENTS)
      let [taken, turns] = [0, 0]
      const work = clients.map(async (client, index) => {
        for (let round = 0; round < ROUNDS; round++) {
          const permits = 1 + ((index + round) % PERMITS)
          await of(client).using({ permits }, async (lease) => {
            taken += permits
            ok(taken <= PERMITS, `${taken} permits are held of ${PERMITS}`)
            equal(lease.state, 'held', 'state of the lease')
            await client.sync()
            taken -= permits
            turns++
          })
        }
      })
      await Promise.all(work)
      equal(turns, CLIENTS * ROUNDS, 'turns')
      equal(await world.ephemerals(clients[0] as Client), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'tryAcquire gets what is free, and of what is taken answers null and leaves nothing',
    run: async ({ world, of }) => {
      const [holder, other] = [await world.connect(), await world.connect()]
      const lease = await of(holder).tryAcquire({ permits: PERMITS - 1 })
      equal(lease?.state, 'held', 'state of the lease of free permits')
      const before = await world.ephemerals(holder)
      equal(await of(other).tryAcquire({ permits: 2 }), null, 'tryAcquire of more than is free')
      equal(await world.ephemerals(holder), before, 'ephemeral nodes after it')
      equal((await of(other).tryAcquire())?.state, 'held', 'state of the lease of the last permit')
    },
  },
  {
    name: 'who wants many is served before those who came later and want few',
    run: async ({ world, of }) => {
      const [holder, many, few] = await world.connectMany(3)
      ok(holder !== undefined && many !== undefined && few !== undefined, 'three clients')
      const lease = await of(holder).acquire()
      const order: string[] = []
      const first = of(many).using({ permits: PERMITS }, async () => void order.push('many'))
      const waits = async (): Promise<boolean> => {
        const tried = await of(few).tryAcquire()
        await tried?.release()
        return tried === null
      }
      await world.eventually(waits, 'the one who wants many is first in line')
      const second = of(few).using({}, async () => void order.push('few'))
      await lease.release()
      await world.answer(Promise.all([first, second]), 'both')
      equal(order, ['many', 'few'], 'order of the two')
    },
  },
  {
    name: 'a wait that is over rejects with TIMEOUT or ABORTED and leaves nothing',
    run: async ({ world, of }) => {
      const [holder, waiter] = [await world.connect(), await world.connect()]
      await of(holder).acquire({ permits: PERMITS })
      const before = await world.ephemerals(holder)
      const late = world.answer(of(waiter).acquire({ waitMs: SHORT_WAIT_MS }), 'acquire')
      await rejects(late, { code: 'TIMEOUT', outcome: 'aborted' }, 'a wait that lasts too long')
      const stop = new AbortController()
      const stopped = world.answer(of(waiter).acquire({ signal: stop.signal }), 'acquire')
      setTimeout(() => stop.abort(), SHORT_WAIT_MS)
      await rejects(stopped, { code: 'ABORTED', outcome: 'aborted' }, 'a wait that is aborted')
      equal(await world.ephemerals(holder), before, 'ephemeral nodes after both')
    },
  },
  {
    name: 'the number of permits is one for all, and can be changed for all',
    run: async ({ world, of }) => {
      const [one, two] = [await world.connect(), await world.connect()]
      await of(one).acquire({ permits: PERMITS })
      const waiting = of(two).acquire()
      await of(one).setPermits(PERMITS + 1)
      equal((await world.answer(waiting, 'the wait for one more')).state, 'held', 'state of the lease')
      const tooMany = of(two).acquire({ permits: PERMITS + 2 })
      await rejects(tooMany, { code: 'INVALID_VALUE', outcome: 'rejected' }, 'more permits than there are')
    },
  },
  {
    name: 'a holder that loses its session is told by its signal, and its permits are free',
    needs: ['expire'],
    run: async ({ world, of }) => {
      const [holder, waiter] = [await world.connect(), await world.connect()]
      const lease = await of(holder).acquire({ permits: PERMITS })
      const waiting = of(waiter).acquire({ permits: 2 })
      await world.expire(holder)
      await world.eventually(() => lease.signal.aborted, 'the signal of the lease is aborted')
      equal(lease.state, 'lost', 'state of the lease')
      const next = await world.answer(waiting, 'the wait for permits')
      ok(next.token > lease.token, 'the next token is greater')
    },
  },
]

/**
 * Registers the cases that every semaphore has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the semaphore to test
 */
export function semaphoreSuite(runner: Runner, options: SemaphoreSuiteOptions): void {
  registerRecipe(runner, `semaphore ${options.name}`, options, CASES, (world) => {
    return { world, of: (client) => options.makeSemaphore(client, world.path('semaphore'), PERMITS) }
  })
}
