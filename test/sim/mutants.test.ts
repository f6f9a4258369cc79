import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CANARY, MUTANTS } from '../../sim/mutants/all.ts'
import type { Caught, Equivalent, Mutant } from '../../sim/mutants/mutant.ts'
import { applied } from '../../sim/mutants/patch.ts'
import { compileSimulationInto, scratchFolder } from '../support/compiled.ts'
import { Hunts } from './mutant-hunts.ts'

/** Longest time for one mutant, in milliseconds: for a machine that has other things to do. Most take some seconds. */
const HUNT_MS_MAX = 900_000
/** Seeds on which the code as it is must be found to be without fault. */
const CLEAN_SEEDS = 20

const caught = MUTANTS.flatMap((mutant) => withExpected(mutant, 'seeds'))
const seenFromOutside = caught.filter(({ expected }) => expected.seedsWithoutAssertions !== undefined)
/** The others, and the canary: until an assertion fails, a run goes the same way with and without assertions. */
const seenFromInside = caught.filter(({ name, expected }) => {
  return name === CANARY || expected.seedsWithoutAssertions === undefined
})
const equivalent = MUTANTS.flatMap((mutant) => withExpected(mutant, 'because'))

function withExpected(mutant: Mutant, key: 'seeds'): (Mutant & { readonly expected: Caught })[]
function withExpected(mutant: Mutant, key: 'because'): (Mutant & { readonly expected: Equivalent })[]
function withExpected(mutant: Mutant, key: string): Mutant[] {
  return key in mutant.expected ? [mutant] : []
}

let folder = ''
let compiled = ''
let hunts: Hunts

beforeAll(() => {
  folder = scratchFolder()
  compiled = join(folder, 'code')
  compileSimulationInto(compiled)
  hunts = new Hunts(folder, compiled)
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('the mutants', () => {
  it('have names of their own, and each says what it breaks and what it is kin to', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
    for (const { name, breaks, kin } of MUTANTS) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
      expect(breaks).toMatch(/^[A-Z].*\.$/)
      expect(kin).not.toBe('')
    }
  })

  it.each(MUTANTS)('fit the code: $name', ({ edits }) => {
    expect(edits).not.toEqual([])
    for (const edit of edits) {
      const text = readFileSync(join(compiled, 'src', edit.file.replace(/\.ts$/, '.js')), 'utf8')
      expect(applied(edit, text)).not.toBe(text)
    }
  })

  it('say why where nobody can tell the difference', () => {
    for (const { expected } of equivalent) expect(expected.because).toMatch(/^[A-Z].{100,}\.$/)
  })

  it('that the simulation finds are nearly all seen from outside too, the canary among them', () => {
    expect(seenFromOutside.some(({ name }) => name === CANARY)).toBe(true)
    expect(seenFromOutside.length).toBeGreaterThan(caught.length * 0.8)
  })

  it('that have a likely seed have one of those that have to find them', () => {
    expect(caught.filter(({ expected: { likely = 0, seeds } }) => likely >= seeds)).toEqual([])
  })

  it('that are seen from outside are found with assertions in the same seed, or before', () => {
    const needsFewer = ({ expected }: (typeof caught)[number]): boolean =>
      expected.seeds < (expected.seedsWithoutAssertions ?? 0)
    expect(seenFromOutside.filter(needsFewer)).toEqual([])
    expect(seenFromInside.length).toBeLessThan(caught.length)
  })
})

describe('an edit', () => {
  it('is refused where its text is missing, or there twice', () => {
    const edit = { file: 'a.ts', from: 'x', to: 'y' }
    expect(applied(edit, 'a x')).toBe('a y')
    expect(() => applied(edit, 'a b')).toThrow('0 times in a.ts: x')
    expect(() => applied(edit, 'x x')).toThrow('2 times in a.ts: x')
  })
})

describe.concurrent('with assertions, and without', () => {
  const original = { name: 'original', breaks: '', kin: '', edits: [], expected: { seeds: CLEAN_SEEDS } }

  it.each(seenFromInside)('$name is caught, with assertions', async (mutant) => {
    const { seeds } = mutant.expected
    expect(await hunts.hunt(mutant, { seeds, assertions: 'on' })).not.toBeNull()
  }, HUNT_MS_MAX)

  it.each(seenFromOutside)('$name is caught, without assertions', async (mutant) => {
    const seeds = mutant.expected.seedsWithoutAssertions ?? 0
    expect(await hunts.hunt(mutant, { seeds, assertions: 'off' })).not.toBeNull()
  }, HUNT_MS_MAX)

  // Last, in the processes that have had the mutants: they have left nothing there that a check could see.
  it.each(['on', 'off'] as const)('nothing is found in the code as it is, with assertions %s', async (assertions) => {
    expect(await hunts.hunt(original, { seeds: CLEAN_SEEDS, assertions })).toBeNull()
  }, HUNT_MS_MAX)
})
