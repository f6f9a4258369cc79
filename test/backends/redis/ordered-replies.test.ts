import { beforeEach, describe, expect, it } from 'vitest'
import { EventQueue } from '../../../src/core/session/event-queue.ts'
import type { Call } from '../../../src/backends/redis/calls.ts'
import { Hub } from '../../../src/backends/redis/hub.ts'
import { settingsOf } from '../../../src/backends/redis/options.ts'
import { OrderedReplies } from '../../../src/backends/redis/ordered-replies.ts'
import { parseChanges, parsePosition } from '../../../src/backends/redis/position.ts'
import type { Position } from '../../../src/backends/redis/position.ts'
import { parseReply } from '../../../src/backends/redis/reply.ts'
import type { Reply } from '../../../src/backends/redis/reply.ts'
import type { Watch } from '../../../src/backends/redis/watches.ts'

type Entry = readonly [counter: number, changes: string, previous?: number]

const stat = (modified: number): string => `5-1 5-${modified} 5-1 0 0 0 0 0 p 0 0 0 0`

/** Stands for news that are too many to be told. */
const TOO_MANY = null

/** A reply at a position of epoch 5, with the stat of a node and with news. */
function reply(
  counter: number,
  { status = 'OK', payload = stat(1), news = [] as readonly Entry[] | null, epoch = 5 } = {},
): Reply {
  const notices = news?.map(([at, changes, previous = at - 1]) => `5-${at} seal 5-${previous}\n${changes}`)
  return parseReply([status, `${epoch}-${counter}`, notices ?? ['?'], payload, ''])
}

/** A transaction that the session is told of; `previous` is where it was told of one before. */
function heard(counter: number, changes: string, { previous = counter - 1, epoch = 5, isPublished = true } = {}) {
  const at = (place: number): Position => parsePosition(`${epoch}-${place}`)
  return { position: at(counter), previous: at(previous), isPublished, changes: parseChanges(changes) }
}

describe('the replies of a session', () => {
  let log: string[]
  let replies: OrderedReplies
  beforeEach(() => {
    log = []
    const queue = new EventQueue((error) => log.push(`error ${String(error)}`))
    const hub = new Hub(settingsOf('redis://127.0.0.1', {}))
    replies = new OrderedReplies(queue, hub, parsePosition('5-1'), {
      check: (names) => log.push(`check ${names.join()}`),
      fetch: () => log.push('fetch'),
    })
  })

  const call = (name: string, watch: Watch | null = null, audited: string[] = []): Call => ({
    script: 'read', path: '/a', args: [], watch, audited, renews: false, request: 0, sentAtMs: 0,
    settle: () => log.push(name),
    reject: (error) => log.push(`${name} ${(error as { outcome?: string }).outcome ?? ''}`),
  })
  const watching = (): Watch => {
    const callback = ({ type, path }: { type: string; path: string }): void => void log.push(`${type} ${path}`)
    const watch: Watch = { kind: 'get', path: '/a', callback, seen: null, live: true }
    replies.watches.reading(watch)
    return watch
  }
  /** Arms a watch on `/a`, by a read at the position of the beginning. */
  const arm = (): void => {
    replies.answered(call('armed', watching()), reply(1))
  }
  /** The log since the last call, once the queue of events has run empty. */
  const logged = async (): Promise<string[]> => {
    await new Promise(setImmediate)
    return log.splice(0)
  }

  it('are settled at once while nobody watches, wherever they are', async () => {
    replies.answered(call('one'), reply(9))
    expect(log).toEqual(['one'])
    expect(replies.last.text).toBe('5-9')
    replies.heard(heard(12, 'D/a'))
    expect([replies.last.text, await logged()]).toEqual(['5-12', ['one']])
  })

  it('come behind the events of what they bring as news', async () => {
    arm()
    expect(await logged()).toEqual(['armed'])
    replies.answered(call('read'), reply(3, { news: [[2, 'D/b'], [3, 'D/a']] }))
    expect(await logged()).toEqual(['changed /a', 'read'])
    expect(replies.last.text).toBe('5-3')
  })

  it('wait for nothing where there are no news, however far they are', async () => {
    arm()
    replies.answered(call('first'), reply(400))
    replies.heard(heard(401, 'D/a', { previous: 1 }))
    expect([await logged(), replies.last.text]).toEqual([['armed', 'first', 'changed /a'], '5-401'])
  })

  it('bring news in whatever order, which are shown in theirs', async () => {
    arm()
    replies.answered(call('read'), reply(9, { news: [[7, 'D/a', 3], [3, 'X/a', 1]] }))
    expect(await logged()).toEqual(['armed', 'deleted /a', 'read'])
  })

  it('wait, where news are missing, until all that is watched was looked at again', async () => {
    arm()
    replies.answered(call('first'), reply(400, { news: TOO_MANY }))
    replies.answered(call('second'), reply(401))
    expect(await logged()).toEqual(['armed', 'check n/a'])
    replies.checked(reply(402, { payload: stat(300) }))
    expect(await logged()).toEqual(['changed /a', 'first', 'second'])
    expect(replies.last.text).toBe('5-402')
  })

  it('wait where they are of another epoch, in which registrations may be missing', async () => {
    arm()
    replies.answered(call('first'), reply(3, { epoch: 6 }))
    expect(await logged()).toEqual(['armed', 'check n/a'])
    replies.checked(reply(4, { epoch: 6 }))
    expect([await logged(), replies.last.text]).toEqual([['first'], '6-4'])
  })

  it('tell what an audit finds, and nobody whose watch was armed after it', async () => {
    arm()
    replies.answered(call('tick', null, ['n/a']), reply(5, { payload: stat(4) }))
    replies.answered(call('read', watching()), reply(6, { payload: stat(5) }))
    expect(await logged()).toEqual(['armed', 'changed /a', 'tick', 'read'])
    replies.answered(call('tick', null, ['n/a']), reply(7, { payload: stat(5) }))
    replies.answered(call('tick', null, ['n/a']), reply(8, { payload: '?' }))
    expect(await logged()).toEqual(['tick', 'tick'])
    replies.answered(call('tick', null, ['n/a']), reply(9, { payload: '' }))
    expect(await logged()).toEqual(['deleted /a', 'tick'])
  })

  it('remember as told what a message brings, and nothing that none does', () => {
    arm()
    replies.heard(heard(2, 'D/b'))
    replies.heard(heard(3, 'D/b', { isPublished: false }))
    expect([replies.last.text, replies.lastTold?.text]).toEqual(['5-3', '5-2'])
  })

  it('wait for nothing when a check shows that nothing has changed', async () => {
    arm()
    replies.answered(call('first'), reply(400, { news: TOO_MANY }))
    replies.checked(reply(402, { payload: stat(1) }))
    replies.answered(call('second'), reply(403, { news: [[403, 'D/a']] }))
    expect(await logged()).toEqual(['armed', 'check n/a', 'first', 'changed /a', 'second'])
  })

  it('are not held up by check after check once nothing is missing any more', async () => {
    arm()
    replies.answered(call('first'), reply(400, { news: TOO_MANY }))
    replies.answered(call('one', watching()), reply(401))
    replies.checked(reply(402, { payload: stat(1) }))
    expect(await logged()).toEqual(['armed', 'check n/a', 'first', 'one', 'check n/a'])
    replies.answered(call('two', watching()), reply(403, { news: [[403, 'D/b']] }))
    replies.checked(reply(404, { payload: stat(1) }))
    expect(await logged()).toEqual(['two'])
    replies.answered(call('three'), reply(404, { news: [[404, 'D/a']] }))
    expect(await logged()).toEqual(['changed /a', 'changed /a', 'changed /a', 'three'])
  })

  it('tell a watch, once its node was read again, what it has missed of a gap', async () => {
    arm()
    replies.answered(call('first'), reply(400, { news: TOO_MANY }))
    replies.answered(call('one', watching()), reply(401))
    replies.checked(reply(403, { payload: stat(1) }))
    replies.checked(reply(405, { payload: stat(402) }))
    expect(await logged()).toEqual(['armed', 'check n/a', 'first', 'one', 'check n/a', 'changed /a', 'changed /a'])
    replies.answered(call('two'), reply(405, { news: [[404, 'D/b'], [405, 'D/a']] }))
    expect(await logged()).toEqual(['two'])
  })

  it('leave what is heard too early until what lies in front of it has come', async () => {
    arm()
    replies.heard(heard(3, 'X/a'))
    expect(await logged()).toEqual(['armed', 'fetch'])
    replies.heard(heard(2, 'D/b'))
    expect(await logged()).toEqual(['deleted /a'])
    replies.heard(heard(3, 'D/a'))
    expect([replies.last.text, await logged()]).toEqual(['5-3', []])
  })

  it('fetch once for a hole, and again if it is not filled by that', async () => {
    arm()
    replies.heard(heard(3, 'D/b'))
    replies.heard(heard(4, 'D/b'))
    expect(await logged()).toEqual(['armed', 'fetch'])
    replies.fetched()
    expect(await logged()).toEqual(['fetch'])
    replies.answered(call('tick'), reply(4, { news: [[2, 'D/b'], [3, 'D/b'], [4, 'D/b']] }))
    replies.fetched()
    expect(await logged()).toEqual(['tick'])
  })

  it('do not follow a channel to another epoch, which may be of another database', () => {
    replies.heard(heard(7, 'D/a', { epoch: 6 }))
    expect(replies.last.text).toBe('5-1')
  })

  it('arm a watch that is told at once of what was heard while its read was on its way', async () => {
    const watch = watching()
    replies.heard(heard(2, 'D/a'))
    replies.answered(call('read', watch), reply(1))
    expect(await logged()).toEqual(['read', 'changed /a'])
  })

  it('arm nothing for a read of a node that is not there', async () => {
    replies.answered(call('read', watching()), reply(1, { payload: '' }))
    replies.heard(heard(2, 'D/a'))
    expect([await logged(), replies.watches.isNeeded]).toEqual([['read'], false])
  })

  it('owe the check that a lost connection has taken along', async () => {
    arm()
    replies.answered(call('read'), reply(400, { news: TOO_MANY }))
    replies.detached()
    expect(await logged()).toEqual(['armed', 'check n/a'])
    replies.attached(reply(401))
    expect(await logged()).toEqual(['check n/a'])
    replies.checked(reply(402, { payload: stat(300) }))
    expect(await logged()).toEqual(['changed /a', 'read'])
  })

  it('say that the outcome is unknown where the answer is not kept', () => {
    replies.answered(call('write'), reply(1, { status: 'UNKNOWN' }))
    expect(log).toEqual(['write unknown'])
  })

  it('are settled when the session ends, and its watches are not', async () => {
    arm()
    replies.answered(call('read'), reply(400, { news: TOO_MANY }))
    replies.end()
    replies.heard(heard(2, 'D/a'))
    expect(await logged()).toEqual(['armed', 'check n/a', 'read'])
  })
})
