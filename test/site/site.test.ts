/** The site of the documentation, as it is built: its pages, links, titles and texts. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path/posix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/core/errors.ts'
import { addressOf, siteLink, slugOf } from '../../site/pages.ts'
import { repository } from '../source-files.ts'
import { addFrontPageCases } from './front-page-cases.ts'
import { builtSite, fileOf, filesOf, hasReference } from './site-rig.ts'

const BUILD_MS_MAX = 600_000

/** Links of a page that lead nowhere on the site, and what it would load from elsewhere. */
function faultsOf(folder: string, path: string, idsOf: (file: string) => ReadonlySet<string>): string[] {
  const html = textOf(folder, path)
  const own = join(folder, path)
  const address = `/${path.replace(/index\.html$/, '').replace(/\.html$/, '')}`
  const links = [...html.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g)].map(([, href = '']) => href.replaceAll('&amp;', '&'))
  const dead = links.filter((href) => !/^[a-z]+:/.test(href)).flatMap((href) => {
    const { pathname, hash } = new URL(href, `http://localhost${address}`)
    const file = href.startsWith('#') ? own : fileOf(folder, pathname)
    if (file === null) return [`${path}: no such page: ${href}`]
    return hash === '' || idsOf(file).has(decodeURIComponent(hash.slice(1))) ? [] : [`${path}: no such anchor: ${href}`]
  })
  const loaded = html.matchAll(/<(?:script|link|img|iframe)\b[^>]*?\s(?:src|href)="(?:https?:)?\/\/[^"]*"/g)
  return [...dead, ...[...loaded].map(([tag]) => `${path}: loads from elsewhere: ${tag}`)]
}

/** The anchors of files; each is read once. */
function anchors(): (file: string) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>()
  return (file) => {
    const ids = known.get(file) ?? new Set(
      [...readFileSync(file, 'utf8').matchAll(/\sid="([^"]*)"/g)].map(([, id = '']) => id),
    )
    known.set(file, ids)
    return ids
  }
}

function textOf(folder: string, path: string): string {
  return readFileSync(join(folder, path), 'utf8')
}

let folder: string

beforeAll(async () => {
  folder = await builtSite()
}, BUILD_MS_MAX)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('the site', () => {
  let pages: string[]

  beforeAll(() => {
    pages = filesOf(folder).filter((path) => path.endsWith('.html') && path !== '404.html')
  })

  const sources = repository().map(({ path }) => path).filter((path) => path.endsWith('.md'))
    .filter((path) => addressOf(path) !== null)

  it('has a page of each text of docs/, and no other but those of the API', () => {
    const expected = sources.map((source) => (addressOf(source) ?? '').replace(/\.md$/, '.html'))
    expect(expected).toContain('guide/fair-lock.html')
    expect(pages.filter((page) => !page.startsWith('reference/'))).toEqual(expected.sort())
    expect(pages.some((page) => page.startsWith('reference/'))).toBe(hasReference)
  })

  it('names each of its pages', () => {
    const titles = pages.map((page) => [page, /<title>([^<]*)<\/title>/.exec(textOf(folder, page))?.[1] ?? ''] as const)
    expect(titles.filter(([, title]) => !/^.+ \| Quorate$|^Quorate \| .+$/.test(title))).toEqual([])
    const guides = titles.filter(([page]) => !page.startsWith('reference/')).map(([, title]) => title)
    expect(new Set(guides).size).toBe(guides.length)
  })

  it('has no link that leads nowhere, and loads nothing from elsewhere', () => {
    const idsOf = anchors()
    expect(pages.flatMap((page) => faultsOf(folder, page, idsOf))).toEqual([])
  })

  it('has each page of docs/ in its navigation', () => {
    const text = textOf(folder, 'llms.txt')
    const others = sources.filter((source) => source !== 'docs/index.md')
    expect(others.filter((source) => !text.includes(`(/${addressOf(source) ?? ''})`))).toEqual([])
    expect(text).toMatch(/^# Quorate\n\n> .+\n\n## Start\n\n- \[Getting started\]\(\/getting-started\.md\): You need/)
  })

  it('has each page as Markdown too', () => {
    for (const source of sources) expect(textOf(folder, addressOf(source) ?? '')).toBe(readFileSync(source, 'utf8'))
  })

  it('finds an error by its code, as it is written', () => {
    const ids = anchors()(join(folder, 'errors.html'))
    expect(ERROR_CODES.filter((code) => !ids.has(code))).toEqual([])
  })

  it('has a button to copy each block of code', () => {
    const html = textOf(folder, 'guide/fair-lock.html')
    const blocks = html.match(/<div class="language-[a-z]+/g) ?? []
    expect(blocks.length).toBeGreaterThan(3)
    expect(html.match(/<button title="Copy Code" class="copy">/g)).toHaveLength(blocks.length)
  })

  it('can be searched: each page is in its index', () => {
    const index = filesOf(folder).find((path) => path.includes('@localSearchIndex')) ?? ''
    const text = textOf(folder, index)
    expect(text).toContain('/guide/fair-lock#fencing')
    expect(text.includes('/reference/index/classes/FairLock')).toBe(hasReference)
  })
})

addFrontPageCases(() => folder)

describe('links of the repository', () => {
  it.each([
    ['docs/guide/fair-lock.md', '../errors.md#no_node', { kind: 'page', href: '/errors.md#no_node' }],
    ['docs/errors.md', '../CONTRIBUTING.md', { kind: 'page', href: '/contributing.md' }],
    ['docs/errors.md', '../README.md#what-is-in-it', { kind: 'page', href: '/which-recipe.md' }],
    ['docs/guide/observe.md', '../operations/alerts.yml', { kind: 'file', href: '/operations/alerts.yml' }],
    ['docs/testing.md', '../sim/mutants/all.ts', { kind: 'repository' }],
    ['docs/testing.md', 'https://zookeeper.apache.org/', { kind: 'as-is' }],
    ['docs/testing.md', '#a-mutant', { kind: 'as-is' }],
  ])('lead from %s to %s', (source, href, expected) => {
    expect(siteLink(source, href)).toMatchObject(expected)
  })

  it('have the anchors that GitHub gives to headings', () => {
    expect(slugOf('`NO_NODE`')).toBe('no_node')
    expect(slugOf('TLS, users, Sentinel, Cluster')).toBe('tls-users-sentinel-cluster')
  })
})
