/**
 * The conformance suite of guarded writes: a multi that begins with the check of a lease is refused by the servers once
 * that lease is over, whatever its holder believes.
 *
 * Use       fencingSuite({ describe, it }, { name, connect, acquire: (client, path) => ... })
 * Source    decisions 0010 and 0012; M. Kleppmann, "How to do distributed locking" (2016).
 */
import type { Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { bytes, text } from './case.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a lease that the suite calls. */
export interface TestedHolding {
  /** The holder's node. */
  readonly path: string
  /** The first part of a guarded write. */
  check(): Operation
  /** Gives it back. */
  release(): Promise<void>
}

/** The subject and options of {@link fencingSuite}. */
export interface FencingSuiteOptions extends RecipeSuiteOptions {
  /** Acquires the lock at a path for a client; nothing may be there yet. */
  readonly acquire: (client: Client, path: string) => Promise<TestedHolding>
}

interface FencingWorld {
  readonly world: RecipeWorld
  /** Acquires the lock of this case. */
  readonly acquire: (client: Client) => Promise<TestedHolding>
}

const FIRST = 'first'

const CASES: readonly Case<FencingWorld>[] = [
  {
    name: 'a holder writes, all or nothing',
    run: async ({ world, acquire }) => {
      const { holder, guarded } = await Guarded.make(world)
      const lease = await acquire(holder)
      await guarded.allows(holder, lease, 'one')
      equal(await guarded.read(), 'one', 'what is guarded')
      const overtaken = holder.multi([
        lease.check(),
        { type: 'create', path: world.path('made'), data: bytes(''), mode: 'persistent' },
        { type: 'set', path: guarded.path, data: bytes('two'), version: 0 },
      ])
      await rejects(overtaken, { code: 'BAD_VERSION', index: 2 }, 'a guarded multi that another part refuses')
      equal(await holder.exists(world.path('made')), null, 'what that multi would have made')
      await lease.release()
    },
  },
  {
    name: 'a holder whose node was deleted is refused',
    run: async ({ world, acquire }) => {
      const { holder, other, guarded } = await Guarded.make(world)
      const lease = await acquire(holder)
      await other.delete(lease.path)
      await guarded.refuses(holder, lease, 'NO_NODE')
    },
  },
  {
    name: 'a holder whose node was deleted and made again by another is refused',
    run: async ({ world, acquire }) => {
      const { holder, other, guarded } = await Guarded.make(world)
      const lease = await acquire(holder)
      await other.multi([
        { type: 'delete', path: lease.path, version: -1 },
        { type: 'create', path: lease.path, data: bytes(''), mode: 'ephemeral', owned: true },
      ])
      await guarded.refuses(holder, lease, 'BAD_VERSION')
      await guarded.refuses(other, lease, 'BAD_VERSION')
    },
  },
  {
    name: 'a holder that released is refused, and the next one is not',
    run: async ({ world, acquire }) => {
      const { holder, other, guarded } = await Guarded.make(world)
      const lease = await acquire(holder)
      await lease.release()
      const next = await acquire(other)
      await guarded.refuses(holder, lease, next.path === lease.path ? 'BAD_VERSION' : 'NO_NODE')
      await guarded.allows(other, next, 'next')
      await next.release()
    },
  },
  {
    name: 'a holder that lost its session is refused on its next one, and the next holder is not',
    needs: ['expire'],
    run: async ({ world, acquire }) => {
      const { holder, other, guarded } = await Guarded.make(world)
      const lease = await acquire(holder)
      await world.expire(holder)
      const next = await world.answer(acquire(other), 'the wait of the next holder')
      await world.reconnect(holder)
      await guarded.refuses(holder, lease, next.path === lease.path ? 'BAD_VERSION' : 'NO_NODE')
      await guarded.allows(other, next, 'next')
      await next.release()
    },
  },
]

/**
 * Registers the cases that every lease with a check has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the lock to test
 */
export function fencingSuite(runner: Runner, options: FencingSuiteOptions): void {
  registerRecipe(runner, `guarded writes of ${options.name}`, options, CASES, (world) => {
    return { world, acquire: (client) => options.acquire(client, world.path('lock')) }
  })
}

/** A node that only a holder may write. */
class Guarded {
  readonly path: string
  readonly #reader: Client

  private constructor(path: string, reader: Client) {
    this.path = path
    this.#reader = reader
  }

  /** Makes it, and two clients that may come to hold the lock. */
  static async make(world: RecipeWorld): Promise<{ holder: Client; other: Client; guarded: Guarded }> {
    const [holder, other] = [await world.connect(), await world.connect()]
    const { path } = await other.create(world.path('guarded'), FIRST)
    return { holder, other, guarded: new Guarded(path, other) }
  }

  async read(): Promise<string> {
    await this.#reader.sync(this.path)
    return text((await this.#reader.get(this.path)).data)
  }

  /** Expects that a write is done. */
  async allows(client: Client, lease: TestedHolding, value: string): Promise<void> {
    const done = await this.#write(client, lease, value).then(() => true, () => false)
    ok(done, 'a write under a lease that is held is done')
  }

  /** Expects that a write is refused, and changes nothing. */
  async refuses(client: Client, lease: TestedHolding, code: 'NO_NODE' | 'BAD_VERSION'): Promise<void> {
    const expected = { code, outcome: 'rejected', index: 0 } as const
    await rejects(this.#write(client, lease, 'stale'), expected, 'a write under a lease that is over')
    equal(await this.read(), FIRST, 'what is guarded, after that')
  }

  #write(client: Client, lease: TestedHolding, value: string): Promise<unknown> {
    return client.multi([lease.check(), { type: 'set', path: this.path, data: bytes(value), version: -1 }])
  }
}
