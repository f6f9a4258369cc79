/** Holds docs/protocol/differences.md and the masks and omissions of the differential test together. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/protocol/differences.md', import.meta.url))
const SHOWN_IN_CODE = ['Masked', 'Not sent']
const TREATMENTS = [...SHOWN_IN_CODE, 'Not visible', 'Compared']

/** How each difference on the page is treated, by its name. */
function differences(text: string): Map<string, string> {
  const entries = text.split(/^### /m).slice(1)
  return new Map(
    entries.map((entry) => {
      const [name = ''] = entry.split('\n')
      const ends = [...entry.split(/^## /m)[0]?.matchAll(/\*([^*]+)\.\*/g) ?? []]
      return [name, (ends.at(-1)?.[1] ?? '').replaceAll('\n', ' ')]
    }),
  )
}

/** The names in the comments of the differential test: `Deliberate difference "name"`. */
function namesInCode(): string[] {
  const texts = readdirSync(HERE)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(HERE, file), 'utf8').replaceAll(/\n\s*(\*|\/\/) */g, ' '))
  return texts.flatMap((text) => {
    const lists = text.matchAll(/Deliberate differences? ((?:"[a-z0-9-]+"[, and]*)+)/g)
    return [...lists].flatMap(([, list = '']) => [...list.matchAll(/"([a-z0-9-]+)"/g)].map(([, name = '']) => name))
  })
}

describe('the page of differences', () => {
  const onPage = differences(readFileSync(PAGE, 'utf8'))

  it('says of each how the differential test treats it', () => {
    expect(onPage.size).toBeGreaterThan(20)
    const wrong = [...onPage].filter(([, treatment]) => !TREATMENTS.includes(treatment))
    expect(wrong).toEqual([])
  })

  it('has each that the differential test masks or leaves out, and says so', () => {
    const treated = [...onPage].filter(([, treatment]) => SHOWN_IN_CODE.includes(treatment)).map(([name]) => name)
    expect([...new Set(namesInCode())].sort()).toEqual(treated.sort())
  })
})
