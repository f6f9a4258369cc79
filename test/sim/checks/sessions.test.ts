import { describe, expect, it } from 'vitest'
import type { Packet } from '../../../src/backends/wire/packets.ts'
import { OpCode, Xid } from '../../../src/backends/wire/codes.ts'
import { SessionsCheck } from '../../../sim/checks/sessions.ts'
import { SESSION, ScriptedWorld, TIMEOUT_MS, at, create, openSession, refuses } from '../scripted-world.ts'

const SERVING_LEADER = (epoch: number): { type: 'serving'; role: 'LEADING'; epoch: number } => {
  return { type: 'serving', role: 'LEADING', epoch }
}
const LINK = 77

describe('the check of sessions', () => {
  const make = () => {
    const made = ScriptedWorld.with((world) => new SessionsCheck(world, world.ledger, world.tap))
    made.world.happen(1, SERVING_LEADER(1))
    return made
  }
  const END = { type: OpCode.closeSession, body: { paths2Delete: [] } } as const

  it('accepts an expiry behind the time-out since the session was heard of', () => {
    const { world } = make()
    world.connect(1)
    world.kernel.nowMs = 5_000
    world.tap.serverReceived(1)
    world.kernel.nowMs = 5_000 + TIMEOUT_MS + 50
    world.happen(1, { type: 'expired', sessionId: SESSION })
    world.commit(at(1, 3), END)
    expect(world.ledger.model.isOpen(SESSION)).toBe(false)
  })

  it('S2: refuses an expiry before it, as the leader heard it itself or from a follower that it goes on with', () => {
    const { world } = make()
    world.connect(1)
    world.kernel.nowMs = 5_000
    world.tap.serverReceived(1)
    world.kernel.nowMs = 6_500
    refuses(/S2: server 1 ended session 1280 of 2000 ms after 1500 ms/, () => {
      world.happen(1, { type: 'expired', sessionId: SESSION })
    })
    world.kernel.nowMs = 9_000
    const touched: Packet = { type: 'PING', touched: [{ sessionId: SESSION, timeoutMs: TIMEOUT_MS }] }
    world.tap.packetReceived(2, 1, LINK, touched)
    world.kernel.nowMs = 9_500
    world.happen(1, { type: 'expired', sessionId: SESSION })
    world.tap.packetSent(1, 2, LINK, { type: 'PING', touched: [] })
    refuses(/S2: server 1 .* after 500 ms/, () => world.happen(1, { type: 'expired', sessionId: SESSION }))
  })

  it('excuses an expiry by a tick that came right before the message, but no later one', () => {
    const { world } = make()
    world.connect(1)
    const expireBehind = (handlingMs: number): void => {
      world.kernel.nowMs = 20_000
      world.tap.serverReceived(1)
      world.kernel.nowMs = 20_000 + handlingMs
      world.happen(1, { type: 'expired', sessionId: SESSION })
    }
    expireBehind(0.01)
    refuses(/S2: server 1 .* after 0\.5 ms/, () => {
      expireBehind(0.5)
    })
  })

  it('excuses so by a turn of a busy server, in which much may be heard, and by no more than one', () => {
    const { world } = make()
    world.connect(1)
    world.server(1).node.turnMsMax = 20
    const hear = (fromMs: number, untilMs: number): void => {
      for (let atMs = fromMs; atMs <= untilMs; atMs += 5) {
        world.kernel.nowMs = atMs
        world.tap.serverReceived(1)
      }
    }
    world.kernel.nowMs = 20_000
    world.tap.serverReceived(1)
    hear(30_000, 30_015)
    world.happen(1, { type: 'expired', sessionId: SESSION })
    hear(40_000, 40_100)
    refuses(/S2: server 1 .* after 25 ms/, () => world.happen(1, { type: 'expired', sessionId: SESSION }))
  })

  it('S2: refuses an expiry by a leader that has not led for the time-out', () => {
    const { world } = make()
    world.kernel.nowMs = 20_000
    world.happen(2, SERVING_LEADER(2))
    world.kernel.nowMs = 21_000
    refuses(/S2: server 2/, () => world.happen(2, { type: 'expired', sessionId: SESSION }))
  })

  it('S2: refuses the end of a session whose client trusts its lease', async () => {
    const { world } = make()
    const { scripted } = await openSession(world)
    scripted.leaseDeadlineMs = world.client.clockMs(0) + 100
    world.kernel.nowMs = 99
    refuses(/S2: session 1280 of c1 was ended when its lease was good for another/, () => world.commit(at(1, 3), END))
    const late = make().world
    const { scripted: other } = await openSession(late)
    other.leaseDeadlineMs = late.client.clockMs(0) + 100
    late.kernel.nowMs = 101
    late.commit(at(1, 3), END)
    expect(late.ledger.model.isOpen(SESSION)).toBe(false)
  })

  it('S3: refuses that a session is attached that was never opened, or whose end its client has seen', () => {
    const { world } = make()
    refuses(/S3: .* was never opened/, () => world.connect(1, 1, 0x999n))
    world.connect(2)
    world.commit(at(1, 3), END, { cxid: 1 })
    world.reply(2, Xid.ping, at(1, 3))
    refuses(/S3: .* whose end its client has seen/, () => world.connect(3))
  })

  it('S5: refuses that a client is told of an end that no majority has on its disks', () => {
    const { world } = make()
    let connection = 1
    const tellOver = (): void => {
      connection += 1
      const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: TIMEOUT_MS, sessionId: SESSION, passwd: null }
      const response = { protocolVersion: 0, timeOut: 0, sessionId: 0n, passwd: null, readOnly: false }
      world.tap.opened(connection, world.client, 1)
      world.tap.clientSent(connection, { kind: 'connect', request: { ...request, readOnly: false } })
      world.tap.clientReceived(connection, { kind: 'connect', response })
    }
    refuses(/S5: server 1 said that session 1280 is over, which is open/, tellOver)
    world.log(at(1, 3), END, [1])
    refuses(/S5: server 1/, tellOver)
    world.log(at(1, 3), END, [2])
    tellOver()
    expect(world.ledger.model.isOpen(SESSION)).toBe(true)
  })

  describe('where servers keep new sessions for themselves', () => {
    const LOCAL = 0x900n
    const ask = (world: ScriptedWorld, connection: number, server: number, asked: bigint, told: bigint): void => {
      const own = { protocolVersion: 0, timeOut: TIMEOUT_MS, passwd: null, readOnly: false }
      world.tap.opened(connection, world.client, server)
      world.tap.clientSent(connection, { kind: 'connect', request: { ...own, lastZxidSeen: 0n, sessionId: asked } })
      const response = { ...own, sessionId: told, timeOut: told === 0n ? 0 : TIMEOUT_MS }
      world.tap.clientReceived(connection, { kind: 'connect', response })
    }
    const makeLocal = (): ScriptedWorld => {
      const world = new ScriptedWorld({ localSessions: 'upgradeable' })
      const check = new SessionsCheck(world, world.ledger, world.tap)
      world.commit(at(1, 1), create('/a', '1', 1), { session: LOCAL, cxid: 1 })
      expect(check.covers).toContain('S6')
      return world
    }

    it('S5: refuses that something is done of one whose client was told that it is over', () => {
      const world = makeLocal()
      ask(world, 5, 1, 0n, LOCAL)
      world.log(at(1, 2), create('/b', '1', 2), [1, 2, 3], { session: LOCAL, cxid: 2 })
      ask(world, 6, 2, LOCAL, 0n)
      world.apply(1, at(1, 2))
      expect(world.ledger.isCommitted(at(1, 2))).toBe(true)
      refuses(/S5: the client of session 2304 was told that it is over/, () => {
        world.log(at(1, 3), create('/c', '1', 3), [1, 2, 3], { session: LOCAL, cxid: 3 })
        world.apply(1, at(1, 3))
      })
    })

    it('S6: refuses that another server attaches one', () => {
      const world = makeLocal()
      ask(world, 5, 1, 0n, LOCAL)
      ask(world, 6, 1, LOCAL, LOCAL)
      refuses(/S6: server 2 attached the local session 2304 of another one/, () => ask(world, 7, 2, LOCAL, LOCAL))
    })

    it('S1: refuses that one owns something before it is one of the ensemble', () => {
      const world = makeLocal()
      refuses(/creates \/e for a session that owns nothing/, () => {
        world.log(at(1, 2), create('/e', '1', 2, true), [1, 2, 3], { session: LOCAL, cxid: 2 })
        world.apply(1, at(1, 2))
      })
    })
  })

  it('S4: refuses a session that is open long after its client fell silent, if somebody leads', () => {
    const { world, check } = make()
    world.connect(1)
    world.kernel.nowMs = 60_000
    check.atEnd()
    world.server(1).status = { ...world.server(1).status, role: 'LEADING' }
    refuses(/S4: session 1280 of 2000 ms is open after 60000 ms of silence/, () => check.atEnd())
  })
})
