/**
 * The conformance suite of locks that can be asked for: a holder hears that it is to give up, and an operator can take
 * the lock from one that does not, and never from another.
 *
 * Use       revocationSuite({ describe, it }, { name, connect, makeLock: (client, path) => new Mine(client, path) })
 * Source    Curator Revoker
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal } from './expect.ts'
import type { TestedLease } from './lock-suite.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** A node, and the zxid of its creation. */
export interface TestedContender {
  /** Its node. */
  readonly path: string
  /** The zxid of the node's creation. */
  readonly token: bigint
}

/** The part of a revocable lease that the suite calls. */
export interface TestedRevocableLease extends TestedLease, TestedContender {
  /** Tells a listener of requests, also of one that came before. */
  onRevoke(listener: (request: { readonly reason: string }) => void): unknown
}

/** The part of a lock with revocable leases that the suite calls. */
export interface TestedRevocableLock {
  /** Waits for the lock. */
  acquire(options: { readonly revocable: true }): Promise<TestedRevocableLease>
  /** Asks all who hold, or one; resolves with those that were asked. */
  revoke(options: { readonly reason?: string; readonly contender?: TestedContender }): Promise<TestedContender[]>
  /** Takes it from its holder. */
  evict(contender: TestedContender): Promise<void>
}

/** The subject and options of {@link revocationSuite}. */
export interface RevocationSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the lock at a path; nothing may be there yet. */
  readonly makeLock: (client: Client, path: string) => TestedRevocableLock
}

interface RevocationWorld {
  readonly world: RecipeWorld
  readonly lockOf: (client: Client) => TestedRevocableLock
}

const CASES: readonly Case<RevocationWorld>[] = [
  {
    name: 'a holder hears each request and its reason, and holds until it releases',
    run: async ({ world, lockOf }) => {
      const [holder, other] = [await world.connect(), await world.connect()]
      const lease = await lockOf(holder).acquire({ revocable: true })
      const heard: string[] = []
      lease.onRevoke(({ reason }) => heard.push(reason))
      for (const reason of ['a deploy', '']) {
        const asked = await lockOf(other).revoke(reason === '' ? {} : { reason })
        equal(asked.map(({ path, token }) => ({ path, token })), [{ path: lease.path, token: lease.token }], 'asked')
        await world.eventually(() => heard.at(-1) === reason, `the holder hears ${JSON.stringify(reason)}`)
      }
      equal([heard, lease.state], [['a deploy', ''], 'held'], 'requests that were heard, and the state')
      await lease.release()
      equal(await lockOf(other).revoke({}), [], 'those who were asked when nobody held')
    },
  },
  {
    name: 'an evicted holder loses its lease, and the next one gets the lock',
    run: async ({ world, lockOf }) => {
      const [holder, other] = [await world.connect(), await world.connect()]
      const lease = await lockOf(holder).acquire({ revocable: true })
      await lockOf(other).evict(lease)
      await world.eventually(() => lease.signal.aborted, 'the signal of the evicted one is aborted')
      const next = await lockOf(other).acquire({ revocable: true })
      equal([lease.state, next.state, next.token > lease.token], ['lost', 'held', true], 'states, and whether it grew')
      await lockOf(holder).evict(lease)
      await other.sync()
      equal([next.state, (await other.exists(next.path))?.czxid], ['held', next.token], 'the next one and its node')
      await next.release()
    },
  },
  {
    name: 'a node that came to the same path is neither asked nor evicted',
    run: async ({ world, lockOf }) => {
      const [holder, other] = [await world.connect(), await world.connect()]
      const { path, token, signal } = await lockOf(holder).acquire({ revocable: true })
      // At once: a parent without children may be removed.
      await other.multi([
        { type: 'delete', path, version: -1 },
        { type: 'create', path, data: new TextEncoder().encode('another'), mode: 'ephemeral' },
      ])
      await world.eventually(() => signal.aborted, 'the signal is aborted')
      equal(await lockOf(holder).revoke({ contender: { path, token } }), [], 'those who were asked')
      await lockOf(holder).evict({ path, token })
      await other.sync()
      const found = await other.get(path).then(({ data }) => new TextDecoder().decode(data), () => 'nothing')
      equal(found, 'another', 'what is at that path')
    },
  },
]

/**
 * Registers the cases that every lock that can be asked for has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the lock to test
 */
export function revocationSuite(runner: Runner, options: RevocationSuiteOptions): void {
  registerRecipe(runner, `revocation of ${options.name}`, options, CASES, (world) => {
    return { world, lockOf: (client) => options.makeLock(client, world.path('lock')) }
  })
}
