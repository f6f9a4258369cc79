/** The findings of the fuzzer, and its valid inputs: each keeps the promises of its target. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readCases } from '../../fuzz/corpus.ts'
import { judge } from '../../fuzz/judge.ts'
import { TARGETS } from '../../fuzz/targets/all.ts'

const CORPUS = fileURLToPath(new URL('../../fuzz/corpus/', import.meta.url))
const RUN_MS_MAX = 120_000

it('each folder of the corpus is that of a target', () => {
  const names = TARGETS.map(({ name }) => name)
  expect(readdirSync(CORPUS).filter((folder) => !names.includes(folder))).toEqual([])
})

describe.each(TARGETS)('the target $name', (target) => {
  const reason = target.missing ?? null
  const because = reason === null ? '' : ` (${reason})`
  it.skipIf(reason !== null)(`keeps its promises on all known inputs${because}`, async () => {
    const seeds = (await target.seeds()).map((bytes, index) => ({ name: `seed ${index}`, bytes }))
    expect(seeds.length).toBeGreaterThan(0)
    const engine = await target.engine?.()
    try {
      await target.start?.(engine?.url ?? '')
      for (const { name, bytes } of [...seeds, ...readCases(CORPUS + target.name)]) {
        expect([name, await judge(target, bytes)]).toEqual([name, null])
      }
      await target.stop?.()
    } finally {
      await engine?.close()
    }
  }, RUN_MS_MAX)
})
