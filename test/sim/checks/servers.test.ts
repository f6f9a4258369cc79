import { describe, expect, it } from 'vitest'
import type { Packet } from '../../../src/backends/wire/packets.ts'
import { State } from '../../../src/backends/embedded/server/state/state.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { ElectionsCheck } from '../../../sim/checks/elections.ts'
import { LeadershipCheck } from '../../../sim/checks/leadership.ts'
import { LeftoversCheck } from '../../../sim/checks/leftovers.ts'
import { PromisesCheck } from '../../../sim/checks/promises.ts'
import { ReplicasCheck } from '../../../sim/checks/replicas.ts'
import { SESSION, ScriptedWorld, TIMEOUT_MS, at, create, openSession, refuses, set } from '../scripted-world.ts'

const SERVING_LEADER = (epoch: number): { type: 'serving'; role: 'LEADING'; epoch: number } => {
  return { type: 'serving', role: 'LEADING', epoch }
}
const LINK = 77

describe('the check of leaders', () => {
  const make = (): ScriptedWorld => ScriptedWorld.with((world) => new LeadershipCheck(world, world.ledger)).world

  it('P1: refuses a second leader of an epoch, however late', () => {
    const world = make()
    world.happen(1, SERVING_LEADER(2))
    world.happen(2, SERVING_LEADER(3))
    refuses(/P1: servers 1 and 3 both led epoch 2/, () => world.happen(3, SERVING_LEADER(2)))
  })

  it('P4: refuses a leader without what was committed before its epoch, and none that is late for it', () => {
    const world = make()
    world.log(at(1, 3), set('/a', '2', 1), [1, 2])
    world.apply(1, at(1, 3))
    world.happen(3, SERVING_LEADER(1))
    refuses(/P4: server 3 leads epoch 2 without 0x100000003/, () => world.happen(3, SERVING_LEADER(2)))
  })

  it('P9: refuses a leader that has not applied its history', () => {
    const world = make()
    world.log(at(1, 3), set('/a', '2', 1), [1, 2])
    refuses(/P9: server 1 leads epoch 2/, () => world.happen(1, SERVING_LEADER(2)))
  })
})

describe('the check of promises between servers', () => {
  const make = (): ScriptedWorld => {
    return ScriptedWorld.with((world) => new PromisesCheck(world, world.ledger, world.tap)).world
  }
  const send = (world: ScriptedWorld, from: number, to: number, packet: Packet): void => {
    world.tap.packetSent(from, to, LINK, packet)
  }
  const deliver = (world: ScriptedWorld, packet: Packet): void => world.tap.packetReceived(1, 2, LINK, packet)
  const epochs = (world: ScriptedWorld, id: number, acceptedEpoch: number, currentEpoch: number): void => {
    world.persist(id, { type: 'epochs', acceptedEpoch, currentEpoch, votes: true })
  }

  it('P2: refuses an epoch that is proposed or accepted before it is durable', () => {
    const world = make()
    refuses(/P2: server 1 sent LEADERINFO/, () => send(world, 1, 2, { type: 'LEADERINFO', epoch: 2 }))
    epochs(world, 1, 2, 1)
    send(world, 1, 2, { type: 'LEADERINFO', epoch: 2 })
    deliver(world, { type: 'LEADERINFO', epoch: 2 })
    const ack: Packet = { type: 'ACKEPOCH', currentEpoch: 1, lastZxid: at(1, 2) }
    refuses(/P2: server 2 sent ACKEPOCH/, () => send(world, 2, 1, ack))
    epochs(world, 2, 2, 1)
    send(world, 2, 1, ack)
  })

  it('P5: refuses an ACK of what is not durable, or in an epoch that is not', () => {
    const world = make()
    send(world, 2, 1, { type: 'ACK', zxid: at(1, 2) })
    refuses(/P5: server 2 acknowledged 0x100000003 without/, () => send(world, 2, 1, { type: 'ACK', zxid: at(1, 3) }))
    world.log(at(2, 1), set('/a', '2', 1), [2])
    refuses(/on its disk is epoch 1/, () => send(world, 2, 1, { type: 'ACK', zxid: at(2, 1) }))
  })

  it('P5: refuses an ACK of NEWLEADER before the history, and before the epoch', () => {
    const world = make()
    const txn = world.encode(at(1, 3), set('/a', '2', 1))
    deliver(world, { type: 'LEADERINFO', epoch: 2 })
    deliver(world, { type: 'DIFF', zxid: at(1, 3) })
    deliver(world, { type: 'PROPOSAL', zxid: at(1, 3), txn })
    deliver(world, { type: 'NEWLEADER', zxid: at(2, 0) })
    const ack: Packet = { type: 'ACK', zxid: at(2, 0) }
    refuses(/P5: server 2 is in epoch 2 without 0x100000003/, () => epochs(world, 2, 2, 2))
    world.ledger.mirror(2).currentEpoch = 1
    refuses(/P5: server 2 acknowledged 0x200000000 without 0x100000003/, () => send(world, 2, 1, ack))
    world.persist(2, { type: 'append', entries: [{ zxid: at(1, 3), txn }] })
    refuses(/on its disk is epoch 1/, () => send(world, 2, 1, ack))
    epochs(world, 2, 2, 2)
    send(world, 2, 1, ack)
  })

  it('P5: refuses UPTODATE before a majority is in the epoch', () => {
    const world = make()
    deliver(world, { type: 'LEADERINFO', epoch: 2 })
    const upToDate = (): void => { send(world, 1, 2, { type: 'UPTODATE' }) }
    refuses(/P5: server 1 sent UPTODATE in epoch 2, on its own disk is 1/, upToDate)
    epochs(world, 1, 2, 2)
    refuses(/P5: server 1 sent UPTODATE in epoch 2 with only 1 in it/, upToDate)
    epochs(world, 2, 2, 2)
    send(world, 2, 1, { type: 'ACK', zxid: at(2, 0) })
    send(world, 1, 2, { type: 'UPTODATE' })
  })

  it('P5: refuses COMMIT and INFORM of what no majority has, the leader itself included', () => {
    const world = make()
    const txn = world.log(at(1, 3), set('/a', '2', 1), [2])
    refuses(/P5: server 1 committed 0x100000003/, () => send(world, 1, 2, { type: 'COMMIT', zxid: at(1, 3) }))
    refuses(/P5: server 1 committed/, () => send(world, 1, 2, { type: 'INFORM', zxid: at(1, 3), txn }))
    world.log(at(1, 3), set('/a', '2', 1), [1])
    send(world, 1, 2, { type: 'COMMIT', zxid: at(1, 3) })
  })
})

describe('the check of replicas', () => {
  const make = () => ScriptedWorld.with((world) => new ReplicasCheck(world, world.ledger))

  it('accepts equal states, stored and in memory', () => {
    const { world, check } = make()
    world.persist(1, { type: 'snapshot', zxid: at(1, 2), chunks: [world.server(1).state.snapshot()] })
    world.persist(2, { type: 'snapshot', zxid: at(1, 2), chunks: [world.server(2).state.snapshot()] })
    check.atEnd()
    expect(world.ledger.model.node('/a')).not.toBeNull()
  })

  it('P10: refuses two states at one zxid', () => {
    const { world } = make()
    const state = world.server(1).state.snapshot()
    const other = Uint8Array.from(state)
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
    world.persist(1, { type: 'snapshot', zxid: at(1, 2), chunks: [state] })
    refuses(/P10: server 2/, () => world.persist(2, { type: 'snapshot', zxid: at(1, 2), chunks: [other] }))
  })

  it('P11: refuses a state that the history does not give, though all servers have it', () => {
    const { world, check } = make()
    const wrong = new State()
    const transaction = { clientId: SESSION, cxid: 0, zxid: at(1, 2), time: 1_000 }
    wrong.sessions.add(SESSION, { timeoutMs: TIMEOUT_MS, passwd: new Uint8Array() })
    wrong.apply({ header: { ...transaction, type: OpCode.create2 }, txn: create('/a', 'w', 1) })
    for (const server of world.servers) server.state = wrong
    refuses(/P11: server 1 at 0x100000002 has other data of \/a/, () => check.atEnd())
    refuses(/P11/, () => world.persist(1, { type: 'snapshot', zxid: at(1, 2), chunks: [wrong.snapshot()] }))
  })

  it('P12: refuses a disk that gives back another log', () => {
    const { world, check } = make()
    world.server(2).storage.persist([{ type: 'truncate', zxid: at(1, 1) }])
    refuses(/P12: the disk of server 2/, () => check.atEnd())
  })
})

describe('the check of elections', () => {
  it('V3: refuses a server that looks for a leader more often than it ticks, and not one that takes its time', () => {
    const looking = { type: 'looking', round: 1, reason: 'scripted' } as const
    const { world } = ScriptedWorld.with((made) => new ElectionsCheck(made))
    for (let i = 0; i < 300; i++) {
      world.kernel.nowMs += 50
      world.happen(1, looking)
    }
    refuses(/V3: server 2 began 100 elections within/, () => {
      for (let i = 0; i < 300; i++) {
        world.kernel.nowMs += 4
        world.happen(2, looking)
      }
    })
  })
})

describe('the check of what is left', () => {
  const make = () => {
    const made = ScriptedWorld.with((world) => new LeftoversCheck(world, world.ledger, world.tap))
    for (const server of made.world.servers) server.status = { ...server.status, nodes: 5, sessions: 1 }
    return made
  }

  it.each([
    ['nodes', { nodes: 6 }, /R3: server 2 .* has 6 nodes, expected 5/],
    ['sessions', { sessions: 2 }, /R3: server 2 .* has 2 sessions, expected 1/],
    ['watches', { watches: 1 }, /R3: server 2 .* has 1 watches of nobody/],
  ])('R3: refuses %s that the history does not give', (_, wrong, pattern) => {
    const { world, check } = make()
    check.atEnd()
    world.server(2).status = { ...world.server(2).status, ...wrong }
    refuses(pattern, () => check.atEnd())
  })

  it('R1: refuses timers of a client that has closed its session', async () => {
    const { world, check } = make()
    const { scripted } = await openSession(world)
    world.client.timerCount = 1
    check.atEnd()
    scripted.state = { status: 'closed' }
    refuses(/R1: c1 has closed its session and left 1 timers/, () => check.atEnd())
  })
})
