import { beforeEach, describe, expect, it } from 'vitest'
import { EventQueue } from '../../../src/core/session/event-queue.ts'
import type { Call } from '../../../src/backends/redis/calls.ts'
import { Hub } from '../../../src/backends/redis/hub.ts'
import { settingsOf } from '../../../src/backends/redis/options.ts'
import { OrderedReplies } from '../../../src/backends/redis/ordered-replies.ts'
import { parseChanges, parsePosition } from '../../../src/backends/redis/position.ts'
import type { Transaction } from '../../../src/backends/redis/position.ts'
import { parseReply } from '../../../src/backends/redis/reply.ts'
import type { Reply } from '../../../src/backends/redis/reply.ts'
import type { Watch } from '../../../src/backends/redis/watches.ts'

type Entry = readonly [counter: number, changes: string]

const stat = (modified: number): string => `5-1 5-${modified} 5-1 0 0 0 0 0 p 0 0 0 0`

/** A reply at a position of epoch 5, with the stat of a node and with news, oldest first. */
function reply(counter: number, { status = 'OK', payload = stat(1), news = [] as readonly Entry[] } = {}): Reply {
  const entries = news.map(([at, changes]) => [`5-${at}`, ['c', changes]]).reverse()
  return parseReply([status, `5-${counter}`, entries, payload, ''])
}

const heard = (counter: number, changes: string, epoch = 5): Transaction => {
  return { position: parsePosition(`${epoch}-${counter}`), changes: parseChanges(changes) }
}

describe('the replies of a session', () => {
  let log: string[]
  let replies: OrderedReplies
  beforeEach(() => {
    log = []
    const queue = new EventQueue((error) => log.push(`error ${String(error)}`))
    const hub = new Hub(settingsOf('redis://127.0.0.1', {}))
    replies = new OrderedReplies(queue, hub, parsePosition('5-1'), {
      check: (paths) => log.push(`check ${paths.join()}`),
      fetch: () => log.push('fetch'),
    })
  })

  const call = (name: string, watch: Watch | null = null): Call => ({
    script: 'read', path: '/a', args: [], watch, renews: false, request: 0, sentAtMs: 0,
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
    expect([replies.last.text, replies.asksSince]).toEqual(['5-9', ''])
    replies.heard(heard(12, 'D/a'))
    expect([replies.last.text, await logged()]).toEqual(['5-12', ['one']])
  })

  it('come behind the events of what they bring as news', async () => {
    arm()
    expect([replies.asksSince, await logged()]).toEqual(['5-1', ['armed']])
    replies.answered(call('read'), reply(3, { news: [[2, 'D/b'], [3, 'D/a']] }))
    expect(await logged()).toEqual(['changed /a', 'read'])
  })

  it('wait, where news are missing, until all that is watched was read again', async () => {
    arm()
    replies.answered(call('first'), reply(400))
    replies.answered(call('second'), reply(401))
    expect(await logged()).toEqual(['armed', 'check /a'])
    replies.checked(reply(402, { payload: stat(300) }))
    expect(await logged()).toEqual(['changed /a', 'first', 'second'])
    expect(replies.last.text).toBe('5-402')
  })

  it('wait for nothing when a check shows that nothing has changed', async () => {
    arm()
    replies.answered(call('first'), reply(400))
    replies.checked(reply(402, { payload: stat(1) }))
    replies.answered(call('second'), reply(403, { news: [[403, 'D/a']] }))
    expect(await logged()).toEqual(['armed', 'check /a', 'first', 'changed /a', 'second'])
  })

  it('are not held up by check after check once nothing is missing any more', async () => {
    arm()
    replies.answered(call('first'), reply(400))
    replies.answered(call('one', watching()), reply(401))
    replies.checked(reply(402, { payload: stat(1) }))
    expect(await logged()).toEqual(['armed', 'check /a', 'first', 'one', 'check /a'])
    replies.answered(call('two', watching()), reply(403, { news: [[403, 'D/b']] }))
    replies.checked(reply(404, { payload: stat(1) }))
    expect(await logged()).toEqual(['two'])
    replies.answered(call('three'), reply(404, { news: [[404, 'D/a']] }))
    expect(await logged()).toEqual(['changed /a', 'changed /a', 'changed /a', 'three'])
  })

  it('tell a watch, once its node was read again, what it has missed of a gap', async () => {
    arm()
    replies.answered(call('first'), reply(400))
    replies.answered(call('one', watching()), reply(401))
    replies.checked(reply(403, { payload: stat(1) }))
    replies.checked(reply(405, { payload: stat(402) }))
    expect(await logged()).toEqual(['armed', 'check /a', 'first', 'one', 'check /a', 'changed /a', 'changed /a'])
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
    replies.heard(heard(7, 'D/a', 6))
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
    replies.answered(call('read'), reply(400))
    replies.detached()
    expect(await logged()).toEqual(['armed', 'check /a'])
    replies.attached(reply(401))
    expect(await logged()).toEqual(['check /a'])
    replies.checked(reply(402, { payload: stat(300) }))
    expect(await logged()).toEqual(['changed /a', 'read'])
  })

  it('say that the outcome is unknown where the answer is not kept', () => {
    replies.answered(call('write'), reply(1, { status: 'UNKNOWN' }))
    expect(log).toEqual(['write unknown'])
  })

  it('are settled when the session ends, and its watches are not', async () => {
    arm()
    replies.answered(call('read'), reply(400))
    replies.end()
    replies.heard(heard(2, 'D/a'))
    expect(await logged()).toEqual(['armed', 'check /a', 'read'])
  })
})
