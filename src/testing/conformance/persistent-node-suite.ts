/**
 * The conformance suite of persistent nodes: a node with exactly its data, which is there again after every loss.
 *
 * Use       persistentNodeSuite({ describe, it }, { name: 'mine', connect, openNode: (client, path, data) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** A handle of a node that is kept. */
export interface TestedPersistentNode {
  /** `registered` while it is there. */
  readonly state: string
  /** Grows each time it is made. */
  readonly incarnation: bigint
  /** Replaces its data. */
  set(data: string): Promise<void>
  /** Removes it. Idempotent. */
  close(): Promise<void>
}

/** The subject and options of {@link persistentNodeSuite}. */
export interface PersistentNodeSuiteOptions extends RecipeSuiteOptions {
  /** Makes a node and keeps it; rejects with `NODE_EXISTS` if another has the path. */
  readonly openNode: (client: Client, path: string, data: string) => Promise<TestedPersistentNode>
}

interface NodeWorld {
  readonly world: RecipeWorld
  readonly open: PersistentNodeSuiteOptions['openNode']
}

const ROUNDS = 6

const CASES: readonly Case<NodeWorld>[] = [
  {
    name: 'the node holds exactly the given bytes, and missing parents are made',
    run: async ({ world, open }) => {
      const [client, reader] = [await world.connect(), await world.connect()]
      const path = world.path('a/b/node')
      const node = await open(client, path, 'data, and nothing else')
      equal([await read(reader, path), node.state], ['data, and nothing else', 'registered'], 'data and state')
      equal(await world.ephemerals(reader), [path], 'ephemeral nodes')
    },
  },
  {
    name: 'new data are there when that is answered, in the same node',
    run: async ({ world, open }) => {
      const [client, reader] = [await world.connect(), await world.connect()]
      const node = await open(client, world.path('node'), 'old')
      const { incarnation } = node
      await Promise.all([node.set('newer'), node.set('newest')])
      equal([await read(reader, world.path('node')), node.incarnation], ['newest', incarnation], 'data and incarnation')
    },
  },
  {
    name: 'the node is gone when its close is answered, and may be closed again',
    run: async ({ world, open }) => {
      const [client, reader] = [await world.connect(), await world.connect()]
      const node = await open(client, world.path('node'), 'data')
      await Promise.all([node.close(), node.close()])
      equal([await read(reader, world.path('node')), node.state], [null, 'withdrawn'], 'data and state')
    },
  },
  {
    name: "another's node is refused and left alone, also one of the same client",
    run: async ({ world, open }) => {
      const [client, other] = [await world.connect(), await world.connect()]
      await open(client, world.path('node'), 'first')
      await rejects(open(other, world.path('node'), 'second'), { code: 'NODE_EXISTS' }, 'an open of another process')
      await rejects(open(client, world.path('node'), 'second'), { code: 'NODE_EXISTS' }, 'an open of the same process')
      equal(await read(other, world.path('node')), 'first', 'data')
    },
  },
  {
    name: 'a node that somebody deletes is made again, with the latest data',
    run: async ({ world, open }) => {
      const [client, operator] = [await world.connect(), await world.connect()]
      const node = await open(client, world.path('node'), 'old')
      await node.set('new')
      const { incarnation } = node
      await operator.delete(world.path('node'))
      const isBack = (): boolean => node.incarnation > incarnation && node.state === 'registered'
      await world.eventually(isBack, 'the node is made again')
      equal(await read(operator, world.path('node')), 'new', 'data')
    },
  },
  {
    name: 'a node whose session is over is made again on the next one',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const [client, reader] = [await world.connect(), await world.connect()]
      const node = await open(client, world.path('node'), 'data')
      const { incarnation } = node
      await world.expire(client)
      const isBack = (): boolean => node.incarnation > incarnation && node.state === 'registered'
      await world.eventually(isBack, 'the node is made again')
      equal(await read(reader, world.path('node')), 'data', 'data')
      equal((await reader.exists(world.path('node')))?.ephemeralOwner, client.sessionId, 'owner')
    },
  },
  {
    name: 'a connection that breaks for a moment does not cost the node',
    needs: ['disconnect'],
    run: async ({ world, open }) => {
      const client = await world.connect()
      const node = await open(client, world.path('node'), 'data')
      const { incarnation } = node
      await world.interrupt(client)
      await world.eventually(() => node.state === 'registered', 'the node is registered')
      equal([node.incarnation, await read(client, world.path('node'))], [incarnation, 'data'], 'incarnation and data')
    },
  },
  {
    name: 'whose path another has taken, and was not told yet, neither overwrites nor removes that node',
    run: async ({ world, open }) => {
      const [client, other, operator] = [await world.connect(), await world.connect(), await world.connect()]
      for (let round = 0; round < ROUNDS; round++) {
        const path = world.path(`node-${round}`)
        const node = await open(client, path, 'a1')
        const deletion = await world.deletionOfEphemerals(operator)
        const deleting = deletion()
        // In one turn: it depends on the engine who is first.
        const taking = open(other, path, 'b1').catch(() => null)
        await Promise.allSettled([deleting, round % 2 === 0 ? node.set('a2') : node.close()])
        const taken = await taking
        if (taken !== null) equal([await read(operator, path), taken.state], ['b1', 'registered'], 'the lawful node')
        await Promise.all([node.close(), taken?.close()])
        equal(await read(operator, path), null, 'data in the end')
      }
    },
  },
]

/**
 * Registers the cases that every persistent node has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the subject
 */
export function persistentNodeSuite(runner: Runner, options: PersistentNodeSuiteOptions): void {
  registerRecipe(runner, `persistent node ${options.name}`, options, CASES, (world) => {
    return { world, open: options.openNode }
  })
}

/** The data of a node as text; null if there is no node. */
async function read(client: Client, path: string): Promise<string | null> {
  await client.sync(path)
  if ((await client.exists(path)) === null) return null
  return new TextDecoder().decode((await client.get(path)).data)
}
