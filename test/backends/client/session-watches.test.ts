import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openClientSession } from '../../../src/backends/client/session.ts'
import { SET_WATCHES_CHARS_MAX } from '../../../src/backends/client/watches.ts'
import { Err, EventType, OpCode, WatcherType, Xid } from '../../../src/backends/wire/codes.ts'
import type { Session, WatchEvent } from '../../../src/core/backend.ts'
import { STAT, ScriptedDialer } from './scripted-servers.ts'
import type { ScriptedChannel } from './scripted-servers.ts'

const DATA = new Uint8Array([1])
const { nodeCreated, nodeDataChanged, nodeDeleted, nodeChildrenChanged } = EventType

let dialer: ScriptedDialer
let session: Session
let server: ScriptedChannel
let errors: unknown[]
/** Events and replies, in the order in which the application hears of them. */
let heard: string[]

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
  // A pause of no length at all, one in some hundreds, would be over at once.
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  dialer = new ScriptedDialer()
  errors = []
  heard = []
  const opening = openClientSession(dialer, { sessionTimeoutMs: 3000, onError: (error) => errors.push(error) })
  dialer.last.accept()
  session = await opening
  server = dialer.last
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)
const watcher = (name: string) => (event: WatchEvent) => void heard.push(`${name} ${event.type} ${event.path}`)

/** Arms one watch of each kind on a path, as the server sees the node there. */
async function armAll(path: string): Promise<void> {
  const armed = Promise.all([
    session.get(path, watcher('get')),
    session.exists(path, watcher('exists')),
    session.children(path, watcher('children')),
  ])
  server.reply({ data: DATA, stat: STAT })
  server.reply({ stat: STAT })
  server.reply({ children: [], stat: STAT })
  await armed
}

async function armAbsent(path: string, name = 'absent'): Promise<void> {
  const armed = session.exists(path, watcher(name))
  server.reply(null, { err: Err.noNode })
  expect(await armed).toBe(null)
}

describe('delivery', () => {
  it.each([
    ['a change of data', nodeDataChanged, ['get changed /a', 'exists changed /a']],
    ['a deletion', nodeDeleted, ['get deleted /a', 'exists deleted /a', 'children deleted /a']],
    ['a change of children', nodeChildrenChanged, ['children children /a']],
  ])('of %s calls the callbacks of the reads that it concerns, once', async (_what, type, calls) => {
    await armAll('/a')
    server.event(type, '/a')
    server.event(type, '/a')
    server.event(type, '/b')
    await settle()
    expect(heard).toEqual(calls)
  })

  it('of a creation calls the callback of an exists that found nothing', async () => {
    await armAbsent('/a')
    server.event(nodeCreated, '/a')
    await settle()
    expect(heard).toEqual(['absent created /a'])
  })

  it('never happens within the dispatch of the message', async () => {
    await armAbsent('/a')
    server.event(nodeCreated, '/a')
    expect(heard).toEqual([])
    await settle()
    expect(heard).toHaveLength(1)
  })

  it('comes before the reply of any later read resolves, and behind the replies before it', async () => {
    await armAbsent('/a')
    for (const name of ['first', 'second', 'third']) void session.exists('/a').then(() => heard.push(name))
    server.reply(null, { err: Err.noNode })
    server.event(nodeCreated, '/a')
    server.reply({ stat: STAT })
    server.reply({ stat: STAT })
    await settle()
    expect(heard).toEqual(['first', 'absent created /a', 'second', 'third'])
  })

  it('of many events comes before the reply of a read behind them, and in their order', async () => {
    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`)
    for (const path of paths) await armAbsent(path)
    void session.exists('/').then(() => heard.push('read'))
    for (const path of paths) server.event(nodeCreated, path)
    server.reply({ stat: STAT })
    await settle()
    expect(heard).toEqual([...paths.map((path) => `absent created ${path}`), 'read'])
  })

  it('comes before the failure of calls in flight and the news that the connection is lost', async () => {
    await armAbsent('/a')
    session.onState(({ status }) => heard.push(status))
    session.exists('/a').catch(() => heard.push('lost'))
    server.event(nodeCreated, '/a')
    server.hangUp()
    await settle()
    expect(heard).toEqual(['absent created /a', 'lost', 'suspended'])
  })

  it('calls a function once for each read that armed it', async () => {
    const same = watcher('same')
    void session.get('/a', same)
    void session.get('/a', same)
    server.reply({ data: DATA, stat: STAT })
    server.reply({ data: DATA, stat: STAT })
    server.event(nodeDataChanged, '/a')
    await settle()
    expect(heard).toEqual(['same changed /a', 'same changed /a'])
  })

  it('reports a callback that throws or rejects, and goes on', async () => {
    void session.get('/a', () => {
      throw new Error('thrown')
    })
    const rejects: (event: WatchEvent) => unknown = () => Promise.reject(new Error('rejected'))
    void session.get('/a', rejects)
    void session.get('/a', watcher('last'))
    for (let count = 0; count < 3; count++) server.reply({ data: DATA, stat: STAT })
    server.event(nodeDataChanged, '/a')
    await settle()
    expect(heard).toEqual(['last changed /a'])
    expect(errors).toEqual([new Error('thrown'), new Error('rejected')])
  })

  it('lets a callback call the session, and arm itself again', async () => {
    const again = (event: WatchEvent): void => {
      heard.push(event.type)
      void session.get('/a', again)
    }
    void session.get('/a', again)
    server.reply({ data: DATA, stat: STAT })
    server.event(nodeDataChanged, '/a')
    await settle()
    server.reply({ data: DATA, stat: STAT })
    server.event(nodeDataChanged, '/a')
    await settle()
    expect(heard).toEqual(['changed', 'changed'])
  })

  it('does not happen for reads that failed', async () => {
    const failed = Promise.allSettled([session.get('/a', watcher('get')), session.children('/a', watcher('children'))])
    server.reply(null, { err: Err.noNode })
    server.reply(null, { err: Err.noNode })
    await failed
    server.event(nodeCreated, '/a')
    server.event(nodeDeleted, '/a')
    await settle()
    expect(heard).toEqual([])
  })

  it('does not happen after the session was closed', async () => {
    await armAll('/a')
    server.event(nodeDeleted, '/a')
    const closing = session.close()
    server.event(nodeDeleted, '/a')
    server.hangUp()
    await closing
    await settle()
    expect(heard).toEqual([])
  })
})

describe('what a connection said', () => {
  it('does not count once it was left, even if it waits behind an event', async () => {
    await armAbsent('/a')
    await armAbsent('/b')
    session.get('/c').catch(() => heard.push('lost'))
    server.event(nodeCreated, '/a')
    server.replyTo(99, null)
    server.replyTo(3, { data: DATA, stat: STAT })
    server.event(nodeCreated, '/b')
    server.accept(8n)
    server.hangUp()
    await settle()
    expect(heard).toEqual(['absent created /a', 'lost'])
    expect(errors).toEqual([expect.objectContaining({ code: 'PROTOCOL_VIOLATION' })])
    expect(dialer.channels).toHaveLength(2)
    dialer.last.accept()
    expect(dialer.last.requests).toMatchObject([{ op: OpCode.setWatches, body: { existWatches: ['/b'] } }])
    expect(session.state.status).toBe('connected')
  })
})

describe('unwatch', () => {
  const removals = (): unknown[] =>
    server.requests.flatMap(({ op, body }) => (op === OpCode.removeWatches ? [body] : []))

  it('tells the server once no callback is left on the path, and ignores its answer', async () => {
    const one = watcher('one')
    const two = watcher('two')
    void session.get('/a', one)
    void session.children('/a', two)
    server.reply({ data: DATA, stat: STAT })
    server.reply({ children: [], stat: STAT })
    session.unwatch('/a', one)
    expect(removals()).toEqual([])
    session.unwatch('/a', two)
    session.unwatch('/a', two)
    expect(removals()).toEqual([{ path: '/a', type: WatcherType.any }])
    server.reply(null, { err: Err.noWatcher })
    server.event(nodeDeleted, '/a')
    await settle()
    expect(heard).toEqual([])
    expect(errors).toEqual([])
  })

  it('stops an event that has arrived but is not delivered', async () => {
    const one = watcher('one')
    void session.get('/a', one)
    server.reply({ data: DATA, stat: STAT })
    server.event(nodeDataChanged, '/a')
    session.unwatch('/a', one)
    await settle()
    expect(heard).toEqual([])
  })

  it('within a callback stops another callback of the same event', async () => {
    const two = watcher('two')
    void session.get('/a', () => {
      session.unwatch('/a', two)
      heard.push('one')
    })
    void session.get('/a', two)
    server.reply({ data: DATA, stat: STAT })
    server.reply({ data: DATA, stat: STAT })
    server.event(nodeDataChanged, '/a')
    await settle()
    expect(heard).toEqual(['one'])
  })

  it('leaves alone what a read in flight is about to arm', async () => {
    const old = watcher('old')
    void session.get('/a', old)
    server.reply({ data: DATA, stat: STAT })
    void session.get('/a', watcher('new'))
    session.unwatch('/a', old)
    server.reply({ data: DATA, stat: STAT })
    expect(removals()).toEqual([])
    server.event(nodeDataChanged, '/a')
    await settle()
    expect(heard).toEqual(['new changed /a'])
  })

  it('disarms the server later if the read in flight turns out to arm nothing', async () => {
    const old = watcher('old')
    void session.children('/a', old)
    server.reply({ children: [], stat: STAT })
    session.get('/a', watcher('new')).catch(() => undefined)
    session.unwatch('/a', old)
    expect(removals()).toEqual([])
    server.reply(null, { err: Err.noNode })
    expect(removals()).toEqual([{ path: '/a', type: WatcherType.any }])
  })

  it('drops the callback of a read in flight, and disarms the server once it has answered', async () => {
    const one = watcher('one')
    void session.get('/a', one)
    session.unwatch('/a', one)
    expect(removals()).toEqual([])
    server.reply({ data: DATA, stat: STAT })
    expect(removals()).toEqual([{ path: '/a', type: WatcherType.any }])
    server.event(nodeDataChanged, '/a')
    await settle()
    expect(heard).toEqual([])
  })

  it('while no server is in touch drops the callback, and arms nothing on the next', async () => {
    const one = watcher('one')
    void session.get('/a', one)
    server.reply({ data: DATA, stat: STAT })
    server.hangUp()
    session.unwatch('/a', one)
    dialer.last.accept()
    await settle()
    expect(dialer.last.requests).toEqual([])
  })
})

describe('a new connection', () => {
  it('asks again for what the one before it did not get to tell', async () => {
    await armAll('/a')
    const relativeZxid = (): unknown => {
      const [first] = dialer.last.requests
      return first?.op === OpCode.setWatches ? first.body.relativeZxid : undefined
    }
    server.hangUp()
    await settle()
    dialer.last.accept()
    await settle()
    expect(relativeZxid()).toBe(100n)
    // Its answer to the first ping is ahead of the events that it owes.
    dialer.last.zxid = 140n
    dialer.last.pong()
    dialer.last.hangUp()
    await settle()
    expect(dialer.last.connectRequest.lastZxidSeen).toBe(140n)
    dialer.last.accept()
    await settle()
    expect(relativeZxid()).toBe(100n)
    dialer.last.zxid = 150n
    dialer.last.replyTo(Xid.setWatches, null)
    dialer.last.hangUp()
    // Behind a round over all servers there is a pause.
    await vi.advanceTimersByTimeAsync(1_000)
    dialer.last.accept()
    await settle()
    expect(relativeZxid()).toBe(150n)
  })

  it('arms what was armed before anything else is sent, by table, relative to the last zxid', async () => {
    await armAll('/b')
    await armAll('/a')
    await armAbsent('/none')
    session.get('/lost', watcher('lost')).catch(() => undefined)
    server.hangUp()
    await settle()
    void session.get('/later')
    dialer.last.accept()
    await settle()
    expect(dialer.last.requests).toEqual([
      {
        xid: Xid.setWatches,
        op: OpCode.setWatches,
        body: { relativeZxid: 100n, dataWatches: ['/a', '/b'], existWatches: ['/none'], childWatches: ['/a', '/b'] },
      },
      expect.objectContaining({ op: OpCode.getData, body: { path: '/later', watch: false } }),
    ])
    dialer.last.event(nodeDeleted, '/a')
    dialer.last.replyTo(Xid.setWatches, null)
    await settle()
    expect(heard).toEqual(['get deleted /a', 'exists deleted /a', 'children deleted /a'])
    expect(errors).toEqual([])
  })

  it('says nothing of watches when none is armed', async () => {
    await armAbsent('/a')
    server.event(nodeCreated, '/a')
    server.hangUp()
    await settle()
    dialer.last.accept()
    await settle()
    expect(dialer.last.requests).toEqual([])
  })

  it('arms many watches in messages of bounded length', async () => {
    const name = 'x'.repeat(1000)
    const paths = Array.from({ length: 300 }, (_, index) => `/${name}${1000 + index}`)
    for (const path of paths) {
      void session.exists(path, watcher('many'))
      server.reply(null, { err: Err.noNode })
    }
    server.hangUp()
    dialer.last.accept()
    await settle()
    const { requests } = dialer.last
    const lists = requests.flatMap((sent) => (sent.op === OpCode.setWatches ? [sent.body.existWatches] : []))
    expect(lists.flat()).toEqual(paths)
    expect(lists).toHaveLength(3)
    for (const list of lists) expect(list.join('').length).toBeLessThanOrEqual(SET_WATCHES_CHARS_MAX)
  })

  /** Arms so many watches that a new connection asks for them in parts; gives the first path and the last one. */
  async function armInParts(): Promise<[string, string]> {
    const paths = Array.from({ length: 300 }, (_, index) => `/${'x'.repeat(1000)}${1000 + index}`)
    await Promise.all(paths.map((path, index) => {
      const armed = session.get(path, (event) => {
        heard.push(`${event.type} ${index}`)
        void session.get(event.path).then(() => heard.push(`read ${index}`))
      })
      server.reply({ data: DATA, stat: STAT })
      return armed
    }))
    server.hangUp()
    dialer.last.accept()
    await settle()
    expect(dialer.last.requests).toHaveLength(3)
    return [paths[0] ?? '', paths[299] ?? '']
  }

  it('that arms watches in parts tells what was missed first, and nothing before the last answer', async () => {
    const [first, last] = await armInParts()
    void session.exists('/').then(() => heard.push('exists'))
    dialer.last.replyTo(Xid.setWatches, null)
    // The watch of the first part stands again, and this change is later than that of the last part.
    dialer.last.event(nodeDataChanged, first)
    dialer.last.replyTo(Xid.setWatches, null)
    dialer.last.event(nodeDeleted, last)
    await settle()
    expect(heard).toEqual([])
    dialer.last.replyTo(Xid.setWatches, null)
    dialer.last.reply({ stat: STAT })
    await settle()
    expect(heard).toEqual(['deleted 299', 'changed 0', 'exists'])
    for (let count = 0; count < 2; count++) dialer.last.reply({ data: DATA, stat: STAT })
    await settle()
    expect(heard.slice(3)).toEqual(['read 299', 'read 0'])
  })

  it('that is lost before its last part is answered has told nothing, and the next one asks again', async () => {
    const [first] = await armInParts()
    dialer.last.zxid = 140n
    dialer.last.replyTo(Xid.setWatches, null)
    dialer.last.event(nodeDataChanged, first)
    dialer.last.hangUp()
    await settle()
    expect(heard).toEqual([])
    dialer.last.accept()
    await settle()
    const lists = dialer.last.requests.map((sent) => (sent.op === OpCode.setWatches ? sent.body : null))
    expect(lists.flatMap((body) => body?.dataWatches)).toHaveLength(300)
    for (const body of lists) expect(body?.relativeZxid).toBe(100n)
    dialer.last.event(nodeDataChanged, first)
    for (let count = 0; count < 3; count++) dialer.last.replyTo(Xid.setWatches, null)
    await settle()
    expect(heard).toEqual(['changed 0'])
  })

  it('tells the events of its last part within no dispatch, and none once the session is closed', async () => {
    await armAbsent('/a')
    await armAbsent('/b')
    server.hangUp()
    dialer.last.accept()
    await settle()
    dialer.last.event(nodeCreated, '/a')
    await settle()
    dialer.last.replyTo(Xid.setWatches, null)
    expect(heard).toEqual([])
    await settle()
    expect(heard).toEqual(['absent created /a'])
    dialer.last.hangUp()
    await vi.advanceTimersByTimeAsync(1_000)
    dialer.last.accept()
    await settle()
    dialer.last.event(nodeCreated, '/b')
    const closing = session.close()
    dialer.last.replyTo(Xid.setWatches, null)
    dialer.last.hangUp()
    await closing
    await settle()
    expect(heard).toEqual(['absent created /a'])
  })

  it('is left again when the server refuses the watches', async () => {
    await armAbsent('/a')
    server.hangUp()
    dialer.last.accept()
    await settle()
    const { length } = dialer.channels
    dialer.last.replyTo(Xid.setWatches, null, { err: Err.systemError })
    await settle()
    expect(errors).toEqual([expect.objectContaining({ code: 'PROTOCOL_VIOLATION' })])
    expect(dialer.channels).toHaveLength(length + 1)
  })
})
