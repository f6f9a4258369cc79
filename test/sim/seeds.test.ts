import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FAULT_KINDS } from '../../src/testing/simulation/plan.ts'
import { runPool } from '../../sim/pool.ts'
import { PROFILE_NAMES, drawRun } from '../../src/testing/simulation/profiles.ts'
import { runDraw } from '../../sim/run.ts'
import { Tally } from '../../sim/tally.ts'
import type { Job, WorkerLine } from '../../sim/worker.ts'
import { WORKLOADS } from '../../sim/workloads/all.ts'
import { repository } from '../source-files.ts'
import { compileSimulationInto, scratchFolder } from '../support/compiled.ts'
import { REGRESSIONS } from './regressions.ts'

const PROCESSES = 2
const SEEDS_PER_PROFILE = 16
/** Each profile has so many seeds of its own, of which a run takes some. */
const SEEDS_APART = 1_000
/** One seed in so many runs twice, and once more in this process. */
const TWICE_EVERY = 20
/** As long as it takes on two busy processors, and much more. */
const LIMIT_MS = 900_000

/** Where the seeds of this code begin: other code has others, and the same code has the same. */
function firstSeed(): number {
  const hash = createHash('sha256')
  for (const { path, text } of repository()) if (/^(src|sim)\//.test(path)) hash.update(text)
  return hash.digest().readUInt32BE() % (SEEDS_APART - SEEDS_PER_PROFILE)
}

/** Some seeds of each profile. */
function jobs(): Job[] {
  const first = firstSeed()
  return PROFILE_NAMES.flatMap((profile, index) => Array.from({ length: SEEDS_PER_PROFILE }, (_, i) => {
    const count = index * SEEDS_PER_PROFILE + i
    return { seed: index * SEEDS_APART + first + i, isTwice: count % TWICE_EVERY === 0, given: { profile } }
  }))
}

const all = jobs()
let folder = ''
const tally = new Tally()
const lines: WorkerLine[] = []

beforeAll(async () => {
  folder = scratchFolder()
  compileSimulationInto(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  await runPool({
    jobs: all.values(),
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
    expect(tally.seeds).toBe(PROFILE_NAMES.length * SEEDS_PER_PROFILE)
    expect(tally.seeds).toBeGreaterThanOrEqual(180)
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
    const twice = new Set(all.filter(({ isTwice }) => isTwice).map(({ seed }) => seed))
    const again = lines.filter(({ seed }) => twice.has(seed))
    expect(again.length).toBeGreaterThanOrEqual(lines.length / TWICE_EVERY)
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
