/** The mutants that are left to a test of their own, which fails on the mutant and passes on the code as it is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MUTANTS } from '../../sim/mutants/all.ts'
import type { Directed, Mutant } from '../../sim/mutants/mutant.ts'
import { MutatedTests } from './mutated-source.ts'
import type { MutatedSource, Verdict } from './mutated-source.ts'

/** Longest time for one mutant, in milliseconds: for a machine that has other things to do. Most take a second. */
const RUN_MS_MAX = 300_000

const directed = MUTANTS.filter((mutant): mutant is Mutant & { readonly expected: Directed } => {
  return 'test' in mutant.expected
})
const original: MutatedSource = { name: 'original', edits: [] }
/** A mutant that no test can find: its edits leave the text as it is. */
const survivors = directed.slice(0, 1).map((mutant) => {
  return { ...mutant, name: 'survivor', edits: mutant.edits.map(({ file, from }) => ({ file, from, to: from })) }
})

/** A mutant is caught by a test that fails, and by nothing else: a file that does not load has no test. */
function isCaught({ failed, errors }: Verdict): boolean {
  return failed.length > 0 && errors.length === 0
}

let mutated: MutatedTests

beforeAll(async () => {
  mutated = await MutatedTests.open([original, ...survivors, ...directed])
})

afterAll(async () => {
  await mutated.close()
})

/** Runs the test that watches over a rule. */
function judge(source: Mutant & { readonly expected: Directed }): Promise<Verdict> {
  const { test, named = '' } = source.expected
  return mutated.run(source, test, [named])
}

it.each(survivors)('an edit that changes nothing is not caught', async (survivor) => {
  const verdict = await judge(survivor)
  expect(verdict.passed).not.toEqual([])
  expect(isCaught(verdict)).toBe(false)
}, RUN_MS_MAX)

describe('by a test of its own', () => {
  it.each(directed)('$name is caught', async (mutant) => {
    const verdict = await judge(mutant)
    expect(isCaught(verdict), JSON.stringify(verdict)).toBe(true)
    const { passed, ...wrong } = await mutated.run(original, mutant.expected.test, verdict.failed)
    expect(wrong, 'in the code as it is').toEqual({ failed: [], errors: [], unhandled: [] })
    expect(passed).toEqual(expect.arrayContaining([...verdict.failed]))
  }, RUN_MS_MAX)
})
