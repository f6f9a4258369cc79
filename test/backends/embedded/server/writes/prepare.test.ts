import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../../src/core/assert.ts'
import { Preparer } from '../../../../../src/backends/embedded/server/writes/prepare.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { NO_IDENTITIES } from '../../../../../src/backends/embedded/server/state/identities.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { TreeNode } from '../../../../../src/backends/embedded/server/state/node.ts'
import { CreateFlag, Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import {
  Pipeline,
  SESSION,
  check,
  closeSession,
  create,
  createContainer,
  createTtl,
  deleteContainer,
  multi,
  openSession,
  remove,
  setData,
} from '../pipeline.ts'
import type { Wish } from '../pipeline.ts'

const OTHER = 0x200n

/** The error number of what is prepared for a request; 0 if it is not refused. */
function refusal(pipeline: Pipeline, wish: Wish, options: Parameters<Pipeline['prepare']>[1] = {}): number {
  const { txn } = pipeline.prepare(wish, options)
  return txn.type === OpCode.error ? txn.body.err : Err.ok
}

/** A pipeline in which these have been created and applied. */
function withNodes(...wishes: Wish[]): Pipeline {
  const pipeline = Pipeline.withSession()
  for (const wish of wishes) expect(pipeline.run(wish).err).toBe(Err.ok)
  return pipeline
}

function withoutAcl(path: string): Wish {
  return { op: OpCode.create2, body: { path, data: null, acl: [], flags: CreateFlag.persistent } }
}

/** Sets a node's counters to where they would be after a long life, which takes too long to live in a test. */
function aged(path: string, counters: { childCreates?: number; version?: number }): Pipeline {
  const pipeline = withNodes(create(path))
  const node = pipeline.state.tree.get(path)
  expect(node).toBeInstanceOf(TreeNode)
  if (node !== undefined) Object.assign(node, counters)
  return pipeline
}

describe('a transaction', () => {
  it('has data of its own, whatever becomes of the request', () => {
    const pipeline = withNodes(create('/a'))
    const shared = Buffer.from([1, 2])
    const transactions = [create('/b', 0, shared), setData('/a', shared)].map((wish) => pipeline.prepare(wish))
    shared.fill(9)
    for (const { txn } of transactions) expect(txn.body).toMatchObject({ data: Uint8Array.of(1, 2) })
  })

  it('names who asked, where it stands and when it was taken', () => {
    const pipeline = Pipeline.withSession()
    const { header, txn } = pipeline.prepare(create('/a'), { timeMs: 1234 })
    expect(header).toEqual({ clientId: SESSION, cxid: 2, zxid: 2n, time: 1234, type: OpCode.create2 })
    expect(txn).toEqual({
      type: OpCode.create2,
      body: { path: '/a', data: null, acl: OPEN_ACL, ephemeral: false, parentCVersion: 1 },
    })
  })

  it('is made for a refused request too, and uses up its zxid', () => {
    const pipeline = withNodes(create('/a'))
    const { header, txn } = pipeline.prepare(create('/a'))
    expect(header).toMatchObject({ zxid: 3n, type: OpCode.error })
    expect(txn).toEqual({ type: OpCode.error, body: { err: Err.nodeExists } })
  })

  it('is an error if the leader has a reason to refuse, whatever is asked for, and leaves no trace', () => {
    const pipeline = withNodes()
    for (const wish of [create('/a'), multi(create('/a')), openSession(), closeSession()]) {
      expect(refusal(pipeline, wish, { refusal: Err.sessionExpired })).toBe(Err.sessionExpired)
    }
    expect(refusal(pipeline, create('/a'))).toBe(Err.ok)
  })

  it('has a zxid that grows, or the leader stops', () => {
    const preparer = new Preparer(new State(), SERVER_DEFAULTS)
    const request = { sessionId: SESSION, xid: 1, identities: NO_IDENTITIES, ...create('/a') }
    preparer.prepare(request, 5n, 0)
    expect(() => preparer.prepare(request, 5n, 0)).toThrow(AssertionError)
    expect(preparer.prepare(request, 6n, 0).txn.type).toBe(OpCode.error)
  })
})

describe('a create', () => {
  it.each<[string, Wish, number]>([
    ['without a slash', create('a'), Err.badArguments],
    ['with an empty path', create(''), Err.badArguments],
    ['with a NUL', create('/a\u0000/b'), Err.badArguments],
    ['below a node that is not there', create('/none/a'), Err.noNode],
    ['with an empty segment, whose parent is looked up first', create('/a//b'), Err.noNode],
    ['with dots, whose parent is looked up first', create('/a/../b'), Err.noNode],
    ['that ends in a slash', create('/a/'), Err.badArguments],
    ['that ends in dots', create('/a/..'), Err.badArguments],
    ['with a forbidden character', create('/a/\u0007'), Err.badArguments],
    ['of a node that is there', create('/a'), Err.nodeExists],
    ['of the root', create('/'), Err.nodeExists],
    ['below an ephemeral node', create('/e/a'), Err.noChildrenForEphemerals],
    ['of an ephemeral node below an ephemeral node', create('/e/a', CreateFlag.ephemeral), Err.noChildrenForEphemerals],
    ['with an unknown flag', create('/b', 7), Err.badArguments],
    ['with a flag for a time to live and none', create('/b', CreateFlag.persistentWithTtl), Err.badArguments],
    ['with a time to live and no flag for it', createTtl('/b', 5n, CreateFlag.persistent), Err.badArguments],
    ['with a time to live of 0', createTtl('/b', 0n), Err.badArguments],
    ['with a negative time to live', createTtl('/b', -1n), Err.badArguments],
    ['with a time to live of 2^40', createTtl('/b', 2n ** 40n), Err.badArguments],
    ['with an empty access control list', withoutAcl('/b'), Err.invalidAcl],
  ])('%s is refused', (_, wish, err) => {
    const pipeline = withNodes(create('/a'), create('/e', CreateFlag.ephemeral))
    expect(refusal(pipeline, wish)).toBe(err)
  })

  it('of an ephemeral node by a session that is over, or will be, is refused', () => {
    const pipeline = withNodes()
    const of = { sessionId: OTHER }
    expect(refusal(pipeline, create('/e', CreateFlag.ephemeral), of)).toBe(Err.sessionExpired)
    pipeline.prepare(openSession(), of)
    expect(refusal(pipeline, create('/e', CreateFlag.ephemeral), of)).toBe(Err.ok)
    pipeline.prepare(closeSession(), of)
    expect(refusal(pipeline, create('/f', CreateFlag.ephemeralSequential), of)).toBe(Err.sessionExpired)
  })

  it('may have the longest time to live', () => {
    expect(refusal(withNodes(), createTtl('/b', 2n ** 40n - 1n))).toBe(Err.ok)
  })

  it('with the flag of a container makes a plain node, unless its operation says so too', () => {
    const { txn } = withNodes().prepare(create('/c', CreateFlag.container))
    expect(txn).toMatchObject({ type: OpCode.create2, body: { path: '/c', ephemeral: false } })
  })

  it('that is sequential counts every create of a child, of any kind, and no failure and no delete', () => {
    const pipeline = withNodes(create('/q'))
    expect(pipeline.created(create('/q/n-', CreateFlag.persistentSequential))).toBe('/q/n-0000000000')
    pipeline.run(create('/q/plain'))
    expect(pipeline.created(create('/q/e-', CreateFlag.ephemeralSequential))).toBe('/q/e-0000000002')
    expect(pipeline.run(create('/q/plain')).err).toBe(Err.nodeExists)
    expect(pipeline.run(remove('/q/plain')).err).toBe(Err.ok)
    expect(pipeline.created(createTtl('/q/', 5n, CreateFlag.persistentSequentialWithTtl))).toBe('/q/0000000003')
    expect(pipeline.created(create('/', CreateFlag.persistentSequential))).toBe('/0000000001')
  })

  it('that is sequential begins at 0 again below a parent that was made again', () => {
    const pipeline = withNodes(create('/q'), create('/q/a'), remove('/q/a'), remove('/q'), create('/q'))
    expect(pipeline.created(create('/q/', CreateFlag.persistentSequential))).toBe('/q/0000000000')
  })

  it('that is sequential goes on below zero when the counter wraps', () => {
    const pipeline = aged('/q', { childCreates: 2 ** 31 - 1 })
    expect(pipeline.created(create('/q/n-', CreateFlag.persistentSequential))).toBe('/q/n-2147483647')
    expect(pipeline.created(create('/q/n-', CreateFlag.persistentSequential))).toBe('/q/n--2147483648')
    expect(pipeline.created(create('/q/n-', CreateFlag.persistentSequential))).toBe('/q/n--2147483647')
    expect(pipeline.state.tree.stat('/q')).toMatchObject({ numChildren: 3, cversion: 1 })
  })
})

describe('a change of data', () => {
  it.each<[string, Wish, number]>([
    ['of a path that none may have', setData('/a/'), Err.badArguments],
    ['of a node that is not there', setData('/b'), Err.noNode],
    ['of another version', setData('/a', null, 1), Err.badVersion],
  ])('%s is refused', (_, wish, err) => {
    expect(refusal(withNodes(create('/a')), wish)).toBe(err)
  })

  it('counts up the version, seeing what is not applied yet', () => {
    const pipeline = withNodes(create('/a'))
    for (const version of [0, 1, -1]) expect(refusal(pipeline, setData('/a', null, version))).toBe(Err.ok)
    expect(refusal(pipeline, setData('/a', null, 2))).toBe(Err.badVersion)
    expect(pipeline.run(setData('/a', Uint8Array.of(1), 3)).body).toMatchObject({ stat: { version: 4, dataLength: 1 } })
  })

  it('leaves out the version -1 when it wraps, which would stand for any', () => {
    const versionBehind = (version: number) => aged('/a', { version }).run(setData('/a')).body
    expect(versionBehind(2 ** 31 - 1)).toMatchObject({ stat: { version: -(2 ** 31) } })
    expect(versionBehind(-2)).toMatchObject({ stat: { version: 0 } })
  })
})

describe('a delete', () => {
  it.each<[string, Wish, number]>([
    ['of the root', remove('/'), Err.badArguments],
    ['of /zookeeper', remove('/zookeeper'), Err.badArguments],
    ['of /zookeeper/config', remove('/zookeeper/config'), Err.badArguments],
    ['of /zookeeper/quota', remove('/zookeeper/quota'), Err.badArguments],
    ['without a slash', remove('a'), Err.badArguments],
    ['with a NUL', remove('/a\u0000'), Err.badArguments],
    ['of a node that is not there', remove('/b'), Err.noNode],
    ['of another version, before children are counted', remove('/a', 3), Err.badVersion],
    ['of a node with children', remove('/a', 0), Err.notEmpty],
  ])('%s is refused', (_, wish, err) => {
    expect(refusal(withNodes(create('/a'), create('/a/child')), wish)).toBe(err)
  })

  it('sees children that are made or gone in what is not applied yet', () => {
    const pipeline = withNodes(create('/a'))
    pipeline.prepare(create('/a/child'))
    expect(refusal(pipeline, remove('/a'))).toBe(Err.notEmpty)
    pipeline.prepare(remove('/a/child'))
    expect(refusal(pipeline, remove('/a'))).toBe(Err.ok)
    expect(refusal(pipeline, remove('/a'))).toBe(Err.noNode)
    expect(refusal(pipeline, create('/a/child'))).toBe(Err.noNode)
    expect(refusal(pipeline, create('/a'))).toBe(Err.ok)
  })
})

describe('a multi', () => {
  it('lets its parts see each other, and is one transaction', () => {
    const pipeline = withNodes()
    const { err, body, changes } = pipeline.run(
      multi(
        create('/m'),
        create('/m/', CreateFlag.ephemeralSequential),
        create('/m/', CreateFlag.persistentSequential),
        check('/m', 0),
        setData('/m', Uint8Array.of(1), 0),
        check('/m', 1),
        remove('/m/0000000001'),
      ),
    )
    expect(err).toBe(Err.ok)
    expect(body).toMatchObject([
      { op: OpCode.create, path: '/m' },
      { op: OpCode.create, path: '/m/0000000000', stat: { ephemeralOwner: SESSION } },
      { op: OpCode.create, path: '/m/0000000001' },
      { op: OpCode.check },
      { op: OpCode.setData, stat: { version: 1, mzxid: 2n } },
      { op: OpCode.check },
      { op: OpCode.delete },
    ])
    expect(changes.map(({ type, path }) => `${type} ${path}`)).toEqual([
      'created /m',
      'created /m/0000000000',
      'created /m/0000000001',
      'changed /m',
      'deleted /m/0000000001',
    ])
    const zxids = { czxid: 2n, mzxid: 2n, pzxid: 2n }
    expect(pipeline.state.tree.stat('/m')).toMatchObject({ ...zxids, cversion: 3, numChildren: 1 })
  })

  it('of nothing is done', () => {
    expect(withNodes().run(multi())).toMatchObject({ err: Err.ok, body: [], changes: [] })
  })

  it('of which one part is refused changes nothing, and says which', () => {
    const pipeline = withNodes(create('/a'))
    const { err, body, changes } = pipeline.run(multi(create('/b'), setData('/a'), check('/a', 5), remove('/a')))
    expect(err).toBe(Err.ok)
    expect(body).toEqual([
      { op: OpCode.error, err: Err.ok },
      { op: OpCode.error, err: Err.ok },
      { op: OpCode.error, err: Err.badVersion },
      { op: OpCode.error, err: Err.runtimeInconsistency },
    ])
    expect(changes).toEqual([])
    expect(pipeline.state.tree.stat('/b')).toBeNull()
    expect(pipeline.state.tree.stat('/a')).toMatchObject({ version: 0 })
  })

  it('that is refused gives the numbers back that it had taken (ZOOKEEPER-1624)', () => {
    const pipeline = withNodes(create('/q'))
    pipeline.prepare(create('/q/n-', CreateFlag.persistentSequential))
    const sequential = create('/q/n-', CreateFlag.persistentSequential)
    pipeline.prepare(multi(sequential, sequential, check('/none', -1)))
    expect(pipeline.created(sequential)).toBe('/q/n-0000000001')
  })

  it('that is refused leaves no ephemeral node for the end of the session to find', () => {
    const pipeline = withNodes()
    pipeline.prepare(multi(create('/e', CreateFlag.ephemeral), check('/none', -1)))
    expect(pipeline.prepare(closeSession()).txn).toEqual({ type: OpCode.closeSession, body: { paths2Delete: [] } })
  })
})

describe('the end of a session', () => {
  it('removes its ephemeral nodes, applied or not, sorted, and no others', () => {
    const pipeline = withNodes(create('/e2', 1), create('/gone', 1), create('/stays'))
    pipeline.run(openSession(), { sessionId: OTHER })
    pipeline.prepare(create('/e1', CreateFlag.ephemeral))
    pipeline.prepare(create('/other', CreateFlag.ephemeral), { sessionId: OTHER })
    pipeline.prepare(remove('/gone'))
    pipeline.prepare(create('/gone', CreateFlag.ephemeral), { sessionId: OTHER })
    pipeline.prepare(setData('/e1'))
    pipeline.prepare(setData('/e2'))
    pipeline.prepare(multi(create('/e3', CreateFlag.ephemeral)))
    pipeline.prepare(create('/brief', CreateFlag.ephemeral))
    pipeline.prepare(remove('/brief'))
    const { txn } = pipeline.prepare(closeSession())
    expect(txn.body).toEqual({ paths2Delete: ['/e1', '/e2', '/e3'] })
    expect(refusal(pipeline, setData('/e1'))).toBe(Err.noNode)
    const { endedSession, changes } = pipeline.run(closeSession(), { sessionId: OTHER })
    expect(endedSession).toBe(OTHER)
    expect(changes.map(({ path }) => path)).toEqual(['/gone', '/other'])
    expect(pipeline.state.tree.ephemeralCount).toBe(0)
    expect(pipeline.preparer.outstanding).toBe(0)
  })

  it('comes once', () => {
    const pipeline = withNodes()
    expect(refusal(pipeline, closeSession())).toBe(Err.ok)
    expect(refusal(pipeline, closeSession())).toBe(Err.sessionExpired)
    expect(refusal(pipeline, closeSession(), { sessionId: OTHER })).toBe(Err.sessionExpired)
  })

  it('frees the parent for a delete that comes right behind', () => {
    const pipeline = withNodes(create('/p'), create('/p/e', CreateFlag.ephemeral))
    pipeline.prepare(closeSession())
    expect(refusal(pipeline, remove('/p'), { sessionId: OTHER })).toBe(Err.ok)
  })
})

describe('the begin of a session', () => {
  it('is refused if its id is taken, or marks a kind of node', () => {
    const pipeline = withNodes()
    expect(refusal(pipeline, openSession())).toBe(Err.systemError)
    expect(refusal(pipeline, openSession(), { sessionId: OTHER })).toBe(Err.ok)
    expect(refusal(pipeline, openSession(), { sessionId: OTHER })).toBe(Err.systemError)
    for (const sessionId of [0n, -1n, -(2n ** 63n)]) {
      expect(refusal(pipeline, openSession(), { sessionId })).toBe(Err.badArguments)
    }
  })
})

describe('the removal of a node whose time is over', () => {
  it('is done for a container that is empty again', () => {
    const pipeline = withNodes(createContainer('/c'), create('/c/x'), remove('/c/x'))
    expect(pipeline.run(deleteContainer('/c')).changes).toMatchObject([{ type: 'deleted', path: '/c' }])
  })

  it('is refused if the node was used since it was found, applied or not', () => {
    const pipeline = withNodes(createContainer('/c'), create('/c/x'), remove('/c/x'))
    pipeline.prepare(create('/c/y'))
    expect(refusal(pipeline, deleteContainer('/c'))).toBe(Err.notEmpty)
    pipeline.prepare(remove('/c/y'))
    pipeline.prepare(remove('/c'))
    expect(refusal(pipeline, deleteContainer('/c'))).toBe(Err.noNode)
    pipeline.prepare(createContainer('/c'))
    expect(refusal(pipeline, deleteContainer('/c'))).toBe(Err.badVersion)
  })

  it('is refused for nodes of other kinds', () => {
    const pipeline = withNodes(create('/p'), create('/p/x'), remove('/p/x'), create('/e', CreateFlag.ephemeral))
    for (const path of ['/p', '/e', '/zookeeper/quota']) {
      expect(refusal(pipeline, deleteContainer(path))).toBe(Err.badVersion)
    }
    expect(refusal(pipeline, deleteContainer('/zookeeper'))).toBe(Err.notEmpty)
  })

  it('is done for a node with a time to live when that is over, counted from its last change', () => {
    const pipeline = withNodes(createTtl('/t', 100n))
    pipeline.prepare(setData('/t'), { timeMs: 1050 })
    expect(refusal(pipeline, deleteContainer('/t'), { timeMs: 1150 })).toBe(Err.badVersion)
    expect(refusal(pipeline, deleteContainer('/t'), { timeMs: 1151 })).toBe(Err.ok)
  })
})

describe('what is outstanding', () => {
  it('is dropped when it is applied, and not before', () => {
    const pipeline = withNodes()
    for (let i = 0; i < 3000; i++) pipeline.prepare(create(`/n${i}`))
    expect(pipeline.preparer.outstanding).toBe(3001)
    for (let i = 0; i < 2999; i++) pipeline.applyNext()
    expect(pipeline.preparer.outstanding).toBe(2)
    pipeline.applyNext()
    expect(pipeline.preparer.outstanding).toBe(0)
    expect(pipeline.state.tree.stat('/')).toMatchObject({ numChildren: 3001 })
  })
})
