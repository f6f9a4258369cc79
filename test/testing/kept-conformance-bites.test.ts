/**
 * The suites of what is kept must find what they are there to find: each of these recipes breaks one promise, and the
 * case that is named has to say so.
 */
import { Partitioner } from '../../src/recipes/membership/partitioner.ts'
import { PersistentNode } from '../../src/recipes/membership/persistent-node.ts'
import { ServiceRegistry } from '../../src/recipes/services/service-registry.ts'
import { ServiceWatcher } from '../../src/recipes/services/service-watcher.ts'
import { partitionerSuite, persistentNodeSuite, serviceSuite } from '../../src/testing/index.ts'
import type { PartitionerSuiteOptions, PersistentNodeSuiteOptions } from '../../src/testing/index.ts'
import type { ServiceSuiteOptions } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

const NODES: readonly Broken<PersistentNodeSuiteOptions['openNode']>[] = [
  {
    what: 'a mark is stored before the data',
    make: (client, path, data) => PersistentNode.open(client, path, `mark ${data}`),
    caughtBy: 'the node holds exactly the given bytes, and missing parents are made',
  },
  {
    what: "another's node is adopted",
    make: (client, path, data) => {
      const twin = { state: 'registered', incarnation: 1n, set: async () => undefined, close: async () => undefined }
      return PersistentNode.open(client, path, data).catch(() => twin)
    },
    caughtBy: "another's node is refused and left alone, also one of the same client",
  },
  {
    what: 'the node does not come back',
    make: async (client, path, data) => {
      const node = await PersistentNode.open(client, path, data)
      node.signal.addEventListener('abort', () => void node.close())
      return node
    },
    caughtBy: 'a node that somebody deletes is made again, with the latest data',
  },
]

const REGISTRIES: readonly Broken<Pick<ServiceSuiteOptions, 'makeRegistry' | 'makeWatcher'>>[] = [
  {
    what: 'the layout is another',
    make: {
      makeRegistry: (client, path) => {
        const registry = new ServiceRegistry(client, path)
        return {
          register: (name, options) => registry.register(name, { ...options, payload: 'ours' }),
          names: () => registry.names(),
        }
      },
      makeWatcher: (client, path, name) => new ServiceWatcher(client, path, name),
    },
    caughtBy: "an instance is stored in Curator's layout, to the byte",
  },
  {
    what: 'an instance that cannot be read hides the others',
    make: {
      makeRegistry: (client, path) => new ServiceRegistry(client, path),
      makeWatcher: (client, path, name) => {
        const watcher = new ServiceWatcher(client, path, name)
        return {
          instances: [],
          ready: () => watcher.ready(),
          subscribe: (listener) => watcher.subscribe(listener),
        }
      },
    },
    caughtBy: 'what cannot be read is left out, and the others are seen',
  },
]

const PARTITIONERS: readonly Broken<PartitionerSuiteOptions['makePartitioner']>[] = [
  {
    what: 'onRevoke is not waited for',
    make: (client, path, { onRevoke, ...options }) => {
      return new Partitioner(client, path, { ...options, onRevoke: (assignment) => void onRevoke?.(assignment) })
    },
    caughtBy: 'an item is not handed over before onRevoke has ended, and its token grows',
  },
  {
    what: 'each owns all',
    make: (client, path, options) => new Partitioner(client, `${path}-${options.id}`, options),
    caughtBy: 'several members own every item, each item once, and no token comes twice',
  },
  {
    what: 'who stops keeps its items',
    make: (client, path, options) => {
      const partitioner = new Partitioner(client, path, options)
      return {
        get assignments() {
          return partitioner.assignments
        },
        start: () => partitioner.start(),
        stop: async () => undefined,
      }
    },
    caughtBy: 'who stops leaves no node',
  },
]

/** A lease that costs nothing and guards nothing. */

const soundNode: PersistentNodeSuiteOptions['openNode'] = (client, path, data) => {
  return PersistentNode.open(client, path, data)
}
bites('persistent node', NODES, soundNode, (engine, openNode) => {
  return collectedCases((runner) => {
    persistentNodeSuite(runner, { ...engine, openNode })
  })
})
bites('registry of services', REGISTRIES, {
  makeRegistry: (client, path) => new ServiceRegistry(client, path),
  makeWatcher: (client, path, name) => new ServiceWatcher(client, path, name),
}, (engine, made) => {
  return collectedCases((runner) => {
    serviceSuite(runner, { ...engine, ...made })
  })
})
const soundPartitioner: PartitionerSuiteOptions['makePartitioner'] = (client, path, options) => {
  return new Partitioner(client, path, options)
}
bites('partitioner', PARTITIONERS, soundPartitioner, (engine, made) => {
  return collectedCases((runner) => {
    partitionerSuite(runner, { ...engine, makePartitioner: made })
  })
})
