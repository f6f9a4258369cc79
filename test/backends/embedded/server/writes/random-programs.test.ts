/**
 * Random programs through prepare, encode, decode and apply, with applies that lag behind and decisions that are taken
 * back, under the judge of the simulation.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import type { Applied } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { MultiOperation, MultiResult, Request, StatRecord } from '../../../../../src/backends/wire/records.ts'
import { encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody } from '../../../../../src/backends/wire/transactions.ts'
import { judge, judgeLeaders, partsOf } from '../../../../../sim/judgement.ts'
import type { Part } from '../../../../../sim/judgement.ts'
import { Model } from '../../../../../sim/model.ts'
import type { PartResult, Replayed } from '../../../../../sim/model.ts'
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

/** Clients, each of which has one session after the other. */
const CLIENTS = [1, 2, 3]

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
  { weight: 4, arbitrary: fc.constant(openSession()) },
  { weight: 2, arbitrary: fc.constant(closeSession()) },
)
/** Asks for something, or has a decision and takes it back, or lets some of what was prepared be applied. */
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ wish, client: fc.constantFrom(...CLIENTS), isRevoked: fc.constant(false) }) },
  { weight: 2, arbitrary: fc.record({ wish, client: fc.constantFrom(...CLIENTS), isRevoked: fc.constant(true) }) },
  { weight: 4, arbitrary: fc.record({ applies: fc.integer({ min: 1, max: 6 }) }) },
)
const program = fc.array(step, { maxLength: 60, size: 'max' })

type Check = { op: typeof OpCode.check | typeof OpCode.checkCreation }

function isWish(operation: MultiOperation): operation is Exclude<MultiOperation, Check> {
  return operation.op !== OpCode.check && operation.op !== OpCode.checkCreation
}

type Program = readonly (
  | { readonly wish: Wish; readonly client: number; readonly isRevoked: boolean }
  | { readonly applies: number }
)[]

/** The answer to a request, or to a part of one: an error, or a path and a stat where it has them. */
interface Answer {
  readonly err: number
  readonly path?: string
  readonly stat?: StatRecord
}

function answersOf({ err, body }: Applied): Answer | readonly Answer[] {
  if (body === null) return { err }
  if ('map' in body) return (body as readonly MultiResult[]).map(partAnswer)
  return { err, ...body } as Answer
}

function partAnswer(result: MultiResult): Answer {
  if (result.op === OpCode.error) return { err: result.err }
  if (result.op === OpCode.create || result.op === OpCode.create2) {
    return { err: 0, path: result.path, ...(result.stat === null ? {} : { stat: result.stat }) }
  }
  return result.op === OpCode.setData ? { err: 0, stat: result.stat } : { err: 0 }
}

/** The same, as the model replays it. */
function expectedAnswers({ transaction, results }: Replayed): Answer | readonly Answer[] {
  if (transaction.txn.type === OpCode.multi) return results.map(expectedAnswer)
  const [result] = results
  return result === undefined ? { err: Err.ok } : expectedAnswer(result)
}

function expectedAnswer(result: PartResult): Answer {
  if (result.type === 'error') return { err: result.err }
  if (result.type === 'create') return { err: Err.ok, path: result.path, stat: result.stat }
  return result.type === 'set' ? { err: Err.ok, stat: result.stat } : { err: Err.ok }
}

/** One leader that goes through a program, and its judge, for whom everything is done at once. */
class Trial {
  readonly pipeline = new Pipeline()
  readonly model = new Model()
  done = 0
  refused = 0
  revoked = 0
  outstandingMax = 0
  readonly #expected: Replayed[] = []
  /** How many sessions each client has had before. */
  readonly #ended = new Map<number, bigint>()
  /** Data as it was last written: the model keeps none as empty. */
  readonly #data = new Map<string, Uint8Array | null>()
  #timeMs = 100

  run(program: Program): void {
    for (const client of CLIENTS) this.#ask({ wish: openSession(), client, isRevoked: false })
    for (const item of program) {
      this.#timeMs += 1
      if ('applies' in item) for (let i = 0; i < item.applies; i++) this.#applyNext()
      else this.#ask(item)
    }
    while (this.#applyNext());
    expect(this.pipeline.preparer.outstanding).toBe(0)
    this.#expectSameState()
  }

  #ask({ wish, client, isRevoked }: Extract<Program[number], { readonly wish: Wish }>): void {
    const sessionId = this.#sessionOf(client)
    const expected = this.#judge(wish, sessionId)
    const isRefused = expected.some(({ text }) => text.startsWith('error'))
    // The leader refuses what a session asks for that is not open, before anybody looks at it.
    const isForeign = !this.model.isOpen(sessionId) && !isRefused && wish.op !== OpCode.createSession
    const refusal = isForeign && wish.op !== OpCode.deleteContainer ? Err.sessionExpired : Err.ok
    if (isRevoked) {
      this.pipeline.prepare(wish, { sessionId, timeMs: this.#timeMs, refusal })
      this.pipeline.revoke()
      this.revoked += 1
      return
    }
    const transaction = this.pipeline.prepare(wish, { sessionId, timeMs: this.#timeMs, refusal })
    expect(partsOf(transaction.txn)).toEqual(refusal === Err.ok ? expected : [errorPart(refusal)])
    this.#replay(transaction)
    if (wish.op === OpCode.closeSession && !isRefused && refusal === Err.ok) {
      this.#ended.set(client, (this.#ended.get(client) ?? 0n) + 1n)
    }
    if (isRefused || refusal !== Err.ok) this.refused += 1
    else this.done += 1
  }

  #judge(wish: Wish, sessionId: bigint): readonly Part[] {
    switch (wish.op) {
      case OpCode.createSession:
      case OpCode.closeSession:
      case OpCode.deleteContainer: {
        const err = judgeLeaders(this.model, wish, sessionId, this.#timeMs)
        if (err !== Err.ok) return [errorPart(err)]
        return wish.op === OpCode.deleteContainer ? [{ text: `delete ${wish.body.path}`, data: null }] : []
      }
      default: {
        const header = { clientId: sessionId, zxid: this.pipeline.zxid + 1n }
        const parts = judge(this.model, { xid: 0, ...wish } as Request, header)
        if (parts === null) throw new Error(`nobody judges operation ${wish.op}`)
        return parts
      }
    }
  }

  #replay(transaction: Transaction): void {
    this.#expected.push(this.model.replay(transaction.header.zxid, encodeTransaction(transaction)))
    this.outstandingMax = Math.max(this.outstandingMax, this.#expected.length)
    this.#noteData(transaction.txn)
  }

  #noteData({ type, body }: TxnBody): void {
    if (type === OpCode.multi) for (const part of body) this.#noteData(part)
    else if (type !== OpCode.setAcl && body !== null && 'data' in body) this.#data.set(body.path, body.data)
  }

  /** Applies the oldest decision, if there is one. */
  #applyNext(): boolean {
    const applied = this.pipeline.applyNext()
    if (applied === undefined) return false
    const expected = this.#expected.shift()
    if (expected === undefined) throw new Error('more was applied than was decided')
    expect(answersOf(applied)).toEqual(expectedAnswers(expected))
    expect(applied.changes.map(({ type, path: changed }) => ({ type, path: changed }))).toEqual(expected.changes)
    return true
  }

  /** The session that a client has, or will open: no session is opened twice. */
  #sessionOf(client: number): bigint {
    return 100n * BigInt(client) + (this.#ended.get(client) ?? 0n)
  }

  #expectSameState(): void {
    const { tree, sessions } = this.pipeline.state
    expect(tree.nodeCount).toBe(this.model.nodeCount)
    for (const at of this.model.pathsEver()) {
      const actual = tree.data(at)
      expect(actual?.stat ?? null).toEqual(this.model.stat(at))
      if (actual === null) continue
      expect(actual.data).toEqual(this.#data.has(at) ? this.#data.get(at) : this.model.node(at)?.data)
      expect(tree.children(at)?.children).toEqual(this.model.names(at))
    }
    expect(sessions.size).toBe(this.model.sessionCount)
    for (const id of this.model.sessions.keys()) {
      expect(tree.ephemeralsOf(id)).toEqual(this.model.ephemeralsOf(id))
      expect(sessions.has(id)).toBe(this.model.isOpen(id))
    }
  }
}

function errorPart(err: number): Part {
  return { text: `error ${err}`, data: null }
}

describe('prepare and apply', () => {
  it('do what the judge says, also while applies lag behind', () => {
    const totals = { done: 0, refused: 0, revoked: 0, outstandingMax: 0 }
    fc.assert(
      fc.property(program, (steps) => {
        const trial = new Trial()
        trial.run(steps)
        totals.done += trial.done
        totals.refused += trial.refused
        totals.revoked += trial.revoked
        totals.outstandingMax = Math.max(totals.outstandingMax, trial.outstandingMax)
      }),
      { numRuns: 400 },
    )
    // The programs are worth something only if much of them works, much is refused, and applies do lag.
    expect(totals.done).toBeGreaterThan(1000)
    expect(totals.refused).toBeGreaterThan(1000)
    expect(totals.revoked).toBeGreaterThan(500)
    expect(totals.outstandingMax).toBeGreaterThan(10)
  })

  it('leave equal bytes on every server, restored from a snapshot anywhere on the way or not', () => {
    fc.assert(
      fc.property(program, fc.nat(), (steps, at) => {
        const pipeline = new Pipeline()
        for (const [i, item] of steps.entries()) {
          if ('applies' in item) pipeline.applyNext()
          else pipeline.prepare(item.wish, { sessionId: BigInt(item.client), timeMs: 100 + i })
          if ('wish' in item && item.isRevoked) pipeline.revoke()
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
