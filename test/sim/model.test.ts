import { describe, expect, it } from 'vitest'
import { SERVER_DEFAULTS } from '../../src/backends/embedded/server/config.ts'
import { Preparer } from '../../src/backends/embedded/server/writes/prepare.ts'
import type { WriteRequest } from '../../src/backends/embedded/server/writes/prepare.ts'
import { State } from '../../src/backends/embedded/server/state/state.ts'
import { CreateFlag, OpCode } from '../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import type { MultiOperation, Request } from '../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { judge, partsOf, sameParts } from '../../sim/judgement.ts'
import { Model } from '../../sim/model.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'
import { SESSION, bytes, create, set } from './scripted-world.ts'

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
  it('comes to what the leader comes to, request for request, and the replay to its state', () => {
    for (let seed = 1; seed <= 30; seed++) compareWithLeader(seed)
  })

  it('does not take one decision for another', () => {
    const [a] = partsOf(create('/a', 'x', 1))
    const different = [create('/b', 'x', 1), create('/a', 'y', 1), create('/a', 'x', 1, true), set('/a', 'x', 1)]
    expect(a).toBeDefined()
    for (const txn of different) expect(sameParts(partsOf(create('/a', 'x', 1)), partsOf(txn))).toBe(false)
    expect(sameParts(partsOf(create('/a', 'x', 1)), partsOf(create('/a', 'x', 9)))).toBe(true)
  })
})

/** Random requests go through the servers' own preparer and state, and through the model. */
function compareWithLeader(seed: number): void {
  const random = new SeededRandom(seed)
  const state = new State()
  const preparer = new Preparer(state, SERVER_DEFAULTS)
  const model = new Model()
  const sessions = [0x500n, 0x501n]
  let zxid = 0n
  const run = (request: WriteRequest, asked: Request | null): void => {
    zxid += 1n
    const transaction = preparer.prepare(request, zxid, Number(zxid) * 10)
    const encoded = encodeTransaction(transaction)
    const expected = asked === null ? null : judge(model, asked, request.sessionId)
    if (expected !== null) expect(partsOf(transaction.txn), `seed ${seed}, zxid ${zxid}`).toEqual(expected)
    const { results } = model.replay(zxid, encoded)
    const applied = state.apply(decodeTransaction(encoded))
    preparer.applied(zxid)
    const [result] = results
    if (result?.type !== 'create' || transaction.txn.type === OpCode.multi) return
    expect(applied.body).toEqual({ path: result.path, stat: result.stat })
  }
  for (const sessionId of sessions) {
    const body = { timeOut: 1_000, passwd: bytes('') }
    run({ sessionId, xid: 0, identities: [], op: OpCode.createSession, body }, null)
  }
  for (let xid = 1; xid <= 150; xid++) {
    const request = drawRequest(random, xid)
    run({ sessionId: random.pick(sessions), identities: [], ...request } as WriteRequest, request)
  }
  for (const path of model.pathsEver()) {
    expect(model.stat(path), `seed ${seed}, ${path}`).toEqual(state.tree.stat(path))
    expect(model.names(path)).toEqual(state.tree.children(path)?.children ?? [])
  }
  expect(model.nodeCount).toBe(state.tree.nodeCount)
}

function drawRequest(random: SeededRandom, xid: number): Request {
  if (!random.chance(0.25)) {
    const part = drawPart(random)
    // It has its meaning inside a multi only.
    return part.op === OpCode.checkCreation ? { xid, op: OpCode.multi, body: [part] } : { xid, ...part }
  }
  const body = Array.from({ length: random.between(1, 4) }, () => drawPart(random))
  return { xid, op: OpCode.multi, body }
}

function drawPart(random: SeededRandom): MultiOperation {
  const parent = random.pick(['', '/n1', '/n2', '/n1/n2'])
  const path = `${parent}/n${random.between(1, 3)}`
  const version = random.pick([-1, -1, 0, 1])
  switch (random.between(1, 6)) {
    case 1:
      return { op: OpCode.setData, body: { path, data: random.bytes(3), version } }
    case 2:
      return { op: OpCode.delete, body: { path, version } }
    case 3:
      return {
        op: OpCode.createTTL,
        body: { path, data: null, acl: OPEN_ACL, flags: CreateFlag.persistentWithTtl, ttl: 1_000n },
      }
    case 4:
      return { op: OpCode.createContainer, body: { path, data: null, acl: OPEN_ACL, flags: CreateFlag.container } }
    default:
      return { op: OpCode.create2, body: { path, data: random.bytes(2), acl: OPEN_ACL, flags: random.between(0, 3) } }
  }
}
