import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EnsembleEvent } from '../../src/backends/embedded/index.ts'
import { ServerLog } from '../../src/cli/server-log.ts'
import type { LogSettings } from '../../src/cli/server-log.ts'

const TIME = '2026-11-29T12:00:00.000Z'

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(TIME) })
})
afterEach(() => {
  vi.useRealTimers()
})

function logged(settings: Partial<LogSettings>, events: readonly EnsembleEvent['event'][]): string[] {
  const lines: string[] = []
  const log = new ServerLog({ format: 'text', level: 'info', myid: 2, ...settings }, (line) => lines.push(line) > 0)
  for (const event of events) log.tell(event)
  return lines
}

const LOOKING = { type: 'looking', round: 2, reason: 'server 3 closed the link' } as const
const ELECTED = {
  type: 'elected',
  vote: { leader: 2, peerEpoch: 1, zxid: 0x1_0000_0007n },
  supporters: [1, 2],
  round: 2,
} as const
const SERVING = { type: 'serving', role: 'LEADING', epoch: 2 } as const
const EXPIRED = { type: 'expired', sessionId: -2n } as const
const DROPPED = { type: 'link-dropped', peer: 1, reason: 'too much waits' } as const

describe('the log of a server', () => {
  it('tells of an election with its reason and its votes, a line per event', () => {
    expect(logged({}, [LOOKING, ELECTED, SERVING])).toEqual([
      `${TIME} info  looks for a leader: server 3 closed the link\n`,
      `${TIME} info  server 2 (epoch 1, zxid 0x100000007) is elected in round 2, by 1, 2\n`,
      `${TIME} info  serves, LEADING, epoch 2\n`,
    ])
  })

  it('is JSON for programs, with what the event has', () => {
    const lines = logged({ format: 'json', level: 'debug' }, [LOOKING, ELECTED, EXPIRED])
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { time: TIME, level: 'info', server: 2, event: 'looking', round: 2, reason: 'server 3 closed the link' },
      { event: 'elected', leader: 2, round: 2, votes: [1, 2], peerEpoch: 1, zxid: '0x100000007' },
      { level: 'debug', event: 'expired', session: '0xfffffffffffffffe', message: expect.any(String) as string },
    ])
    for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1)
  })

  it('leaves out what is less urgent than its level', () => {
    const events = [LOOKING, EXPIRED, DROPPED]
    const count = (level: LogSettings['level']): number => logged({ level }, events).length
    expect((['error', 'warn', 'info', 'debug'] as const).map(count)).toEqual([0, 1, 2, 3])
  })

  it('is silent about the elections of a server that is alone, but for who wants to know', () => {
    expect(logged({ myid: null }, [LOOKING, ELECTED, SERVING])).toEqual([])
    const life = [{ type: 'started', epoch: 3, loggedZxid: 0x3_0000_0012n }, { type: 'crashed' }] as const
    expect(logged({ myid: null }, life)).toEqual([
      `${TIME} info  has read its data: epoch 3, zxid 0x300000012\n`,
      `${TIME} info  has ended\n`,
    ])
    expect(logged({ myid: null, level: 'debug' }, [LOOKING, ELECTED, SERVING])).toHaveLength(3)
  })

  it('stays on one line whatever an event says', () => {
    const [line] = logged({}, [{ ...DROPPED, reason: 'a\nb\u001b[2J' }])
    expect(line).toBe(`${TIME} warn  closed its link to server 1: a\\nb\\x1b[2J\n`)
  })

  it('tells where an error of this server was raised', () => {
    const lines: string[] = []
    const log = new ServerLog({ format: 'text', level: 'error', myid: null }, (line) => lines.push(line) > 0)
    log.clientError(new Error('oops'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/error a client's connection was ended by an error of this server: Error: oops\\n +at /)
  })

  it('tells who changed what by the fields of ZooKeeper, and takes no text of a client for one', () => {
    const record = {
      type: 'audit', sessionId: 0x10n, users: ['ip:10.0.0.9', 'digest:ann'], address: '10.0.0.9', operation: 'create',
      path: '/a result=success', nodeType: 'persistent', err: -110,
    } as const
    const who = 'session=0x10 user=ip:10.0.0.9,digest:ann ip=10.0.0.9'
    const what = 'operation=create znode="/a result=success" znode_type=persistent result=failure err=-110'
    for (const level of ['error', 'info'] as const) {
      expect(logged({ level }, [record])).toEqual([`${TIME} info  ${who} ${what}\n`])
    }
    const closed = { ...record, operation: 'closeSession', path: null, nodeType: null, err: 0 } as const
    expect(JSON.parse(logged({ format: 'json' }, [closed])[0] ?? '')).toEqual({
      time: TIME, level: 'info', server: 2, event: 'audit', message: `${who} operation=closeSession result=success`,
      session: '0x10', user: 'ip:10.0.0.9,digest:ann', ip: '10.0.0.9', operation: 'closeSession', result: 'success',
    })
  })
})

describe('lines for which there is no room', () => {
  it('are counted, and the next line that is written says so before it', () => {
    const lines: string[] = []
    let hasRoom = true
    const log = new ServerLog({ format: 'json', level: 'info', myid: null }, (line) => {
      if (hasRoom) lines.push(line)
      return hasRoom
    })
    const of = { sessionId: 1n, users: [], address: '', path: '/a', nodeType: null, err: 0 }
    const audit = { ...of, type: 'audit', operation: 'create' } as const
    log.tell(audit)
    hasRoom = false
    for (let i = 0; i < 3; i++) log.tell(audit)
    log.write({ level: 'warn', event: 'other', message: 'lost too' })
    hasRoom = true
    log.tell(audit)
    log.tell(audit)
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events.map(({ event }) => event)).toEqual(['audit', 'log-lost', 'audit', 'audit'])
    expect(events[1]).toMatchObject({ level: 'error', lines: 4, audit: 3 })
    expect(events[1]?.['message']).toBe(
      '4 lines were left out here, 3 of them of the audit: this log is not read fast enough',
    )
  })

  it('are told at the end, too', () => {
    const lines: string[] = []
    let hasRoom = false
    const log = new ServerLog({ format: 'text', level: 'info', myid: null }, (line) => hasRoom && lines.push(line) > 0)
    log.writeLost()
    log.write({ level: 'info', event: 'one', message: 'one' })
    hasRoom = true
    log.writeLost()
    log.writeLost()
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('1 lines were left out here, 0 of them of the audit')
  })
})
