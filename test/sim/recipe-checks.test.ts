/** Each check of the recipes bites: it is told of a world that is wrong, and says so. */
import { describe, expect, it } from 'vitest'
import { EventType, OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import type { ClientState } from '../../src/core/client-state.ts'
import type { LeaseState } from '../../src/recipes/engine/lease.ts'
import { ConfigCheck } from '../../sim/checks/config.ts'
import type { ConfigReader } from '../../sim/checks/config.ts'
import { LocksCheck } from '../../sim/checks/locks.ts'
import { MembershipCheck } from '../../sim/checks/membership.ts'
import type { RollReader } from '../../sim/checks/roll.ts'
import { ClosedSession } from '../../sim/workloads/closed-session.ts'
import { FencedResource } from '../../sim/fenced-resource.ts'
import { Probes } from '../../src/testing/simulation/probes.ts'
import { SESSION, ScriptedWorld, at, create, set } from './scripted-world.ts'

/** The one clock of these worlds: it is told who is asked, and shows the real time. */
const clocks = { nowMs: 1_000, as: <T>(_node: unknown, run: () => T): T => run() }
const OTHER_SESSION = SESSION + 1n
const OPERATOR = SESSION + 2n
/** Each session is of a process of its own, and one of them is an operator's. */
const owners = {
  isOperator: (session: bigint): boolean => session === OPERATOR,
  isSameProcess: (one: bigint, other: bigint): boolean => one === other,
}
const NEW_SESSION: TxnBody = { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } }
/** A mark in the name of a contender. */
const MARK = '123e4567-e89b-42d3-a456-42661417400'

function remove(path: string): TxnBody {
  return { type: OpCode.delete, body: { path } }
}

describe('a fenced resource', () => {
  it('refuses every token that is smaller than one it has seen', () => {
    const resource = new FencedResource()
    const answers = [5n, 5n, 9n, 5n, 8n, 9n].map((token) => resource.write(token))
    expect(answers).toEqual([true, true, true, false, false, true])
    expect([resource.token, resource.accepted, resource.refused]).toEqual([9n, 4, 2])
  })
})

describe('the check of locks', () => {
  interface Grant {
    readonly path: string
    readonly token: bigint
    readonly state: LeaseState
    readonly signal: AbortSignal
    leaseDeadlineMs: number
    lose(): void
  }

  interface Scene {
    readonly world: ScriptedWorld
    readonly check: LocksCheck
    readonly probes: Probes
    /** A contender comes, as the counter-th transaction. */
    enter(counter: number, session?: bigint, mark?: string, sequence?: number): string
    end(counter: number, path: string, session?: bigint): void
    endSession(counter: number, paths: readonly string[]): void
    grant(counter: number, path: string): Grant
  }

  function make(): Scene {
    const probes = new Probes()
    const locks = new Map([['/a', 'fair' as const]])
    const { world, check } = ScriptedWorld.with(({ ledger, tap }) =>
      new LocksCheck({ clocks, ledger, tap, owners, probes, locks }))
    world.commit(at(1, 3), NEW_SESSION, { session: OTHER_SESSION })
    let creates = 0
    return {
      world, check, probes,
      enter: (counter, session = SESSION, mark = `${MARK}${counter % 10}`, sequence = creates) => {
        const path = `/a/_c_${mark}-lock-${String(sequence).padStart(10, '0')}`
        creates += 1
        world.commit(at(1, counter), create(path, '', creates, true), { session })
        return path
      },
      end: (counter, path, session = SESSION) => {
        world.commit(at(1, counter), remove(path), { session })
      },
      endSession: (counter, paths) => {
        world.commit(at(1, counter), { type: OpCode.closeSession, body: { paths2Delete: paths } })
      },
      grant: (counter, path) => {
        const lost = new AbortController()
        const { signal } = lost
        const lease = { path, token: at(1, counter), state: 'held' as const, leaseDeadlineMs: Infinity, signal }
        check.granted('/a', lease, world.client)
        return Object.assign(lease, { lose: () => { lost.abort() } })
      },
    }
  }

  it('accepts holders one after the other, and counts what was adopted and refused', () => {
    const { world, check, probes, enter, end, grant } = make()
    check.settled(null, {
      sessionId: SESSION, op: OpCode.create2, path: `/a/_c_${MARK}4-lock-`, isWrite: true, watch: null,
      xid: 1, zxid: null, outcome: 'unknown', code: 'CONNECTION_LOSS', isNull: false,
    })
    const [first, second] = [enter(4), enter(5, OTHER_SESSION)]
    const lease = grant(4, first)
    check.wrote('/a', at(1, 4), true)
    check.releasing(lease)
    end(6, first)
    check.fired({ id: OTHER_SESSION, node: world.client }, { type: 'deleted', path: first })
    check.released({ ...lease, state: 'released' }, SESSION)
    check.owesNothing(SESSION)
    const later = grant(5, second)
    check.wrote('/a', at(1, 5), true)
    check.wrote('/a', at(1, 4), false)
    later.leaseDeadlineMs = -Infinity
    later.lose()
    end(7, second, OTHER_SESSION)
    check.atEnd()
    expect(probes.counts()).toEqual({ 'lock-adopted': 1, 'fenced-write-refused': 1 })
  })

  it('L1: refuses a lease of who never came first, and of a node that is not there', () => {
    const { enter, grant } = make()
    enter(4)
    const second = enter(5)
    expect(() => grant(5, second)).toThrow(/L1: the lease 0x100000005 .* was never at the head/)
    expect(() => grant(9, second)).toThrow(/L1/)
  })

  it('L1: refuses a release that is told before it is done', () => {
    const { check, enter, grant } = make()
    const lease = grant(4, enter(4))
    expect(() => { check.released({ ...lease, state: 'released' }, SESSION) }).toThrow(/L1: .* still there/)
  })

  it('L2: refuses tokens that do not grow, stale writes accepted, and those of the latest holder refused', () => {
    const { check, enter, end, grant } = make()
    const [first, second] = [enter(4), enter(5)]
    expect(() => { check.wrote('/a', at(1, 5), true) }).toThrow(/L2: a write under 0x100000005/)
    check.releasing(grant(4, first))
    check.wrote('/a', at(1, 4), true)
    end(6, first)
    grant(5, second)
    expect(() => { check.wrote('/a', at(1, 5), false) }).toThrow(/L2: .* the latest, was refused/)
    check.wrote('/a', at(1, 5), true)
    expect(() => { check.wrote('/a', at(1, 4), true) })
      .toThrow(/L2: a write of tenure 1 of \/a was accepted behind one of tenure 2/)
    expect(() => grant(4, first)).toThrow(/L2: .* came behind 0x100000005/)
  })

  it('L3: refuses a grant to one who came first once and is gone, and names that are out of order', () => {
    const { enter, end, grant } = make()
    const first = enter(4)
    enter(5)
    end(6, first)
    expect(() => grant(4, first)).toThrow(/L3: .* while .*5-lock-0000000001 is at the head/)
    expect(() => enter(7, SESSION, undefined, 0)).toThrow(/L3: .* was created behind/)
  })

  it('L4: refuses a herd, and watches on the list', () => {
    const { world, check, enter, end } = make()
    const first = enter(4)
    end(5, first)
    const event = { type: 'deleted' as const, path: first }
    check.fired({ id: SESSION, node: world.client }, event)
    check.fired({ id: OTHER_SESSION, node: world.client }, event)
    expect(() => { check.fired({ id: OTHER_SESSION, node: world.client }, event) }).toThrow(/L4: .* woke c1 and c1/)
    world.connect(1)
    expect(() => { world.notify(1, at(1, 6), EventType.nodeChildrenChanged, '/a') }).toThrow(/L4: c1 watches the list/)
  })

  it('L4: asks it again once the queue that operators meddled with was empty', () => {
    const { world, check, enter, end } = make()
    world.commit(at(1, 4), NEW_SESSION, { session: OPERATOR })
    const [first, second] = [enter(5), enter(6)]
    end(7, first, OPERATOR)
    const third = enter(8)
    for (const [index, path] of [second, third].entries()) end(9 + index, path)
    const fourth = enter(11)
    end(12, fourth)
    const wake = (path: string): void => {
      for (let count = 0; count < 2; count += 1) {
        check.fired({ id: OTHER_SESSION, node: world.client }, { type: 'deleted', path })
      }
    }
    for (const path of [first, second, third]) expect(() => { wake(path) }).not.toThrow()
    expect(() => { wake(fourth) }).toThrow(/L4: .* woke c1 and c1/)
  })

  it('L5: refuses a holder that believes in its lease when its node is gone, or was not told', () => {
    const complaints = [[Infinity, /L5: .* is gone, and c1 still believes/], [0, /and c1 was not told/]] as const
    for (const [deadlineMs, complaint] of complaints) {
      const { enter, endSession, grant } = make()
      const first = enter(4)
      grant(4, first).leaseDeadlineMs = deadlineMs
      // Its session ends: by what it does itself, it knows.
      expect(() => { endSession(5, [first]) }).toThrow(complaint)
    }
  })

  it('L5: refuses a lease that is past its deadline when it is granted', () => {
    const { world, check, enter } = make()
    const { signal } = new AbortController()
    const leaseDeadlineMs = performance.now() - 1
    const late = { path: enter(4), token: at(1, 4), state: 'held' as const, leaseDeadlineMs, signal }
    expect(() => { check.granted('/a', late, world.client) }).toThrow(/L5: .* past its deadline when it was granted/)
  })

  it('L6 and R3: refuses two nodes of one attempt, and nodes that are left', () => {
    const { check, enter } = make()
    enter(4)
    expect(() => { check.owesNothing(SESSION) }).toThrow(/L6: .* is left behind by session 0x500/)
    expect(() => { check.atEnd() }).toThrow(/R3/)
    expect(() => enter(5, SESSION, `${MARK}4`)).toThrow(/L6: the attempt .* has another node/)
  })

  it('L7: refuses whoever deletes what another holds, or what it still holds itself', () => {
    const { enter, end, grant } = make()
    const [first, second] = [enter(4), enter(5, OTHER_SESSION)]
    expect(() => { end(6, second) }).toThrow(/L7: .* of session 0x501 was deleted by 0x500/)
    grant(4, first)
    expect(() => { end(7, first) }).toThrow(/L7: .* was deleted by its own process, whose lease it is/)
  })

  it('L7: accepts an operator who deletes what is held and puts it back, and nobody else who deletes that', () => {
    const { world, check, probes, enter, end, grant } = make()
    world.commit(at(1, 4), NEW_SESSION, { session: OPERATOR })
    const [first, second] = [enter(5), enter(6, OTHER_SESSION)]
    const lease = grant(5, first)
    end(7, first, OPERATOR)
    world.commit(at(1, 8), create(first, '', 3, true), { session: OPERATOR })
    expect(check.describe('/a')).toMatch(/^\/a\/_c_.*-0000000000 of session 0x502, .*-0000000001 of session 0x501$/)
    check.releasing(lease)
    check.released({ ...lease, state: 'released' }, SESSION)
    expect(probes.counts()).toEqual({ 'lease-struck': 1 })
    // A node that was put back before it holds nothing.
    check.releasing(grant(6, second))
    expect(() => { end(9, first) }).toThrow(/L7: .* of session 0x502 was deleted by 0x500/)
  })

  it('L3: refuses a grant while a node is first that an operator had put back before the contender came', () => {
    const { world, enter, end, grant } = make()
    world.commit(at(1, 4), NEW_SESSION, { session: OPERATOR })
    const [first, second] = [enter(5), enter(6, OTHER_SESSION)]
    end(7, first, OPERATOR)
    world.commit(at(1, 8), create(first, '', 3, true), { session: OPERATOR })
    const third = `/a/_c_${MARK}9-lock-0000000002`
    world.commit(at(1, 9), create(third, '', 4, true))
    end(10, second, OTHER_SESSION)
    expect(() => grant(9, third)).toThrow(/L3: .* was granted while .*-0000000000 is at the head/)
    end(11, first, OPERATOR)
    grant(9, third)
  })

  it('L6: refuses what an attempt leaves that has ended, while others of its session go on', () => {
    const { check, enter, end, grant } = make()
    const [first, second] = [enter(4), enter(5)]
    grant(4, first)
    const holding = { tokens: new Set([at(1, 4)]), acquiring: new Map<string, number>() }
    check.owesNothing(SESSION, { ...holding, acquiring: new Map([['/a', 1]]) })
    expect(() => { check.owesNothing(SESSION, holding) }).toThrow(/L6: .*-0000000001 is left behind by session 0x500/)
    end(6, second)
    check.owesNothing(SESSION, holding)
  })

  it('L1: refuses a release that is told before it is done, though the session ends before its client', async () => {
    const { check, enter, grant } = make()
    const lease = grant(4, enter(4))
    check.releasing(lease)
    const tell: ((state: ClientState) => void)[] = []
    const client = { sessionId: SESSION, onState: (listener: (state: ClientState) => void) => {
      tell.push(listener)
      return () => undefined
    } }
    const judge = (sessionId: bigint | null): void => {
      check.released({ ...lease, state: 'released' }, sessionId)
    }
    const session = new ClosedSession(client)
    const judged = expect(session.judge(Promise.resolve(), judge)).rejects.toThrow(/L1: .* is still there/)
    await Promise.resolve()
    for (const each of tell) each({ status: 'expired', sessionId: SESSION })
    await judged
    // Whoever says so after the end of its session knows that it is over.
    await session.judge(Promise.resolve(), judge)
  })

  it('L8: refuses a lease that is not lost when its signal says so, or counts as released behind that', () => {
    const { check, enter, grant } = make()
    const lease = grant(4, enter(4))
    expect(() => { check.lost(lease) }).toThrow(/L8: .* says that it is lost, and is held/)
    check.lost({ ...lease, state: 'lost' })
    lease.lose()
    expect(() => { check.released({ ...lease, state: 'released' }, null) }).toThrow(/L8: .* and is released/)
  })
})

describe('the check of configuration', () => {
  interface Scene {
    readonly world: ScriptedWorld
    readonly check: ConfigCheck
    readonly reader: ConfigReader
    readonly name: (count: number, by: string) => { count: number; by: string }
  }

  /** A counted value `/a` and a free one `/free`; nothing of this kind was written yet. */
  function make(): Scene {
    const { world, check } = ScriptedWorld.with(({ ledger }) => {
      return new ConfigCheck(ledger, owners, new Map([['/counted', 'counted' as const], ['/free', 'free' as const]]))
    })
    const name = (count: number, by: string): { count: number; by: string } => ({ count, by })
    return { world, check, reader: { name: 'c1', path: '/counted', zxid: 0n }, name }
  }

  /** Two writes of the counted value, of which the second is acknowledged. */
  function written(): Scene {
    const scene = make()
    const { world, check, name } = scene
    check.begins('/counted', name(1, 'x'))
    world.commit(at(1, 3), create('/counted', '{"count":1,"by":"x"}', 2))
    check.begins('/counted', name(2, 'y'))
    world.commit(at(1, 4), set('/counted', '{"count":2,"by":"y"}', 1))
    check.ends(name(2, 'y'), { zxid: at(1, 4), version: 1 })
    return scene
  }

  it('accepts readers who follow, and skip', () => {
    const { check, reader, name } = written()
    check.told(reader, { value: undefined, version: null, zxid: null })
    expect(check.isUpToDate(reader)).toBe(false)
    check.told(reader, { value: name(2, 'y'), version: 1, zxid: at(1, 4) })
    check.looked(reader, true, false)
    check.read('/counted', name(2, 'y'), check.acknowledged('/counted'))
    expect(check.isUpToDate(reader)).toBe(true)
  })

  it('CFG2: refuses what was never written, what is older, and that nothing is there when something is', () => {
    const { check, reader, name } = written()
    for (const [value, version] of [[name(2, 'z'), 1], [name(2, 'y'), 2]] as const) {
      expect(() => { check.told(reader, { value, version, zxid: at(1, 4) }) }).toThrow(/CFG2: .* never written/)
    }
    check.told(reader, { value: name(2, 'y'), version: 1, zxid: at(1, 4) })
    expect(() => { check.told(reader, { value: name(1, 'x'), version: 0, zxid: at(1, 3) }) }).toThrow(/CFG2: .* behind/)
    expect(() => { check.told(reader, { value: name(0, ''), version: null, zxid: null }) }).toThrow(/CFG2: .* no value/)
  })

  it('CFG3: refuses a reader that is out of touch and does not say so', () => {
    const { check, reader } = make()
    expect(() => { check.looked(reader, false, false) }).toThrow(/CFG3/)
  })

  it('C4: refuses what was read behind an acknowledged write', () => {
    const { check, name } = written()
    expect(() => { check.read('/counted', name(1, 'x'), check.acknowledged('/counted')) }).toThrow(/C4/)
    expect(() => { check.read('/counted', undefined, check.acknowledged('/counted')) }).toThrow(/C4/)
  })

  it('C5: refuses writes that were confirmed and are not there, refused and are, and made twice', () => {
    const { world, check, name } = written()
    expect(() => { check.ends(name(1, 'x'), 'never') }).toThrow(/C5: x was refused/)
    expect(() => { check.ends(name(1, 'x'), { zxid: at(1, 4), version: 0 }) })
      .toThrow(/C5: x was confirmed at 0x100000004/)
    check.begins('/free', name(1, 'w'))
    expect(() => { check.ends(name(1, 'w'), { zxid: at(1, 5), version: 0 }) }).toThrow(/C5: w .* is not committed/)
    check.begins('/free', name(1, 'v'))
    world.commit(at(1, 5), create('/free', '{"count":1,"by":"v"}', 3))
    expect(() => { world.commit(at(1, 6), set('/free', '{"count":1,"by":"v"}', 1)) }).toThrow(/C5: v was committed at/)
  })

  it('refuses a lost update', () => {
    const { world, check, name } = written()
    check.begins('/counted', name(2, 'z'))
    expect(() => { world.commit(at(1, 5), set('/counted', '{"count":2,"by":"z"}', 2)) })
      .toThrow(/a lost update: z wrote 2/)
  })
})

describe('the check of membership', () => {
  const data = (handle: string, update = 0): { handle: string; update: number } => ({ handle, update })
  const stored = (handle: string, update = 0): string => `${MARK}1\n${JSON.stringify(data(handle, update))}`
  const info = (id: string, counter: number, handle: string, update = 0) => {
    return { id, data: data(handle, update), incarnation: at(1, counter), sessionId: SESSION, sinceMs: 1_000 }
  }

  interface Scene {
    readonly world: ScriptedWorld
    readonly check: MembershipCheck
    readonly reader: RollReader
  }

  /** `x` joins as the third transaction, `y` as the fourth, `x` updates as the fifth. */
  function make(): Scene {
    const { world, check } = ScriptedWorld.with(({ ledger }) => {
      return new MembershipCheck({ clocks, ledger, owners, probes: new Probes(), path: '/a' })
    })
    world.commit(at(1, 3), create('/a/x', stored('h1'), 1, true))
    world.commit(at(1, 4), create('/a/y', stored('h2'), 2, true))
    world.commit(at(1, 5), set('/a/x', stored('h1', 1), 1))
    return { world, check, reader: { name: 'c1', moment: -1, members: new Map() } }
  }

  it('accepts readers who follow, and skip', () => {
    const { world, check, reader } = make()
    const [x, y, later] = [info('x', 3, 'h1'), info('y', 4, 'h2'), info('x', 3, 'h1', 1)]
    check.told(reader, { members: [], joined: [], left: [], updated: [] })
    check.told(reader, { members: [x], joined: [x], left: [], updated: [] })
    check.told(reader, { members: [later, y], joined: [y], left: [], updated: [later] })
    expect(check.isUpToDate(reader)).toBe(true)
    world.commit(at(1, 6), remove('/a/y'))
    expect(check.isUpToDate(reader)).toBe(false)
    check.told(reader, { members: [later], joined: [], left: [y], updated: [] })
    world.commit(at(1, 7), remove('/a/x'))
    check.atEnd()
  })

  it('G1: refuses lists that never were, that were before, and differences that are none', () => {
    const { check, reader } = make()
    const [x, y, later] = [info('x', 3, 'h1'), info('y', 4, 'h2'), info('x', 3, 'h1', 1)]
    const tell = (members: typeof x[], joined: typeof x[]) => () => {
      check.told(reader, { members, joined, left: [], updated: [] })
    }
    expect(tell([y], [y])).toThrow(/G1: c1 was told of a list that never was/)
    expect(tell([later], [later])).toThrow(/never was/)
    expect(tell([x, y], [x])).toThrow(/G1: c1 was told that x joined, it was x y/)
    tell([x, y], [x, y])()
    expect(tell([x], [])).toThrow(/G1: c1 was told of moment 1 behind 2/)
    expect(tell([later, y], [])).toThrow(/G1: c1 was told that {2}updated, it was x/)
  })

  it('G2: refuses who has joined and is not there, is there for another session, or twice', () => {
    const { world, check } = make()
    const x = { id: 'x', incarnation: at(1, 3), state: 'joined' as const }
    expect(() => { check.joined({ ...x, incarnation: at(1, 2) }, world.client, SESSION) })
      .toThrow(/G2: x of c1 has joined .* not there/)
    expect(() => { check.joined(x, world.client, OTHER_SESSION) }).toThrow(/G2: .* by a node of session 0x500/)
    check.joined(x, world.client, SESSION)
    expect(() => { check.joined({ ...x }, world.client, SESSION) }).toThrow(/G2: .* has the registration of c1/)
    expect(() => { check.updated(x, 2) }).toThrow(/G2: update 2 of x was confirmed, and 1 is there/)
    expect(() => { check.left({ ...x, state: 'left' }, SESSION) }).toThrow(/G2: x counts as left/)
  })

  it('G3: refuses whoever changes or deletes what another has registered, and ghosts', () => {
    const { world, check } = make()
    world.commit(at(1, 6), NEW_SESSION, { session: OTHER_SESSION })
    const by = { session: OTHER_SESSION }
    expect(() => { world.commit(at(1, 7), set('/a/x', stored('h1', 2), 2), by) })
      .toThrow(/G3: x of session 0x500 was changed by session 0x501/)
    expect(() => { world.commit(at(1, 8), remove('/a/y'), by) }).toThrow(/G3: y .* was deleted by session 0x501/)
    expect(() => { check.owesNothing(SESSION) }).toThrow(/G3: x is a ghost of session 0x500/)
    check.owesNothing(OTHER_SESSION)
  })

  it('G3: refuses data of another handle of the same process', () => {
    const { world } = make()
    const others = stored('h1', 2).replace('1', '2')
    expect(() => { world.commit(at(1, 6), set('/a/x', others, 2)) }).toThrow(/G3: x .* the data of another handle/)
  })

  it('G3: accepts an operator who deletes a member that believes that it is registered', () => {
    const { world, check } = make()
    const x = { id: 'x', incarnation: at(1, 3), state: 'joined' as const }
    check.joined(x, world.client, SESSION)
    world.commit(at(1, 6), NEW_SESSION, { session: OPERATOR })
    world.commit(at(1, 7), remove('/a/x'), { session: OPERATOR })
    check.left({ ...x, state: 'left' }, SESSION)
  })

  it('G4: refuses a member that is registered when its signal says that it is not', () => {
    const { check } = make()
    expect(() => { check.lost({ id: 'x', state: 'joined' }) }).toThrow(/G4: x hears that it is lost, and is joined/)
    check.lost({ id: 'x', state: 'rejoining' })
  })

  it('L5: refuses a member that believes that it is registered when it is not', () => {
    const { world, check } = make()
    check.joined({ id: 'x', incarnation: at(1, 3), state: 'joined' }, world.client, SESSION)
    expect(() => { world.commit(at(1, 6), remove('/a/x')) }).toThrow(/L5: x of c1 is gone at 0x100000006/)
  })

  it('R3: refuses who is left', () => {
    const { check } = make()
    expect(() => { check.atEnd() }).toThrow(/R3: of the group are left: x/)
  })
})
