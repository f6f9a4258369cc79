/** How a reply waits for the watches, where too many are armed for a read to look at each. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { deferred } from '../../../src/core/async.ts'
import type { Deferred } from '../../../src/core/async.ts'
import { ArmedWatch, ArmedWatches } from '../../../src/backends/etcd/armed-watches.ts'
import { RpcError } from '../../../src/backends/etcd/io/channel.ts'
import { Keys } from '../../../src/backends/etcd/keys.ts'
import type { KeyValue, TxnRequest, TxnResponse } from '../../../src/backends/etcd/messages.ts'
import { ReadPlan } from '../../../src/backends/etcd/read-plan.ts'
import { WatchCheck } from '../../../src/backends/etcd/watch-check.ts'
import type { CheckedStream } from '../../../src/backends/etcd/watch-check.ts'

const MANY = 100
const ARMED_AT = 10n
const MARK = 50n
const keys = new Keys('/p')

/** A stream that a test lets deliver. */
class Stream implements CheckedStream {
  deliveredBefore = 0n
  position = ARMED_AT
  restarts = 0
  readonly waits: { readonly revision: bigint; readonly limitMs: number; readonly end: Deferred<boolean> }[] = []

  hasDelivered(revision: bigint, limitMs: number): Promise<boolean> {
    if (this.position >= revision) return Promise.resolve(true)
    const end = deferred<boolean>()
    this.waits.push({ revision, limitMs, end })
    setTimeout(() => end.resolve(false), limitMs)
    return end.promise
  }

  restart(): void {
    this.restarts += 1
  }

  deliver(revision: bigint): void {
    this.deliveredBefore = this.position
    this.position = revision
    for (const wait of this.waits) if (wait.revision <= revision) wait.end.resolve(true)
  }
}

interface Rig {
  readonly stream: Stream
  readonly check: WatchCheck
  readonly fired: string[]
  /** Transactions that looked at watched paths. */
  readonly looks: TxnRequest[]
  readonly counts: { marks: number }
  /** The revisions of keys that another client has changed. */
  readonly changed: Map<string, bigint>
  mark: () => Promise<bigint>
  /** Whether a read at a revision was answered. */
  read(revision: bigint): { readonly isAnswered: () => boolean }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function rig(count = MANY): Rig {
  const [fired, looks]: [string[], TxnRequest[]] = [[], []]
  const changed = new Map<string, bigint>()
  const watches = new ArmedWatches((task) => task(), (callback) => callback())
  for (let index = 0; index < count; index++) {
    const watch = new ArmedWatch('get', `/n${index}`, ({ path }) => fired.push(path))
    watches.reading(watch)
    watches.arm(watch, ARMED_AT, { created: 1n, modified: 1n, counted: 0n, numChildren: 0 })
  }
  const stream = new Stream()
  const counts = { marks: 0 }
  const read = (request: TxnRequest): Promise<TxnResponse> => {
    looks.push(request)
    const kvs = request.success.map(({ range }): KeyValue => {
      const modRevision = changed.get(range?.key ?? '') ?? 1n
      return { createRevision: 1n, modRevision }
    })
    return Promise.resolve({ header: { revision: MARK }, responses: kvs.map((kv) => ({ range: { kvs: [kv] } })) })
  }
  const made: Rig = {
    stream,
    fired,
    looks,
    counts,
    changed,
    mark: () => Promise.resolve(MARK),
    check: new WatchCheck(keys, stream, watches, {
      endpoint: 0,
      read,
      now: () => Promise.resolve(MARK),
      mark: () => {
        counts.marks += 1
        return made.mark()
      },
    }),
    read: (revision) => {
      let isAnswered = false
      const plan = new ReadPlan(keys)
      const settled = made.check.settle(made.check.plan(plan), { plan, responses: [], revision })
      void settled.then(() => (isAnswered = true))
      return { isAnswered: () => isAnswered }
    },
  }
  return made
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

it('the reply waits until the stream has delivered its revision, and nothing is looked at', async () => {
  const { stream, looks, counts, read } = rig()
  const reply = read(12n)
  await pass(5)
  expect(reply.isAnswered()).toBe(false)
  stream.deliver(12n)
  await pass(0)
  expect(reply.isAnswered()).toBe(true)
  expect([looks.length, counts.marks]).toEqual([0, 0])
})

it('a revision of others is waited for until a mark comes by, and after that a read marks at once', async () => {
  const { stream, looks, counts, read } = rig()
  const first = read(20n)
  await pass(19)
  expect(counts.marks).toBe(0)
  await pass(1)
  expect([counts.marks, first.isAnswered()]).toEqual([1, false])
  stream.deliver(MARK)
  await pass(0)
  expect(first.isAnswered()).toBe(true)
  read(60n)
  await pass(1)
  expect([counts.marks, looks.length]).toEqual([2, 0])
})

it('a stream that was only late is waited for as before', async () => {
  const { stream, counts, read } = rig()
  read(20n)
  await pass(20)
  stream.deliver(20n)
  stream.deliver(MARK)
  await pass(0)
  read(60n)
  await pass(19)
  expect(counts.marks).toBe(1)
})

it('a stream that delivers no mark is moved if it missed something, which is fired by looking at all', async () => {
  const { stream, looks, changed, fired, read } = rig()
  changed.set(keys.node('/n7'), 15n)
  const reply = read(20n)
  await pass(1_019)
  expect(reply.isAnswered()).toBe(false)
  await pass(1)
  expect([fired, stream.restarts, reply.isAnswered()]).toEqual([['/n7'], 1, true])
  expect(looks.flatMap(({ success }) => success)).toHaveLength(MANY)
})

it('where no mark can be put, as in a database that is full, all is looked at', async () => {
  const made = rig()
  made.mark = () => Promise.reject(new RpcError('refused', 'etcdserver: mvcc: database space exceeded', 8))
  made.changed.set(keys.node('/n7'), 15n)
  const reply = made.read(20n)
  await pass(20)
  expect([made.fired, reply.isAnswered()]).toEqual([['/n7'], true])
})

it('after a gap the stream proves nothing until all was looked at', async () => {
  const { stream, looks, changed, fired, check, read } = rig()
  changed.set(keys.node('/n7'), 15n)
  stream.deliver(40n)
  const missed = check.missed()
  read(20n)
  await missed
  await pass(0)
  expect(fired).toEqual(['/n7'])
  const looked = looks.length
  read(30n)
  await pass(0)
  expect(looks).toHaveLength(looked)
})

it('a keep-alive looks at all only if the stream lags behind it', async () => {
  const { stream, looks, check } = rig()
  const first = check.alive()
  stream.deliver(MARK)
  await first
  expect(looks).toHaveLength(0)
  stream.position = ARMED_AT
  const second = check.alive()
  await pass(1_000)
  await second
  expect(looks.flatMap(({ success }) => success)).toHaveLength(MANY)
})

it('where few are watched the read looks at them itself', async () => {
  const { check } = rig(2)
  const plan = new ReadPlan(keys)
  expect(check.plan(plan)).toHaveLength(2)
  expect(plan.ops).toHaveLength(2)
})
