/** No file of the source imports itself by way of others, so that each can be understood after what it imports. */
import { describe, expect, it } from 'vitest'
import { importsOf, repository } from './source-files.ts'
import type { File } from './source-files.ts'

/** The circles of imports, types included, each as the files that it goes through. */
function circlesOf(files: readonly File[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const circles: string[][] = []
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) circles.push(way.slice(start))
    const file = byPath.get(path)
    if (file === undefined || done.has(path) || start >= 0) return
    for (const { target } of importsOf(file)) visit(target, [...way, path])
    done.add(path)
  }
  for (const path of byPath.keys()) visit(path, [])
  return circles
}

describe('imports', () => {
  it('make no circle', () => {
    const sources = repository().filter(({ path }) => /^(src|sim)\/.*\.ts$/.test(path))
    expect(sources.length).toBeGreaterThan(100)
    expect(circlesOf(sources)).toEqual([])
  })

  it.each([
    [
      'of two files',
      {
        'src/core/client.ts': "import { KeptClient } from './kept-client.ts'",
        'src/core/kept-client.ts': "import type { Client } from './client.ts'",
      },
    ],
    [
      'that begins somewhere',
      {
        'src/core/a.ts': "import { b } from './b.ts'",
        'src/core/b.ts': "export { c } from './c.ts'",
        'src/core/c.ts': "const b = await import('./b.ts')",
      },
    ],
  ])('are searched for circles: one %s is found', (_name, sample) => {
    const files = Object.entries(sample).map(([path, text]) => ({ path, text }))
    expect(circlesOf(files)).toHaveLength(1)
  })
})
