/**
 * Snapshots that are read while transactions are applied: each is the state of its zxid, and reads back as that.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CreateFlag, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { SNAPSHOT_STEPS } from '../../../../../src/backends/embedded/server/state/snapshot.ts'
import type { Snapshot } from '../../../../../src/backends/embedded/server/state/snapshot.ts'
import { StateReader } from '../../../../../src/backends/embedded/server/state/state-reader.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Pipeline, SESSION, closeSession, create, createContainer, openSession } from '../pipeline.ts'
import type { Wish } from '../pipeline.ts'

const OTHER_SESSION = 0x200n
/** So small that a snapshot of a few nodes takes many steps. */
const SMALL_STEPS = { chunkBytes: 40, sorted: 1, looks: 2 }

/** Siblings whose order as paths is not their order in a walk: `!` and `.` sort before `/`. */
const NAMES = ['a', 'a!', 'a.b', 'b'] as const
const LISTS = [1, 2].map((perms) => [{ perms, scheme: 'world', id: 'anyone' }])

const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join('/')}`)
const data = fc.uint8Array({ maxLength: 100 })
const sessionId = fc.constantFrom(SESSION, OTHER_SESSION)

const change: fc.Arbitrary<Wish> = fc.oneof(
  fc.tuple(path, data).map(([at, bytes]) => create(at, CreateFlag.persistent, bytes)),
  path.map((at) => create(at, CreateFlag.ephemeral)),
  path.map((at) => create(at, CreateFlag.persistentSequential)),
  path.map(createContainer),
  path.map((at) => ({ op: OpCode.delete, body: { path: at, version: -1 } })),
  fc.tuple(path, data).map(([at, bytes]) => ({ op: OpCode.setData, body: { path: at, data: bytes, version: -1 } })),
  fc.tuple(path, fc.constantFrom(...LISTS)).map(([at, acl]) => {
    return { op: OpCode.setAcl, body: { path: at, acl, version: -1 } }
  }),
  fc.tuple(path, path).map(([one, other]): Wish => {
    const parts = [create(one), { op: OpCode.delete, body: { path: other, version: -1 } }] as const
    return { op: OpCode.multi, body: [...parts] }
  }),
)

type Step =
  | { readonly type: 'change'; readonly wish: Wish; readonly sessionId: bigint }
  | { readonly type: 'session'; readonly sessionId: bigint }
  | { readonly type: 'open' }
  | { readonly type: 'read'; readonly which: number; readonly steps: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('change'), wish: change, sessionId }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('session'), sessionId }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('open') }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('read'), which: fc.nat(3), steps: fc.integer({ min: 1, max: 5 }) }),
  },
)

/** A snapshot that is being read, and the bytes that it has to give. */
interface Reading {
  readonly snapshot: Snapshot
  readonly expected: Uint8Array
  readonly chunks: Uint8Array[]
}

function opened({ state }: Pipeline): Reading {
  return { snapshot: state.openSnapshot(SMALL_STEPS), expected: state.snapshot(), chunks: [] }
}

/** Reads at most so many steps. */
function read({ snapshot, chunks }: Reading, steps = Infinity): void {
  for (let i = 0; i < steps; i++) {
    const chunk = snapshot.next()
    if (chunk === null) return
    chunks.push(chunk)
  }
}

function startOrEndSession(pipeline: Pipeline, id: bigint): void {
  pipeline.run(pipeline.state.sessions.has(id) ? closeSession() : openSession(), { sessionId: id })
}

function run(steps: readonly Step[]): void {
  const pipeline = Pipeline.withSession()
  for (const name of NAMES) pipeline.run(create(`/${name}`))
  pipeline.run(create('/a/a', CreateFlag.ephemeral))
  // Their data changes with every change below /a.
  for (const name of ['', '/zookeeper_limits', '/zookeeper_stats']) pipeline.run(create(`/zookeeper/quota/a${name}`))
  const readings: Reading[] = [opened(pipeline)]
  for (const taken of steps) {
    if (taken.type === 'change') pipeline.run(taken.wish, { sessionId: taken.sessionId })
    else if (taken.type === 'session') startOrEndSession(pipeline, taken.sessionId)
    else if (taken.type === 'open') readings.push(opened(pipeline))
    else read(readings[taken.which % readings.length] as Reading, taken.steps)
  }
  for (const reading of readings) {
    read(reading)
    expect(Buffer.concat(reading.chunks).toString('hex')).toBe(Buffer.from(reading.expected).toString('hex'))
    const restored = State.restore(...reading.chunks)
    expect(restored.lastZxid).toBe(reading.snapshot.zxid)
    for (const transaction of pipeline.log) {
      if (transaction.header.zxid > restored.lastZxid) restored.apply(transaction)
    }
    expect(Buffer.from(restored.snapshot()).equals(pipeline.state.snapshot())).toBe(true)
  }
}

describe('a snapshot that is read while the state goes on', () => {
  it('is the state of its zxid, and with the log after it the state at the end', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), run), { numRuns: 500 })
  })

  it('has an ephemeral node and a session that end while it is read', () => {
    const pipeline = Pipeline.withSession()
    pipeline.run(create('/e', CreateFlag.ephemeral))
    const reading = opened(pipeline)
    pipeline.run(closeSession())
    read(reading)
    const { tree, sessions } = State.restore(...reading.chunks)
    expect(tree.ephemeralsOf(SESSION)).toEqual(['/e'])
    expect(sessions.has(SESSION)).toBe(true)
    expect(pipeline.state.tree.get('/e')).toBeUndefined()
  })

  it('has a node that is deleted and made again as it was before', () => {
    const pipeline = Pipeline.withSession()
    pipeline.run(create('/a', CreateFlag.persistent, Uint8Array.of(1)))
    const reading = opened(pipeline)
    read(reading, 2)
    pipeline.run({ op: OpCode.delete, body: { path: '/a', version: -1 } })
    pipeline.run(create('/a', CreateFlag.persistent, Uint8Array.of(2)))
    read(reading)
    expect(State.restore(...reading.chunks).tree.data('/a')?.data).toEqual(Uint8Array.of(1))
  })

  it('gives chunks of about one length, the data of a large node alone, and steps without bytes', () => {
    const pipeline = Pipeline.withSession()
    pipeline.run(create('/large', CreateFlag.persistent, new Uint8Array(500_000)))
    for (let i = 0; i < 3_000; i++) pipeline.run(create(`/n${i}`))
    const lengths: number[] = []
    const snapshot = pipeline.state.openSnapshot()
    for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) lengths.push(chunk.length)
    const { chunkBytes } = SNAPSHOT_STEPS
    expect(lengths.filter((length) => length > 2 * chunkBytes)).toEqual([500_000])
    expect(lengths.filter((length) => length >= chunkBytes).length).toBeGreaterThan(3)
    expect(lengths.filter((length) => length === 0).length).toBeGreaterThan(1)
  })

  it('that is closed early cannot be read on, and the state goes on', () => {
    const pipeline = Pipeline.withSession()
    const reading = opened(pipeline)
    read(reading, 1)
    reading.snapshot.close()
    expect(reading.snapshot.isOpen).toBe(false)
    expect(() => reading.snapshot.next()).toThrow('closed before its end')
    pipeline.run(create('/a'))
    expect(State.restore(pipeline.state.snapshot()).tree.get('/a')).toBeDefined()
  })
})

describe('chunks that are cut anywhere', () => {
  it('make the same state', () => {
    const pipeline = Pipeline.withSession()
    for (const name of NAMES) pipeline.run(create(`/${name}`, CreateFlag.persistent, new Uint8Array(30)))
    pipeline.run({ op: OpCode.setAcl, body: { path: '/a', acl: LISTS[0] ?? [], version: -1 } })
    const bytes = pipeline.state.snapshot()
    const cuts = fc.array(fc.nat({ max: bytes.length }), { maxLength: 20 }).map((at) => [...at].sort((a, b) => a - b))
    fc.assert(
      fc.property(cuts, (at) => {
        const reader = new StateReader()
        for (const [i, end] of [...at, bytes.length].entries()) reader.write(bytes.slice(at[i - 1] ?? 0, end))
        expect(State.of(reader).snapshot()).toEqual(bytes)
      }),
    )
  })
})
