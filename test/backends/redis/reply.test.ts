import { describe, expect, it } from 'vitest'
import type { Operation } from '../../../src/core/backend.ts'
import { childrenOf, dataOf, parseReply, readsOf, resultsOf } from '../../../src/backends/redis/reply.ts'
import { statOf, statsOf, textOf } from '../../../src/backends/redis/reply.ts'

const CORRUPT = expect.objectContaining({ code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' }) as Error
/** czxid, mzxid, pzxid, ctime, mtime, version, cversion, owner, kind, ttl, children ever, children, length. */
const STAT = '5-1 5-2 5-3 1000 2000 4 -6 s5-9 e 0 8 2 11'
const EMPTY = Buffer.alloc(0)

const bytes = (text: string): Buffer => Buffer.from(text)

describe('a reply', () => {
  it('is read from buffers and from texts, with its news oldest first', () => {
    const news = [bytes('5-4 seal 5-3\nD/b'), '5-3 seal 5-1 -\nC/a\nK/']
    const reply = parseReply([bytes('OK'), bytes('5-4'), news, bytes(STAT), bytes('data')])
    expect(reply.position).toEqual({ epoch: 5, counter: 4, text: '5-4' })
    const told = reply.news?.map(({ position, changes }) => [position.text, changes.length])
    expect(told).toEqual([['5-3', 2], ['5-4', 1]])
    expect(parseReply(['EXPIRED', '', [], '', '']).position).toBeNull()
    expect(parseReply(['OK', '5-1', EMPTY, '', '']).news).toEqual([])
  })

  it.each([
    ['no list', 'OK'],
    ['an unknown status', ['FINE', '', [], '', '']],
    ['a number for a position', ['OK', 7, [], '', '']],
    ['nothing', []],
  ])('is refused that is %s', (_, raw) => {
    expect(() => parseReply(raw)).toThrow(CORRUPT)
  })
})

it('a reply with news that tell nothing, or that no script of ours has written, has what is watched looked at', () => {
  const ours = '5-3 seal 5-1\nC/a'
  const odd = ['5-4 seal', 'hello-1 seal 5-3\nC/a', '5-4 seal 5-3\nQ/a', '5-4 seal x\nC/a', 'x', '', 7, [ours]]
  for (const one of ['?', '5-4 seal 5-3\n?', ...odd]) {
    expect(parseReply(['OK', '5-4', [one, ours], '', '']).news).toBeNull()
  }
})

describe('a reply to several reads', () => {
  it('is one to each, at one position', () => {
    const reply = parseReply(['OK', '5-9', [], STAT, bytes('data'), '', '', STAT, bytes('b\na')])
    const [data, none, names] = readsOf(reply, 3)
    expect([data, none, names].map((one) => one?.position?.text)).toEqual(['5-9', '5-9', '5-9'])
    expect(data && dataOf(data, '/a')?.data).toEqual(new Uint8Array(bytes('data')))
    expect(none && statOf(none, '/a')).toBeNull()
    expect(names && childrenOf(names, '/a')?.names).toEqual(['a', 'b'])
  })

  it('is refused that answers more or less, unless the session is over', () => {
    for (const count of [1, 3]) {
      expect(() => readsOf(parseReply(['OK', '5-9', [], STAT, '', STAT, '']), count)).toThrow(CORRUPT)
    }
    const over = readsOf(parseReply(['EXPIRED', '5-9', [], '', '']), 3)
    expect(over.map(({ status }) => status)).toEqual(['EXPIRED', 'EXPIRED', 'EXPIRED'])
  })
})

describe('a stat', () => {
  it('has positions as zxids, and the session as owner', () => {
    const zxid = (counter: number): bigint => (5n << 20n) + BigInt(counter)
    const stat = (text: string) => (): unknown => statOf(parseReply(['OK', '5-9', [], text, '']), '/a')
    expect(stat(STAT)()).toEqual({
      czxid: zxid(1), mzxid: zxid(2), pzxid: zxid(3), ctime: 1000, mtime: 2000, version: 4, cversion: -6, aversion: 0,
      ephemeralOwner: zxid(9), dataLength: 11, numChildren: 2,
    })
    expect(stat('')()).toBeNull()
    for (const odd of ['5-1 5-2', STAT.replace('1000', 'NaN'), STAT.replace(' 4 ', ' 4e400 '), `${STAT} 1`, '?']) {
      expect(stat(odd)).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION', outcome: 'corrupt', path: '/a' }))
    }
  })

  it('of many nodes is one a line, empty for none', () => {
    const reply = parseReply(['OK', '5-9', [], `${STAT}\n\n${STAT}\n?\nx`, ''])
    const stats = statsOf(reply, ['/a', '/b', '/c', '/d', '/e', '/f'])
    expect(stats.map((stat) => (stat === null || stat === 'unreadable' ? stat : stat.version))).toEqual([
      4, null, 4, 'unreadable', 'unreadable', 'unreadable',
    ])
  })

  it('comes with data that are a copy, or with names in order', () => {
    const raw = bytes('xyz')
    const data = dataOf(parseReply(['OK', '5-9', [], STAT, raw]), '/a')
    raw.fill(0)
    expect(Buffer.from(data?.data ?? []).toString()).toBe('xyz')
    const names = (text: string) => (): unknown => childrenOf(parseReply(['OK', '5-9', [], STAT, bytes(text)]), '/')
    expect(names('b\na')()).toMatchObject({ names: ['a', 'b'] })
    for (const odd of ['a\n', 'a/b', '..', 'a\n\u0007', '\ufffd']) expect(names(odd)).toThrow(CORRUPT)
    const none = parseReply(['OK', '5-9', [], '', ''])
    expect([dataOf(none, '/a'), childrenOf(none, '/a')]).toEqual([null, null])
  })
})

describe('the results of a write', () => {
  const create: Operation = { type: 'create', path: '/a b', data: new Uint8Array(), mode: 'persistent' }
  const set: Operation = { type: 'set', path: '/s', data: new Uint8Array(), version: -1 }
  const remove: Operation = { type: 'delete', path: '/x', version: 3 }
  const check: Operation = { type: 'check', path: '/v', version: 1 }

  it('are one for each operation, and a path may have spaces', () => {
    const lines = [`C ${STAT} /a b`, `S ${STAT}`, 'X', 'V'].join('\n')
    const results = resultsOf(bytes(lines), [create, set, remove, check], true)
    expect(results.map(({ type }) => type)).toEqual(['create', 'set', 'delete', 'check'])
    expect(results[0]).toMatchObject({ path: '/a b' })
  })

  it('tell a refusal with its code and path, and its place in a multi', () => {
    const operations = [create, set, remove]
    const refused = (isMulti: boolean) => (): unknown => resultsOf('R 2 BAD_VERSION /a b', operations, isMulti)
    const error = { code: 'BAD_VERSION', outcome: 'rejected', path: '/a b' }
    expect(refused(true)).toThrow(expect.objectContaining({ ...error, index: 2 }))
    expect(refused(false)).toThrow(expect.objectContaining({ ...error, index: undefined }))
  })

  it.each([['too few', 'X'], ['an unknown kind', 'X\nQ'], ['nothing', '']])('are refused that are %s', (_, text) => {
    expect(() => resultsOf(text, [remove, remove], true)).toThrow(CORRUPT)
  })
})

it('a text is decoded as it is, and what is none is refused', () => {
  expect([textOf('é'), textOf(bytes('é')), textOf(bytes('\uFEFFx'))]).toEqual(['é', 'é', '\uFEFFx'])
  expect(() => textOf(null)).toThrow(CORRUPT)
})
