import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runPool } from '../../sim/pool.ts'
import type { Draw } from '../../src/testing/simulation/profiles.ts'
import { compileSimulationInto, scratchFolder } from '../support/compiled.ts'

/** Longest time to find a mutant and to make its plan small, on a machine that has other things to do. */
const SHRINK_MS_MAX = 300_000

let folder = ''

beforeAll(() => {
  folder = scratchFolder()
  compileSimulationInto(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Outcome {
  readonly reported: number[]
  readonly failures: [seed: number, complaint: string][]
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, seed) => seed)

/** Runs seeds with a worker of our own; `seed` and `say` are at its hand. */
async function pool(perSeed: string, count: number, abort = new AbortController()): Promise<Outcome> {
  const worker = join(folder, 'worker-of-the-test.js')
  writeFileSync(worker, `
    import { createInterface } from 'node:readline'
    const say = (line) => process.stdout.write(JSON.stringify(line) + '\\n')
    for await (const line of createInterface({ input: process.stdin })) {
      const { seed } = JSON.parse(line)
      ${perSeed}
    }`)
  const outcome: Outcome = { reported: [], failures: [] }
  await runPool({
    jobs: upTo(count).map((seed) => ({ seed, isTwice: false })).values(),
    processes: 2,
    worker: pathToFileURL(worker),
    signal: abort.signal,
    onLine: ({ seed }) => {
      outcome.reported.push(seed)
      if (seed === 77) abort.abort()
    },
    onFailure: (seed, complaint) => outcome.failures.push([seed, complaint]),
  })
  outcome.reported.sort((a, b) => a - b)
  return outcome
}

describe('a pool of workers', () => {
  it('runs each seed once', async () => {
    const { reported, failures } = await pool('say({ seed })', 70)
    expect([reported, failures]).toEqual([upTo(70), []])
  })

  it('tells at which seed a worker ended and why, and goes on behind it', async () => {
    const { reported, failures } = await pool("if (seed === 7) throw new Error('lucky'); say({ seed })", 20)
    expect(reported).toEqual(upTo(20).filter((seed) => seed !== 7))
    expect(failures).toEqual([[7, expect.stringContaining('Error: lucky')]])
  })

  it('begins nothing more and drops what is under way when it is ended', async () => {
    const { reported, failures } = await pool('say({ seed }); if (seed === 77) for (;;);', 1_000)
    expect(failures).toEqual([])
    expect(reported).toContain(77)
    expect(reported.length).toBeLessThan(300)
  })
})

describe('the command', () => {
  const run = (...args: string[]): { status: number | null; output: string } => {
    const file = join(folder, 'sim/main.js')
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' })
    return { status, output: stdout + stderr }
  }

  it.each([
    [], ['--seeds'], ['--seeds', 'many'], ['--seed', '1', '--seeds', '2'], ['--shrink'], ['--seeds', '1', '--trace'],
    ['--seeds', '1', '--profile', 'none'], ['--seeds', '1', '--workload', 'none'], ['--mutant', 'none'], ['--what'],
    ['--seeds', '1', '--servers', '0'], ['--seeds', '1', '--clients', 'five'],
  ].map((args) => args.join(' ')))('refuses "%s"', (args) => {
    const { status, output } = run(...args.split(' ').filter((arg) => arg !== ''))
    expect(status).toBe(2)
    expect(output).toMatch(/^usage: npm run sim/)
  })

  it('runs fresh seeds and says what they were like', () => {
    const { status, output } = run('--seeds', '3', '--profile', 'quiet', '--workload', 'keys')
    expect(output).toMatch(/3 seeds \| \d+\.\d\d virtual h \| \d+ elections \| \d+ commits \| 0 findings \| faults: /)
    expect(output).toContain('profiles: quiet 3')
    expect(status).toBe(0)
  })

  it('replays a seed, the same each time, and shows its faults', () => {
    const first = run('--seed', '0xBEEF', '--workload', 'keys')
    expect(first.status).toBe(0)
    expect(first.output).toMatch(/^ *\d+\.\d\d {2}s\d \{"type":"serving","role":"LEADING"/m)
    expect(first.output).toMatch(/^ *\d+\.\d\d {2}heals s/m)
    expect(run('--seed', '0xBEEF', '--workload', 'keys')).toEqual(first)
  })

  it('finds a mutant, and the few faults that are enough for it', () => {
    // A small world, of which hundreds run.
    const world = ['--workload', 'keys', '--servers', '3', '--clients', '1']
    const { status, output } = run('--mutant', 'truncation-skipped', '--shrink', ...world)
    // The seed decides which finds it first: an assertion within a server, or a check of the history.
    const [, kind = ''] = /^(CRASH|SAFETY) at /m.exec(output) ?? []
    expect(status).toBe({ CRASH: 10, SAFETY: 11 }[kind])
    const [, faults, found = ''] = /^(\d+) are:\n(\{.*?\n\})/ms.exec(output) ?? []
    expect(Number(faults)).toBeGreaterThan(0)
    expect(Number(faults)).toBeLessThanOrEqual(10)
    const { draw } = JSON.parse(found) as { draw: Draw }
    expect(draw.plan).toHaveLength(Number(faults))
  }, SHRINK_MS_MAX)
})
