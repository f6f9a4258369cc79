import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Quotas,
  changedUsage,
  exceedsHardLimit,
  usageText,
} from '../../../../../src/backends/embedded/server/state/quotas.ts'
import { SNAPSHOT_STEPS, Snapshot } from '../../../../../src/backends/embedded/server/state/snapshot.ts'
import { SessionTable } from '../../../../../src/backends/embedded/server/state/session-table.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Tree } from '../../../../../src/backends/embedded/server/state/tree.ts'
import { CreateFlag, Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { Pipeline, closeSession, create, multi, remove, setData } from '../pipeline.ts'
import { chunksOf } from '../recovered.ts'

const QUOTA = '/zookeeper/quota'

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

function textOf(data: Uint8Array | null | undefined): string {
  return Buffer.from(data ?? []).toString()
}

/** A pipeline in which `/a` has these limits, as zkCli sets them. */
function pipelineWith(limits: string, enforceQuota = true): Pipeline {
  const pipeline = Pipeline.withSession({ enforceQuota })
  pipeline.run(create('/a'))
  pipeline.run(create('/a/old', CreateFlag.persistent, bytes('12345')))
  pipeline.run(create(`${QUOTA}/a`))
  pipeline.run(create(`${QUOTA}/a/zookeeper_limits`, CreateFlag.persistent, bytes(limits)))
  pipeline.run(create(`${QUOTA}/a/zookeeper_stats`, CreateFlag.persistent, bytes('count=0,bytes=0')))
  return pipeline
}

function stats(pipeline: Pipeline, path = '/a'): string {
  return textOf(pipeline.state.tree.get(`${QUOTA}${path}/zookeeper_stats`)?.data)
}

describe('the numbers of a quota', () => {
  it('are counted when their node is made, and kept with every change below', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1')
    expect(stats(pipeline)).toBe('count=2,bytes=5')
    pipeline.run(create('/a/b', CreateFlag.persistent, bytes('123')))
    expect(stats(pipeline)).toBe('count=3,bytes=8')
    pipeline.run(setData('/a/b', bytes('1')))
    pipeline.run(setData('/a', bytes('22')))
    expect(stats(pipeline)).toBe('count=3,bytes=8')
    pipeline.run(remove('/a/old'))
    expect(stats(pipeline)).toBe('count=2,bytes=3')
    pipeline.run(multi(create('/a/m'), create('/ab'), remove('/a/b')))
    expect(stats(pipeline)).toBe('count=2,bytes=2')
    pipeline.run(create('/a/e', CreateFlag.ephemeral, bytes('4444')))
    expect(stats(pipeline)).toBe('count=3,bytes=6')
    pipeline.run(closeSession())
    expect(stats(pipeline)).toBe('count=2,bytes=2')
  })

  it('change the data of their node, and nothing else of it', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1')
    const path = `${QUOTA}/a/zookeeper_stats`
    const before = pipeline.state.tree.stat(path)
    const { changes } = pipeline.run(create('/a/b', CreateFlag.persistent, bytes('x'.repeat(100))))
    expect(changes).toHaveLength(1)
    expect(pipeline.state.tree.stat(path)).toEqual({ ...before, dataLength: 'count=3,bytes=105'.length })
  })

  it('are those of the deepest quota above', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1')
    pipeline.run(create('/a/in'))
    pipeline.run(create(`${QUOTA}/a/in`))
    pipeline.run(create(`${QUOTA}/a/in/zookeeper_limits`))
    pipeline.run(create(`${QUOTA}/a/in/zookeeper_stats`))
    expect(stats(pipeline, '/a/in')).toBe('count=1,bytes=0')
    pipeline.run(create('/a/in/x'))
    expect([stats(pipeline), stats(pipeline, '/a/in')]).toEqual(['count=3,bytes=5', 'count=2,bytes=0'])
    pipeline.run(remove(`${QUOTA}/a/in/zookeeper_limits`))
    pipeline.run(create('/a/in/y'))
    expect([stats(pipeline), stats(pipeline, '/a/in')]).toEqual(['count=4,bytes=5', 'count=2,bytes=0'])
  })

  it('go on from what a snapshot holds', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1')
    const restored = new Pipeline(State.restore(pipeline.state.snapshot()))
    for (const one of [pipeline, restored]) one.run(create('/a/b'))
    expect(stats(restored)).toBe('count=3,bytes=5')
    expect(restored.state.snapshot()).toEqual(pipeline.state.snapshot())
  })

  it('are nobody\'s where there are no limits, or no node for them', () => {
    const pipeline = Pipeline.withSession()
    for (const path of ['zookeeper_limits', 'zookeeper_stats', 'a', 'a/zookeeper_limits']) {
      expect(pipeline.run(create(`${QUOTA}/${path}`)).err).toBe(Err.ok)
    }
    expect(pipeline.run(create('/a')).err).toBe(Err.ok)
    expect(textOf(pipeline.state.tree.get(`${QUOTA}/zookeeper_stats`)?.data)).toBe('')
  })
})

describe('the end of a session that owns nodes under quotas', () => {
  const LASTING = ['/a', '/a/in', '/a/in/deep', '/b', '/zz']
  const OWNED = ['/a/x', '/a/y', '/a/in/x', '/a/in/deep/x', '/a/in/deep/y', '/b/x', '/zz/x', '/zz/y', '/free']
  const LIMITED = ['/a', '/a/in', '/b', '/zz', '/zookeeper']
  const quotaNode = fc.record({
    path: fc.constantFrom(...LIMITED),
    /** A quota is two nodes that clients make, so it may be the session's own, and it may be only half there. */
    limits: fc.constantFrom('lasting', 'owned', 'none'),
    stats: fc.constantFrom('lasting', 'owned', 'none'),
    text: fc.constantFrom('', 'count=5,bytes=7', 'nothing', 'count=-3,bytes=2=;byteHardLimit=1'),
  })
  const plan = fc.record({
    quotas: fc.uniqueArray(quotaNode, { selector: ({ path }) => path }),
    owned: fc.uniqueArray(fc.record({ path: fc.constantFrom(...OWNED), data: fc.uint8Array({ maxLength: 9 }) }), {
      selector: ({ path }) => path, minLength: 1,
    }),
  })
  type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never

  /** A tree with all of that, in which the session owns its part. */
  function treeOf({ quotas, owned }: Plan): Tree {
    const tree = new Tree()
    let time = 0
    const make = (path: string, data: Uint8Array, isOwned = false): void => {
      time += 1
      const parent = tree.get(path.slice(0, path.lastIndexOf('/')) || '/')
      const ownership = isOwned ? ({ kind: 'ephemeral', owner: 7n } as const) : ({ kind: 'persistent' } as const)
      const at = { zxid: BigInt(time), time }
      tree.create(path, { data, acl: OPEN_ACL, ownership }, (parent?.childCreates ?? 0) + 1, at)
    }
    for (const path of LASTING) make(path, bytes(path))
    for (const path of ['/a', '/a/in', '/b', '/zz', '/zookeeper']) make(`${QUOTA}${path}`, bytes(''))
    for (const { path, limits, stats, text } of quotas) {
      if (limits !== 'none') make(`${QUOTA}${path}/zookeeper_limits`, bytes('count=9'), limits === 'owned')
      if (stats === 'none') continue
      const statsPath = `${QUOTA}${path}/zookeeper_stats`
      make(statsPath, bytes(text), stats === 'owned')
      tree.setData(statsPath, bytes(text), 1, { zxid: BigInt(time), time })
    }
    for (const { path, data } of owned) make(path, data, true)
    return tree
  }

  it('leaves the numbers that the ends of its nodes would leave one by one', () => {
    let changed = 0
    fc.assert(
      fc.property(plan, (drawn) => {
        const [whole, single] = [treeOf(drawn), treeOf(drawn)]
        const at = { zxid: 1_000n, time: 1_000 }
        const before = drawn.quotas.map(({ path }) => whole.stat(`${QUOTA}${path}/zookeeper_stats`)?.dataLength)
        whole.deleteEphemeralsOf(7n, at, () => undefined)
        for (const path of [...single.ephemeralsOf(7n)]) single.delete(path, at)
        const all = (tree: Tree): Buffer => {
          const content = { tree, sessions: new SessionTable(), lastZxid: 1_000n }
          return Buffer.concat(chunksOf(new Snapshot(content, SNAPSHOT_STEPS, () => undefined)))
        }
        expect(all(whole).equals(all(single))).toBe(true)
        for (const path of ['/', ...LASTING, QUOTA]) {
          const [a, b] = [whole.get(path), single.get(path)]
          expect([a?.descendantCount, a?.descendantBytes]).toEqual([b?.descendantCount, b?.descendantBytes])
        }
        expect(whole.dataBytes).toBe(single.dataBytes)
        const after = drawn.quotas.map(({ path }) => whole.stat(`${QUOTA}${path}/zookeeper_stats`)?.dataLength)
        if (after.some((length, i) => length !== before[i])) changed += 1
      }),
      { numRuns: 300 },
    )
    expect(changed).toBeGreaterThan(30)
  })

  it('counts for each quota what was below it, in one sum', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1')
    pipeline.run(create('/b'))
    for (const path of [`${QUOTA}/b`, `${QUOTA}/b/zookeeper_limits`, `${QUOTA}/b/zookeeper_stats`]) {
      pipeline.run(create(path))
    }
    for (const path of ['/a/1', '/a/2', '/a/3', '/b/1']) pipeline.run(create(path, CreateFlag.ephemeral, bytes('xyz')))
    expect([stats(pipeline), stats(pipeline, '/b')]).toEqual(['count=5,bytes=14', 'count=2,bytes=3'])
    pipeline.run(closeSession())
    expect([stats(pipeline), stats(pipeline, '/b')]).toEqual(['count=2,bytes=5', 'count=1,bytes=0'])
  })
})

describe('a hard limit', () => {
  it('refuses what goes beyond it, before a version is looked at', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3')
    expect(pipeline.run(create('/a/big', CreateFlag.persistent, bytes('123456'))).err).toBe(Err.quotaExceeded)
    expect(pipeline.run(setData('/a', bytes('123456'), 77)).err).toBe(Err.quotaExceeded)
    expect(pipeline.run(setData('/a', bytes('12345'))).err).toBe(Err.ok)
    expect(pipeline.run(create('/a/b')).err).toBe(Err.ok)
    expect(pipeline.run(create('/a/c')).err).toBe(Err.quotaExceeded)
    expect(pipeline.run(setData('/a', bytes('1'))).err).toBe(Err.ok)
    expect(pipeline.run(create('/elsewhere')).err).toBe(Err.ok)
  })

  it('refuses a part of a multi', () => {
    const pipeline = pipelineWith('count=-1,bytes=-1=;countHardLimit=2')
    expect(pipeline.run(multi(create('/b'), create('/a/x'))).body).toEqual([
      { op: OpCode.error, err: Err.ok },
      { op: OpCode.error, err: Err.quotaExceeded },
    ])
  })

  it('is not kept where quotas are not enforced, and neither is a soft one', () => {
    expect(pipelineWith('count=1,bytes=1=;countHardLimit=1', false).run(create('/a/x')).err).toBe(Err.ok)
    expect(pipelineWith('count=1,bytes=1').run(create('/a/x')).err).toBe(Err.ok)
  })

  it('is none where the text is no quota', () => {
    for (const limits of ['', 'hello', 'countHardLimit', 'countHardLimit=', 'countHardLimit=x', '===;,,']) {
      expect(pipelineWith(limits).run(create('/a/x')).err).toBe(Err.ok)
    }
    expect(exceedsHardLimit(null, null, { count: 1, bytes: 1 })).toBe(false)
  })
})

describe('the text of a quota', () => {
  it('keeps what else it says, sorted, behind what old readers know', () => {
    expect(textOf(usageText({ count: 2, bytes: 3 }))).toBe('count=2,bytes=3')
    const text = bytes('byteHardLimit=9,count=1;bytes=2=;another=4')
    expect(textOf(changedUsage(text, { count: 1, bytes: -1 }))).toBe('count=2,bytes=1=;another=4;byteHardLimit=9')
  })

  it('begins at -1 where it says nothing', () => {
    expect(textOf(changedUsage(null, { count: 1, bytes: 0 }))).toBe('count=0,bytes=-1')
  })
})

it('a path without quotas costs no look-up', () => {
  const quotas = new Quotas()
  expect(quotas.of('/a/b')).toBeNull()
  quotas.created(`${QUOTA}/a/zookeeper_limits`)
  expect([quotas.of('/a/b'), quotas.of('/a'), quotas.of('/ab'), quotas.of('/')]).toEqual(['/a', '/a', null, null])
  quotas.clear()
  expect(quotas.of('/a/b')).toBeNull()
})
