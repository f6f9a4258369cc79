/** Values that any other client of a Redis can write into a namespace's keys, and the errors that callers get. */
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CoordinationError } from '../../../src/index.ts'
import type { Session, Stat } from '../../../src/core/backend.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { SCRIPTS } from '../../../src/backends/redis/io/script.ts'
import { redisMissing, sessionText, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'
import { STRANGER_ACTS, writeAsStranger } from '../../engines/redis-stranger.ts'

const SETTLED_MS_MAX = 5_000
/** Time limit of a script on a machine that is very busy, in milliseconds; a quadratic one takes minutes. */
const LINEAR_MS_MAX = 20_000
const ROUNDS = 60
const EMPTY = new Uint8Array()
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`
const FOREIGN = { code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' }

/** Values that a stranger can write in place of any other. */
const TEXTS = [
  '', ' ', 'x', '0', '-1', '7', '1e999', 'nan', 'inf', '0x10', '99999999999999999999', '2147483648', '\n', '\u0000',
  '/', '//', '/a', 'a/b', '..', '{"a":1}', '5-1', 's5-1',
  '5-1 5-1 5-1 0 0 0 0 0 p 0 0 0 0', '5-1 5-1 5-1 NaN 0 0 0 0 p 0 0 0 0',
  '5-1 5-1 5-1 0 0 0 0 0 p 0 0 99999999999999999999 0', '9'.repeat(5_000), 'R 0 NO_NODE /x', 'S5-9\nC/a',
]
const BYTES = [Buffer.from([0xff, 0xfe, 0x00]), Buffer.from([0xc3, 0x28])]

describe.skipIf(redisMissing !== null)(`strangers in the keys of a real Redis${reason}`, { timeout: 120_000 }, () => {
  let server: RedisServer
  let sessions: Session[]
  let namespace = 0
  let errors: unknown[]

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())
  beforeEach(() => {
    sessions = []
    errors = []
    namespace += 1
  })
  afterEach(() => Promise.all(sessions.map((session) => session.close())))

  const key = (rest: string): string => `{n${namespace}}:${rest}`
  type Act = (admin: Redis) => Promise<unknown>
  const stranger = <T>(act: (admin: Redis) => Promise<T>): Promise<T> => server.ask(act)
  async function open(): Promise<Session> {
    const backend = redis(`redis://127.0.0.1:${server.port}`, { namespace: `n${namespace}`, tickMs: 50 })
    const session = await backend.open({ sessionTimeoutMs: 2_000, onError: (error) => void errors.push(error) })
    sessions.push(session)
    return session
  }
  const persistent = { mode: 'persistent' } as const

  it.each<[string, Act, string]>([
    ['another type for a node', (admin) => admin.del(key('n:/a')).then(() => admin.lpush(key('n:/a'), 'x')), 'n:/a'],
    ['no stat', (admin) => admin.hset(key('n:/a'), 'stat', 'hello'), '/a'],
    ['NaN', (admin) => admin.hset(key('n:/a'), 'stat', '5-1 5-1 5-1 NaN 0 0 0 0 p 0 0 0 0'), '/a'],
    ['a huge version', (admin) => admin.hset(key('n:/a'), 'stat', '5-1 5-1 5-1 0 0 9999999999 0 0 p 0 0 0 0'), '/a'],
    ['no data', (admin) => admin.hdel(key('n:/a'), 'data'), '/a'],
    ['another type for its children', (admin) => admin.set(key('c:/a'), 'x'), '/a'],
    ['children that have no name', (admin) => admin.sadd(key('c:/a'), 'x/y'), '/a'],
  ])('who reads a node with %s is told its path', async (_, act, named) => {
    const session = await open()
    for (const path of ['/a', '/b']) await session.create(path, EMPTY, persistent)
    await stranger(act)
    const reads = await Promise.allSettled([session.get('/a'), session.children('/a'), session.get('/b')])
    const refused = reads.slice(0, 2).filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason: error } of refused) {
      expect(error).toMatchObject({ ...FOREIGN, path: '/a' })
      expect((error as Error).message).toContain(named)
    }
    // Another read in the same script is not concerned.
    expect(reads[2]?.status).toBe('fulfilled')
    expect(session.state.status).toBe('connected')
  })

  it('a write that meets another type than it needs is refused before anything is written', async () => {
    const session = await open()
    await session.create('/a', EMPTY, persistent)
    await stranger((admin) => admin.set(key('c:/a'), 'x'))
    const before = await stranger((admin) => admin.hgetall(key('n:/a')))
    const create = session.create('/a/b', EMPTY, persistent)
    const message = expect.stringContaining('c:/a') as string
    await expect(create).rejects.toMatchObject({ ...FOREIGN, path: '/a/b', message })
    expect(await stranger((admin) => admin.hgetall(key('n:/a')))).toEqual(before)
    expect(await session.exists('/a/b')).toBeNull()
    await stranger((admin) => admin.del(key('c:/a')))
    await session.create('/a/b', EMPTY, persistent)
    expect((await session.exists('/a'))?.numChildren).toBe(1)
  })

  it('a stream that others have written to is begun again, and no event is lost', async () => {
    const session = await open()
    await session.create('/a', EMPTY, persistent)
    const events: string[] = []
    await session.get('/a', ({ type }) => void events.push(type))
    await stranger((admin) => admin.xadd(key('events'), '99999999999999-0', 'c', 'hello'))
    await session.set('/a', EMPTY, -1)
    await session.sync('/a')
    expect(events).toEqual(['changed'])
    await stranger((admin) => admin.set(key('events'), 'x'))
    await session.get('/a', ({ type }) => void events.push(type))
    await session.set('/a', EMPTY, -1)
    await session.sync('/a')
    expect(events).toEqual(['changed', 'changed'])
  })

  it('what a stranger lists among the nodes of a session or among those that are due is not removed', async () => {
    const [one, other] = [await open(), await open()]
    await one.create('/kept', EMPTY, persistent)
    await one.create('/own', EMPTY, { mode: 'ephemeral' })
    await stranger((admin) => admin.sadd(key(`e:${sessionText(other.id)}`), '/kept', '/own', '/', 'x', '/none', ''))
    await stranger((admin) => admin.zadd(key('ttl'), 0, '/kept', 0, '/', 0, 'x', 0, ''))
    await stranger((admin) => admin.zadd(key('empty'), 0, '/kept', 0, '/own', 0, '/'))
    await stranger((admin) => admin.zadd(key('sessions'), 0, 'x', 0, 's1-1\nC/a', 0, ''))
    await other.close()
    await one.sync('/')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await Promise.all(['/kept', '/own', '/'].map(async (path) => (await one.exists(path)) !== null))).toEqual([
      true, true, true,
    ])
    expect(await stranger((admin) => admin.zcard(key('ttl')))).toBe(0)
  })

  it('a session whose end is due does not stop the others, whatever its keys hold', async () => {
    const [one, other] = [await open(), await open()]
    await other.create('/e', EMPTY, { mode: 'ephemeral' })
    const sid = sessionText(other.id)
    await stranger(async (admin) => {
      await admin.hset(key('n:/e'), 'stat', 'hello')
      await admin.set(key(`s:${sid}`), 'x')
      await admin.del(key(`e:${sid}`))
      await admin.set(key(`e:${sid}`), 'x')
      await admin.zadd(key('sessions'), 1, sid)
    })
    await one.create('/after', EMPTY, persistent)
    expect(await stranger((admin) => admin.zscore(key('sessions'), sid))).toBeNull()
  })

  it('requests that are counted otherwise are not sent again and again', async () => {
    const session = await open()
    await session.create('/a', EMPTY, persistent)
    for (let i = 0; i < 5; i++) await session.set('/a', EMPTY, -1)
    await stranger((admin) => admin.hset(key(`s:${sessionText(session.id)}`), 'lastRequest', '0'))
    expect((await session.set('/a', EMPTY, -1)).version).toBe(6)
    await stranger((admin) => admin.del(key(`s:${sessionText(session.id)}`)))
    await expect(session.set('/a', EMPTY, -1)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
  })

  it('a counter that was put back ends the sessions that have seen more, and no zxid is given twice', async () => {
    const session = await open()
    const { stat } = await session.create('/a', EMPTY, persistent)
    for (let i = 0; i < 5; i++) await session.set('/a', EMPTY, -1)
    await stranger((admin) => admin.hset(key('meta'), 'counter', '1'))
    await session.exists('/a').catch(() => undefined)
    await expect.poll(() => session.state.status, { timeout: SETTLED_MS_MAX }).toBe('expired')
    const next = await open()
    expect((await next.create('/b', EMPTY, persistent)).stat.czxid).toBeGreaterThan(stat.czxid + 5n)
  })

  it('of random foreign content, callers get stats without NaN or errors with a code, and never wait', async () => {
    const nodes = ['n:/', 'n:/a', 'n:/a/b', 'c:/', 'c:/a']
    const watches = ['w:n/a', 'w:k/a', 'a:SID', 'unwatched']
    const others = ['meta', 'epochs', 'sessions', 's:SID', 'e:SID', 'ttl', 'empty', 'events']
    const names = [...nodes, ...others, ...watches]
    const inMeta = ['epoch', 'counter', 'replication', 'lastSession', 'seal', 'announced']
    const fields = ['stat', 'data', ...inMeta, 'timeout', 'generation', 'lastRequest', 'r1', 'told']
    const value = fc.oneof(fc.constantFrom<string | Buffer>(...TEXTS, ...BYTES), fc.string())
    const act = fc.record({
      name: fc.constantFrom(...names),
      kind: fc.constantFrom(...STRANGER_ACTS, 'member' as const),
      field: fc.constantFrom(...fields),
      value,
    })
    let done = 0
    await fc.assert(fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 4 }), async (acts) => {
      namespace += 1
      const session = await open()
      await session.create('/a', EMPTY, persistent)
      await session.create('/a/b', EMPTY, { mode: 'ephemeral' })
      await session.children('/a', () => undefined)
      const sid = sessionText(session.id)
      await stranger(async (admin) => {
        for (const { name, kind, field, value: text } of acts) {
          const at = key(name.replace('SID', sid))
          if (kind === 'member') await writeAsStranger(admin, at, 'set', field, text)
          else {
            if (kind !== 'hash') await admin.del(at)
            await writeAsStranger(admin, at, kind, field, text)
          }
        }
      })
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

  it('a path of any length costs a script as long as it takes to copy it', async () => {
    const session = await open()
    const sid = sessionText(session.id)
    const elapsedMs = async (length: number): Promise<number> => {
      const path = `/${'x'.repeat(length)}`
      const request = String(++requests)
      const args = ['', sid, '1', '', request, 'C', path, '', 'p', '0', '0']
      const startMs = performance.now()
      const answer = await stranger((admin) => admin.eval(SCRIPTS.write.text, 1, `{n${namespace}}`, ...args))
      expect((answer as string[])[0]).toBe('OK')
      return performance.now() - startMs
    }
    let requests = 0
    await elapsedMs(100)
    expect(await elapsedMs(300_000)).toBeLessThan(LINEAR_MS_MAX)
    expect(await elapsedMs(600_000)).toBeLessThan(LINEAR_MS_MAX)
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
