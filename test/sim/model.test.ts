import { describe, expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import { encodeTransaction } from '../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { partsOf, sameParts } from '../../sim/judgement.ts'
import { Model } from '../../sim/model.ts'
import { SESSION, create, set } from './scripted-world.ts'

const OPEN: TxnBody = { type: OpCode.createSession, body: { timeOut: 1_000, passwd: null } }
const CLOSE: TxnBody = { type: OpCode.closeSession, body: { paths2Delete: [] } }

interface Replay {
  readonly txn: TxnBody
  readonly clientId?: bigint
  readonly time?: number
}

/** Replays transactions, one a zxid from 1 on. */
function replay(txns: readonly (TxnBody | Replay)[]): Model {
  const model = new Model()
  txns.forEach((entry, i) => {
    const { txn, clientId = SESSION, time = 1_000 } = 'txn' in entry ? entry : { txn: entry }
    const zxid = BigInt(i + 1)
    model.replay(zxid, encodeTransaction({ header: { clientId, cxid: i, zxid, time, type: txn.type }, txn }))
  })
  return model
}

describe('the replay of transactions', () => {
  it('knows every state, also those that were replaced', () => {
    const model = replay([OPEN, create('/a', 'x', 1), set('/a', 'y', 1), create('/a/b', '', 1), {
      type: OpCode.delete,
      body: { path: '/a/b' },
    }])
    expect(model.node('/a', 1n)).toBeNull()
    expect([2n, 3n, 5n].map((zxid) => new TextDecoder().decode(model.node('/a', zxid)?.data))).toEqual(['x', 'y', 'y'])
    expect([3n, 4n, 5n].map((zxid) => model.names('/a', zxid))).toEqual([[], ['b'], []])
    expect(model.stat('/a', 5n)).toMatchObject({ version: 1, cversion: 2, numChildren: 0 })
    expect(model.stat('/a', 5n)).toMatchObject({ czxid: 2n, mzxid: 3n, pzxid: 5n })
    expect(model.nextTrigger('/a', 'node', 2n)).toBe(3n)
    expect(model.nextTrigger('/a', 'children', 2n)).toBe(4n)
    expect(model.nextTrigger('/a', 'node', 3n)).toBeNull()
  })

  it('finds names at any zxid among many changes of them', () => {
    const count = 100
    const txns = Array.from({ length: count }, (_, i) => create(`/n${String(i).padStart(3, '0')}`, '', i + 1))
    const model = replay([OPEN, ...txns])
    for (const made of [0, 1, 31, 32, 33, 64, 99, 100]) {
      expect(model.names('/', BigInt(made + 1)), `${made} made`).toHaveLength(made + 1)
    }
  })

  it.each([
    ['a second create of a node', [OPEN, create('/a', '', 1), create('/a', '', 2)]],
    ['a create without its parent', [OPEN, create('/a/b', '', 1)]],
    ['a create with a count of children that is not the next', [OPEN, create('/a', '', 2)]],
    ['a change to a version that is not the next', [OPEN, create('/a', '', 1), set('/a', '', 2)]],
    ['the end of a node that has children', [OPEN, create('/a', '', 1), create('/a/b', '', 1), {
      type: OpCode.delete, body: { path: '/a' },
    }]],
    ['a child of an ephemeral node', [OPEN, create('/a', '', 1, true), create('/a/b', '', 1)]],
    ['a write of a session that was never opened', [create('/a', '', 1)]],
    ['a write of a session that has ended', [OPEN, CLOSE, create('/a', '', 1)]],
    ['a session that is opened again', [OPEN, CLOSE, OPEN]],
    ['a session that ends without its ephemeral node', [OPEN, create('/a', '', 1, true), CLOSE]],
    ['a session that ends with a node that is not its own', [OPEN, create('/a', '', 1), {
      type: OpCode.closeSession, body: { paths2Delete: ['/a'] },
    }]],
    ['a multi that is refused in part', [OPEN, {
      type: OpCode.multi, body: [create('/a', '', 1), { type: OpCode.error, body: { err: -101 } }],
    }]],
    ['a container that is removed before it had children', [OPEN, {
      type: OpCode.createContainer, body: { path: '/c', data: null, acl: OPEN_ACL, parentCVersion: 1 },
    }, { type: OpCode.deleteContainer, body: { path: '/c' } }]],
  ] satisfies [string, TxnBody[]][])('refuses %s', (_, txns) => {
    expect(() => replay(txns)).toThrow(/^replay: /)
  })

  it('lets a container go once it has had children, and a node whose time to live is over', () => {
    const body = { path: '/t', data: null, acl: OPEN_ACL, parentCVersion: 1, ttl: 5n }
    const ttl: TxnBody = { type: OpCode.createTTL, body }
    const end: TxnBody = { type: OpCode.deleteContainer, body: { path: '/t' } }
    const run = (time: number): Model => replay([OPEN, { txn: ttl, time: 100 }, { txn: end, clientId: 0n, time }])
    expect(run(106).node('/t')).toBeNull()
    expect(() => run(105)).toThrow(/time is not over/)
  })
})

describe('the judgement of requests', () => {
  it('does not take one decision for another', () => {
    const [a] = partsOf(create('/a', 'x', 1))
    const different = [create('/b', 'x', 1), create('/a', 'y', 1), create('/a', 'x', 1, true), set('/a', 'x', 1)]
    expect(a).toBeDefined()
    for (const txn of different) expect(sameParts(partsOf(create('/a', 'x', 1)), partsOf(txn))).toBe(false)
    expect(sameParts(partsOf(create('/a', 'x', 1)), partsOf(create('/a', 'x', 9)))).toBe(true)
  })
})
