import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../../src/core/assert.ts'
import { isCoordinationError } from '../../../../../src/core/errors.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { CreateFlag, Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { TxnBody } from '../../../../../src/backends/wire/transactions.ts'
import {
  Pipeline,
  SESSION,
  closeSession,
  create,
  createContainer,
  createTtl,
  multi,
  openSession,
  remove,
  setData,
} from '../pipeline.ts'

/** Something of everything that a state can hold. */
function richPipeline(): Pipeline {
  const pipeline = Pipeline.withSession()
  pipeline.run(openSession(), { sessionId: 0x80n })
  const acl = [{ perms: 3, scheme: 'digest', id: 'a:b' }]
  pipeline.run({ op: OpCode.create2, body: { path: '/guarded', data: Uint8Array.of(1), acl, flags: 0 } })
  pipeline.run({ op: OpCode.create2, body: { path: '/also', data: null, acl: [...acl], flags: 0 } })
  pipeline.run(create('/e', CreateFlag.ephemeral))
  const wishes = [create('/p'), createContainer('/p/c'), createTtl('/p/t', 50n), setData('/p')]
  for (const wish of wishes) pipeline.run(wish)
  pipeline.run(create('/p/ä', CreateFlag.ephemeralSequential, new Uint8Array()), { sessionId: 0x80n })
  pipeline.run(remove('/p/c'))
  return pipeline
}

function apply(state: State, zxid: bigint, txn: TxnBody, clientId = SESSION) {
  return state.apply({ header: { clientId, cxid: 1, zxid, time: 7, type: txn.type }, txn })
}

/** Restores bytes; null if they were refused the one way they may be. */
function attempt(bytes: Uint8Array): State | null {
  try {
    return State.restore(bytes)
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return null
    throw error
  }
}

describe('an applied transaction', () => {
  it('tells path and stat of a create, whichever kind of create it was', () => {
    const pipeline = Pipeline.withSession()
    const wishes = [
      { ...create('/1'), op: OpCode.create },
      create('/2', CreateFlag.ephemeral),
      createContainer('/3'),
      createTtl('/4', 9n),
    ]
    for (const [i, wish] of wishes.entries()) {
      const path = `/${i + 1}`
      expect(pipeline.run(wish)).toEqual({
        err: Err.ok,
        body: { path, stat: pipeline.state.tree.stat(path) },
        changes: [{ type: 'created', path, node: pipeline.state.tree.get(path) }],
        newSession: null,
        endedSession: null,
      })
    }
  })

  it('tells the stat of a change, and nothing of a delete', () => {
    const pipeline = Pipeline.withSession()
    pipeline.run(create('/a'))
    expect(pipeline.run(setData('/a', Uint8Array.of(5)))).toMatchObject({
      body: { stat: { version: 1, dataLength: 1, mzxid: 3n } },
      changes: [{ type: 'changed', path: '/a' }],
    })
    expect(pipeline.run(remove('/a'))).toMatchObject({ body: null, changes: [{ type: 'deleted', path: '/a' }] })
  })

  it('that is an error changes nothing but the zxid', () => {
    const pipeline = Pipeline.withSession()
    const before = pipeline.state.tree.stat('/')
    expect(pipeline.run(remove('/none'))).toMatchObject({ err: Err.noNode, body: null, changes: [] })
    expect(pipeline.state.lastZxid).toBe(2n)
    expect(pipeline.state.tree.stat('/')).toEqual(before)
  })

  it('opens and ends sessions, with their time-out and their password', () => {
    const pipeline = new Pipeline()
    expect(pipeline.run(openSession())).toMatchObject({ newSession: SESSION, endedSession: null })
    expect(pipeline.state.sessions.get(SESSION)).toEqual({ timeoutMs: 4000, passwd: Uint8Array.of(1, 2, 3) })
    pipeline.run(create('/e', CreateFlag.ephemeral))
    expect(pipeline.run(closeSession())).toMatchObject({
      newSession: null,
      endedSession: SESSION,
      changes: [{ type: 'deleted', path: '/e' }],
    })
    expect(pipeline.state.sessions.size).toBe(0)
  })

  it('gives a stat that later transactions leave alone', () => {
    const pipeline = Pipeline.withSession()
    const { body } = pipeline.run(create('/a'))
    pipeline.run(setData('/a'))
    pipeline.run(create('/a/b'))
    expect(body).toMatchObject({ stat: { version: 0, numChildren: 0 } })
  })

  it('finds what is to be removed by the servers', () => {
    const pipeline = richPipeline()
    expect(pipeline.state.reapable(1050, 10)).toEqual([])
    expect(pipeline.state.reapable(1051, 10)).toEqual(['/p/t'])
  })
})

describe('a transaction of a leader of ZooKeeper', () => {
  it('ends a session with an older list of its nodes: they go, and the listed ones that are still there', () => {
    const pipeline = Pipeline.withSession()
    for (const path of ['/e', '/late']) pipeline.run(create(path, CreateFlag.ephemeral))
    for (const path of ['/p', '/p/c', '/another']) pipeline.run(create(path))
    const paths2Delete = ['/e', '/gone', '/another', '/p', '/zookeeper/quota']
    const { changes, endedSession } = apply(pipeline.state, 99n, { type: OpCode.closeSession, body: { paths2Delete } })
    expect(changes.map(({ path }) => path).sort()).toEqual(['/another', '/e', '/late'])
    expect(endedSession).toBe(SESSION)
    expect(pipeline.state.tree.get('/p')).toBeDefined()
  })

  it('ends a session that is over', () => {
    const pipeline = Pipeline.withSession()
    const end: TxnBody = { type: OpCode.closeSession, body: { paths2Delete: [] } }
    apply(pipeline.state, 98n, end)
    expect(apply(pipeline.state, 99n, end)).toMatchObject({ err: 0, changes: [] })
  })

  it('refuses a multi, and leaves the parts before the refusal in it', () => {
    const state = new State()
    const part: TxnBody = {
      type: OpCode.create,
      body: { path: '/a', data: null, acl: OPEN_ACL, ephemeral: false, parentCVersion: 1 },
    }
    const body: TxnBody[] = [part, { type: OpCode.error, body: { err: -110 } }, part]
    const errors = [0, -110, -2].map((err) => ({ op: OpCode.error, err }))
    expect(apply(state, 1n, { type: OpCode.multi, body })).toMatchObject({ body: errors, changes: [] })
    expect(state.tree.get('/a')).toBeUndefined()
  })
})

describe('a transaction that does not fit stops the server', () => {
  const createTxn = (path: string, parentCVersion: number, ephemeral = false): TxnBody => {
    return { type: OpCode.create2, body: { path, data: null, acl: OPEN_ACL, ephemeral, parentCVersion } }
  }
  const closeTxn: TxnBody = { type: OpCode.closeSession, body: { paths2Delete: [] } }
  const errorTxn: TxnBody = { type: OpCode.error, body: { err: -1 } }
  it.each<[string, bigint, TxnBody]>([
    ['a zxid that was applied already', 2n, errorTxn],
    ['a node that is not there', 9n, { type: OpCode.setData, body: { path: '/x', data: null, version: 1 } }],
    ['a child create that was left out', 9n, createTxn('/y', 3)],
    ['an ephemeral node of a session that is over', 9n, createTxn('/y', 2, true)],
    ['a session in a multi', 9n, { type: OpCode.multi, body: [closeTxn] }],
  ])('%s', (_, zxid, txn) => {
    const state = new State()
    apply(state, 2n, createTxn('/a', 1))
    expect(() => apply(state, zxid, txn)).toThrow(AssertionError)
  })

  it('a header of another type', () => {
    const header = { clientId: SESSION, cxid: 1, zxid: 1n, time: 7, type: OpCode.create2 }
    expect(() => new State().apply({ header, txn: errorTxn })).toThrow('under a header of type 15')
  })
})

describe('a snapshot', () => {
  it('holds the whole state', () => {
    const { state } = richPipeline()
    const restored = State.restore(state.snapshot())
    expect(restored.lastZxid).toBe(state.lastZxid)
    expect(restored.sessions.entries()).toEqual(state.sessions.entries())
    expect(restored.tree.nodeCount).toBe(state.tree.nodeCount)
    const some = ['/', '/zookeeper', '/zookeeper/config', '/guarded', '/also', '/e', '/p', '/p/t', '/p/ä0000000002']
    for (const path of some) {
      expect(restored.tree.data(path)).toEqual(state.tree.data(path))
      expect(restored.tree.children(path)).toEqual(state.tree.children(path))
      expect(restored.tree.get(path)?.acl).toEqual(state.tree.get(path)?.acl)
      expect(restored.tree.get(path)?.ownership).toEqual(state.tree.get(path)?.ownership)
    }
    expect([...restored.tree.ephemeralsOf(0x80n)]).toEqual(['/p/ä0000000002'])
    expect(restored.reapable(2000, 10)).toEqual(['/p/t'])
  })

  it('lets a server go on where the other one was', () => {
    const pipeline = richPipeline()
    const restored = State.restore(pipeline.state.snapshot())
    const before = pipeline.log.length
    pipeline.run(create('/p/', CreateFlag.persistentSequential))
    pipeline.run(multi(setData('/e'), remove('/p/t')))
    pipeline.run(closeSession())
    for (const transaction of pipeline.log.slice(before)) restored.apply(transaction)
    expect(restored.snapshot()).toEqual(pipeline.state.snapshot())
  })

  it('has the same bytes for equal states that were reached in another order', () => {
    const orders = [
      [0x10n, 0x20n, 0x30n],
      [0x30n, 0x10n, 0x20n],
    ]
    const [first, second] = orders.map((ids) => {
      const pipeline = new Pipeline()
      for (const sessionId of ids) pipeline.run(openSession(), { sessionId })
      return pipeline.state.snapshot()
    })
    expect(first).toEqual(second)
  })

  it('differs if anything differs', () => {
    const byData = [create('/a'), create('/a', 0, new Uint8Array()), create('/a', 0, Uint8Array.of(0))]
    const wishes = [...byData, create('/a', 1), create('/b'), createContainer('/a')]
    const snapshots = wishes.map((wish) => {
      const pipeline = Pipeline.withSession()
      pipeline.run(wish)
      return Buffer.from(pipeline.state.snapshot()).toString('hex')
    })
    expect(new Set(snapshots).size).toBe(6)
  })

  it('does not share its bytes with the state that is read from it', () => {
    const bytes = richPipeline().state.snapshot()
    for (const input of [bytes, Buffer.from(bytes)]) {
      const restored = State.restore(input)
      const before = restored.snapshot()
      input.fill(0xff)
      expect(restored.snapshot()).toEqual(before)
    }
  })

  it('that is cut at any byte, or has one too many, is refused', () => {
    const bytes = richPipeline().state.snapshot()
    for (let length = 0; length < bytes.length; length++) expect(attempt(bytes.subarray(0, length))).toBeNull()
    expect(attempt(Uint8Array.from([...bytes, 0]))).toBeNull()
  })

  it('with any byte changed is refused, or is a state that can be written again', () => {
    const bytes = richPipeline().state.snapshot()
    let refused = 0
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = Uint8Array.from(bytes)
        damaged[at] = (damaged[at] ?? 0) ^ mask
        const restored = attempt(damaged)
        if (restored === null) refused += 1
        else expect(State.restore(restored.snapshot()).lastZxid).toBe(restored.lastZxid)
      }),
      { numRuns: 1000 },
    )
    expect(refused).toBeGreaterThan(100)
  })

  it('of random bytes is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(attempt(bytes)).toBeNull()
      }),
    )
  })

  it('of a very deep tree is written and read', () => {
    const pipeline = Pipeline.withSession()
    let path = ''
    for (let depth = 0; depth < 3000; depth++) {
      path += '/d'
      pipeline.run(create(path))
    }
    expect(State.restore(pipeline.state.snapshot()).tree.stat(path)).toEqual(pipeline.state.tree.stat(path))
  })
})

describe('a node', () => {
  it('does not keep in memory the whole of a large transaction that it comes from', () => {
    const pipeline = Pipeline.withSession()
    const large = new Uint8Array(100_000)
    pipeline.run(create('/changed'))
    const small = [create('/small', 0, Uint8Array.of(1)), setData('/changed', large.subarray(0, 9))]
    pipeline.run(multi(create('/large', 0, large), ...small))
    for (const path of ['/small', '/changed']) {
      expect(pipeline.state.tree.get(path)?.data?.buffer.byteLength).toBeLessThan(2_000)
    }
    // Where nearly all of a transaction is the node's data, nothing is copied.
    pipeline.run(create('/whole', 0, large))
    expect(pipeline.state.tree.get('/whole')?.data?.byteOffset).toBeGreaterThan(0)
  })
})
