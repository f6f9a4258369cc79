/** Clients of version 0.1, which know no registrations of watches, beside those of today on one real Redis. */
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Session, WatchEvent } from '../../../src/core/backend.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { redisMissing, sessionText, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'

const NAMESPACE = 'mixed'
const PATIENCE_MS = 20_000
const [OFTEN_MS, NEVER_MS] = [50, 60_000]
/** More changes than are told one by one. */
const MANY = 300
const EMPTY = new Uint8Array()
const persistent = { mode: 'persistent' } as const
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`
const key = (rest: string): string => `{${NAMESPACE}}:${rest}`

const textOf = (name: string): string => {
  return readFileSync(new URL(`../../fixtures/redis-0.1/${name}.lua`, import.meta.url), 'utf8')
}
const OLD = { open: textOf('open'), write: textOf('write'), end: textOf('end') }

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.skipIf(redisMissing !== null)(`two versions on one real Redis${reason}`, { timeout: 60_000 }, () => {
  let server: RedisServer
  let admin: Redis
  let sessions: Session[]
  let events: string[]
  let requests: number

  beforeEach(async () => {
    sessions = []
    events = []
    requests = 0
    server = await startRedis()
    admin = new Redis(server.port)
  })
  afterEach(async () => {
    await Promise.all(sessions.map((one) => one.close()))
    admin.disconnect()
    await server.close()
  })

  async function session(tickMs = NEVER_MS): Promise<Session> {
    const backend = redis(`redis://127.0.0.1:${server.port}`, { namespace: NAMESPACE, tickMs })
    const opened = await backend.open({ sessionTimeoutMs: PATIENCE_MS * 5, onError: (error) => { throw error } })
    sessions.push(opened)
    return opened
  }
  const note = ({ type, path }: WatchEvent): void => void events.push(`${type} ${path}`)
  const run = async (text: string, ...args: string[]): Promise<string[]> => {
    return (await admin.eval(text, 1, `{${NAMESPACE}}`, '', ...args)) as string[]
  }
  /** Opens a session as version 0.1 does. @returns its text */
  const openOld = async (): Promise<string> => (await run(OLD.open, '', 'seal', '', '600000', ''))[3] ?? ''
  /** Writes as version 0.1 does: operations of six arguments each. */
  async function write(sid: string, ...operations: string[]): Promise<void> {
    const answer = await run(OLD.write, sid, '1', '', String(++requests), ...operations)
    expect(answer[0]).toBe('OK')
    expect(answer[3]).not.toMatch(/^R /)
  }
  const create = (path: string): string[] => ['C', path, '', 'p', '0', '0']
  const set = (path: string): string[] => ['S', path, 'x', '', '', '-1']
  const remove = (path: string): string[] => ['X', path, '', '', '', '-1']

  it.each(['old', 'new'])('in a namespace of the %s one, changes of the old are told before they show', async (first) => {
    const early = first === 'old' ? await openOld() : null
    const one = await session()
    const old = early ?? (await openOld())
    for (const path of ['/a', '/b']) await one.create(path, EMPTY, persistent)
    await one.get('/a', note)
    await one.children('/b', note)
    await one.exists('/none', note)
    await write(old, ...set('/a'))
    await write(old, ...create('/b/c'), ...create('/none'))
    expect((await one.get('/a')).stat.version).toBe(1)
    expect(events).toEqual(['changed /a', 'children /b', 'created /none'])
    await one.get('/a', note)
    await write(old, ...set('/a'))
    await one.set('/b', EMPTY, -1)
    await write(old, ...remove('/a'))
    await one.sync('/')
    expect(events.slice(3)).toEqual(['changed /a'])
  })

  it('whoever comes next tells everybody what the old version has changed', async () => {
    const [watcher, other] = [await session(), await session(OFTEN_MS)]
    const old = await openOld()
    await other.create('/a', EMPTY, persistent)
    await watcher.get('/a', note)
    const channel = key(`events:${sessionText(watcher.id)}`)
    await until(async () => Number((await admin.pubsub('NUMSUB', channel))[1]) === 1, 'it is subscribed')
    await write(old, ...set('/a'))
    await until(() => events.length === 1, 'a tick of the other session tells it')
    expect(events).toEqual(['changed /a'])
  })

  it('of more changes than are told one by one, each session finds those that it waits for', async () => {
    const [one, other] = [await session(), await session()]
    const old = await openOld()
    for (const path of ['/a', '/b', '/same']) await one.create(path, EMPTY, persistent)
    for (const path of ['/a', '/same']) await one.get(path, note)
    await other.get('/b', note)
    await write(old, ...set('/a'))
    for (let i = 0; i < MANY; i++) await write(old, ...set('/b'))
    await Promise.all([one.sync('/'), other.sync('/')])
    expect(events.sort()).toEqual(['changed /a', 'changed /b'])
    events = []
    await one.get('/a', note)
    await write(old, ...set('/a'))
    await one.sync('/')
    expect(events).toEqual(['changed /a'])
  })

  it('a session that the old version ends leaves no registration behind', async () => {
    const [one, other] = [await session(), await session(OFTEN_MS)]
    await one.exists('/none', note)
    await run(OLD.end, sessionText(one.id), '', '')
    await until(async () => (await admin.keys(key('[wa]:*'))).length === 0, 'the ticks of the other take it away')
    expect(await admin.exists(key('unwatched'))).toBe(0)
    await other.sync('/')
  })

  it('the old version finds every change of today in the stream and on the channel of the namespace', async () => {
    const heard: string[] = []
    const ear = new Redis(server.port)
    ear.on('message', (_: string, message: string) => heard.push(message))
    await ear.subscribe(key('events'))
    await openOld()
    const one = await session()
    const { czxid } = (await one.create('/a', EMPTY, persistent)).stat
    await one.set('/a', EMPTY, -1)
    await ear.ping()
    ear.disconnect()
    const place = (counter: bigint): string => `${czxid >> 20n}-${counter}`
    expect(heard).toEqual([`${place(1n)} seal\nC/a\nK/`, `${place(2n)} seal\nD/a`])
    const entries = await admin.xrange(key('events'), '-', '+')
    expect(entries.map(([id, fields]) => [id, ...fields.slice(0, 2)])).toEqual([
      [place(1n), 'c', 'C/a\nK/'], [place(2n), 'c', 'D/a'],
    ])
  })
})
