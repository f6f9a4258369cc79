/** The check of holders whose nodes are deleted bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { StrikesCheck } from '../../sim/checks/strikes.ts'
import type { ApiCall } from '../../sim/recorded-session.ts'
import { Probes } from '../../src/testing/simulation/probes.ts'
import { SESSION, ScriptedWorld, at, create, remove, set } from './scripted-world.ts'

const PATH = '/a/lock-0000000000'
const TOKEN = at(1, 3)

interface Scene {
  readonly world: ScriptedWorld
  readonly probes: Probes
  readonly check: StrikesCheck
  readonly lost: AbortController
  /** The session makes a call, and what tells of its answer. */
  call(): (zxid: bigint) => void
}

/** A world in which the client has a lease, whose node is the third transaction. */
function make(): Scene {
  const probes = new Probes()
  const { world, check } = ScriptedWorld.with(({ ledger, tap }) => new StrikesCheck({ ledger, tap, probes }))
  world.commit(TOKEN, create(PATH, '', 1, true))
  const lost = new AbortController()
  const call = (): ((zxid: bigint) => void) => {
    const made: ApiCall = {
      sessionId: SESSION, op: OpCode.exists, path: '/a', isWrite: false, watch: null,
      xid: 1, zxid: null, outcome: null, code: null, isNull: false,
    }
    check.called(null, made)
    return (zxid) => {
      check.settled({ id: SESSION }, Object.assign(made, { zxid, outcome: 'ok' as const }))
    }
  }
  return { world, probes, check, lost, call }
}

function grant({ check, world, lost }: Scene): void {
  check.granted({ path: PATH, token: TOKEN, signal: lost.signal }, world.client)
}

it('L9: refuses a lease that lives on after its session has heard of a state without the node', () => {
  const scene = make()
  grant(scene)
  scene.world.commit(at(1, 4), remove(PATH))
  const answered = scene.call()
  answered(at(1, 4))
  expect(() => { scene.check.afterEvent() }).toThrow(/L9: \/a\/lock-0{10} .* still holds it/)
})

it('accepts one that is lost by then, and tells that its holder heard of it', () => {
  const scene = make()
  grant(scene)
  scene.world.commit(at(1, 4), remove(PATH))
  scene.call()(at(1, 4))
  scene.lost.abort()
  scene.check.afterEvent()
  expect(scene.probes.counts()).toEqual({ 'strike-heard': 1 })
})

it.each([
  ['has heard of nothing later', ({ world, call }: Scene) => {
    world.commit(at(1, 4), remove(PATH))
    call()(at(1, 3))
  }],
  ['gives the lease back', ({ check, world, call }: Scene) => {
    check.releasing({ token: TOKEN })
    world.commit(at(1, 4), remove(PATH))
    call()(at(1, 4))
  }],
  ['looks again, as the node was written', ({ world, call }: Scene) => {
    world.commit(at(1, 4), set(PATH, 'asked', 1))
    world.commit(at(1, 5), remove(PATH))
    call()(at(1, 5))
  }],
  ['has lost its connection', ({ check, world, call }: Scene) => {
    world.commit(at(1, 4), remove(PATH))
    check.closed({ sessionId: SESSION } as Parameters<StrikesCheck['closed']>[0])
    call()(at(1, 4))
  }],
])('says nothing of a holder who %s', (_, happen) => {
  const scene = make()
  grant(scene)
  happen(scene)
  expect(() => { scene.check.afterEvent() }).not.toThrow()
})

it('says nothing of an answer to a call that was made before the lease was given out', () => {
  const scene = make()
  const answered = scene.call()
  grant(scene)
  scene.world.commit(at(1, 4), remove(PATH))
  answered(at(1, 4))
  expect(() => { scene.check.afterEvent() }).not.toThrow()
})
