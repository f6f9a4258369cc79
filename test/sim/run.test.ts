import { describe, expect, it } from 'vitest'
import { Violation } from '../../sim/check.ts'
import { drawFault } from '../../src/testing/simulation/fault-draws.ts'
import { FAULT_KINDS } from '../../src/testing/simulation/plan.ts'
import type { Fault, FaultKind } from '../../src/testing/simulation/plan.ts'
import { drawRun } from '../../src/testing/simulation/profiles.ts'
import type { Draw } from '../../src/testing/simulation/profiles.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'
import { runDraw } from '../../sim/run.ts'
import type { RunReport } from '../../sim/run.ts'
import type { MakeWorkload } from '../../sim/workload.ts'
import { WORKLOADS } from '../../sim/workloads/all.ts'
import { makeKeys } from '../../sim/workloads/keys.ts'

const workloads = { keys: makeKeys }
/** Classes that strike at files. */
const OF_FILES: readonly FaultKind[] = ['crash-at-call', 'call-error', 'disk-full', 'bit-rot']
const FILES = { snapRetainCount: 2, preallocateBytes: 4_096, hasLogDirectory: false, shortWriteChance: 0.1 }

/** Three servers with clients that are always busy, and what goes wrong. */
function drawOf(plan: readonly Fault[], change: Partial<Draw> = {}): Draw {
  const drawn = drawRun(1, { profile: 'quiet', workloads: ['keys'] })
  const given = { servers: 3, observers: 0, clients: 4, sessionTimeoutMs: 1_000, safetyMs: 8_000, plan }
  return { ...drawn, ...given, server: { ...drawn.server, tickMs: 50 }, ...change }
}

function run(draw: Draw, makeWorkload: MakeWorkload = makeKeys): Promise<RunReport> {
  return runDraw(draw, { workloads: { keys: makeWorkload } })
}

/** Some of a class, so that at least one finds what it strikes at. */
function faultsOf(kind: FaultKind): Fault[] {
  const random = new SeededRandom(7)
  const [servers, clients] = [['s1', 's2', 's3'], ['c1', 'c2', 'c3', 'c4']] as const
  const scene = { random, servers, clients, sessionTimeoutMs: 1_000, tickMs: 50 }
  return Array.from({ length: 8 }, (_, index) => drawFault(kind, 800 + 700 * index, scene))
}

describe('a run', () => {
  it.each(FAULT_KINDS)('carries out faults of the class %s, counts them, and survives them', async (kind) => {
    // Operators strike at the nodes of recipes.
    const { workload } = drawRun(1, { profile: 'quiet', workloads: [kind === 'operate' ? 'locks' : 'keys'] })
    const files = OF_FILES.includes(kind) ? { files: FILES } : {}
    const report = await runDraw(drawOf(faultsOf(kind), { workload, ...files }), { workloads: WORKLOADS })
    expect(report.finding).toBeNull()
    expect(report.faults[kind]).toBeGreaterThan(0)
    expect(Object.keys(report.faults)).toEqual([kind])
  })

  it('goes the same way for the same draw, with both ways of draining, and another way for another seed', async () => {
    const turnsMs = { s1: 20, s2: 0.2, c1: 20, c2: 2 }
    const draw = { ...drawRun(11, { profile: 'default', workloads: ['keys'] }), turnsMs }
    const first = await runDraw(draw, { workloads })
    expect(first.probes['inputs-in-one-turn']).toBeGreaterThan(0)
    expect(first.probes['messages-in-one-turn']).toBeGreaterThan(0)
    expect(await runDraw(draw, { workloads })).toEqual(first)
    expect(await runDraw(draw, { workloads, draining: 'portable' })).toEqual(first)
    expect((await runDraw({ ...draw, seed: 12 }, { workloads })).hash).not.toBe(first.hash)
  })

  it('on files goes the same way for the same draw too, with both ways of draining', async () => {
    const draw = drawRun(3, { profile: 'files', workloads: ['keys'], servers: 3 })
    const first = await runDraw(draw, { workloads })
    expect(first.finding).toBeNull()
    expect(await runDraw(draw, { workloads, draining: 'portable' })).toEqual(first)
  })

  it('spares disks without files what strikes at files', async () => {
    const plan = OF_FILES.flatMap(faultsOf)
    const report = await run(drawOf(plan))
    expect(report.finding).toBeNull()
    expect(report.faults).toEqual({})
  })

  it('handles each input on its own where no event loop is busy, and no node stands still', async () => {
    const { turnsMs: _, ...idle } = drawOf([])
    const { probes, finding } = await run(idle)
    expect(finding).toBeNull()
    expect(probes['messages-in-one-turn']).toBeUndefined()
  })

  it('takes no disk while that of another server is missing', async () => {
    const wipe = (server: string): Fault => ({ kind: 'wipe', atMs: 2_000, server, downMs: 3_000 })
    const report = await run(drawOf([wipe('s1'), wipe('s2'), wipe('s3')]))
    expect(report.faults.wipe).toBe(1)
    expect(report.finding).toBeNull()
  })

  it('calls it a matter of liveness if the healed core does not serve', async () => {
    const disk = { latencyMsMin: 3_600_000, latencyMsMax: 3_600_000, slowChance: 0, slowFactor: 1 }
    const { finding, serviceTicks } = await run(drawOf([], { disk }))
    expect(finding).toMatchObject({ kind: 'liveness', check: 'service' })
    expect(serviceTicks).toBeNull()
  })

  it('calls it a matter of liveness if a program does not end', async () => {
    const program = (): Promise<void> => new Promise(() => undefined)
    const makeHanging: MakeWorkload = () => ({ name: 'hanging', checks: [], program })
    expect((await run(drawOf([]), makeHanging)).finding).toMatchObject({ kind: 'liveness', check: 'closing' })
  })

  it('calls it a matter of safety if a client leaves a timer behind', async () => {
    const makeLeaving: MakeWorkload = () => ({
      name: 'leaving',
      checks: [],
      program: () => {
        setTimeout(() => undefined, 3_600_000)
        return Promise.resolve()
      },
    })
    expect((await run(drawOf([]), makeLeaving)).finding).toMatchObject({ kind: 'safety', check: 'timers' })
  })

  it('tells a broken promise from an error that nobody expected', async () => {
    const throwing = (error: Error): MakeWorkload => () =>
      ({ name: 'throwing', checks: [], program: () => Promise.reject(error) })
    const violated = await run(drawOf([]), throwing(new Violation('truth', 'it is not so')))
    expect(violated.finding).toMatchObject({ kind: 'safety', check: 'truth', message: 'it is not so' })
    const crashed = await run(drawOf([]), throwing(new RangeError('out of range')))
    expect(crashed.finding).toMatchObject({ kind: 'crash', check: 'RangeError' })
  })

  it('asks the checks of a workload behind every event and at the end', async () => {
    let events = 0
    let ends = 0
    const check = {
      name: 'counting',
      covers: [],
      afterEvent: () => {
        events += 1
      },
      atEnd: () => {
        ends += 1
      },
    }
    const report = await run(drawOf([]), (setup) => ({ ...makeKeys(setup), checks: [check] }))
    expect(report.finding).toBeNull()
    expect(events).toBeGreaterThanOrEqual(report.events)
    expect(ends).toBe(1)
  })
})
