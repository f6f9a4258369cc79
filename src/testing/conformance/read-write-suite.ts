/**
 * The conformance suite of read-write locks: what both sides have to keep beside what every lock does. The writer's
 * side has to pass {@link lockSuite} too.
 *
 * Use       readWriteSuite({ describe, it }, { name, connect, makeLock: (client, path) => new Mine(client, path) })
 * Source    docs/guide/read-write-lock.md
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import type { TestedLease, TestedLock } from './lock-suite.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of one side of a read-write lock that the suite calls. */
export interface TestedSide extends TestedLock {
  /** Acquires, runs the work, releases. */
  using<T>(work: (lease: TestedLease) => Promise<T>): Promise<T>
}

/** The part of a read-write lock that the suite calls. */
export interface TestedReadWriteLock {
  /** Those who read. */
  readonly reader: TestedSide
  /** Those who write. */
  readonly writer: TestedSide
  /** Takes a reader's lease in place of a writer's. */
  downgrade(lease: TestedLease): Promise<TestedLease>
}

/** The subject and options of {@link readWriteSuite}. */
export interface ReadWriteSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the lock at a path; nothing may be there yet. */
  readonly makeLock: (client: Client, path: string) => TestedReadWriteLock
}

interface ReadWriteWorld {
  readonly world: RecipeWorld
  /** Makes the lock of this case, for one client. */
  readonly lockOf: (client: Client) => TestedReadWriteLock
  /** The same for a client of its own. */
  readonly connect: () => Promise<TestedReadWriteLock>
}

const ROUNDS = 3
const READERS = 3
/** How long something that must not happen has time to. */
const STILL_MS = 150

const CASES: readonly Case<ReadWriteWorld>[] = [
  {
    name: 'readers hold together, and no writer beside them',
    run: async ({ world, connect }) => {
      const [one, two, writing] = await Promise.all([connect(), connect(), connect()])
      const leases = await Promise.all([one.reader.acquire(), two.reader.acquire(), two.reader.acquire()])
      equal(leases.map(({ state }) => state), ['held', 'held', 'held'], 'states of the readers')
      equal(await writing.writer.tryAcquire(), null, 'tryAcquire of a writer beside readers')
      const waiting = writing.writer.acquire()
      for (const lease of leases) await lease.release()
      const writer = await world.answer(waiting, 'the wait of the writer')
      equal(await one.reader.tryAcquire(), null, 'tryAcquire of a reader beside a writer')
      await writer.release()
    },
  },
  {
    name: 'who reads and who writes is never at it together, and everybody gets its turn',
    run: async ({ connect }) => {
      const book = new Book()
      const turns = Array.from({ length: READERS + 2 }, async (_, index) => {
        const lock = await connect()
        for (let round = 0; round < ROUNDS; round++) {
          await (index < READERS ? lock.reader.using(() => book.read()) : lock.writer.using(() => book.write()))
        }
      })
      await Promise.all(turns)
      equal(book.writes, 2 * ROUNDS, 'writes')
    },
  },
  {
    name: 'a reader waits for a writer that waits, so that no writer starves',
    run: async ({ world, connect }) => {
      const [first, writing, second] = await Promise.all([connect(), connect(), connect()])
      const reader = await first.reader.acquire()
      const order: string[] = []
      const writer = writing.writer.using(async () => void order.push('writer'))
      await untilWriterWaits(world, second)
      const late = second.reader.using(async () => void order.push('reader'))
      await still()
      equal(order, [], 'who got in beside the reader')
      await reader.release()
      await world.answer(Promise.all([writer, late]), 'the two that wait')
      equal(order, ['writer', 'reader'], 'order of the two')
    },
  },
  {
    name: 'readers after a writer that gives up enter beside those before it',
    run: async ({ world, connect }) => {
      const [first, writing, second] = await Promise.all([connect(), connect(), connect()])
      await first.reader.acquire()
      const giveUp = new AbortController()
      const refused = rejects(writing.writer.acquire({ signal: giveUp.signal }), { code: 'ABORTED' }, 'the writer')
      await untilWriterWaits(world, second)
      const late = second.reader.acquire()
      giveUp.abort()
      await refused
      equal((await world.answer(late, 'the reader after it')).state, 'held', 'state of the reader')
    },
  },
  {
    name: 'a writer that downgrades lets readers in, keeps writers out, and keeps its token',
    run: async ({ world, connect }) => {
      const [lock, writing, reading] = await Promise.all([connect(), connect(), connect()])
      const writer = await lock.writer.acquire()
      const early = reading.reader.acquire()
      const admin = await world.connect()
      await world.eventually(async () => (await world.ephemerals(admin)).length === 2, 'the reader waits')
      const next = writing.writer.acquire()
      const reader = await world.answer(lock.downgrade(writer), 'the downgrade')
      equal([reader.state, reader.token], ['held', writer.token], 'state and token of the reader')
      const other = await world.answer(early, 'a reader that waited for the writer')
      const waits = await Promise.race([next.then(() => 'a writer got in'), still()])
      equal(waits, undefined, 'who got in beside the readers')
      await other.release()
      await reader.release()
      const last = await world.answer(next, 'the next writer')
      ok(last.token > reader.token, 'its token is greater')
    },
  },
  {
    name: 'a reader that would write within its work is refused, and a writer that would read',
    run: async ({ world, connect }) => {
      const lock = await connect()
      for (const [outer, inner] of [[lock.reader, lock.writer], [lock.writer, lock.reader]] as const) {
        const call = outer.using(() => inner.acquire())
        await rejects(world.answer(call, 'the call'), { code: 'ALREADY_HELD', outcome: 'not-sent' }, 'the inner call')
      }
      await (await lock.writer.acquire()).release()
    },
  },
  {
    name: 'a writer that loses its session is told, and the readers after it get in',
    needs: ['expire'],
    run: async ({ world, lockOf }) => {
      const [holder, other] = [await world.connect(), await world.connect()]
      const writer = await lockOf(holder).writer.acquire()
      const waiting = lockOf(other).reader.acquire()
      await world.expire(holder)
      await world.eventually(() => writer.signal.aborted, 'the signal of the writer is aborted')
      const reader = await world.answer(waiting, 'the reader')
      ok(reader.token > writer.token, 'the token of the reader is greater')
    },
  },
]

/**
 * Registers the cases that every read-write lock has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the lock to test
 */
export function readWriteSuite(runner: Runner, options: ReadWriteSuiteOptions): void {
  registerRecipe(runner, `read-write lock ${options.name}`, options, CASES, (world) => {
    const lockOf = (client: Client): TestedReadWriteLock => options.makeLock(client, world.path('lock'))
    return { world, lockOf, connect: async () => lockOf(await world.connect()) }
  })
}

/** A resource that a read-write lock guards: it notices who uses it together. */
class Book {
  writes = 0
  #readers = 0
  #writers = 0

  async read(): Promise<void> {
    this.#readers++
    await this.#look()
    this.#readers--
  }

  async write(): Promise<void> {
    this.#writers++
    await this.#look()
    equal(this.#readers, 0, 'readers beside a writer')
    this.writes++
    this.#writers--
  }

  async #look(): Promise<void> {
    for (const isLate of [false, true]) {
      if (isLate) await new Promise((resolve) => setTimeout(resolve, 1))
      ok(this.#writers === 0 || (this.#writers === 1 && this.#readers === 0), 'a writer is alone')
    }
  }
}

/** Waits until somebody waits to write. */
function untilWriterWaits(world: RecipeWorld, { reader }: TestedReadWriteLock): Promise<void> {
  const waits = async (): Promise<boolean> => {
    const lease = await reader.tryAcquire()
    await lease?.release()
    return lease === null
  }
  return world.eventually(waits, 'a writer waits')
}

async function still(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, STILL_MS))
}
