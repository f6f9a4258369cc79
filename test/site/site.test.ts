/**
 * The site of the documentation, as it is built: its pages, links, titles and texts. And in real Chromium: the live
 * ensemble of its front page, which really crashes, is cut off and is paused; that pages are accessible in both themes
 * and fit a small screen; and the search.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path/posix'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { ERROR_CODES } from '../../src/core/errors.ts'
import { addressOf, siteLink, slugOf } from '../../site/pages.ts'
import { PageRig, chromiumMissing } from '../dashboard/page-rig.ts'
import { repository } from '../source-files.ts'
import { SiteServer, builtSite, fileOf, filesOf, hasReference } from './site-rig.ts'

const BUILD_MS_MAX = 600_000
const CASE_MS_MAX = 180_000
const SHOWN_MS_MAX = 60_000
/** The servers, the clients and what drives them; the drawing is a part of the theme. */
const DEMO_BYTES_MAX = 110 * 1_024
const DEMO_FILES = /(^|\/)(worker|ensemble-role|client-role|port-channels|stage)[.-][^/]*\.js$/
const SMALL = { width: 360, height: 740 }

const skipped = chromiumMissing === null ? '' : ` (${chromiumMissing})`

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

describe.skipIf(chromiumMissing !== null)(`the site in Chromium${skipped}`, { timeout: CASE_MS_MAX }, () => {
  let pages: PageRig
  let server: SiteServer
  let page: Page
  const elsewhere: string[] = []

  async function open(path: string, options: Parameters<PageRig['open']>[1] = {}): Promise<Page> {
    const opened = await pages.open(new URL(path, server.url).href, options)
    opened.on('request', (request) => {
      if (!request.url().startsWith(server.url)) elsewhere.push(request.url())
    })
    return opened
  }

  beforeAll(async () => {
    pages = await PageRig.start(() => Promise.resolve(folder))
    server = await SiteServer.start(pages.folder)
    page = await open('/')
  })

  afterAll(async () => {
    await pages.close()
    await server.close()
  })

  afterEach(() => {
    expect(pages.complaints.splice(0)).toEqual([])
    expect(elsewhere.splice(0)).toEqual([])
  })

  /** Presses a lever, once it can be pulled. */
  async function press(name: string): Promise<void> {
    await page.locator('.demo-button[aria-disabled=false]', { hasText: name }).click({ timeout: SHOWN_MS_MAX })
  }

  async function shows(text: string | RegExp): Promise<void> {
    await page.locator('.demo').getByText(text).first().waitFor({ timeout: SHOWN_MS_MAX })
  }

  /** A number of the account. */
  async function account(name: string): Promise<number> {
    return Number(await page.locator('.demo-account div', { hasText: name }).locator('dd').textContent())
  }

  /** Waits until the account has been written to so many times more. */
  async function writesMore(count: number): Promise<void> {
    const before = await account('Written')
    await expect.poll(() => account('Written'), { timeout: SHOWN_MS_MAX }).toBeGreaterThanOrEqual(before + count)
  }

  it('has a live ensemble that is no larger than it says', () => {
    const files = filesOf(pages.folder).filter((path) => DEMO_FILES.test(path))
    expect(files).toHaveLength(5)
    const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(join(pages.folder, file))).length, 0)
    expect(bytes).toBeLessThan(DEMO_BYTES_MAX)
  })

  it('begins when it is told to, where a reader wants little motion', async () => {
    await shows('when you press Run')
    expect(page.workers()).toHaveLength(0)
    await press('Run')
    await shows(/^Server \d leads epoch 1\. 3 of 3 servers serve\.$/)
    await writesMore(6)
    expect(await account('Account')).toBe(await account('Written'))
  })

  it('goes on under another leader when the leader crashes, and the lock with it', async () => {
    const before = /Server (\d) leads/.exec((await page.locator('.demo-sentence').textContent()) ?? '')?.[1]
    await press('Crash the leader')
    await expect.poll(() => page.locator('.demo-server.down').textContent(), { timeout: SHOWN_MS_MAX })
      .toBe(`✕ ${before ?? ''}crashed`)
    await shows(/^Server \d leads epoch 2\. 2 of 3 servers serve\.$/)
    expect(await page.locator('.demo-sentence').textContent()).not.toContain(`Server ${before ?? ''} leads`)
    await writesMore(6)
    await press('Start again')
    await shows(/3 of 3 servers serve\.$/)
    expect([await account('Refused'), await account('Lost')]).toEqual([0, 0])
  })

  it('refuses what a client writes that was paused, by its token', async () => {
    await press('Pause client A')
    await shows('stands still')
    await shows('A session has ended: nothing was heard of its client.')
    await shows(/^Refused: client A writes late, under token \d+\.\d+; the account has seen \d+\.\d+\.$/)
    expect([await account('Refused'), await account('Lost')]).toEqual([1, 0])
    await writesMore(6)
  })

  it('shows the accident where nobody looks at tokens', async () => {
    await page.getByLabel('The account checks the token').uncheck()
    await press('Pause client A')
    await shows(/^Accident: client A writes late, under token \d+\.\d+, and .* of the other are lost\.$/)
    expect(await account('Lost')).toBeGreaterThan(0)
    await shows('A lock without fencing protects nothing from a process that was paused.')
    await page.getByLabel('The account checks the token').check()
  })

  it('serves nothing without a majority, and goes on when there is one', async () => {
    await press('Cut off server 2')
    await shows('votes, cut off')
    await shows(/^Server [13] leads epoch \d+\. 2 of 3 servers serve\.$/)
    await press('Crash the leader')
    await shows('No majority: nothing is served, and nothing is wrong.')
    const written = await account('Written')
    await press('Heal')
    await shows(/2 of 3 servers serve\.$/)
    await expect.poll(() => account('Written'), { timeout: SHOWN_MS_MAX }).toBeGreaterThan(written)
    await press('Start again')
    await shows(/3 of 3 servers serve\.$/)
  })

  it('runs by itself when it is in view, and ends with its page', async () => {
    const own = await open('/', { reducedMotion: 'no-preference' })
    await own.locator('#break-it').scrollIntoViewIfNeeded()
    await own.locator('.demo').getByText(/3 of 3 servers serve/).first().waitFor({ timeout: SHOWN_MS_MAX })
    expect(own.workers()).toHaveLength(3)
    await own.getByRole('link', { name: 'Start', exact: true }).first().click()
    await own.getByRole('heading', { name: 'Getting started', level: 1 }).waitFor()
    await expect.poll(() => own.workers().length, { timeout: SHOWN_MS_MAX }).toBe(0)
    await own.context().close()
  })

  it('tells its steps without JavaScript', async () => {
    const own = await open('/', { javaScriptEnabled: false })
    await own.getByText('Client A stands still in the middle of its work.').waitFor()
    await own.context().close()
  })

  it.each(['light', 'dark'] as const)('has no violation that axe finds, in %s', async (colorScheme) => {
    for (const path of ['/', '/guide/fair-lock', '/errors', '/choose-a-backend']) {
      const own = await open(path, { colorScheme })
      expect(await pages.violations(own), path).toEqual([])
      await own.context().close()
    }
  })

  it.each(['/', '/guide/fair-lock', '/choose-a-backend'])('fits a small screen: %s', async (path) => {
    const own = await open(path, { viewport: SMALL })
    expect(await own.evaluate('document.documentElement.scrollWidth')).toBe(SMALL.width)
    await own.context().close()
  })

  it('finds a page by its words', async () => {
    const own = await open('/guide/fair-lock')
    await own.getByRole('button', { name: 'Search' }).first().click()
    await own.getByRole('searchbox').fill('fencing token')
    await own.getByRole('option', { name: /Fair lock.*Fencing/ }).first().click()
    await own.waitForURL(/fair-lock#fencing/)
    await own.context().close()
  })
})

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
