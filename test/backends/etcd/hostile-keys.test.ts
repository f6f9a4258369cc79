/** Keys that any other client of an etcd can write under a prefix, and the errors that callers get. */
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CoordinationError } from '../../../src/index.ts'
import type { Session, Stat } from '../../../src/core/backend.ts'
import { etcd } from '../../../src/backends/etcd/index.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'

const SETTLED_MS_MAX = 5_000
const ROUNDS = 60
const EMPTY = new Uint8Array()
const reason = etcdMissing === null ? '' : ` (skipped: ${etcdMissing})`
const FOREIGN = { code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' }
const LINE = 'quorate1 persistent'

const TEXTS = [
  '', 'x', '0', '-1', '7', '07', '1e9', 'NaN', '99999999999999999999', '\n', '\u0000', '{"a":1}', `${LINE} 0 0 0 0`,
  `${LINE} 0 0 0 0\n`,
  `${LINE} 9999999999 0 0 0\n`, `${LINE} 0 ${'9'.repeat(40)} 0 0\n`, `${LINE} 0 0 0 ${'9'.repeat(60)}\n`,
  'quorate1 ephemeral 0 0 0 0\n',
  `${LINE} -5 0 0 1\n`, '9'.repeat(5_000),
]
const BYTES = [Buffer.from([0xff, 0xfe, 0x00]), Buffer.from([0xc3, 0x28])]

describe.skipIf(etcdMissing !== null)(`strangers in the keys of a real etcd${reason}`, { timeout: 120_000 }, () => {
  let cluster: EtcdCluster
  let sessions: Session[]
  let errors: unknown[]
  let prefix = 0

  beforeAll(async () => {
    cluster = await startEtcd(1)
  })
  afterAll(() => cluster.close())
  beforeEach(() => {
    sessions = []
    errors = []
    prefix += 1
  })
  afterEach(() => Promise.all(sessions.map((session) => session.close())))

  const key = (rest: string): Buffer => Buffer.concat([Buffer.from(`/p${prefix}/`), Buffer.from(rest, 'latin1')])
  const put = (rest: string, value: string | Buffer): Promise<unknown> => {
    const body = { key: key(rest).toString('base64'), value: Buffer.from(value as string).toString('base64') }
    return cluster.post(0, '/v3/kv/put', body)
  }
  const remove = (rest: string): Promise<unknown> => {
    return cluster.post(0, '/v3/kv/deleterange', { key: key(rest).toString('base64') })
  }
  async function open(): Promise<Session> {
    const backend = etcd(cluster.urls, { prefix: `/p${prefix}` })
    const session = await backend.open({ sessionTimeoutMs: 4_000, onError: (error) => void errors.push(error) })
    sessions.push(session)
    return session
  }
  const persistent = { mode: 'persistent' } as const

  it.each<[string, () => Promise<unknown>, string]>([
    ['that is none', () => put('nodes/1/a', 'hello'), '/a'],
    ['of a huge version', () => put('nodes/1/a', `${LINE} 9999999999 0 0 0\n`), '/a'],
    ['of an endless time', () => put('nodes/1/a', `${LINE} 0 ${'9'.repeat(30)} 0 0\n`), '/a'],
    ['that is ephemeral and nobody owns', () => put('nodes/1/a', 'quorate1 ephemeral 0 0 0 0\n'), '/a'],
    ['whose count is none', () => put('counts/1/a', 'NaN'), 'counts/1/a'],
    ['whose children have no name', () => put('nodes/2/a/b/c', `${LINE} 0 0 0 0\n`), 'nodes/2/a/b/c'],
  ])('who reads a node %s is told its path', async (_, act, named) => {
    const session = await open()
    for (const path of ['/a', '/b']) await session.create(path, EMPTY, persistent)
    await act()
    const reads = await Promise.allSettled([session.get('/a'), session.children('/a'), session.get('/b')])
    const refused = reads.slice(0, 2).filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason: error } of refused) {
      expect(error).toMatchObject({ ...FOREIGN, path: '/a' })
      expect((error as Error).message).toContain(named)
    }
    // Another read in the same request is not concerned.
    expect(reads[2]?.status).toBe('fulfilled')
  })

  it('a create under a node that has lost its count is refused, and not tried again and again', async () => {
    const session = await open()
    await session.create('/a', EMPTY, persistent)
    await remove('counts/1/a')
    const create = (await open()).create('/a/b', EMPTY, persistent)
    await expect(create).rejects.toMatchObject({ ...FOREIGN, path: '/a/b' })
  })

  it('a watch on a node that a stranger overwrites fires, and others are told once', async () => {
    const session = await open()
    await session.create('/a', EMPTY, persistent)
    const events: string[] = []
    await session.exists('/a', ({ type }) => void events.push(type))
    for (let round = 0; round < 5; round++) await put('nodes/1/a', `hello ${round}`)
    await expect.poll(() => events, { timeout: SETTLED_MS_MAX }).toEqual(['changed'])
    await session.sync('/')
    expect(errors.length).toBeLessThan(2)
  })

  it('of random foreign content, callers get stats without NaN or errors with a code, and never wait', async () => {
    const ours = ['nodes/0/', 'nodes/1/a', 'nodes/2/a/b', 'counts/0/', 'counts/1/a', 'counts/2/a/b']
    const nodes = ['nodes/2/a/x/y', 'nodes/2/a/', 'nodes/9/a', 'nodes/x', 'nodes/1/\xff']
    const others = ['sessions/x', `sessions/${'f'.repeat(99)}`, 'sessions/', 'x']
    const value = fc.oneof(fc.constantFrom<string | Buffer>(...TEXTS, ...BYTES), fc.string())
    const act = fc.record({ rest: fc.constantFrom(...ours, ...nodes, ...others), isGone: fc.boolean(), value })
    let done = 0
    await fc.assert(fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 4 }), async (acts) => {
      prefix += 1
      const session = await open()
      await session.create('/a', EMPTY, persistent)
      await session.create('/a/b', EMPTY, { mode: 'ephemeral' })
      await session.children('/a', () => undefined)
      for (const { rest, isGone, value: text } of acts) await (isGone ? remove(rest) : put(rest, text))
      const calls = [
        session.get('/a'), session.exists('/a/b'), session.children('/a'), session.set('/a', EMPTY, -1),
        session.sync('/'), session.create('/a/c', EMPTY, persistent), session.delete('/a/b', -1),
        session.create('/d-', EMPTY, { mode: 'ephemeral-sequential' }),
        session.multi([{ type: 'check', path: '/a', version: -1, czxid: 1n }]), open(),
      ]
      const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), SETTLED_MS_MAX))
      const outcomes = await Promise.race([Promise.allSettled(calls), late])
      expect(outcomes).not.toBe('late')
      for (const outcome of outcomes as PromiseSettledResult<unknown>[]) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(CoordinationError)
        else for (const stat of statsIn(outcome.value)) expect(oddities(stat)).toEqual([])
      }
      for (const error of errors) expect(error).toBeInstanceOf(CoordinationError)
      expect(errors.length).toBeLessThan(10)
      errors = []
      await Promise.all(sessions.splice(0).map((one) => one.close()))
      done += 1
    }), { numRuns: ROUNDS, endOnFailure: true })
    expect(done).toBe(ROUNDS)
  })

  it('a path that is larger than a request is refused in our words', async () => {
    const session = await open()
    const create = session.create(`/${'x'.repeat(1_000_000)}`, EMPTY, persistent)
    const failure: unknown = await create.then(() => null, (error: unknown) => error)
    expect(failure).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', outcome: 'rejected' })
    expect((failure as Error).message).not.toMatch(/grpc|etcdserver|trying to send/)
  })
})

function statsIn(value: unknown): Stat[] {
  if (typeof value !== 'object' || value === null) return []
  if ('czxid' in value) return [value as Stat]
  return 'stat' in value ? [value.stat as Stat] : []
}

/** Fields of a stat that no node can have. */
function oddities(stat: Stat): string[] {
  return Object.entries(stat).filter(([, value]) => {
    return typeof value === 'bigint' ? value < 0n || value >= 1n << 63n : !Number.isSafeInteger(value)
  }).map(([name]) => name)
}
