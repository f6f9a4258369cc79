import { describe, expect, it } from 'vitest'
import { createChecks } from '../../../sim/checks/suite.ts'
import { drawRun } from '../../../src/testing/simulation/profiles.ts'
import { runDraw } from '../../../sim/run.ts'
import { makeRaw } from '../../../sim/workloads/raw.ts'
import { ScriptedWorld } from '../scripted-world.ts'

/** The invariants that the suite checks; the rest belongs to the recipes, and to the phases of a run. */
const INVARIANTS = [
  ...['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9', 'P10', 'P11', 'P12', 'P13'],
  ...['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'W1', 'W2', 'W3', 'W4', 'W5', 'S1', 'S2', 'S3', 'S4', 'V3', 'R1', 'R3'],
]

describe('the suite of checks', () => {
  it('covers every invariant of servers, sessions and watches, under names of their own', () => {
    const world = new ScriptedWorld()
    const checks = createChecks(world, world.tap, world.ledger)
    const covered = checks.flatMap(({ covers }) => covers)
    expect(INVARIANTS.filter((invariant) => !covered.includes(invariant))).toEqual([])
    expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length)
  })

  it('finds nothing wrong with clients that do everything, and the same run is the same with it twice', async () => {
    const draw = { ...drawRun(5016, { profile: 'failpoints', workloads: ['raw'] }), safetyMs: 6_000 }
    const workloads = { raw: makeRaw }
    const reports = [await runDraw(draw, { workloads }), await runDraw(draw, { workloads })]
    for (const { finding, commits, probes } of reports) {
      expect(finding).toBeNull()
      expect(commits).toBeGreaterThan(100)
      expect(probes['watch-fired']).toBeGreaterThan(0)
      expect(probes['multi-refused']).toBeGreaterThan(0)
      expect(probes['write-unknown']).toBeGreaterThan(0)
    }
    expect(reports[0]?.hash).toBe(reports[1]?.hash)
  })
})
