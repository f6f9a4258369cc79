/** The suite of transactions must find what it is there to find: each of these breaks one promise. */
import type { Operation } from '../../src/core/backend.ts'
import type { Client } from '../../src/core/client.ts'
import { transact } from '../../src/recipes/transactions/transact.ts'
import { transactionSuite } from '../../src/testing/index.ts'
import type { TransactionSuiteOptions } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type Transact = TransactionSuiteOptions['transact']

const sound: Transact = (client, work) => transact(client, work)

/** Transactions whose multi lacks what a filter leaves out. */
function without(isLeftOut: (operation: Operation, index: number, all: readonly Operation[]) => boolean): Transact {
  return (client, work) => transact(changed(client, async (all) => {
    const kept = all.filter((operation, index) => !isLeftOut(operation, index, all))
    return kept.length === 0 ? [] : client.multi(kept)
  }), work)
}

function changed(client: Client, multi: Client['multi']): Client {
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'multi') return multi
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

const BROKEN: readonly Broken<Transact>[] = [
  {
    what: 'writes go over those of others',
    make: (client, work) => transact(changed(client, (all) => client.multi(all.flatMap((operation) => {
      if (operation.type === 'check') return []
      return [operation.type === 'set' ? { ...operation, version: -1 } : operation]
    }))), work),
    caughtBy: 'many who move money lose none and make none',
  },
  {
    what: 'reads are not compared',
    make: without(({ type }) => type === 'check'),
    caughtBy: 'of two who each leave only if the other stays one stays',
  },
  {
    what: 'absences are not compared',
    make: without((operation, _, all) => all.filter(({ path }) => path === operation.path).length > 1),
    caughtBy: 'of two who each make a node if the other made none one does',
  },
  {
    what: 'lists are not compared',
    make: without(({ path }) => path.includes('quorate-guard-')),
    caughtBy: 'of two who each add a child to an empty list one does, also where children have come and gone',
  },
  {
    what: 'nodes that are only there to compare stay',
    make: without(({ type }) => type === 'delete'),
    caughtBy: 'makes and deletes a branch at once, and leaves nothing else',
  },
  {
    what: 'a function that throws has written',
    make: async (client, work) => {
      let thrown: { readonly error: unknown } | undefined
      await transact(client, (tx) => work(tx).catch((error: unknown) => {
        thrown = { error }
      }))
      if (thrown !== undefined) throw thrown.error
    },
    caughtBy: 'writes nothing if its function throws',
  },
]

bites('transaction', BROKEN, sound, (engine, tested) => {
  return collectedCases((runner) => {
    transactionSuite(runner, { ...engine, transact: tested })
  })
})
