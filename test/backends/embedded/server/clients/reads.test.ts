import { describe, expect, it } from 'vitest'
import { NO_IDENTITIES } from '../../../../../src/backends/embedded/server/state/identities.ts'
import type { Identity } from '../../../../../src/backends/embedded/server/state/identities.ts'
import { answerRead } from '../../../../../src/backends/embedded/server/clients/reads.ts'
import type { ReadAnswer } from '../../../../../src/backends/embedded/server/clients/reads.ts'
import { Watches } from '../../../../../src/backends/embedded/server/clients/watches.ts'
import { CreateFlag, Err, OpCode, Perm } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { Acl, Request } from '../../../../../src/backends/wire/records.ts'
import { Pipeline, SESSION, create } from '../pipeline.ts'
import type { Wish } from '../pipeline.ts'

const ANN: Identity = { scheme: 'digest', id: 'ann:hash' }

function createWith(path: string, ...acl: Acl[]): Wish {
  return { op: OpCode.create2, body: { path, data: Uint8Array.of(1), acl, flags: CreateFlag.persistent } }
}

/** Nodes with several lists, and somebody who reads them. */
class Scene {
  readonly pipeline = Pipeline.withSession()
  watches = new Watches()
  responseBytesMax = 1_000

  constructor() {
    const { pipeline } = this
    pipeline.run(create('/a', CreateFlag.persistent, Uint8Array.of(1, 2)))
    pipeline.run(create('/a/b'))
    pipeline.run(create('/a/b/c', CreateFlag.ephemeral))
    pipeline.run(create('/e', CreateFlag.ephemeral))
    pipeline.run(createWith('/anns', { perms: Perm.all, ...ANN }))
    const readers = { perms: Perm.read, scheme: 'world', id: 'anyone' }
    pipeline.run(createWith('/admin', { perms: Perm.admin, ...ANN }, readers))
  }

  ask(request: Pick<Request, 'op' | 'body'>, identities: readonly Identity[] = NO_IDENTITIES): ReadAnswer | null {
    const reader = { connection: 1, sessionId: SESSION, identities }
    const { watches, responseBytesMax } = this
    const { state } = this.pipeline
    const from = { state, watches, responseBytesMax, isConfirmed: true }
    return answerRead({ xid: 1, ...request } as Request, reader, from)
  }

  read(op: number, path: string, identities?: readonly Identity[]): ReadAnswer | null {
    return this.ask({ op: op as typeof OpCode.getData, body: { path, watch: true } }, identities)
  }
}

describe('a read', () => {
  const scene = new Scene()
  const stat = (path: string) => scene.pipeline.state.tree.stat(path)

  it('tells what there is', () => {
    expect(scene.read(OpCode.exists, '/a')?.body).toEqual({ stat: stat('/a') })
    expect(scene.read(OpCode.getData, '/a')?.body).toEqual({ data: Uint8Array.of(1, 2), stat: stat('/a') })
    expect(scene.read(OpCode.getChildren, '/a')?.body).toEqual({ children: ['b'] })
    expect(scene.read(OpCode.getChildren2, '/a')?.body).toEqual({ children: ['b'], stat: stat('/a') })
    expect(scene.read(OpCode.getAcl, '/a')?.body).toEqual({ acl: OPEN_ACL, stat: stat('/a') })
    expect(scene.read(OpCode.getAllChildrenNumber, '/a')?.body).toEqual({ totalNumber: 2 })
    expect(scene.read(OpCode.getAllChildrenNumber, '/')?.body).toEqual({ totalNumber: 9 })
  })

  it('takes the empty path for the root', () => {
    expect(scene.read(OpCode.exists, '')?.body).toEqual({ stat: stat('/') })
    expect(scene.read(OpCode.getAllChildrenNumber, '')?.body).toEqual({ totalNumber: 10 })
  })

  it.each([OpCode.exists, OpCode.getData, OpCode.getChildren, OpCode.getChildren2, OpCode.getAcl])(
    'of kind %d finds no node at a path of none, well formed or not',
    (op) => {
      for (const path of ['/none', '/a/', 'a', '//']) expect(scene.read(op, path)?.err).toBe(Err.noNode)
    },
  )

  it('is refused by exists for a path with a null character alone', () => {
    expect(scene.read(OpCode.exists, '/a\0')?.err).toBe(Err.badArguments)
    expect(scene.read(OpCode.getData, '/a\0')?.err).toBe(Err.noNode)
  })

  it('needs READ, but for exists', () => {
    for (const op of [OpCode.getData, OpCode.getChildren, OpCode.getChildren2, OpCode.getAllChildrenNumber]) {
      expect(scene.read(op, '/anns')?.err).toBe(Err.noAuth)
      expect(scene.read(op, '/anns', [ANN])?.err).toBe(Err.ok)
    }
    expect(scene.read(OpCode.exists, '/anns')?.err).toBe(Err.ok)
  })

  it('of a list needs READ or ADMIN, and shows hashes to ADMIN only', () => {
    expect(scene.read(OpCode.getAcl, '/anns')?.err).toBe(Err.noAuth)
    expect(scene.read(OpCode.getAcl, '/admin')?.body).toMatchObject({ acl: [{ id: 'ann:x' }, { id: 'anyone' }] })
    expect(scene.read(OpCode.getAcl, '/admin', [ANN])?.body).toMatchObject({ acl: [{ id: ANN.id }, { id: 'anyone' }] })
  })
})

describe('a watch of a read', () => {
  it('is armed where the read finds the node, and by exists in any case', () => {
    const scene = new Scene()
    for (const path of ['/none', '/anns']) scene.read(OpCode.getData, path)
    for (const path of ['/none', '/anns']) scene.read(OpCode.getChildren2, path)
    expect(scene.watches.count).toBe(0)
    for (const path of ['/none', '/anns']) scene.read(OpCode.exists, path)
    expect(scene.watches.count).toBe(2)
    scene.read(OpCode.getChildren, '/a')
    expect(scene.watches.count).toBe(3)
  })

  it('beyond the limit of a connection refuses the one read', () => {
    const scene = new Scene()
    scene.watches = new Watches(1)
    expect(scene.read(OpCode.exists, '/a')?.err).toBe(Err.ok)
    const refused = { err: Err.quotaExceeded, body: null, events: [] }
    for (const op of [OpCode.exists, OpCode.getData, OpCode.getChildren]) {
      expect(scene.read(op, '/a/b')).toEqual(refused)
    }
    expect(scene.ask({ op: OpCode.addWatch, body: { path: '/x', mode: 0 } })).toEqual(refused)
    expect(scene.read(OpCode.getData, '/a')?.err).toBe(Err.ok)
    expect(scene.watches.count).toBe(1)
  })

  it('beyond the bytes of the paths that a connection may watch refuses the one read', () => {
    const scene = new Scene()
    scene.watches = new Watches(100, 4)
    expect(scene.read(OpCode.exists, '/a')?.err).toBe(Err.ok)
    const refused = { err: Err.quotaExceeded, body: null, events: [] }
    for (const op of [OpCode.exists, OpCode.getData, OpCode.getChildren]) {
      expect(scene.read(op, '/a/b')).toEqual(refused)
    }
    expect(scene.ask({ op: OpCode.addWatch, body: { path: '/x', mode: 0 } })).toEqual(refused)
    expect(scene.watches.count).toBe(1)
  })
})

describe('an answer that is longer than the limit', () => {
  const refused = { err: Err.quotaExceeded, body: null, events: [] }

  it('is refused before it is built: one large node, asked for again and again', () => {
    const scene = new Scene()
    scene.pipeline.run(create('/large', CreateFlag.persistent, new Uint8Array(100)))
    scene.responseBytesMax = 100 * (100 + 81)
    const part = { op: OpCode.getData, body: { path: '/large', watch: false } } as const
    expect(scene.ask({ op: OpCode.multiRead, body: Array.from({ length: 100 }, () => part) })?.err).toBe(Err.ok)
    expect(scene.ask({ op: OpCode.multiRead, body: Array.from({ length: 101 }, () => part) })).toEqual(refused)
    // A megabyte of request that asks for 100 TB: whoever built it would not come back.
    const far = { op: OpCode.getChildren, body: { path: '/', watch: false } } as const
    expect(scene.ask({ op: OpCode.multiRead, body: Array.from({ length: 70_000 }, () => far) })).toEqual(refused)
  })

  it('is refused of every kind, and arms no watch', () => {
    const scene = new Scene()
    for (let i = 0; i < 10; i++) scene.pipeline.run(create(`/a/b/${'n'.repeat(50)}${i}`, CreateFlag.ephemeral))
    scene.responseBytesMax = 10 * (51 + 4) + 1 + 4
    expect(scene.read(OpCode.getChildren2, '/a/b')?.err).toBe(Err.ok)
    expect(scene.watches.count).toBe(1)
    scene.pipeline.run(create('/a/b/d'))
    for (const op of [OpCode.getChildren, OpCode.getChildren2]) expect(scene.read(op, '/a/b')).toEqual(refused)
    expect(scene.ask({ op: OpCode.getEphemerals, body: { prefixPath: '/' } })).toEqual(refused)
    expect(scene.ask({ op: OpCode.getEphemerals, body: { prefixPath: '/e' } })?.err).toBe(Err.ok)
    scene.responseBytesMax = 1
    expect(scene.read(OpCode.getData, '/a')).toEqual(refused)
    expect(scene.watches.count).toBe(1)
  })
})

describe('getEphemerals', () => {
  const scene = new Scene()
  const of = (prefixPath: string) => scene.ask({ op: OpCode.getEphemerals, body: { prefixPath } })?.body

  it('tells those of the own session, by the beginning of their paths', () => {
    scene.pipeline.run({ op: OpCode.createSession, body: { timeOut: 1, passwd: null } }, { sessionId: 7n })
    scene.pipeline.run(create('/other', CreateFlag.ephemeral), { sessionId: 7n })
    for (const prefix of ['', '/', ' / ']) expect(of(prefix)).toEqual({ ephemerals: ['/a/b/c', '/e'] })
    expect(of('/a')).toEqual({ ephemerals: ['/a/b/c'] })
    expect(of('/a/b/c/')).toEqual({ ephemerals: [] })
  })
})

describe('multiRead', () => {
  it('answers each part for itself, and arms nothing', () => {
    const scene = new Scene()
    const parts = [
      { op: OpCode.getData, body: { path: '/a', watch: true } },
      { op: OpCode.getChildren, body: { path: '/none', watch: true } },
      { op: OpCode.getChildren, body: { path: '/anns', watch: true } },
      { op: OpCode.getChildren, body: { path: '/a', watch: true } },
    ] as const
    expect(scene.ask({ op: OpCode.multiRead, body: parts })).toMatchObject({
      err: Err.ok,
      body: [
        { op: OpCode.getData, data: Uint8Array.of(1, 2) },
        { op: OpCode.error, err: Err.noNode },
        { op: OpCode.error, err: Err.noAuth },
        { op: OpCode.getChildren, children: ['b'] },
      ],
    })
    expect(scene.watches.count).toBe(0)
  })
})

describe('requests about watches', () => {
  it('find and remove those of a path', () => {
    const scene = new Scene()
    const about = (op: number, path: string, type: number): number | undefined => {
      return scene.ask({ op: op as typeof OpCode.checkWatches, body: { path, type } })?.err
    }
    expect(scene.ask({ op: OpCode.addWatch, body: { path: '/not yet', mode: 1 } })?.body).toEqual({ err: Err.ok })
    expect(about(OpCode.checkWatches, '/not yet', 3)).toBe(Err.ok)
    expect(about(OpCode.checkWatches, '/else', 3)).toBe(Err.noWatcher)
    expect(about(OpCode.removeWatches, '/not yet', 3)).toBe(Err.ok)
    expect(about(OpCode.removeWatches, '/not yet', 3)).toBe(Err.noWatcher)
    for (const type of [0, 4, 5]) expect(about(OpCode.removeWatches, '/a', type)).toBe(Err.marshallingError)
    expect(scene.ask({ op: OpCode.addWatch, body: { path: '/a', mode: 2 } })?.err).toBe(Err.marshallingError)
  })
})

it('whoAmI tells the identities of the connection', () => {
  expect(new Scene().ask({ op: OpCode.whoAmI, body: null }, [ANN])?.body).toEqual({
    clientInfo: [{ authScheme: 'digest', user: 'ann' }],
  })
})
