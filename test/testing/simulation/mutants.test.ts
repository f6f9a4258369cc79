import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CANARY, MUTANTS } from '../../../src/testing/simulation/mutants/all.ts'
import type { Caught, Mutant } from '../../../src/testing/simulation/mutants/mutant.ts'
import { applied, makeMutant } from '../../../src/testing/simulation/mutants/patch.ts'
import type { Finding } from '../../../src/testing/simulation/run.ts'
import type { WorkerLine, WorkerTask } from '../../../src/testing/simulation/worker.ts'
import { compileInto, scratchFolder } from './compiled.ts'

/** Longest time for one mutant, in milliseconds: for a machine that has other things to do. Most take a few seconds. */
const HUNT_MS_MAX = 900_000

interface Prey extends Mutant {
  readonly expected: Caught
}

const isCaught = (mutant: Mutant): mutant is Prey => 'seeds' in mutant.expected
const PREY = MUTANTS.filter(isCaught)
const SEEN_FROM_OUTSIDE = PREY.filter(({ expected }) => expected.seedsWithoutAssertions !== undefined)

let folder = ''
const compiled = (): string => join(folder, 'compiled')

beforeAll(() => {
  folder = scratchFolder()
  compileInto(compiled())
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Runs seeds on a mutant until something is found; null if nothing is. */
async function hunt(mutant: Mutant, seeds: number, assertions: 'on' | 'off'): Promise<Finding | null> {
  const home = join(folder, `${mutant.name}-${assertions}`)
  makeMutant(mutant, { folder: home, compiled: compiled(), assertions })
  const { profile, workload } = mutant
  const task: WorkerTask = {
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    twice: [],
    ...(profile === undefined ? {} : { profile }),
    ...(workload === undefined ? {} : { workload }),
  }
  const worker = spawn(process.execPath, [join(home, 'testing/simulation/worker.js'), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  worker.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('close', resolve)
  })
  try {
    for await (const line of createInterface({ input: worker.stdout })) {
      const { finding } = JSON.parse(line) as WorkerLine
      if (finding !== null) return finding
    }
    expect(await ended, complaint).toBe(0)
    return null
  } finally {
    worker.kill('SIGKILL')
    await ended
    rmSync(home, { recursive: true, force: true })
  }
}

describe('mutants', () => {
  it('have names of their own, and each says what it breaks and what it is kin to', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
    for (const { name, breaks, kin } of MUTANTS) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
      expect(breaks).toMatch(/^[A-Z].*\.$/)
      expect(kin).not.toBe('')
    }
  })

  it.each(MUTANTS)('fits the code: $name', ({ edits }) => {
    expect(edits).not.toEqual([])
    for (const edit of edits) {
      const text = readFileSync(join(compiled(), edit.file.replace(/\.ts$/, '.js')), 'utf8')
      expect(applied(edit, text)).not.toBe(text)
    }
  })

  it('refuses an edit of what is not there, or there twice', () => {
    const edit = { file: 'a.ts', from: 'x', to: 'y' }
    expect(applied(edit, 'a x')).toBe('a y')
    expect(() => applied(edit, 'a b')).toThrow('0 times in a.ts: x')
    expect(() => applied(edit, 'x x')).toThrow('2 times in a.ts: x')
  })

  it('give a reason where they cannot be caught', () => {
    for (const mutant of MUTANTS) {
      if ('because' in mutant.expected) expect(mutant.expected.because.length).toBeGreaterThan(100)
    }
  })

  it('finds nothing in the code as it is, on the seeds that mutants are hunted with', async () => {
    const original = { name: 'original', breaks: '', kin: '', edits: [], expected: { seeds: 20 } }
    expect(await hunt(original, 20, 'on')).toBeNull()
  }, HUNT_MS_MAX)
})

describe.concurrent('with assertions', () => {
  it.each(PREY)('$name is caught', async (mutant) => {
    expect(await hunt(mutant, mutant.expected.seeds, 'on')).not.toBeNull()
  }, HUNT_MS_MAX)
})

describe.concurrent('without assertions', () => {
  it.each(SEEN_FROM_OUTSIDE)('$name is caught', async (mutant) => {
    const finding = await hunt(mutant, mutant.expected.seedsWithoutAssertions ?? 0, 'off')
    expect(finding).not.toBeNull()
    expect(finding?.check).not.toBe('AssertionError')
  }, HUNT_MS_MAX)

  it('most of the mutants of the consensus are', () => {
    expect(SEEN_FROM_OUTSIDE.some(({ name }) => name === CANARY)).toBe(true)
    expect(SEEN_FROM_OUTSIDE.length).toBeGreaterThan(PREY.length / 2)
  })
})
