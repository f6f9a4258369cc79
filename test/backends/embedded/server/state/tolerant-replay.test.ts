/** The log of a ZooKeeper, replayed on a state that has some of it already, makes what a strict replay makes. */
import { describe, expect, it } from 'vitest'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { TolerantReplay } from '../../../../../src/backends/embedded/server/state/tolerant-replay.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { Transaction, TxnBody } from '../../../../../src/backends/wire/transactions.ts'

const SESSION = 7n

function create(path: string, parentCVersion: number, content = path, ephemeral = false): TxnBody {
  const data = Buffer.from(content)
  return { type: OpCode.create, body: { path, data, acl: OPEN_ACL, ephemeral, parentCVersion } }
}

function set(path: string, content: string, version: number): TxnBody {
  return { type: OpCode.setData, body: { path, data: Buffer.from(content), version } }
}

function remove(path: string): TxnBody {
  return { type: OpCode.delete, body: { path } }
}

function multi(...body: TxnBody[]): TxnBody {
  return { type: OpCode.multi, body }
}

function logOf(...txns: readonly TxnBody[]): Transaction[] {
  return txns.map((txn, index) => {
    const zxid = BigInt(index + 1)
    return { header: { clientId: SESSION, cxid: index, zxid, time: 1_000 + index, type: txn.type }, txn }
  })
}

const LOGS: readonly (readonly [name: string, log: Transaction[]])[] = [
  ['simple writes', logOf(
    { type: OpCode.createSession, body: { timeOut: 4_000, passwd: null } },
    create('/a', 1), set('/a', 'x', 1), create('/a/b', 1), create('/e', 2, '', true), set('/a', 'y', 2), remove('/a/b'),
    create('/a/b', 2), { type: OpCode.closeSession, body: { paths2Delete: ['/e'] } },
  )],
  ['a node that a multi makes and sets', logOf(
    create('/a', 1), multi(create('/m', 2), set('/m', 'x', 1)), remove('/a'),
  )],
  ['a node that a multi sets twice', logOf(create('/m', 1), multi(set('/m', 'x', 1), set('/m', 'y', 2)))],
  ['a node that a multi makes again', logOf(
    create('/m', 1), multi(set('/m', 'x', 1), remove('/m'), create('/m', 2, 'y')), set('/m', 'z', 1),
  )],
  ['a node that a multi makes again, and that has children then', logOf(
    create('/m', 1), multi(set('/m', 'x', 1), remove('/m'), create('/m', 2, 'y')), create('/m/c', 1),
  )],
  ['a node that a multi makes, sets and removes', logOf(
    create('/a', 1), multi(create('/a/m', 1), set('/a/m', 'x', 1), remove('/a/m')), create('/a/n', 2),
  )],
]

describe('a tolerant replay', () => {
  it.each(LOGS)('of %s gives the same state, however much of it was there', (_, log) => {
    const expected = new State()
    for (const transaction of log) expected.apply(transaction)
    for (let there = 0; there <= log.length; there++) {
      for (let from = 0; from <= there; from++) {
        const state = new State()
        for (const transaction of log.slice(0, there)) state.apply(transaction)
        const replay = new TolerantReplay(state)
        for (const transaction of log.slice(from)) replay.apply(transaction)
        replay.finish(expected.lastZxid)
        const where = `the log after ${from} on what was there at ${there}`
        expect(State.restore(state.snapshot()).snapshot(), where).toEqual(expected.snapshot())
      }
    }
  })
})
