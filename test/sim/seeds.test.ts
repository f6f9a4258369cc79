import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FAULT_KINDS } from '../../src/testing/simulation/plan.ts'
import { runPool } from '../../sim/pool.ts'
import { PROFILE_NAMES, drawRun } from '../../src/testing/simulation/profiles.ts'
import { runDraw } from '../../sim/run.ts'
import { Tally } from '../../sim/tally.ts'
import type { Job, WorkerLine } from '../../sim/job.ts'
import { WORKLOADS } from '../../sim/workloads/all.ts'
import { compileSimulationInto, scratchFolder } from '../support/compiled.ts'
import { REGRESSIONS } from './regressions.ts'

const PROCESSES = 2
const SEEDS_A_PROFILE = 23
/** One seed in so many runs twice, and once more in this process. */
const TWICE_EVERY = 20
/** As long as it takes on two busy processors, and much more. */
const LIMIT_MS = 900_000

/** Some seeds of each profile. */
function* jobs(): Generator<Job> {
  for (const [index, profile] of PROFILE_NAMES.entries()) {
    const first = (index + 1) * 1_000
    for (let seed = first; seed < first + SEEDS_A_PROFILE; seed++) {
      yield { seed, isTwice: seed % TWICE_EVERY === 0, given: { profile } }
    }
  }
}

let folder = ''
const tally = new Tally()
const lines: WorkerLine[] = []

beforeAll(async () => {
  folder = scratchFolder()
  compileSimulationInto(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  await runPool({
    jobs: jobs(),
    processes: PROCESSES,
    worker: pathToFileURL(join(folder, 'sim/worker.js')),
    signal: new AbortController().signal,
    onLine: (line) => {
      tally.add(line)
      lines.push(line)
    },
    onFailure: (seed, complaint) => {
      tally.addFailure(seed, complaint)
    },
  })
}, LIMIT_MS)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('the seeds of every profile', () => {
  it('find nothing', () => {
    expect(tally.findings).toEqual([])
    expect(tally.seeds).toBe(PROFILE_NAMES.length * SEEDS_A_PROFILE)
    expect(tally.seeds).toBeGreaterThanOrEqual(300)
  })

  it('see every class of faults happen', () => {
    expect(FAULT_KINDS.filter((kind) => tally.fault(kind) === 0)).toEqual([])
  })

  it('elect, commit and serve: none of them stands still', () => {
    const isStill = ({ elections, commits, serviceTicks }: WorkerLine): boolean =>
      elections === 0 || commits === 0 || serviceTicks === null
    expect(lines.filter(isStill)).toEqual([])
  })

  it('go the same way in another process', async () => {
    const again = lines.filter(({ seed }) => seed % TWICE_EVERY === 0)
    expect(again.length).toBeGreaterThanOrEqual(lines.length / TWICE_EVERY / 2)
    for (const { seed, profile, hash, events } of again) {
      const report = await runDraw(drawRun(seed, { profile, workloads: Object.keys(WORKLOADS) }))
      expect([seed, report.hash, report.events]).toEqual([seed, hash, events])
    }
  }, LIMIT_MS)
})

describe('what was found once', () => {
  it.each(REGRESSIONS)('is found no more: $found', async ({ draw }) => {
    const { finding, faults, commits } = await runDraw(draw)
    expect(finding).toBeNull()
    expect(commits).toBeGreaterThan(0)
    // Some things go wrong without any help: their plan is empty.
    expect(Object.keys(faults).length > 0).toBe(draw.plan.length > 0)
  })
})
