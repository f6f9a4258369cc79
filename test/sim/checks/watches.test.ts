import { describe, expect, it } from 'vitest'
import type { WatchEvent } from '../../../src/core/backend.ts'
import { EventType, OpCode, Xid } from '../../../src/backends/wire/codes.ts'
import { WatchCallbacksCheck } from '../../../sim/checks/watch-callbacks.ts'
import { WatchMessagesCheck } from '../../../sim/checks/watch-messages.ts'
import { ScriptedWorld, at, create, get, openSession, refuses, set, statAt } from '../scripted-world.ts'

describe('the check of watches at the wire', () => {
  const make = (): ScriptedWorld => {
    const { world } = ScriptedWorld.with((made) => new WatchMessagesCheck(made.ledger, made.tap))
    world.connect(1)
    world.send(1, get(1, '/a', true))
    world.replyGet(1, 1, at(1, 2))
    return world
  }
  const ping = (world: ScriptedWorld, zxid: bigint, connection = 1): void => world.reply(connection, Xid.ping, zxid)

  it('accepts an event before the first reply from the state behind it', () => {
    const world = make()
    world.commit(at(1, 3), set('/a', '2', 1))
    ping(world, at(1, 2))
    world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a')
    ping(world, at(1, 3))
    world.commit(at(1, 4), set('/a', '3', 2))
    ping(world, at(1, 4))
    expect(world.ledger.committed).toHaveLength(4)
  })

  it('W1: refuses a reply from a state with a change that was not told', () => {
    const world = make()
    world.commit(at(1, 3), set('/a', '2', 1))
    refuses(/W1: .* before the event of node \/a at 0x100000003/, () => ping(world, at(1, 3)))
  })

  it('W1: refuses it too if the change came before the reply that armed the watch', () => {
    const world = make()
    world.commit(at(1, 3), create('/a/b', '', 1))
    world.send(1, { xid: 2, op: OpCode.getChildren2, body: { path: '/a', watch: true } })
    world.reply(1, 2, at(1, 2), { body: { children: [], stat: statAt(world, '/a', at(1, 2)) } })
    refuses(/W1: .* before the event of children \/a/, () => ping(world, at(1, 3)))
  })

  it('W1: refuses an event behind a reply from its state', () => {
    const world = make()
    ping(world, at(1, 3))
    world.commit(at(1, 3), set('/a', '2', 1))
    refuses(/W1: server 1 told of \/a at 0x100000003 behind a reply/, () => {
      world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a')
    })
  })

  it('W2: refuses events that go back', () => {
    const world = make()
    world.send(1, get(2, '/b', false))
    world.commit(at(1, 3), set('/a', '2', 1))
    world.commit(at(1, 4), set('/a', '3', 2))
    world.notify(1, at(1, 4), EventType.nodeDataChanged, '/a')
    refuses(/W2/, () => world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a'))
  })

  it.each([
    ['for a path that nobody watches', at(1, 3), EventType.nodeDataChanged, '/b'],
    ['for a change that was another', at(1, 3), EventType.nodeDeleted, '/a'],
    ['before the change', at(1, 2), EventType.nodeDataChanged, '/a'],
  ])('W4: refuses an event %s', (_, zxid, type, path) => {
    const world = make()
    world.commit(at(1, 3), set('/a', '2', 1))
    world.notify(1, zxid, type, path)
    world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a')
    refuses(/W4: .* for no reason/, () => ping(world, at(1, 3)))
  })

  it('W3: refuses a second event of one watch', () => {
    const world = make()
    world.commit(at(1, 3), set('/a', '2', 1))
    world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a')
    world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a')
    refuses(/W4: .* for no reason/, () => ping(world, at(1, 3)))
  })

  it('forgets what removeWatches has removed', () => {
    const world = make()
    world.send(1, { xid: 2, op: OpCode.removeWatches, body: { path: '/a', type: 3 } })
    world.reply(1, 2, at(1, 2))
    world.commit(at(1, 3), set('/a', '2', 1))
    ping(world, at(1, 3))
    world.notify(1, at(1, 3), EventType.nodeDataChanged, '/a')
    refuses(/W4/, () => ping(world, at(1, 3)))
  })

  describe('on a new connection', () => {
    const resume = (world: ScriptedWorld, lists: { data?: string[]; exist?: string[]; child?: string[] }): void => {
      const { data = [], exist = [], child = [] } = lists
      world.tap.closed(1)
      world.commit(at(1, 3), set('/a', '2', 1))
      world.connect(2, 2)
      const body = { relativeZxid: at(1, 2), dataWatches: data, existWatches: exist, childWatches: child }
      world.send(2, { xid: Xid.setWatches, op: OpCode.setWatches, body })
    }

    it('accepts that what was missed is told, and the rest armed', () => {
      const world = make()
      resume(world, { data: ['/a'], exist: ['/b'], child: ['/a'] })
      world.notify(2, at(1, 3), EventType.nodeDataChanged, '/a')
      world.reply(2, Xid.setWatches, at(1, 3))
      world.commit(at(1, 4), create('/b', '', 2))
      refuses(/W1: .* before the event of node \/b/, () => ping(world, at(1, 4), 2))
    })

    it('W3: refuses that what was missed is not told', () => {
      const world = make()
      resume(world, { data: ['/a'] })
      refuses(/W3: server 2 did not tell of/, () => world.reply(2, Xid.setWatches, at(1, 3)))
    })

    it('W4: refuses that something is told that was not missed', () => {
      const world = make()
      resume(world, { child: ['/a'] })
      world.notify(2, at(1, 3), EventType.nodeChildrenChanged, '/a')
      refuses(/W4: .* for no reason/, () => world.reply(2, Xid.setWatches, at(1, 3)))
    })
  })
})

describe('the check of watches at the callback', () => {
  const make = async () => {
    const { world } = ScriptedWorld.with((made) => new WatchCallbacksCheck(made.ledger, made.tap))
    const opened = await openSession(world)
    const failed: unknown[] = []
    world.kernel.fail = (error): never => {
      failed.push(error)
      return undefined as never
    }
    const events: WatchEvent[] = []
    const watch = (event: WatchEvent): void => {
      events.push(event)
    }
    /** A get with the watch that is answered at a zxid. */
    const read = async (xid: number, zxid: bigint, watched = true): Promise<void> => {
      void (watched ? opened.session.get('/a', watch) : opened.session.get('/a'))
      world.replyGet(1, xid, zxid)
      await opened.scripted.settle({})
    }
    return { world, ...opened, failed, events, watch, read }
  }
  const CHANGED: WatchEvent = { type: 'changed', path: '/a' }

  it('accepts a callback for the first change, before the next answer', async () => {
    const { world, scripted, failed, events, read } = await make()
    await read(1, at(1, 2))
    world.commit(at(1, 3), set('/a', '2', 1))
    scripted.fire(CHANGED)
    await read(2, at(1, 3), false)
    expect(failed).toEqual([])
    expect(events).toEqual([CHANGED])
  })

  it('W1: refuses an answer from a state with a change that no callback was told of', async () => {
    const { world, failed, read } = await make()
    await read(1, at(1, 2))
    world.commit(at(1, 3), set('/a', '2', 1))
    await read(2, at(1, 3), false)
    expect(String(failed[0])).toMatch(/W1: .* before the watch of node \/a was called/)
  })

  it('W3: refuses a second call, and a call without a change', async () => {
    const { world, scripted, failed, read } = await make()
    await read(1, at(1, 2))
    scripted.fire(CHANGED)
    expect(String(failed[0])).toMatch(/W5: .* none is armed or due/)
    world.commit(at(1, 3), set('/a', '2', 1))
    scripted.fire(CHANGED)
    expect(failed).toHaveLength(1)
    scripted.fire(CHANGED)
    expect(failed).toHaveLength(2)
  })

  it('W5: refuses a call behind unwatch', async () => {
    const { world, session, scripted, failed, watch, read } = await make()
    await read(1, at(1, 2))
    session.unwatch('/a', watch)
    world.commit(at(1, 3), set('/a', '2', 1))
    scripted.fire(CHANGED)
    expect(String(failed[0])).toMatch(/W5/)
  })

  it('W5: refuses a call behind the end of the session', async () => {
    const { world, session, scripted, failed, read } = await make()
    await read(1, at(1, 2))
    world.commit(at(1, 3), set('/a', '2', 1))
    await session.close()
    scripted.fire(CHANGED)
    expect(String(failed[0])).toMatch(/W5: .* behind the session's end/)
  })

  it('excuses an exists watch whose node came and went between two connections, and no other', async () => {
    for (const isGone of [true, false]) {
      const { world, session, scripted, failed, watch, read } = await make()
      void session.exists('/b', watch)
      world.reply(1, 1, at(1, 2), { err: -101 })
      await scripted.settle(null)
      world.commit(at(1, 3), create('/b', '', 2))
      if (isGone) world.commit(at(1, 4), { type: OpCode.delete, body: { path: '/b' } })
      else world.commit(at(1, 4), set('/b', '', 1))
      const body = { relativeZxid: at(1, 2), dataWatches: [], existWatches: ['/b'], childWatches: [] }
      world.send(1, { xid: Xid.setWatches, op: OpCode.setWatches, body })
      world.reply(1, Xid.setWatches, at(1, 4))
      await read(2, at(1, 4), false)
      expect(failed).toHaveLength(isGone ? 0 : 1)
    }
  })
})
