/**
 * The conformance suite of transactions: what was read is still so when the writes take effect.
 *
 * Use       transactionSuite({ describe, it }, { name: 'mine', connect, transact: (client, work) => mine(...) })
 */
import { deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a transaction that the suite calls. */
export interface TestedTransaction {
  /** The data of a node, or null. */
  get(path: string): Promise<Uint8Array | null>
  /** The names of its children. */
  children(path: string): Promise<readonly string[]>
  /** Sets the data, or makes the node. */
  put(path: string, data: string): Promise<void>
  /** Deletes it. */
  delete(path: string): Promise<boolean>
}

/** The subject and options of {@link transactionSuite}. */
export interface TransactionSuiteOptions extends RecipeSuiteOptions {
  /** Runs a function as a transaction. */
  readonly transact: (client: Client, work: (tx: TestedTransaction) => Promise<unknown>) => Promise<unknown>
}

interface TransactionWorld {
  readonly world: RecipeWorld
  readonly transact: TransactionSuiteOptions['transact']
}

const CLIENTS = 4
const ROUNDS = 3

const CASES: readonly Case<TransactionWorld>[] = [
  {
    name: 'many who move money lose none and make none',
    run: async ({ world, transact }) => {
      const clients = await world.connectMany(CLIENTS)
      const accounts = ['a', 'b', 'c'].map((name) => world.path(name))
      for (const account of accounts) await first(clients).create(account, '100')
      await Promise.all(clients.map(async (client, index) => {
        for (let round = 0; round < ROUNDS; round++) {
          const [from = '', to = ''] = [accounts[(index + round) % 3], accounts[(index + round + 1) % 3]]
          await transact(client, async (tx) => {
            await tx.put(from, String(Number(textOf(await tx.get(from))) - 10))
            await tx.put(to, String(Number(textOf(await tx.get(to))) + 10))
          })
        }
      }))
      await first(clients).sync(world.base)
      const found = await Promise.all(accounts.map((account) => first(clients).get(account)))
      const left = found.map(({ data }) => Number(textOf(data)))
      equal(left, [100, 100, 100], 'what is on the accounts after as many moves from each as to each')
    },
  },
  {
    name: 'of two who each leave only if the other stays one stays',
    run: async ({ world, transact }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      const nodes = [world.path('a'), world.path('b')] as const
      for (const node of nodes) await a.create(node, 'stays')
      const [left, right] = meeting()
      const leave = (client: Client, own: string, other: string, met: () => Promise<void>): Promise<unknown> => {
        return transact(client, async (tx) => {
          const found = textOf(await tx.get(other))
          await met()
          if (found === 'stays') await tx.put(own, 'left')
        })
      }
      await Promise.all([leave(a, nodes[0], nodes[1], left), leave(b, nodes[1], nodes[0], right)])
      await a.sync(world.base)
      const states = await Promise.all(nodes.map(async (node) => textOf((await a.get(node)).data)))
      equal(states.sort(), ['left', 'stays'], 'what became of the two')
    },
  },
  {
    name: 'of two who each make a node if the other made none one does',
    run: async ({ world, transact }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      await a.create(world.path('made'))
      const nodes = [world.path('made/a'), world.path('made/b')] as const
      const [left, right] = meeting()
      const make = (client: Client, own: string, other: string, met: () => Promise<void>): Promise<unknown> => {
        return transact(client, async (tx) => {
          const found = await tx.get(other)
          await met()
          if (found === null) await tx.put(own, '')
        })
      }
      await Promise.all([make(a, nodes[0], nodes[1], left), make(b, nodes[1], nodes[0], right)])
      await a.sync(world.base)
      equal((await a.children(world.path('made'))).names.length, 1, 'how many nodes were made')
    },
  },
  {
    name: 'of two who each add a child to an empty list one does, also where children have come and gone',
    run: async ({ world, transact }) => {
      const [a, b] = await world.connectMany(2)
      ok(a !== undefined && b !== undefined, 'two clients')
      await a.create(world.path('list'))
      for (const name of ['x', 'y', 'x']) {
        await a.create(world.path(`list/${name}`))
        await a.delete(world.path(`list/${name}`))
      }
      const [left, right] = meeting()
      const add = (client: Client, name: string, met: () => Promise<void>): Promise<unknown> => {
        return transact(client, async (tx) => {
          const { length } = await tx.children(world.path('list'))
          await met()
          if (length === 0) await tx.put(world.path(`list/${name}`), '')
        })
      }
      await Promise.all([add(a, 'a', left), add(b, 'b', right)])
      await a.sync(world.base)
      equal((await a.children(world.path('list'))).names.length, 1, 'how many children were added')
    },
  },
  {
    name: 'makes and deletes a branch at once, and leaves nothing else',
    run: async ({ world, transact }) => {
      const client = await world.connect()
      await transact(client, async (tx) => {
        equal(await tx.get(world.path('other/deep/node')), null, 'a node that there is not')
        for (const name of ['new', 'new/one', 'new/two']) await tx.put(world.path(name), name)
      })
      equal((await client.children(world.path('new'))).names, ['one', 'two'], 'what was made')
      await transact(client, async (tx) => {
        for (const name of await tx.children(world.path('new'))) await tx.delete(world.path(`new/${name}`))
        equal(await tx.children(world.path('new')), [], 'what its own deletions left')
        await tx.delete(world.path('new'))
      })
      equal((await client.children(world.base)).names, [], 'what is left')
    },
  },
  {
    name: 'writes nothing if its function throws',
    run: async ({ world, transact }) => {
      const client = await world.connect()
      const thrown = new Error('changed my mind')
      const caught = await transact(client, async (tx) => {
        await tx.put(world.path('n'), '')
        throw thrown
      }).catch((error: unknown) => error)
      ok(caught === thrown, 'it rejects with what was thrown')
      equal((await client.children(world.base)).names, [], 'what is left')
    },
  },
]

/** Lets two go on together the first time, so that both have read before either writes. */
function meeting(): [() => Promise<void>, () => Promise<void>] {
  const here = [deferred<undefined>(), deferred<undefined>()] as const
  const arrive = (own: 0 | 1) => async (): Promise<void> => {
    here[own].resolve(undefined)
    await here[own === 0 ? 1 : 0].promise
  }
  return [arrive(0), arrive(1)]
}

function first(clients: readonly Client[]): Client {
  const [client] = clients
  ok(client !== undefined, 'there is a client')
  return client
}

function textOf(data: Uint8Array | null): string {
  return new TextDecoder().decode(data ?? new Uint8Array())
}

/**
 * Registers the cases that transactions have to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the transactions to test
 */
export function transactionSuite(runner: Runner, options: TransactionSuiteOptions): void {
  registerRecipe(runner, `transactions ${options.name}`, options, CASES, (world) => {
    return { world, transact: options.transact }
  })
}
