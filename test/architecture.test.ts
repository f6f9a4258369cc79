/** The page on the architecture agrees with the table of import layers that another test holds the source to. */
import { expect, it } from 'vitest'
import { layersDiagram } from './import-layers.ts'
import { repository } from './source-files.ts'

const BLOCK = /<!-- layers -->\n```text\n([^]*?)```\n<!-- \/layers -->/

it('the diagram of docs/architecture.md is that of the import layers; paste the received one after a change', () => {
  const page = repository().find(({ path }) => path === 'docs/architecture.md')?.text ?? ''
  const [, shown = ''] = BLOCK.exec(page) ?? []
  expect(`${layersDiagram()}\n`).toBe(shown)
})
