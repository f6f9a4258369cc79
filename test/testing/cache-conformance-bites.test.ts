/**
 * The suite of caches must find what it is there to find: each of these breaks one promise, and the case that is named
 * has to say so.
 */
import type { Client } from '../../src/core/client.ts'
import { TreeCache } from '../../src/recipes/caches/tree-cache.ts'
import { cacheSuite } from '../../src/testing/index.ts'
import type { TestedCache, TestedCacheChange } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type MakeCache = (client: Client, path: string) => TestedCache

/** Changes what a cache tells; null leaves it out. */
function telling(change: (told: TestedCacheChange, client: Client) => TestedCacheChange | null): MakeCache {
  return (client, path) => {
    const cache = sound(client, path)
    const subscribe = (listener: (change: TestedCacheChange) => void): unknown => cache.subscribe((told) => {
      const changed = change(told, client)
      if (changed !== null) listener(changed)
    })
    return altered(cache, { subscribe })
  }
}

function altered(cache: TestedCache, changes: Partial<TestedCache>): TestedCache {
  return {
    get stale() {
      return cache.stale
    },
    ready: () => cache.ready(),
    nodes: () => cache.nodes(),
    subscribe: (listener) => cache.subscribe(listener),
    close: () => cache.close(),
    ...changes,
  }
}

const sound: MakeCache = (client, path) => {
  const cache = new TreeCache(client, path)
  return {
    get stale() {
      return cache.stale
    },
    ready: () => cache.ready(),
    nodes: () => cache.nodes,
    subscribe: (listener) => cache.subscribe(listener),
    close: () => cache.close(),
  }
}

const BROKEN: readonly Broken<MakeCache>[] = [
  {
    what: 'it is ready before it has read',
    make: (client, path) => altered(sound(client, path), { ready: () => Promise.resolve() }),
    caughtBy: 'begins with what is there, and has it when it is ready',
  },
  {
    what: 'it makes the node that is missing',
    make: (client, path) => altered(sound(client, path), { ready: () => client.makePath(path) }),
    caughtBy: 'is ready where there is nothing, and writes nothing',
  },
  {
    what: 'it keeps the end of a node to itself',
    make: telling((told) => ({ ...told, removed: [] })),
    caughtBy: 'tells what is added, changed and removed, with the data before and after',
  },
  {
    what: 'it passes over a write of the same bytes',
    make: telling(({ changed, ...told }) => {
      return { ...told, changed: changed.filter(({ before, after }) => String(before.data) !== String(after.data)) }
    }),
    caughtBy: 'tells a write of the same bytes',
  },
  {
    what: 'a node that was made again counts as changed',
    make: telling((told) => {
      const [before] = told.removed
      const [after] = told.added
      return before === undefined || after === undefined
        ? told
        : { ...told, added: [], removed: [], changed: [{ before, after }] }
    }),
    caughtBy: 'tells a node that was deleted and made again as removed and as added',
  },
  {
    what: 'it tells each node apart',
    make: (client, path) => {
      const cache = sound(client, path)
      const subscribe = (listener: (change: TestedCacheChange) => void): unknown => cache.subscribe((told) => {
        for (const one of told.changed) listener({ ...told, changed: [one] })
        if (told.changed.length === 0) listener(told)
      })
      return altered(cache, { subscribe })
    },
    caughtBy: 'tells together what was written together, and comes to the last of many writes',
  },
  {
    what: 'it does not say that it is stale',
    make: (client, path) => {
      const cache = altered(sound(client, path), {})
      return Object.defineProperty(cache, 'stale', { value: false })
    },
    caughtBy: 'is stale while it is out of touch, stays readable, and misses nothing of what came meanwhile',
  },
  {
    what: 'it ends with its session',
    make: (client, path) => {
      const cache = sound(client, path)
      const { sessionId } = client
      client.onState(() => {
        if (client.sessionId !== sessionId) void cache.close()
      })
      return cache
    },
    caughtBy: 'goes on with the next session',
  },
  {
    what: 'it goes on when it is closed',
    make: (client, path) => altered(sound(client, path), { close: () => Promise.resolve() }),
    caughtBy: 'tells nothing once it is closed, and stays readable',
  },
]

bites('cache', BROKEN, sound, (engine, makeCache) => {
  return collectedCases((runner) => {
    cacheSuite(runner, { ...engine, makeCache, nodesIn: (path) => [`${path}/x`, `${path}/y/z`] })
  })
})
