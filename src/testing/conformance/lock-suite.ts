/**
 * The conformance suite of locks: whatever they are called and however they queue, they all pass the same cases.
 *
 * Use       lockSuite({ describe, it }, { name: 'mine', connect, makeLock: (client, path) => new Mine(client, path) })
 * Source    docs/guarantees.md; the safety argument is that of Chubby's sequencers: a fenced resource sees growing
 *           tokens.
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, errorIs, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a lease that the suite calls. */
export interface TestedLease {
  /** Grows strictly from holder to holder. */
  readonly token: bigint
  /** Aborted with a `LEASE_LOST` error when the lease is lost. */
  readonly signal: AbortSignal
  /** `held`, `suspect`, `lost` or `released`. */
  readonly state: string
  /** Gives it back. Idempotent. */
  release(): Promise<void>
}

/** The part of a lock that the suite calls. */
export interface TestedLock {
  /** Waits for the lock; rejects with `TIMEOUT` or `ABORTED` when the wait is over before. */
  acquire(options?: { readonly signal?: AbortSignal; readonly waitMs?: number }): Promise<TestedLease>
  /** Gets the lock if it is free; otherwise null. */
  tryAcquire(): Promise<TestedLease | null>
}

/** The subject and options of {@link lockSuite}. */
export interface LockSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the lock at a path; nothing may be there yet. */
  readonly makeLock: (client: Client, path: string) => TestedLock
}

interface LockWorld {
  readonly world: RecipeWorld
  /** Makes the lock of this case, for one client. */
  readonly lockOf: (client: Client, name?: string) => TestedLock
}

const CONTENDERS = 5
const ROUNDS = 4
const SHORT_WAIT_MS = 30

const safetyCases: readonly Case<LockWorld>[] = [
  {
    name: 'of many contenders one holds at a time, and each gets its turn',
    run: async ({ world, lockOf }) => {
      const clients = await world.connectMany(CONTENDERS)
      const resource = new FencedCounter()
      const work = clients.map(async (client) => {
        for (let round = 0; round < ROUNDS; round++) {
          const lease = await lockOf(client).acquire()
          await resource.increment(lease.token, () => client.sync())
          await lease.release()
        }
      })
      await Promise.all(work)
      equal(resource.value, CONTENDERS * ROUNDS, 'value of a counter that is read, and written a while later')
    },
  },
  {
    name: 'contenders of one client exclude each other too',
    run: async ({ world, lockOf }) => {
      const client = await world.connect()
      const resource = new FencedCounter()
      const work = Array.from({ length: CONTENDERS }, async () => {
        const lease = await lockOf(client).acquire()
        await resource.increment(lease.token, () => client.sync())
        await lease.release()
      })
      await Promise.all(work)
      equal(resource.value, CONTENDERS, 'value of the counter')
    },
  },
  {
    name: 'tokens grow strictly, over releases, sessions and an empty lock',
    run: async ({ world, lockOf }) => {
      let last = 0n
      for (let round = 0; round < ROUNDS; round++) {
        const client = await world.connect()
        for (const acquire of [() => lockOf(client).acquire(), () => lockOf(client).tryAcquire()]) {
          const lease = await acquire()
          ok(lease !== null, 'a free lock can be had')
          ok(lease.token > last, `token ${lease.token} is above the last one, ${last}`)
          last = lease.token
          await lease.release()
        }
        await client.close()
      }
    },
  },
  {
    name: 'locks on two paths have nothing to do with each other',
    run: async ({ world, lockOf }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      const lease = await lockOf(a, 'one').acquire()
      const other = await lockOf(b, 'two').tryAcquire()
      equal([lease.state, other?.state], ['held', 'held'], 'states of the two leases')
    },
  },
]

const waitingCases: readonly Case<LockWorld>[] = [
  {
    name: 'tryAcquire of a free lock gets it, and of a taken one answers null and leaves nothing',
    run: async ({ world, lockOf }) => {
      const [holder, other] = await twoClients(world)
      const lease = await lockOf(holder).tryAcquire()
      equal(lease?.state, 'held', 'state of the lease of a free lock')
      const before = await world.ephemerals(holder)
      equal(await lockOf(other).tryAcquire(), null, 'tryAcquire of a taken lock')
      equal(await lockOf(holder).tryAcquire(), null, 'tryAcquire of a taken lock by the client that has it')
      equal(await world.ephemerals(holder), before, 'ephemeral nodes after both')
    },
  },
  {
    name: 'a wait that lasts too long rejects with TIMEOUT and leaves nothing',
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      const before = await world.ephemerals(holder)
      const call = world.answer(lockOf(waiter).acquire({ waitMs: SHORT_WAIT_MS }), 'acquire')
      await rejects(call, { code: 'TIMEOUT', outcome: 'aborted' }, 'a wait that lasts too long')
      equal(await world.ephemerals(holder), before, 'ephemeral nodes after the wait')
      await lease.release()
      const next = await world.answer(lockOf(waiter).acquire(), 'the next acquire')
      ok(next.token > lease.token, 'the lock works as before')
    },
  },
  {
    name: 'a wait that is aborted rejects with ABORTED and the reason, and leaves nothing',
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      const before = await world.ephemerals(holder)
      const controller = new AbortController()
      const reason = new Error('given up')
      const call = world.answer(lockOf(waiter).acquire({ signal: controller.signal }), 'acquire')
      setTimeout(() => controller.abort(reason), SHORT_WAIT_MS)
      const error = await rejects(call, { code: 'ABORTED', outcome: 'aborted' }, 'an aborted wait')
      ok(error.cause === reason, 'the cause of the error is the reason of the signal')
      equal(await world.ephemerals(holder), before, 'ephemeral nodes after the wait')
      equal(lease.state, 'held', 'state of the holder')
    },
  },
  {
    name: 'a signal that is aborted already gets nothing, even of a free lock',
    run: async ({ world, lockOf }) => {
      const client = await world.connect()
      const call = lockOf(client).acquire({ signal: AbortSignal.abort(new Error('given up')) })
      await rejects(call, { code: 'ABORTED' }, 'an acquire with an aborted signal')
      equal(await world.ephemerals(client), [], 'ephemeral nodes')
    },
  },
  {
    name: 'when waiters give up, those who still wait get the lock',
    run: async ({ world, lockOf }) => {
      const clients = await world.connectMany(CONTENDERS)
      const [holder, ...waiters] = clients
      ok(holder !== undefined, 'there is a holder')
      const lease = await lockOf(holder).acquire()
      const waits = waiters.map((client, index) => {
        return lockOf(client).acquire(index % 2 === 0 ? { waitMs: SHORT_WAIT_MS } : {})
      })
      const impatient = waits.filter((_, index) => index % 2 === 0)
      await Promise.all(impatient.map((wait) => rejects(wait, { code: 'TIMEOUT' }, 'an impatient wait')))
      await lease.release()
      const patient = waits.filter((_, index) => index % 2 === 1).map(async (wait) => (await wait).release())
      await world.answer(Promise.all(patient), 'the patient waits')
      equal(await world.ephemerals(holder), [], 'ephemeral nodes in the end')
    },
  },
]

const endingCases: readonly Case<LockWorld>[] = [
  {
    name: 'a release passes the lock on, may be repeated, and leaves nothing',
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      equal([lease.state, lease.signal.aborted], ['held', false], 'state and signal of a lease')
      const waiting = lockOf(waiter).acquire()
      await Promise.all([lease.release(), lease.release()])
      const next = await world.answer(waiting, 'the wait for the lock')
      await lease.release()
      equal([lease.state, next.state], ['released', 'held'], 'states after a second release')
      await next.release()
      equal(await world.ephemerals(holder), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'a close of the client releases its lock and ends its waits',
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      const { length: nodes } = await world.ephemerals(waiter)
      const waiting = lockOf(waiter).acquire()
      const ended = rejects(lockOf(holder).acquire(), { code: 'CLIENT_CLOSED' }, 'a wait of the client that is closed')
      await world.answer(holder.close(), 'close')
      await world.answer(ended, 'the wait of the client that was closed')
      const next = await world.answer(waiting, 'the wait for the lock')
      ok(lease.state !== 'held', 'the lease of a closed client is not held')
      ok(next.token > lease.token, 'the next token is greater')
      equal((await world.ephemerals(waiter)).length, nodes, 'number of ephemeral nodes: those of the new holder')
    },
  },
  {
    name: 'a holder that loses its session is told by its signal, and the lock goes on',
    needs: ['expire'],
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      const waiting = lockOf(waiter).acquire()
      await world.expire(holder)
      await world.eventually(() => lease.signal.aborted, 'the signal of the lease is aborted')
      errorIs(lease.signal.reason, { code: 'LEASE_LOST', outcome: 'lost' }, 'the reason of the signal')
      equal(lease.state, 'lost', 'state of the lease')
      const next = await world.answer(waiting, 'the wait for the lock')
      ok(next.token > lease.token, 'the next token is greater')
      await lease.release()
      equal([lease.state, next.state], ['lost', 'held'], 'states after a release of the lost lease')
    },
  },
  {
    name: 'a waiter that loses its session harms nobody',
    needs: ['expire'],
    run: async ({ world, lockOf }) => {
      const [holder, lost, waiter] = await world.connectMany(CONTENDERS)
      ok(holder !== undefined && lost !== undefined && waiter !== undefined, 'three clients')
      const lease = await lockOf(holder).acquire()
      // Some locks reject when the session of a waiter is over, some go on with the next one.
      const losing = lockOf(lost)
        .acquire({ waitMs: world.patienceMs })
        .then((late) => late.release(), (error: unknown) => errorIs(error, { code: 'SESSION_EXPIRED' }, 'it'))
      const waiting = lockOf(waiter).acquire()
      await world.expire(lost)
      equal(lease.state, 'held', 'state of the holder')
      await lease.release()
      await (await world.answer(waiting, 'the wait for the lock')).release()
      await losing
      equal(await world.ephemerals(holder), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'a connection that breaks for a moment costs neither the holder nor a waiter its place',
    needs: ['disconnect'],
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      const waiting = lockOf(waiter).acquire()
      await world.interrupt(holder)
      await world.interrupt(waiter)
      await world.eventually(() => lease.state === 'held', 'the lease is held')
      equal(lease.signal.aborted, false, 'whether the signal is aborted')
      await lease.release()
      const next = await world.answer(waiting, 'the wait for the lock')
      ok(next.token > lease.token, 'the next token is greater')
    },
  },
]

const identityCases: readonly Case<LockWorld>[] = [
  {
    name: 'a release that comes after somebody deleted the node of the holder leaves the next holder alone',
    run: async ({ world, lockOf }) => {
      const [first, second, third] = await world.connectMany(3)
      ok(first !== undefined && second !== undefined && third !== undefined, 'three clients')
      for (let round = 0; round < ROUNDS; round++) {
        const lease = await lockOf(first).acquire()
        const deletion = await world.deletionOfEphemerals(third)
        const deleting = deletion()
        // In one turn: the holder does not know yet.
        const taking = lockOf(second).acquire()
        const releasing = lease.release()
        await deleting
        const next = await world.answer(taking, 'the acquire after the deletion')
        await world.answer(releasing, 'the late release')
        equal(await lockOf(third).tryAcquire(), null, 'tryAcquire of a third one')
        equal(next.state, 'held', 'state of the next holder')
        await next.release()
      }
      equal(await world.ephemerals(third), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'who releases in the listener that hears of the loss has lost it already, and harms nobody',
    run: async ({ world, lockOf }) => {
      const [holder, waiter] = await twoClients(world)
      const lease = await lockOf(holder).acquire()
      const heard: string[] = []
      const releasing = new Promise<void>((resolve, reject) => {
        lease.signal.addEventListener('abort', () => {
          heard.push(lease.state)
          lease.release().then(resolve, reject)
        })
      })
      const deletion = await world.deletionOfEphemerals(waiter)
      const deleting = deletion()
      const taking = lockOf(waiter).acquire()
      await deleting
      await world.answer(releasing, 'the release in the listener')
      const next = await world.answer(taking, 'the acquire after the deletion')
      equal([heard, lease.state, next.state], [['lost'], 'lost', 'held'], 'states when it was heard, and in the end')
      equal(await lockOf(holder).tryAcquire(), null, 'tryAcquire of who has lost it')
      await next.release()
    },
  },
]

const CASES: readonly Case<LockWorld>[] = [...safetyCases, ...waitingCases, ...endingCases, ...identityCases]

/**
 * Registers the cases that every lock has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the lock to test
 */
export function lockSuite(runner: Runner, options: LockSuiteOptions): void {
  registerRecipe(runner, `lock ${options.name}`, options, CASES, (world) => {
    return { world, lockOf: (client, name = 'lock') => options.makeLock(client, world.path(name)) }
  })
}

/** A resource that a lock guards: it refuses tokens below the last one, and notices two users at a time. */
class FencedCounter {
  value = 0
  #token = 0n
  #holders = 0

  /** Counts up with a pause between reading and writing. */
  async increment(token: bigint, pause: () => Promise<unknown>): Promise<void> {
    ok(token > this.#token, `token ${token} is above the last one, ${this.#token}`)
    this.#token = token
    equal(++this.#holders, 1, 'number of holders')
    const read = this.value
    await pause()
    this.value = read + 1
    this.#holders--
  }
}

async function twoClients(world: RecipeWorld): Promise<readonly [Client, Client]> {
  return [await world.connect(), await world.connect()]
}
