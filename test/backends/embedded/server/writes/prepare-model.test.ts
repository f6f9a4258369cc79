/**
 * Random programs through prepare, encode, decode and apply, with applies that lag behind, against the naive model.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import type { Applied } from '../../../../../src/backends/embedded/server/state/state.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { MultiOperation, MultiResult } from '../../../../../src/backends/wire/records.ts'
import { NaiveModel, textOf } from './naive-model.ts'
import type { ModelReply, ModelResult } from './naive-model.ts'
import {
  Pipeline,
  check,
  checkCreation,
  closeSession,
  createContainer,
  createTtl,
  deleteContainer,
  multi,
  openSession,
  remove,
  setData,
} from '../pipeline.ts'
import type { Wish } from '../pipeline.ts'

const SESSIONS = [1n, 2n, 3n]

const path = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('/a', '/b', '/a/x', '/a/y', '/a/x/deep', '/b/q-', '/a/', '/') },
  { weight: 1, arbitrary: fc.constantFrom('/zookeeper/n', '/zookeeper', '/zookeeper/quota') },
  { weight: 1, arbitrary: fc.constantFrom('/b/q-0000000001', '/a/0000000002') },
  { weight: 1, arbitrary: fc.constantFrom('a', '', '//', '/a//x', '/a/../b', '/b/\u0007', '/a/.', 'a/b') },
)
const data = fc.constantFrom(null, new Uint8Array(), Uint8Array.of(1, 2), Uint8Array.of(7))
const version = fc.constantFrom(-1, -1, 0, 1, 2)
const czxid = fc.bigInt({ min: 0n, max: 12n })
const flags = fc.constantFrom(0, 0, 1, 2, 3, 3, 4, 5, 7, -1)
const createBody = fc.record({ path, data, acl: fc.constant(OPEN_ACL), flags })

const part: fc.Arbitrary<MultiOperation> = fc.oneof(
  { weight: 6, arbitrary: createBody.map((body) => ({ op: OpCode.create2, body })) },
  { weight: 2, arbitrary: path.map(createContainer) },
  { weight: 1, arbitrary: fc.tuple(path, fc.constantFrom(0n, 3n, 2n ** 40n), flags).map((args) => createTtl(...args)) },
  { weight: 2, arbitrary: fc.tuple(path, fc.constantFrom(3n, 8n)).map((args) => createTtl(...args)) },
  { weight: 4, arbitrary: fc.tuple(path, version).map(([at, expected]) => remove(at, expected)) },
  { weight: 3, arbitrary: fc.tuple(path, data, version).map((args) => setData(...args)) },
  { weight: 2, arbitrary: fc.tuple(path, version).map((args) => check(...args)) },
  { weight: 4, arbitrary: fc.tuple(path, version, czxid).map((args) => checkCreation(...args)) },
)
const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 20, arbitrary: part.filter(isWish) },
  { weight: 3, arbitrary: createBody.map((body) => ({ op: OpCode.create, body })) },
  { weight: 8, arbitrary: fc.array(part, { maxLength: 4 }).map((parts) => multi(...parts)) },
  { weight: 3, arbitrary: path.map(deleteContainer) },
  { weight: 2, arbitrary: fc.constant(openSession()) },
  { weight: 2, arbitrary: fc.constant(closeSession()) },
)
/** Asks for something, or lets some of what was prepared be applied. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ wish, sessionId: fc.constantFrom(...SESSIONS) }) },
  { weight: 2, arbitrary: fc.record({ applies: fc.integer({ min: 1, max: 6 }) }) },
)
const program = fc.array(step, { maxLength: 60, size: 'max' })

type Check = { op: typeof OpCode.check | typeof OpCode.checkCreation }

function isWish(operation: MultiOperation): operation is Exclude<MultiOperation, Check> {
  return operation.op !== OpCode.check && operation.op !== OpCode.checkCreation
}

/** What was applied, in the model's form. */
function replyOf({ err, body }: Applied): ModelReply {
  if (body === null) return { err }
  if ('map' in body) return { err, parts: (body as readonly MultiResult[]).map(resultOf) }
  return { err, ...body } as ModelReply
}

function resultOf(result: MultiResult): ModelResult {
  if (result.op === OpCode.error) return { err: result.err }
  if (result.op === OpCode.create || result.op === OpCode.create2) {
    return { err: 0, path: result.path, ...(result.stat === null ? {} : { stat: result.stat }) }
  }
  return result.op === OpCode.setData ? { err: 0, stat: result.stat } : { err: 0 }
}

function expectSameState(state: State, model: NaiveModel): void {
  expect(state.tree.nodeCount).toBe(model.nodes.length)
  for (const node of model.nodes) {
    const actual = state.tree.data(node.path)
    expect(actual?.stat).toEqual(model.stat(node.path))
    if (actual !== null) expect(textOf(actual.data)).toBe(node.data)
    expect(state.tree.children(node.path)?.children).toEqual(model.children(node.path))
  }
  for (const id of SESSIONS) {
    expect([...state.tree.ephemeralsOf(id)].sort()).toEqual(model.ephemerals(id).sort())
    expect(state.sessions.has(id)).toBe(model.sessions.includes(id))
  }
}

describe('prepare and apply', () => {
  it('do what the plain rules say, also while applies lag behind', () => {
    let refused = 0
    let done = 0
    let outstandingMax = 0
    fc.assert(
      fc.property(program, (steps) => {
        const pipeline = new Pipeline()
        const model = new NaiveModel()
        const expected: ModelReply[] = []
        const applyNext = (): boolean => {
          const applied = pipeline.applyNext()
          if (applied === undefined) return false
          expect(replyOf(applied)).toEqual(expected.shift())
          return true
        }
        let timeMs = 100
        for (const item of steps) {
          timeMs += 1
          if ('applies' in item) {
            for (let i = 0; i < item.applies; i++) applyNext()
            continue
          }
          pipeline.prepare(item.wish, { sessionId: item.sessionId, timeMs })
          const reply = model.execute(item.wish, { sessionId: item.sessionId, zxid: pipeline.zxid, timeMs })
          expected.push(reply)
          if (reply.err === 0) done += 1
          else refused += 1
          outstandingMax = Math.max(outstandingMax, expected.length)
        }
        while (applyNext());
        expect(pipeline.preparer.outstanding).toBe(0)
        expectSameState(pipeline.state, model)
      }),
      { numRuns: 400 },
    )
    // The programs are worth something only if much of them works, much is refused, and applies do lag.
    expect(done).toBeGreaterThan(1000)
    expect(refused).toBeGreaterThan(1000)
    expect(outstandingMax).toBeGreaterThan(10)
  })

  it('leave equal bytes on every server, restored from a snapshot anywhere on the way or not', () => {
    fc.assert(
      fc.property(program, fc.nat(), (steps, at) => {
        const pipeline = new Pipeline()
        for (const [i, item] of steps.entries()) {
          if ('applies' in item) pipeline.applyNext()
          else pipeline.prepare(item.wish, { sessionId: item.sessionId, timeMs: 100 + i })
        }
        while (pipeline.applyNext() !== undefined);
        const bytes = pipeline.state.snapshot()
        let replayed = new State()
        const restoredBehind = at % (pipeline.log.length + 1)
        for (const [i, transaction] of pipeline.log.entries()) {
          if (i === restoredBehind) replayed = State.restore(replayed.snapshot())
          replayed.apply(transaction)
        }
        expect(replayed.lastZxid).toBe(pipeline.state.lastZxid)
        expect(Buffer.from(replayed.snapshot()).equals(bytes)).toBe(true)
        expect(Buffer.from(State.restore(bytes).snapshot()).equals(bytes)).toBe(true)
      }),
      { numRuns: 150 },
    )
  })
})
