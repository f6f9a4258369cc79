/**
 * The conformance suite of caches: a local copy of nodes that comes to the last state, and tells each step to it.
 *
 * Use       cacheSuite({ describe, it }, { name: 'mine', connect, makeCache: (client, path) => ..., nodesIn })
 * Replay    each step of a cache is applied to the steps before: it adds what was not there, changes and removes
 *           what was.
 */
import type { Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { ConformanceError, equal, ok, show } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** A node as a cache tells it. */
export interface TestedCacheNode {
  /** Where it is. */
  readonly path: string
  /** Its data. */
  readonly data: Uint8Array
  /** Which write that was. */
  readonly stat: Stat
}

/** A step that a cache tells. */
export interface TestedCacheChange {
  /** Nodes that are there now and were not. */
  readonly added: readonly TestedCacheNode[]
  /** Nodes whose data were written. */
  readonly changed: readonly { readonly before: TestedCacheNode; readonly after: TestedCacheNode }[]
  /** Nodes that are gone. */
  readonly removed: readonly TestedCacheNode[]
  /** Whether everything was read again after a reconnect. */
  readonly resync: boolean
}

/** The part of a cache that the suite calls. */
export interface TestedCache {
  /** Whether it may be older than what the servers have. */
  readonly stale: boolean
  /** Waits until everything was read once. */
  ready(): Promise<unknown>
  /** The nodes that are known. */
  nodes(): readonly TestedCacheNode[]
  /** Calls a listener with every step, the first from nothing. */
  subscribe(listener: (change: TestedCacheChange) => void): unknown
  /** Ends it. */
  close(): Promise<void>
}

/** The subject and options of {@link cacheSuite}. */
export interface CacheSuiteOptions extends RecipeSuiteOptions {
  /** Makes a cache at a path. */
  readonly makeCache: (client: Client, path: string) => TestedCache
  /** Paths of nodes without children that a cache at this path has, once they are there; one or more. */
  readonly nodesIn: (path: string) => readonly [string, ...string[]]
}

interface CacheWorld {
  readonly world: RecipeWorld
  readonly makeCache: CacheSuiteOptions['makeCache']
  readonly nodesIn: CacheSuiteOptions['nodesIn']
}

/** A cache, and all steps that it has published. */
interface Followed {
  readonly cache: TestedCache
  readonly changes: TestedCacheChange[]
  /** The data of each node of the suite, by its path, as all steps make them. */
  readonly told: () => Record<string, string>
  /** The same, as the cache has them. */
  readonly known: () => Record<string, string>
}

const ROUNDS = 20

const CASES: readonly Case<CacheWorld>[] = [
  {
    name: 'begins with what is there, and has it when it is ready',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      await make(writer, paths, 'first')
      // Its server may be behind the writer's, and a cache begins with what its server has.
      await client.sync()
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await world.answer(followed.cache.ready(), 'ready')
      equal(followed.known(), all(paths, 'first'), 'what it has')
      equal(followed.cache.stale, false, 'whether it is stale')
      await comesTo(world, followed, all(paths, 'first'))
    },
  },
  {
    name: 'is ready where there is nothing, and writes nothing',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, reader] = [await world.connect(), await world.connect()]
      const followed = follow(makeCache(client, world.path('cache')), nodesIn(world.path('cache')))
      await world.answer(followed.cache.ready(), 'ready')
      equal(followed.known(), {}, 'what it has')
      equal((await reader.children(world.base)).names, [], 'what is there')
    },
  },
  {
    name: 'tells what is added, changed and removed, with the data before and after',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      const [path] = paths
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await world.answer(followed.cache.ready(), 'ready')
      await make(writer, paths, 'one')
      await comesTo(world, followed, all(paths, 'one'))
      await writer.set(path, 'two')
      await comesTo(world, followed, { ...all(paths, 'one'), [path]: 'two' })
      const change = followed.changes.at(-1)
      const data = change?.changed.map(({ before, after }) => [text(before), text(after)])
      equal(data, [['one', 'two']], 'data of a change')
      await writer.delete(path)
      await world.eventually(() => followed.told()[path] === undefined, 'the end of the node is told')
      equal(followed.changes.at(-1)?.removed.map(text), ['two'], 'data of what is removed')
    },
  },
  {
    name: 'tells a write of the same bytes',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      await make(writer, paths, 'same')
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await comesTo(world, followed, all(paths, 'same'))
      const { version } = await writer.set(paths[0], 'same')
      const isTold = (): boolean => followed.changes.at(-1)?.changed[0]?.after.stat.version === version
      await world.eventually(isTold, 'the write is told')
    },
  },
  {
    name: 'tells a node that was deleted and made again as removed and as added',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      const [path] = paths
      await make(writer, paths, 'first')
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await comesTo(world, followed, all(paths, 'first'))
      const told = followed.changes.length
      const data = new TextEncoder().encode('first')
      await writer.multi([
        { type: 'delete', path, version: -1 },
        { type: 'create', path, data, mode: 'persistent' },
      ])
      await world.eventually(() => followed.changes.length > told, 'that is told')
      const { added, changed, removed } = followed.changes.at(-1) ?? NO_CHANGE
      const [before, after] = [removed[0]?.stat, added[0]?.stat]
      equal([removed.length, added.length, changed.length], [1, 1, 0], 'how many are removed, added and changed')
      ok(before !== undefined && after !== undefined && after.czxid > before.czxid, 'the added one is the later one')
    },
  },
  {
    name: 'tells together what was written together, and comes to the last of many writes',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      await make(writer, paths, '0')
      const cache = makeCache(client, world.path('cache'))
      const followed = follow(cache, paths, (state) => {
        const values = new Set(Object.values(state))
        if (values.size > 1) throw new ConformanceError(`told of a state that never was: ${JSON.stringify(state)}`)
      })
      await world.answer(cache.ready(), 'ready')
      for (let round = 1; round <= ROUNDS; round++) {
        const data = new TextEncoder().encode(String(round))
        await writer.multi(paths.map((path) => ({ type: 'set', path, data, version: -1 }) as const))
      }
      await comesTo(world, followed, all(paths, String(ROUNDS)))
    },
  },
  {
    name: 'is stale while it is out of touch, stays readable, and misses nothing of what came meanwhile',
    needs: ['disconnect'],
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      await make(writer, paths, 'old')
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await comesTo(world, followed, all(paths, 'old'))
      await world.disconnect(client)
      equal([followed.known(), Object.keys(followed.told()).length > 0], [all(paths, 'old'), true], 'what it has')
      if (client.state.status !== 'connected') equal(followed.cache.stale, true, 'whether it is stale')
      await writer.set(paths[0], 'new')
      await world.reconnect(client)
      await comesTo(world, followed, { ...all(paths, 'old'), [paths[0]]: 'new' })
      await world.eventually(() => followed.changes.some(({ resync }) => resync), 'it says that it read again')
      await world.eventually(() => !followed.cache.stale, 'it is not stale any more')
      await writer.set(paths[0], 'newer')
      await comesTo(world, followed, { ...all(paths, 'old'), [paths[0]]: 'newer' })
    },
  },
  {
    name: 'goes on with the next session',
    needs: ['expire'],
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      await make(writer, paths, 'old')
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await comesTo(world, followed, all(paths, 'old'))
      await world.expire(client)
      await writer.set(paths[0], 'new')
      await comesTo(world, followed, { ...all(paths, 'old'), [paths[0]]: 'new' })
      for (const path of paths) await writer.delete(path)
      await comesTo(world, followed, {})
      ok(followed.changes.some(({ resync }) => resync), 'it has said that it read again')
    },
  },
  {
    name: 'tells nothing once it is closed, and stays readable',
    run: async ({ world, makeCache, nodesIn }) => {
      const [client, writer] = [await world.connect(), await world.connect()]
      const paths = nodesIn(world.path('cache'))
      await make(writer, paths, 'last')
      const followed = follow(makeCache(client, world.path('cache')), paths)
      await comesTo(world, followed, all(paths, 'last'))
      const told = followed.changes.length
      await followed.cache.close()
      await writer.set(paths[0], 'later')
      // A second cache of the same client hears of it; an event for the first one has come by then.
      const second = follow(makeCache(client, world.path('cache')), paths)
      await comesTo(world, second, { ...all(paths, 'last'), [paths[0]]: 'later' })
      equal([followed.changes.length, followed.known()], [told, all(paths, 'last')], 'what was told, and what it has')
    },
  },
]

const NO_CHANGE: TestedCacheChange = { added: [], changed: [], removed: [], resync: false }

/** Follows a cache, and applies each step to those before. */
function follow(
  cache: TestedCache,
  paths: readonly string[],
  look: (state: Record<string, string>) => void = () => undefined,
): Followed {
  const changes: TestedCacheChange[] = []
  const nodes = new Map<string, TestedCacheNode>()
  let failure: Error | undefined
  cache.subscribe((change) => {
    changes.push(change)
    try {
      apply(change, nodes)
      look(dataOf(nodes.values(), paths))
    } catch (error) {
      failure ??= error instanceof Error ? error : new ConformanceError(show(error))
    }
  })
  const told = (): Record<string, string> => {
    if (failure !== undefined) throw failure
    return dataOf(nodes.values(), paths)
  }
  return { cache, changes, told, known: () => dataOf(cache.nodes(), paths) }
}

function apply({ added, changed, removed }: TestedCacheChange, nodes: Map<string, TestedCacheNode>): void {
  for (const { path } of removed) {
    if (!nodes.delete(path)) throw new ConformanceError(`told that ${path} is removed, of which it had told nothing`)
  }
  for (const node of added) {
    if (nodes.has(node.path)) throw new ConformanceError(`told that ${node.path} is added, which was there`)
    nodes.set(node.path, node)
  }
  for (const { before, after } of changed) {
    const known = nodes.get(after.path)
    if (known === undefined) throw new ConformanceError(`told that ${after.path} changed, of which it had told nothing`)
    equal(before.stat.mzxid, known.stat.mzxid, `the write before the change of ${after.path}`)
    ok(after.stat.mzxid > known.stat.mzxid, `the change of ${after.path} is a later write`)
    nodes.set(after.path, after)
  }
}

function dataOf(nodes: Iterable<TestedCacheNode>, paths: readonly string[]): Record<string, string> {
  const shown = [...nodes].filter(({ path }) => paths.includes(path)).map((node) => [node.path, text(node)] as const)
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function text({ data }: TestedCacheNode): string {
  return new TextDecoder().decode(data)
}

function all(paths: readonly string[], data: string): Record<string, string> {
  return Object.fromEntries([...paths].sort().map((path) => [path, data]))
}

async function make(client: Client, paths: readonly string[], data: string): Promise<void> {
  for (const path of paths) {
    await client.makePath(path.slice(0, path.lastIndexOf('/')), { mode: 'persistent' })
    await client.create(path, data)
  }
}

async function comesTo(world: RecipeWorld, followed: Followed, state: Record<string, string>): Promise<void> {
  const wanted = JSON.stringify(state)
  const isSo = (): boolean => JSON.stringify(followed.told()) === wanted && JSON.stringify(followed.known()) === wanted
  await world.eventually(isSo, `it has and has told ${wanted}`)
}

/**
 * Registers the cases that every cache has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the cache to test
 */
export function cacheSuite(runner: Runner, options: CacheSuiteOptions): void {
  const { makeCache, nodesIn } = options
  registerRecipe(runner, `cache ${options.name}`, options, CASES, (world) => ({ world, makeCache, nodesIn }))
}
