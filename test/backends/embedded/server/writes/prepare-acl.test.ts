import { describe, expect, it } from 'vitest'
import type { Identity } from '../../../../../src/backends/embedded/server/state/identities.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { CreateFlag, Err, OpCode, Perm } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { Acl } from '../../../../../src/backends/wire/records.ts'
import { Pipeline, check, create, createTtl, multi, remove, setData } from '../pipeline.ts'
import type { Wish } from '../pipeline.ts'

const ANN: Identity = { scheme: 'digest', id: 'ann:hash' }
const ANNS: readonly Acl[] = [{ perms: Perm.all, ...ANN }]
const READ_ONLY: readonly Acl[] = [{ perms: Perm.read, scheme: 'world', id: 'anyone' }]

function createWith(path: string, acl: readonly Acl[], flags: number = CreateFlag.persistent): Wish {
  return { op: OpCode.create2, body: { path, data: null, acl, flags } }
}

function setAcl(path: string, acl: readonly Acl[], version = -1): Wish {
  return { op: OpCode.setAcl, body: { path, acl, version } }
}

function pipelineWith(...wishes: Wish[]): Pipeline {
  const pipeline = Pipeline.withSession()
  for (const wish of wishes) expect(pipeline.run(wish, { identities: [ANN] }).err).toBe(Err.ok)
  return pipeline
}

describe('a write that needs a permission', () => {
  const nodes = [createWith('/anns', ANNS), createWith('/anns/child', ANNS), createWith('/open', OPEN_ACL)]
  const pipeline = pipelineWith(...nodes)
  const err = (wish: Wish, ...identities: Identity[]): number => pipeline.run(wish, { identities }).err

  it('is refused to who has it not, and done for who has', () => {
    expect(err(create('/anns/x'))).toBe(Err.noAuth)
    expect(err(create('/anns/x'), ANN)).toBe(Err.ok)
    expect(err(setData('/anns'))).toBe(Err.noAuth)
    expect(err(setData('/anns'), ANN)).toBe(Err.ok)
    expect(err(setAcl('/anns', ANNS))).toBe(Err.noAuth)
    expect(err(setAcl('/anns', ANNS), ANN)).toBe(Err.ok)
    expect(err(check('/anns', -1))).toBe(Err.noAuth)
    expect(err(check('/anns', -1), ANN)).toBe(Err.ok)
    expect(err(remove('/anns/x'))).toBe(Err.noAuth)
    expect(err(remove('/anns/x'), ANN)).toBe(Err.ok)
  })

  it('is a delete where the parent permits it, whatever the node does', () => {
    expect(err(createWith('/open/anns', ANNS), ANN)).toBe(Err.ok)
    expect(err(remove('/open/anns'))).toBe(Err.ok)
  })

  it('is refused as a part of a multi, too', () => {
    expect(pipeline.run(multi(create('/open/m'), setData('/anns'))).body).toEqual([
      { op: OpCode.error, err: Err.ok },
      { op: OpCode.error, err: Err.noAuth },
    ])
  })

  it('is refused for what the reference looks at first', () => {
    expect(err(createWith('/none/x', []))).toBe(Err.invalidAcl)
    expect(err(createWith('/none/x', ANNS))).toBe(Err.noNode)
    expect(err(create('/anns/child'))).toBe(Err.noAuth)
    expect(err(create('/anns//child'))).toBe(Err.noNode)
    expect(err(create('/anns/.'))).toBe(Err.noAuth)
    expect(err(remove('/anns/none'))).toBe(Err.noAuth)
    expect(err(remove('/none/none'))).toBe(Err.noNode)
    expect(err(setData('/anns', null, 77))).toBe(Err.noAuth)
    expect(err(setAcl('/none', []))).toBe(Err.invalidAcl)
    expect(err(setAcl('/anns/', []))).toBe(Err.badArguments)
    expect(err(setAcl('/anns', OPEN_ACL, 77))).toBe(Err.noAuth)
    expect(err(setAcl('/anns', OPEN_ACL, 77), ANN)).toBe(Err.badVersion)
  })
})

describe('setACL', () => {
  it('changes the list and its version, and nothing else', () => {
    const pipeline = pipelineWith(create('/a'))
    const before = pipeline.state.tree.stat('/a')
    const { body, changes } = pipeline.run(setAcl('/a', READ_ONLY, 0))
    expect(body).toEqual({ stat: { ...before, aversion: 1 } })
    expect(changes).toEqual([])
    expect(pipeline.state.tree.get('/a')?.acl).toEqual(READ_ONLY)
    expect(pipeline.run(setAcl('/a', OPEN_ACL, 0)).err).toBe(Err.noAuth)
    expect(pipeline.state.tree.get('/a')?.acl).toEqual(READ_ONLY)
  })

  it('counts for what is decided behind it, applied or not', () => {
    const pipeline = pipelineWith(create('/a'))
    pipeline.prepare(setAcl('/a', READ_ONLY))
    expect(pipeline.run(setData('/a')).err).toBe(Err.noAuth)
    expect(pipeline.run(setData('/zookeeper/config')).err).toBe(Err.noAuth)
  })

  it('gives the identities of the requester in place of auth', () => {
    const pipeline = pipelineWith(createWith('/a', [{ perms: Perm.read, scheme: 'auth', id: '' }]))
    expect(pipeline.state.tree.get('/a')?.acl).toEqual([{ perms: Perm.read, ...ANN }])
    expect(pipeline.run(setAcl('/a', [{ perms: Perm.read, scheme: 'auth', id: '' }])).err).toBe(Err.invalidAcl)
  })

  it('is in the snapshot', () => {
    const pipeline = pipelineWith(create('/a'), setAcl('/a', ANNS))
    const { tree } = State.restore(pipeline.state.snapshot())
    expect(tree.get('/a')).toMatchObject({ acl: ANNS, aversion: 1 })
  })
})

describe('a check on its own', () => {
  it('is answered as a multi of one, and changes nothing', () => {
    const pipeline = pipelineWith(create('/a'))
    const { txn } = pipeline.prepare(check('/a', 0))
    expect(txn).toMatchObject({ type: OpCode.multi, body: [{ type: OpCode.check }] })
    expect(pipeline.applyNext()).toMatchObject({ err: Err.ok, changes: [] })
    expect(pipeline.run(check('/a', 1)).err).toBe(Err.badVersion)
    expect(pipeline.run(check('/b', 0)).err).toBe(Err.noNode)
    expect(pipeline.run(check('b', 0)).err).toBe(Err.badArguments)
  })
})

describe('a request that cannot be done', () => {
  it('takes its place in the order', () => {
    const pipeline = pipelineWith(create('/a'))
    const wish = { op: OpCode.error, body: { err: Err.marshallingError } }
    expect(pipeline.prepare(wish).txn).toEqual({ type: OpCode.error, body: { err: Err.marshallingError } })
    expect(pipeline.applyNext()?.err).toBe(Err.marshallingError)
    expect(pipeline.state.lastZxid).toBe(pipeline.zxid)
  })
})

describe('a node with a time to live', () => {
  it('is refused where there are none', () => {
    const pipeline = Pipeline.withSession({ extendedTypes: false })
    expect(pipeline.run(createTtl('/t', 5n)).err).toBe(Err.unimplemented)
    expect(pipeline.run(createTtl('/t', 0n)).err).toBe(Err.unimplemented)
    expect(pipeline.run(create('/t', CreateFlag.persistentWithTtl)).err).toBe(Err.unimplemented)
    expect(pipeline.run(create('/t', 77)).err).toBe(Err.badArguments)
  })
})

describe('the parts of a multi', () => {
  it('make what their flags say, whatever their operation', () => {
    const pipeline = Pipeline.withSession()
    const body = { data: null, acl: OPEN_ACL }
    const wish: Wish = {
      op: OpCode.multi,
      body: [
        { op: OpCode.createContainer, body: { ...body, path: '/plain', flags: CreateFlag.persistent } },
        { op: OpCode.create, body: { ...body, path: '/container', flags: CreateFlag.container } },
        { op: OpCode.createTTL, body: { ...body, path: '/without', flags: CreateFlag.persistent, ttl: 9n } },
      ],
    }
    const results = [{ op: OpCode.create }, { op: OpCode.create2 }, { op: OpCode.create }]
    expect(pipeline.run(wish).body).toMatchObject(results)
    const kinds = ['/plain', '/container', '/without'].map((path) => pipeline.state.tree.get(path)?.ownership.kind)
    expect(kinds).toEqual(['persistent', 'container', 'persistent'])
  })

  it('cannot be a plain create with the flag of a time to live, and leave no trace then', () => {
    const pipeline = Pipeline.withSession()
    const ttl = create('/t', CreateFlag.persistentWithTtl)
    expect(pipeline.run(multi(create('/q-', CreateFlag.persistentSequential), ttl)).err).toBe(Err.marshallingError)
    expect(pipeline.created(create('/q-', CreateFlag.persistentSequential))).toBe('/q-0000000000')
    expect(pipeline.run(multi(remove('/none'), ttl)).body).toMatchObject([{ err: Err.noNode }, { err: -2 }])
  })
})
