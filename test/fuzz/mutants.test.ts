/** The fuzzer finds what is broken on purpose, gives the same inputs for the same seed, and finds nothing else. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fuzzer } from '../../fuzz/fuzzer.ts'
import { instrumented } from '../../fuzz/instrument.ts'
import { FUZZ_MUTANTS } from '../../fuzz/mutants.ts'
import { codec } from '../../fuzz/targets/codec.ts'
import { compileFuzzerInto, scratchFolder } from '../support/compiled.ts'

const RUN_MS_MAX = 300_000
const SECONDS = '120'

let folder = ''

beforeAll(() => {
  folder = scratchFolder()
  mkdirSync(join(folder, 'code'))
  compileFuzzerInto(join(folder, 'code'))
}, RUN_MS_MAX)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function fuzz(...args: string[]): { readonly status: number | null; readonly stdout: string } {
  return spawnSync(process.execPath, [join(folder, 'code/fuzz/main.js'), ...args], { encoding: 'utf8' })
}

describe('the fuzzer', () => {
  it.each(FUZZ_MUTANTS)('finds the mutant $name', ({ name }) => {
    const { status, stdout } = fuzz('--mutant', name, '--seconds', SECONDS, '--seed', '1')
    expect([status, stdout]).toEqual([0, expect.stringContaining('FOUND')])
  }, RUN_MS_MAX)

  it('gives the same inputs for the same seed, and others for another', async () => {
    const inputsOf = async (seed: number): Promise<string[]> => {
      const inputs: string[] = []
      const fuzzer = new Fuzzer(codec, seed, (input) => inputs.push(Buffer.from(input).toString('hex')))
      const budget = { untilMs: Infinity, inputs: 500, findings: 1 }
      expect((await fuzzer.run(await codec.seeds(), budget)).findings).toEqual([])
      return inputs
    }
    const first = await inputsOf(7)
    expect(await inputsOf(7)).toEqual(first)
    expect(await inputsOf(8)).not.toEqual(first)
  })

  it('refuses arguments that it does not know', () => {
    expect(fuzz('--target', 'nothing').status).toBe(2)
    expect(fuzz('--mutant', 'nothing').status).toBe(2)
    expect(fuzz('--seconds', '0').status).toBe(2)
  })
})

describe('counters', () => {
  it('are put where each branch begins, and change nothing else', () => {
    const code = [
      'const seen = []; const f = (a, b) => (a ? b && { a } : [...b].pop() ?? 1)',
      'for (const x of [1, 2]) if (x > 1) seen.push(f(x, 5)); else { seen.push(f(0, [])) }',
      'switch (seen.length) { case 1: case 2: return seen; default: return null }',
    ].join('\n')
    const { text, count } = instrumented(code, 3)
    const run = (body: string): unknown => runInNewContext(`(() => { ${body} })()`)
    expect(run(text)).toEqual(run(code))
    expect(run(text)).toEqual([1, { a: 2 }])
    expect(count).toBe(10)
    const places = [...text.matchAll(/__reached\[(\d+)\]/g)].map(([, place]) => Number(place))
    expect(places.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => 3 + i))
  })
})
