import { describe, expect, it } from 'vitest'
import { CoordinationError } from '../../../src/core/errors.ts'
import { OpCode, Xid } from '../../../src/backends/wire/codes.ts'
import type { Reply, Request } from '../../../src/backends/wire/records.ts'
import { OutcomesCheck } from '../../../sim/checks/outcomes.ts'
import { ReadsCheck } from '../../../sim/checks/reads.ts'
import { WritesCheck } from '../../../sim/checks/writes.ts'
import { SESSION, ScriptedWorld, at, bytes, create, get, openSession, refuses, set, statAt } from '../scripted-world.ts'

describe('the check of writes', () => {
  const make = (): ScriptedWorld => {
    const { world } = ScriptedWorld.with((made) => new WritesCheck(made.ledger, made.tap))
    world.connect(1)
    return world
  }
  const setRequest = (xid: number, text = `${xid}`, version = -1): Request => {
    return { xid, op: OpCode.setData, body: { path: '/a', data: bytes(text), version } }
  }

  it('accepts writes that are answered with what became of them', () => {
    const world = make()
    world.set(1, 1, at(1, 3), 1)
    world.set(1, 2, at(1, 4), 2)
    expect(world.ledger.committed).toHaveLength(4)
  })

  it('C1: refuses a reply at a zxid that is not the write', () => {
    const world = make()
    world.send(1, setRequest(1))
    refuses(/C1: .* which is not it/, () => world.reply(1, 1, at(1, 2)))
  })

  it('C1: refuses a reply that says something else', () => {
    const world = make()
    world.send(1, setRequest(1))
    world.commit(at(1, 3), set('/a', '1', 1), { cxid: 1 })
    const stat = statAt(world, '/a', at(1, 2))
    refuses(/C1: .* with something else/, () => world.reply(1, 1, at(1, 3), { body: { stat } }))
  })

  it('C1: refuses a write that stands before one that was answered when it was sent', () => {
    const world = make()
    world.send(1, setRequest(1))
    world.commit(at(1, 3), set('/a', '1', 1), { cxid: 1 })
    world.commit(at(1, 4), set('/a', 'x', 2))
    world.tap.opened(2, world.client, 2)
    world.reply(2, Xid.ping, at(1, 4))
    world.send(1, setRequest(2))
    world.reply(1, 1, at(1, 3), { body: { stat: statAt(world, '/a', at(1, 3)) } })
    const late = make()
    late.commit(at(1, 3), set('/a', 'x', 1))
    late.tap.opened(2, late.client, 2)
    late.reply(2, Xid.ping, at(1, 4))
    late.send(1, setRequest(1))
    late.commit(at(1, 4), set('/a', '1', 2), { cxid: 1 })
    const stat = statAt(late, '/a', at(1, 4))
    refuses(/C1: .*was known before/, () => late.reply(1, 1, at(1, 4), { body: { stat } }))
  })

  it('C2: refuses replies that are not in the order of the requests', () => {
    const world = make()
    world.send(1, setRequest(1))
    world.send(1, setRequest(2))
    refuses(/C2: .* got a reply to 2, the next was 1/, () => world.reply(1, 2, at(1, 3)))
  })

  it('C2: refuses a session whose writes changed places', () => {
    const world = make()
    world.send(1, setRequest(1))
    world.send(1, setRequest(2))
    world.commit(at(1, 3), set('/a', '2', 1), { cxid: 2 })
    refuses(/C2: .* behind request 2/, () => world.commit(at(1, 4), set('/a', '1', 2), { cxid: 1 }))
  })

  it('C5: refuses a request that is in the history twice, or that nobody sent', () => {
    const world = make()
    world.set(1, 1, at(1, 3), 1)
    refuses(/C5: .* in the history already/, () => world.commit(at(1, 4), set('/a', '1', 2), { cxid: 1 }))
    refuses(/C5/, () => make().commit(at(1, 3), set('/a', '1', 1), { cxid: 9 }))
  })

  it.each([
    ['other data', set('/a', 'other', 1)],
    ['another node', create('/b', '1', 2)],
    ['a refusal', { type: OpCode.error, body: { err: -103 } } as const],
  ])('C5: refuses a request that became %s', (_, txn) => {
    const world = make()
    world.send(1, setRequest(1))
    refuses(/C5: .* it had to be "set \/a to version 1"/, () => world.commit(at(1, 3), txn, { cxid: 1 }))
  })

  it('C5: refuses a conditional write that was done in spite of its condition', () => {
    const world = make()
    world.send(1, setRequest(1, '1', 7))
    refuses(/it had to be "error -103"/, () => world.commit(at(1, 3), set('/a', '1', 1), { cxid: 1 }))
  })

  it('C6: refuses a multi of which a part was done', () => {
    const world = make()
    const data = bytes('m')
    const parts = [{ path: '/a', data, version: -1 }, { path: '/none', data, version: -1 }]
    world.send(1, { xid: 1, op: OpCode.multi, body: parts.map((body) => ({ op: OpCode.setData, body })) })
    const half = { type: OpCode.multi, body: [set('/a', 'm', 1)] }
    refuses(/it had to be "error 0, error -101"/, () => world.commit(at(1, 3), half, { cxid: 1 }))
  })

  it('S3: refuses the refusal of an open session', () => {
    const world = make()
    world.send(1, setRequest(1))
    const expired = { type: OpCode.error, body: { err: -112 } } as const
    refuses(/S3: .* though the session is open/, () => world.commit(at(1, 3), expired, { cxid: 1 }))
  })
})

describe('the check of reads', () => {
  const make = (): ScriptedWorld => {
    const { world } = ScriptedWorld.with((made) => new ReadsCheck(made.ledger, made.tap))
    world.connect(1)
    world.commit(at(1, 3), set('/a', '2', 1))
    return world
  }

  it('accepts an old state, as long as it is one and the session has seen no later one', () => {
    const world = make()
    for (const [xid, counter] of [[1, 2], [2, 2], [3, 3]] as const) {
      world.send(1, get(xid, '/a'))
      world.replyGet(1, xid, at(1, counter))
    }
    expect(world.tap.session(SESSION)?.zxid).toBe(at(1, 3))
  })

  it('C3: refuses a session that goes back, on another server too', () => {
    const world = make()
    world.send(1, get(1, '/a'))
    world.replyGet(1, 1, at(1, 3))
    world.connect(2, 2)
    world.send(2, get(2, '/a'))
    const what = /C3: session 1280 was at 0x100000003, server 2 answered at 0x100000002/
    refuses(what, () => world.replyGet(2, 2, at(1, 2)))
  })

  it('C3: refuses a state that is not in the history', () => {
    const world = make()
    world.send(1, get(1, '/a'))
    refuses(/C3: .* not in the common history/, () => world.replyGet(1, 1, at(1, 4)))
  })

  it('C3 and C6: refuses data, a stat, names or an absence that are not of the state at the zxid', () => {
    const world = make()
    const stat = statAt(world, '/a', at(1, 3))
    const body = { data: bytes('2'), stat }
    const answers: [Request, { err?: number; body?: Reply['body'] }][] = [
      [get(1, '/a'), { body: { ...body, data: bytes('1') } }],
      [get(2, '/a'), { body: { ...body, stat: { ...stat, version: 2 } } }],
      [get(3, '/a'), { err: -101 }],
      [{ xid: 4, op: OpCode.exists, body: { path: '/b', watch: false } }, { body: { stat } }],
      [{ xid: 5, op: OpCode.getChildren2, body: { path: '/a', watch: false } }, { body: { children: ['x'], stat } }],
    ]
    for (const [request, answer] of answers) {
      world.send(1, request)
      refuses(/C3: server 1 at 0x100000003/, () => world.reply(1, request.xid, at(1, 3), answer))
    }
  })

  it('C4: refuses a sync that comes back without what was known before it', () => {
    const world = make()
    world.tap.opened(2, world.client, 2)
    world.reply(2, Xid.ping, at(1, 3))
    world.send(1, { xid: 1, op: OpCode.sync, body: { path: '/' } })
    refuses(/C4: .* 0x100000003 was known before it/, () => world.reply(1, 1, at(1, 2), { body: { path: '/' } }))
  })
})

describe('the check of outcomes', () => {
  const make = async () => {
    const { world, check } = ScriptedWorld.with((made) => new OutcomesCheck(made.ledger, made.tap))
    return { world, check, ...(await openSession(world)) }
  }
  const failure = (outcome: 'rejected' | 'unknown' | 'not-sent' | 'session-over'): CoordinationError => {
    return new CoordinationError('CONNECTION_LOSS', 'scripted', { outcome })
  }

  it('C5: refuses an "ok" of what is not in the history', async () => {
    const { world, session, scripted } = await make()
    const failed: unknown[] = []
    world.kernel.fail = (error): never => {
      failed.push(error)
      return undefined as never
    }
    void session.set('/a', bytes('x'), -1)
    await scripted.settle({})
    expect(String(failed[0])).toMatch(/C5: request 1 .* ended with ok, and it is not in the history/)
  })

  const DEFINITE = ['rejected', 'not-sent', 'session-over'] as const

  it.each(DEFINITE)('C5: refuses "%s" of what is in the history', async (outcome) => {
    const { world, check, session, scripted } = await make()
    session.set('/a', bytes('x'), -1).catch(() => undefined)
    await scripted.fail(failure(outcome))
    check.atEnd()
    world.commit(at(1, 3), set('/a', 'x', 1), { cxid: 1 })
    refuses(/C5: request 1 .* and it is in the history/, () => check.atEnd())
  })

  it('C5: accepts "unknown", whatever became of it', async () => {
    const { world, check, session, scripted } = await make()
    session.set('/a', bytes('x'), -1).catch(() => undefined)
    session.set('/a', bytes('y'), -1).catch(() => undefined)
    await scripted.fail(failure('unknown'))
    await scripted.fail(failure('unknown'))
    world.commit(at(1, 3), set('/a', 'y', 1), { cxid: 2 })
    check.atEnd()
    expect(world.ledger.committed).toHaveLength(3)
  })
})
