/** Each check of the recipes bites: it is told of a world that is wrong, and says so. */
import { describe, expect, it } from 'vitest'
import { EventType, OpCode } from '../../../src/backends/protocol/codes.ts'
import type { TxnBody } from '../../../src/backends/protocol/transactions.ts'
import { ConfigCheck } from '../../../src/testing/simulation/checks/config.ts'
import type { ConfigReader } from '../../../src/testing/simulation/checks/config.ts'
import { LocksCheck } from '../../../src/testing/simulation/checks/locks.ts'
import { MembershipCheck } from '../../../src/testing/simulation/checks/membership.ts'
import type { GroupReader } from '../../../src/testing/simulation/checks/membership.ts'
import { FencedResource } from '../../../src/testing/simulation/fenced-resource.ts'
import { Probes } from '../../../src/testing/simulation/probes.ts'
import { SESSION, ScriptedWorld, at, create, set } from './scripted-world.ts'

/** The one clock of these worlds: it is told who is asked, and shows the real time. */
const clocks = { nowMs: 1_000, as: <T>(_node: unknown, run: () => T): T => run() }
const OTHER_SESSION = SESSION + 1n
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
    leaseDeadlineMs: number
    lose(): void
  }

  interface Scene {
    readonly world: ScriptedWorld
    readonly check: LocksCheck
    readonly probes: Probes
    /** A contender comes, as the counter-th transaction. */
    enter(counter: number, session?: bigint, mark?: string, sequence?: number): string
    end(counter: number, path: string): void
    grant(counter: number, path: string): Grant
  }

  function make(): Scene {
    const probes = new Probes()
    const locks = new Map([['/a', 'fair' as const]])
    const { world, check } = ScriptedWorld.with(({ ledger, tap }) =>
      new LocksCheck({ clocks, ledger, tap, probes, locks }))
    const session = { timeOut: 2_000, passwd: null }
    world.commit(at(1, 3), { type: OpCode.createSession, body: session }, { session: OTHER_SESSION })
    let creates = 0
    return {
      world, check, probes,
      enter: (counter, session = SESSION, mark = `${MARK}${counter % 10}`, sequence = creates) => {
        const path = `/a/_c_${mark}-lock-${String(sequence).padStart(10, '0')}`
        creates += 1
        world.commit(at(1, counter), create(path, '', creates, true), { session })
        return path
      },
      end: (counter, path) => {
        world.commit(at(1, counter), remove(path))
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
    check.released({ path: first, token: lease.token, state: 'released' }, SESSION)
    check.owesNothing(SESSION)
    const later = grant(5, second)
    check.wrote('/a', at(1, 5), true)
    check.wrote('/a', at(1, 4), false)
    later.leaseDeadlineMs = -Infinity
    later.lose()
    end(7, second)
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
    const { path, token } = grant(4, enter(4))
    expect(() => { check.released({ path, token, state: 'released' }, SESSION) }).toThrow(/L1: .* still there/)
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

  it('L5: refuses a holder that believes in its lease when its node is gone, or was not told', () => {
    const complaints = [[Infinity, /L5: .* is gone, and c1 still believes/], [0, /and c1 was not told/]] as const
    for (const [deadlineMs, complaint] of complaints) {
      const { enter, end, grant } = make()
      const first = enter(4)
      grant(4, first).leaseDeadlineMs = deadlineMs
      expect(() => { end(5, first) }).toThrow(complaint)
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
      return new ConfigCheck(ledger, new Map([['/counted', 'counted' as const], ['/free', 'free' as const]]))
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
    readonly reader: GroupReader
  }

  /** `x` joins as the third transaction, `y` as the fourth, `x` updates as the fifth. */
  function make(): Scene {
    const { world, check } = ScriptedWorld.with(({ ledger }) => new MembershipCheck(clocks, ledger, '/a'))
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
