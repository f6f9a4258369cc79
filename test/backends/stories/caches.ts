/** The parts of the caches: one client writes several nodes together, and all look at them. */
import { ChildrenCache, NodeCache, TreeCache, isCoordinationError } from 'quorate'
import type { CacheBase, Client, MirrorNode } from 'quorate'
import { part, wentBack } from './part.ts'
import type { Part } from './part.ts'

interface CacheSaid {
  readonly type: 'wrote' | 'saw'
  /** The numbers in the nodes: one if they are of one moment. */
  readonly values: readonly number[]
}

/** A kind of cache. */
interface CacheKind {
  readonly path: string
  /** The nodes that it is of, whose numbers are written together. */
  readonly nodes: readonly string[]
  readonly make: (client: Client, path: string) => { readonly cache: CacheBase; readonly nodes: () => MirrorNode[] }
}

function cachePart(title: string, { path, nodes, make }: CacheKind): Part {
  return part<CacheSaid>(title, {
    paths: [],
    prepare: async (client) => {
      for (const node of [path, ...nodes]) {
        await client.makePath(node.slice(0, node.lastIndexOf('/')), { mode: 'persistent' })
        await client.create(node, '0').catch(unlessThere)
      }
    },
    open: ({ client, isLead, tell }) => {
      const { cache, nodes: known } = make(client, path)
      cache.subscribe(() => {
        tell({ type: 'saw', values: [...new Set(known().map(({ data }) => numberOf(data)))] })
      })
      const write = async (): Promise<void> => {
        const [first = path] = nodes
        // Compared with the version that was read, so that one whose answer was lost cannot come after a later one.
        const { data, stat } = await client.get(first)
        const value = numberOf(data) + 1
        const bytes = new TextEncoder().encode(String(value))
        await client.multi(nodes.map((node) => {
          return { type: 'set', path: node, data: bytes, version: node === first ? stat.version : -1 } as const
        }))
        tell({ type: 'wrote', values: [value] })
      }
      return isLead ? { round: write, last: write } : { last: () => Promise.resolve() }
    },
    broken: ({ said, present }) => [
      ...said.filter(({ values }) => values.length > 1).map(({ who, values }) => `${who} saw ${values} at one moment`),
      ...present.flatMap((who) => {
        return wentBack(said.flatMap((one) => (one.type === 'saw' && one.who === who ? one.values : [])), `${who}`)
      }),
    ],
    missing: ({ said, present }) => {
      const last = said.findLast(({ type }) => type === 'wrote')?.values[0]
      return present.flatMap((who) => {
        const seen = said.findLast((one) => one.type === 'saw' && one.who === who)?.values[0]
        return seen === last ? [] : [`${who} sees ${seen}, and not ${last}`]
      })
    },
  })
}

export const NODE_CACHE = cachePart('NodeCache shows everyone the last state, and never goes back', {
  path: '/story/node-cache',
  nodes: ['/story/node-cache'],
  make: (client, path) => {
    const cache = new NodeCache(client, path)
    return { cache, nodes: () => [cache.current ?? []].flat() }
  },
})

export const CHILDREN_CACHE = cachePart('ChildrenCache shows all children of one moment, the last, never going back', {
  path: '/story/children-cache',
  nodes: ['a', 'b', 'c'].map((name) => `/story/children-cache/${name}`),
  make: (client, path) => {
    const cache = new ChildrenCache(client, path)
    return { cache, nodes: () => [...cache.nodes] }
  },
})

export const TREE_CACHE = cachePart('TreeCache shows the whole tree of one moment, the last one, and never goes back', {
  path: '/story/tree-cache',
  nodes: ['', '/a', '/a/b'].map((name) => `/story/tree-cache${name}`),
  make: (client, path) => {
    const cache = new TreeCache(client, path)
    return { cache, nodes: () => [...cache.nodes] }
  },
})

function numberOf(data: Uint8Array): number {
  return Number(new TextDecoder().decode(data))
}

function unlessThere(error: unknown): void {
  if (!isCoordinationError(error, 'NODE_EXISTS')) throw error
}
