/**
 * Random lives of ensembles: delivery in any order, crashes, slow disks, partitions, broken links, lost storage, and
 * clients.
 *
 * A failure names its seed. `QUORATE_SEED=17 npx vitest run random-schedules` lives that one again;
 * `QUORATE_SEEDS=5000` lives so many, from `QUORATE_SEED` on.
 */
import { describe, expect, it } from 'vitest'
import { RandomRun } from './random-run.ts'
import type { RunSummary } from './random-run.ts'

const FIRST_SEED = Number(process.env['QUORATE_SEED'] ?? 1)
const SEEDS = Number(process.env['QUORATE_SEEDS'] ?? (process.env['QUORATE_SEED'] === undefined ? 200 : 1))

function live(seed: number): RunSummary {
  try {
    return new RandomRun(seed).run()
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

describe('an ensemble in which anything may happen', () => {
  it('keeps every promise at every step, and recovers when it is repaired', () => {
    const summaries = Array.from({ length: SEEDS }, (_, index) => live(FIRST_SEED + index))
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    expect(sum(summaries.map(({ acknowledged }) => acknowledged))).toBeGreaterThan(SEEDS)
    expect(sum(summaries.map(({ epochs }) => epochs))).toBeGreaterThan(SEEDS)
  }, 3_600_000)
})
