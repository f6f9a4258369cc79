/** Watches that are registered in a real Redis: who is told, what is left behind, and what happens when keys go. */
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Session, WatchEvent } from '../../../src/core/backend.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { SCRIPTS } from '../../../src/backends/redis/io/script.ts'
import { RedisProxy, redisMissing, sessionText, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'

const NAMESPACE = 'watches'
const PATIENCE_MS = 20_000
/** Often enough to wait for, and so rare that nothing comes by a tick. */
const [OFTEN_MS, NEVER_MS] = [50, 60_000]
/** More than a tick takes away, and more than an answer tells one by one. */
const MANY = 300
const EMPTY = new Uint8Array()
const persistent = { mode: 'persistent' } as const
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`
const key = (rest: string): string => `{${NAMESPACE}}:${rest}`

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.skipIf(redisMissing !== null)(`watches in a real Redis${reason}`, { timeout: 60_000 }, () => {
  let server: RedisServer
  let open: { close(): Promise<unknown> }[]
  let events: string[]

  beforeEach(async () => {
    open = []
    events = []
    server = await startRedis()
  })
  afterEach(async () => {
    await Promise.all(open.map((one) => one.close()))
    await server.close()
  })

  /** A session of a backend of its own, as in a process of its own. */
  async function session(tickMs = NEVER_MS, url = `redis://127.0.0.1:${server.port}`): Promise<Session> {
    const backend = redis(url, { namespace: NAMESPACE, tickMs })
    const opened = await backend.open({ sessionTimeoutMs: PATIENCE_MS * 5, onError: (error) => { throw error } })
    open.push(opened)
    return opened
  }
  const note = ({ type, path }: WatchEvent): void => void events.push(`${type} ${path}`)
  /** The registrations there are. */
  const left = (): Promise<string[]> => server.ask(async (admin) => {
    const keys = await Promise.all(['w:', 'a:', 'unwatched'].map((kind) => admin.keys(key(`${kind}*`))))
    return keys.flat().map((name) => name.slice(key('').length)).sort()
  })
  const remove = (pattern: string): Promise<number> => server.ask(async (admin) => {
    const keys = await admin.keys(key(pattern))
    return keys.length === 0 ? 0 : admin.del(...keys)
  })
  /** Waits until the channel of a session is subscribed, and the look that comes with it is over. */
  async function subscribed(one: Session): Promise<void> {
    const channel = key(`events:${sessionText(one.id)}`)
    const count = async () => (await server.ask((admin) => admin.pubsub('NUMSUB', channel)))[1]
    await until(async () => Number(await count()) === 1, 'the session is subscribed')
    await one.sync('/')
  }

  it('a change is told to the sessions that watch it, and to nobody else', async () => {
    const [writer, watcher, ...others] = await Promise.all(Array.from({ length: 5 }, () => session()))
    if (writer === undefined || watcher === undefined) throw new Error('no sessions')
    await Promise.all([writer, watcher, ...others].map(subscribed))
    await writer.create('/a', EMPTY, persistent)
    await watcher.get('/a', note)
    for (const other of others) await other.get('/', note)
    const heard: string[] = []
    const ear = new Redis(server.port)
    ear.on('pmessage', (_: string, channel: string) => heard.push(channel))
    await ear.psubscribe(key('events:*'))
    await writer.set('/a', EMPTY, -1)
    await until(() => events.length === 1, 'the event')
    // One-shot: the next ones are not told.
    await writer.set('/a', EMPTY, -1)
    await writer.delete('/a', -1)
    await watcher.sync('/')
    await ear.ping()
    ear.disconnect()
    expect(heard).toEqual([key(`events:${sessionText(watcher.id)}`)])
    expect(events).toEqual(['changed /a'])
  })

  it('a registration is made by the read that arms a watch alone, and is gone when it has fired', async () => {
    const [writer, watcher] = [await session(), await session()]
    await writer.create('/a', EMPTY, persistent)
    await watcher.get('/a')
    for (const read of ['get', 'children'] as const) {
      await expect(watcher[read]('/none', note)).rejects.toMatchObject({ code: 'NO_NODE' })
    }
    expect(await left()).toEqual([])
    const sid = sessionText(watcher.id)
    await watcher.children('/a', note)
    await watcher.exists('/none', note)
    expect(await left()).toEqual([`a:${sid}`, 'w:k/a', 'w:n/none'])
    await writer.set('/a', EMPTY, -1)
    await writer.create('/none', EMPTY, persistent)
    await writer.set('/none', EMPTY, -1)
    await writer.create('/a/b', EMPTY, persistent)
    await writer.create('/a/c', EMPTY, persistent)
    await watcher.sync('/')
    expect(events).toEqual(['created /none', 'children /a'])
    expect(await left()).toEqual([])
  })

  it('the list of a node that was made since is watched as that of any other', async () => {
    const [writer, watcher] = [await session(), await session()]
    await watcher.exists('/p', note)
    await expect(watcher.children('/p', note)).rejects.toMatchObject({ code: 'NO_NODE' })
    await writer.create('/p', EMPTY, persistent)
    expect((await watcher.children('/p', note)).names).toEqual([])
    await writer.create('/p/c', EMPTY, persistent)
    expect((await watcher.children('/p', note)).names).toEqual(['c'])
    await writer.create('/p/c/grandchild', EMPTY, persistent)
    await writer.set('/p/c', EMPTY, -1)
    await writer.multi([{ type: 'delete', path: '/p/c/grandchild', version: -1 },
      { type: 'delete', path: '/p/c', version: -1 }, { type: 'delete', path: '/p', version: -1 }])
    await watcher.sync('/')
    expect(events).toEqual(['created /p', 'children /p', 'children /p'])
  })

  it('a session hears of its own changes with their answers', async () => {
    const one = await session()
    await subscribed(one)
    await one.create('/a', EMPTY, persistent)
    await one.get('/a', note)
    const published = (): Promise<string> => server.ask((admin) => admin.info('commandstats'))
    const count = async (): Promise<number> => Number(/cmdstat_publish:calls=(\d+)/.exec(await published())?.[1] ?? 0)
    const before = await count()
    await one.set('/a', EMPTY, -1)
    expect(events).toEqual(['changed /a'])
    // That for clients of version 0.1 alone.
    expect((await count()) - before).toBe(1)
  })

  it('watches that are taken back are registered no more, and those beside them are', async () => {
    const one = await session(OFTEN_MS)
    await one.create('/a', EMPTY, persistent)
    for (let i = 0; i < MANY; i++) await one.exists(`/x${i}`, note)
    await one.get('/a', note)
    for (let i = 0; i < MANY; i++) one.unwatch(`/x${i}`, note)
    one.unwatch('/a', () => undefined)
    await until(async () => (await left()).length === 2, 'the ticks have told it')
    expect(await left()).toEqual([`a:${sessionText(one.id)}`, 'w:n/a'])
    await one.set('/a', EMPTY, -1)
    expect(events).toEqual(['changed /a'])
  })

  it.each(['closed', 'expired'])('a session that is %s leaves nothing after some ticks of others', async (how) => {
    const [one, other] = [await session(), await session(OFTEN_MS)]
    await other.create('/a', EMPTY, persistent)
    await Promise.all(Array.from({ length: MANY }, (_, i) => one.exists(`/x${i}`, note)))
    await one.get('/a', note)
    await other.set('/a', EMPTY, -1)
    const end = (admin: Redis): Promise<unknown> => {
      return admin.eval(SCRIPTS.end.text, 1, `{${NAMESPACE}}`, '', sessionText(one.id), '', '')
    }
    await (how === 'closed' ? one.close() : server.ask(end))
    await until(async () => (await left()).length === 0, 'nothing is left')
    await other.create('/x1', EMPTY, persistent)
    expect(await left()).toEqual([])
  })

  it.each(['w:*', 'a:*', 'events', '[wa]:*'])('an event comes although somebody deletes %s', async (pattern) => {
    const [writer, watcher] = [await session(), await session(OFTEN_MS)]
    for (const path of ['/a', '/b']) await writer.create(path, EMPTY, persistent)
    await watcher.get('/a', note)
    await watcher.children('/b', note)
    await watcher.exists('/none', note)
    await remove(pattern)
    await writer.set('/a', EMPTY, -1)
    await writer.create('/b/c', EMPTY, persistent)
    await writer.create('/none', EMPTY, persistent)
    await remove(pattern)
    await until(() => events.length === 3, 'the events come')
    await watcher.sync('/')
    expect(events.sort()).toEqual(['changed /a', 'children /b', 'created /none'])
    await watcher.get('/a', note)
    await writer.set('/a', EMPTY, -1)
    await until(() => events.length === 4, 'the watch after that fires')
  })

  it('an event comes although a stranger has put something else in the place of registrations', async () => {
    const [writer, watcher] = [await session(), await session(OFTEN_MS)]
    await writer.create('/a', EMPTY, persistent)
    const sid = sessionText(watcher.id)
    for (const name of ['w:n/a', `a:${sid}`, 'events']) {
      await watcher.get('/a', note)
      await server.ask((admin) => admin.set(key(name), 'x'))
      await writer.set('/a', EMPTY, -1)
      await until(() => events.length === 1, 'the event comes')
      events = []
    }
    await watcher.get('/a', note)
    await server.ask((admin) => admin.sadd(key('w:n/a'), 'x', '', 's1-1', '\n', `${sid}0`))
    await server.ask((admin) => admin.zadd(key('unwatched'), 0, 'x', 0, '', 0, 's1-1'))
    await writer.set('/a', EMPTY, -1)
    await until(() => events.length === 1, 'the event comes')
    await until(async () => (await left()).length === 0, 'nothing is left')
  })

  it('an event comes although the subscription was cut before it, and the next by the next one', async () => {
    const [writer, watcher] = [await session(), await session()]
    await writer.create('/a', EMPTY, persistent)
    for (let round = 1; round <= 3; round++) {
      await subscribed(watcher)
      await watcher.get('/a', note)
      await server.ask((admin) => admin.client('KILL', 'TYPE', 'pubsub'))
      await writer.set('/a', EMPTY, -1)
      await until(() => events.length === round, 'the event comes with the next subscription')
    }
  })

  it('a subscription that is deaf is made again', async () => {
    let subscriptions = 0
    const deaf = (options: object): Redis => {
      const connection = new Redis(server.port, '127.0.0.1', options)
      const on = connection.on.bind(connection)
      Object.assign(connection, {
        on: (event: string, listener: (...args: unknown[]) => void) => {
          if (event === 'message') subscriptions += 1
          return event === 'message' && subscriptions === 1 ? connection : on(event as 'end', listener)
        },
      })
      return connection
    }
    const backend = redis(deaf, { namespace: NAMESPACE, tickMs: OFTEN_MS })
    const watcher = await backend.open({ sessionTimeoutMs: PATIENCE_MS, onError: () => undefined })
    open.push(watcher)
    const writer = await session()
    await writer.create('/a', EMPTY, persistent)
    await until(async () => {
      await watcher.get('/a', note)
      await writer.set('/a', EMPTY, -1)
      return subscriptions === 2
    }, 'there is another subscription')
    await subscribed(watcher)
    const made = subscriptions
    for (let i = 0; i < 5; i++) {
      await watcher.get('/a', note)
      await writer.set('/a', EMPTY, -1)
      await new Promise((resolve) => setTimeout(resolve, 2 * OFTEN_MS))
    }
    expect(subscriptions).toBe(made)
  })

  it('more events than an answer tells one by one come once each, after a connection that was lost', async () => {
    const proxy = await RedisProxy.start(server.port)
    open.push(proxy)
    const [writer, watcher] = [await session(), await session(OFTEN_MS, proxy.url)]
    const paths = Array.from({ length: MANY }, (_, i) => `/n${i}`)
    await Promise.all(paths.map((path) => writer.create(path, EMPTY, persistent)))
    await Promise.all(paths.map((path) => watcher.get(path, note)))
    proxy.isDown = true
    proxy.cut()
    await until(() => watcher.state.status === 'suspended', 'the session is cut off')
    await Promise.all(paths.map((path) => writer.set(path, EMPTY, -1)))
    expect(events).toEqual([])
    proxy.isDown = false
    await until(() => events.length >= MANY, 'all have come')
    await watcher.sync('/')
    expect(events.sort()).toEqual(paths.map((path) => `changed ${path}`).sort())
    await watcher.sync('/')
    await until(async () => (await left()).length === 0, 'nothing is left')
  })

  it('a tick of an older connection that comes late takes no registration away', async () => {
    const one = await session()
    await one.create('/a', EMPTY, persistent)
    await one.get('/a', note)
    const tick = (generation: string): Promise<unknown> => server.ask(async (admin) => {
      const args = ['', sessionText(one.id), generation, '', '0', '0', '1', 'n/a']
      const answer = await admin.eval(SCRIPTS.tick.text, 1, `{${NAMESPACE}}`, ...args)
      return (answer as string[])[0]
    })
    expect(await tick('0')).toBe('MOVED')
    expect(await left()).toContain('w:n/a')
    expect(await tick('1')).toBe('OK')
    expect(await left()).not.toContain('w:n/a')
  })
})
