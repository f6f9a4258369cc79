/** All recipes, as users use them, under everything that can go wrong. */
import { describe, expect, it } from 'vitest'
import type { ProbeName } from '../../src/testing/simulation/probes.ts'
import type { ProfileName } from '../../src/testing/simulation/profiles.ts'
import { drawRun } from '../../src/testing/simulation/profiles.ts'
import type { RunReport } from '../../sim/run.ts'
import { runDraw } from '../../sim/run.ts'

const PROFILES: readonly ProfileName[] = ['recipes', 'pause', 'churn', 'operators']
const SEEDS = [1, 2, 3]

/** The probes that a long enough run of a workload has met. */
const MET: readonly (readonly [workload: string, probes: readonly ProbeName[]])[] = [
  ['locks', [
    'fenced-write-refused', 'lock-adopted', 'lock-lost', 'lock-waiter-timed-out', 'lock-released-late',
    'client-expired', 'operator-deleted', 'operator-restored', 'operator-cleared', 'lease-struck', 'closed-in-tenure',
    'lock-asked', 'lock-evicted',
  ]],
  ['leaders', ['fenced-write-refused', 'lock-lost', 'leader-handed-over', 'client-expired', 'step-unknown']],
  ['config', ['config-conflict', 'config-resync', 'client-expired']],
  ['partitions', ['client-expired', 'fenced-write-refused', 'closed-in-tenure', 'operator-deleted']],
  ['sharing', ['client-expired']],
  ['caches', ['cache-resync', 'cache-node-remade', 'client-expired', 'operator-deleted']],
  ['queues', ['item-came-back', 'client-expired', 'closed-in-tenure']],
  ['barriers', ['round-entered', 'client-expired']],
  ['once', ['work-done-again', 'client-expired', 'closed-in-tenure']],
  ['transactions', ['transaction-again', 'client-expired']],
  ['services', ['client-expired', 'closed-in-tenure']],
  ['membership', ['member-rejoined', 'client-expired', 'member-struck', 'closed-in-tenure']],
]

describe.each(MET)('the workload %s', (workload, probes) => {
  it('finds nothing wrong, and has met what is rare', async () => {
    const reports: RunReport[] = []
    for (const profile of PROFILES) {
      for (const seed of SEEDS) reports.push(await runDraw(drawRun(seed, { profile, workloads: [workload] })))
    }
    const findings = reports.filter(({ finding }) => finding !== null)
    expect(findings.map(({ seed, profile, finding }) => `${profile} ${seed}: ${finding?.message ?? ''}`)).toEqual([])
    const unmet = probes.filter((probe) => reports.every((report) => report.probes[probe] === undefined))
    expect(unmet).toEqual([])
  })

  it('goes the same way for the same seed, with both ways of draining', async () => {
    const draw = { ...drawRun(7, { profile: 'recipes', workloads: [workload] }), safetyMs: 3_000 }
    const hashes = []
    for (const draining of ['native', 'native', 'portable'] as const) {
      hashes.push((await runDraw(draw, { draining })).hash)
    }
    expect(new Set(hashes).size).toBe(1)
  })
})
