/** The site for programs that read text: `llms.txt`, which lists the pages, and each page as Markdown. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import type { Section } from './navigation.ts'
import { ROOT, addressOf } from './pages.ts'

/** Longest beginning of a page that is shown beside its name. */
const SUMMARY_CHARACTERS_MAX = 240

/**
 * Writes the texts into the built site.
 *
 * @param outDir - the built site
 * @param sources - of all pages, from the root of the repository
 * @param sections - the navigation
 */
export function writeTexts(outDir: string, sources: readonly string[], sections: readonly Section[]): void {
  for (const source of sources) {
    const to = join(outDir, addressOf(source) ?? source)
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(join(ROOT, source), to)
  }
  const lists = sections.map(({ text, groups }) => {
    const items = groups.flatMap(({ pages }) => pages).map(([name, source]) => {
      return `- [${name}](/${addressOf(source) ?? ''}): ${summaryOf(source)}`
    })
    return `## ${text}\n\n${items.join('\n')}\n`
  })
  const head = '# Quorate\n\n> Locks, leader election, configuration and membership for Node.js, on an embedded quorum '
    + 'ensemble, ZooKeeper, etcd or Redis.\n'
  writeFileSync(join(outDir, 'llms.txt'), [head, ...lists].join('\n'))
}

/** The first paragraph of a page, on one line. */
function summaryOf(source: string): string {
  const blocks = readFileSync(join(ROOT, source), 'utf8').replace(/^---\n.*?^---\n/ms, '').split(/\n{2,}/)
  const prose = blocks.find((block) => /^[A-Z*`]/.test(block)) ?? ''
  const line = prose.replace(/\s+/g, ' ').replace(/\]\([^)]*\)/g, ']').replace(/[[\]]/g, '').trim()
  if (line.length <= SUMMARY_CHARACTERS_MAX) return line
  return `${line.slice(0, line.lastIndexOf(' ', SUMMARY_CHARACTERS_MAX))} ...`
}
