import { describe, expect, it } from 'vitest'
import { FAULT_KINDS, describeFault } from '../../../src/testing/simulation/plan.ts'
import { PROFILE_NAMES, drawRun } from '../../../src/testing/simulation/profiles.ts'
import type { Draw } from '../../../src/testing/simulation/profiles.ts'

/** Those that chance does not choose. */
const SPECIAL_PROFILES = ['reconfiguration', 'files', 'local-sessions', 'sockets', 'carried-over']

const SEEDS = 400

function drawAll(): Draw[] {
  return Array.from({ length: SEEDS }, (_, seed) => drawRun(seed, { workloads: ['a', 'b'] }))
}

describe('a draw', () => {
  it('is the same for the same seed, and JSON', () => {
    const draws = drawAll()
    expect(drawAll()).toEqual(draws)
    expect(JSON.parse(JSON.stringify(draws))).toEqual(draws)
  })

  it('covers every profile, every class of faults, and every size of ensemble', () => {
    const draws = drawAll()
    const chosen = PROFILE_NAMES.filter((name) => !SPECIAL_PROFILES.includes(name))
    expect(new Set(draws.map(({ profile }) => profile))).toEqual(new Set(chosen))
    const special = ['reconfigure', 'crash-at-call', 'call-error', 'disk-full', 'bit-rot', 'diverge']
    const kinds = FAULT_KINDS.filter((kind) => !special.includes(kind))
    expect(new Set(draws.flatMap(({ plan }) => plan.map(({ kind }) => kind)))).toEqual(new Set(kinds))
    const standing = draws.filter(({ files }) => files !== undefined).length / SEEDS
    expect(standing).toBeGreaterThan(0.03)
    expect(standing).toBeLessThan(0.1)
    expect([...new Set(draws.map(({ servers }) => servers))].sort()).toEqual([1, 2, 3, 4, 5, 7])
    expect([...new Set(draws.map(({ observers }) => observers))].sort()).toEqual([0, 1, 2])
    expect([...new Set(draws.map(({ clients }) => clients))].sort()).toEqual([2, 3, 4, 5, 6, 7, 8])
    expect(new Set(draws.map(({ workload }) => workload))).toEqual(new Set(['a', 'b']))
  })

  it('strikes within the phase of faults, in order, and only at what there is', () => {
    for (const { plan, safetyMs, servers, observers, clients } of drawAll()) {
      const times = plan.map(({ atMs }) => atMs)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(times.every((atMs) => atMs > 0 && atMs < safetyMs)).toBe(true)
      for (const [, kind, id] of JSON.stringify(plan).matchAll(/"([sc])(\d+)"/g)) {
        expect(Number(id)).toBeGreaterThan(0)
        expect(Number(id)).toBeLessThanOrEqual(kind === 's' ? servers + observers : clients)
      }
    }
  })

  it('keeps to the profile that is asked for', () => {
    for (const profile of PROFILE_NAMES) expect(drawRun(5, { profile, workloads: ['a'] }).profile).toBe(profile)
  })

  it('keeps to the size and the workload that are asked for, and draws the rest as it would have done', () => {
    const { network, server } = drawRun(5, { workloads: ['a'] })
    const draw = drawRun(5, { servers: 3, clients: 5, workload: 'b', workloads: ['a'] })
    expect(draw).toMatchObject({ servers: 3, observers: 0, clients: 5, workload: 'b', network, server })
  })

  it('gives clocks no more than a tenth of drift, which is what the deadlines of clients allow for', () => {
    const rates = drawAll().flatMap(({ plan }) => plan.flatMap((fault) => (fault.kind === 'drift' ? fault.rate : [])))
    expect(rates.length).toBeGreaterThan(10)
    expect(rates.every((rate) => rate >= 0.9 && rate <= 1.1)).toBe(true)
  })

  it('reads as a line', () => {
    const line = describeFault({ kind: 'partition', atMs: 5, forMs: 10, left: ['s1'], right: ['s2', 's3'] })
    expect(line).toBe('partition forMs=10 left=s1 right=s2+s3')
  })
})
