/** The site of the documentation: `npm run docs:site`. Its pages stay where they are in the repository. */
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { defineConfig } from 'vitepress'
import type { DefaultTheme } from 'vitepress'
import { DEMO_ALIASES } from '../demo-aliases.ts'
import { writeTexts } from '../llms.ts'
import { changeMarkdown } from '../markdown.ts'
import { sections } from '../navigation.ts'
import type { Page, Section } from '../navigation.ts'
import { ROOT, addressOf, excluded, slugOf, titleOf } from '../pages.ts'

const REFERENCE = 'site/reference'
/** Tests that are about everything else leave the pages of the API out. */
const HAS_REFERENCE = process.env['QUORATE_SITE_REFERENCE'] !== 'off' && existsSync(join(ROOT, REFERENCE))
/** Where the built site is; a test builds it elsewhere. */
const OUT_DIR = process.env['QUORATE_SITE_OUT'] ?? join(ROOT, 'site/dist')
/** Files of docs/ that pages link to, and that are no pages. */
const FILES = ['docs/operations/alerts.yml', 'docs/operations/grafana-dashboard.json']

/** The address of a page, as links have it. */
const linkOf = (source: string): string => {
  return `/${(addressOf(source) ?? '').replace(/\.md$/, '').replace(/(^|\/)index$/, '$1')}`
}

/** The entries of the package, by the names under which they are imported, if TypeDoc has written their pages. */
function apiPages(): Page[] {
  if (!HAS_REFERENCE) return []
  const names: readonly [string, string][] = [
    ['quorate', 'index'],
    ['quorate/embedded', 'backends/embedded'],
    ['quorate/zookeeper', 'backends/zookeeper'],
    ['quorate/etcd', 'backends/etcd'],
    ['quorate/redis', 'backends/redis'],
    ['quorate/recipe', 'recipes/engine'],
    ['quorate/yaml', 'recipes/config/yaml'],
    ['quorate/nestjs', 'frameworks/nestjs'],
    ['quorate/fastify', 'frameworks/fastify'],
    ['quorate/dashboard', 'dashboard'],
    ['quorate/prometheus', 'observe/prometheus'],
    ['quorate/opentelemetry', 'observe/opentelemetry'],
    ['quorate/testing', 'testing'],
    ['quorate/testing/vitest', 'testing/fixtures/vitest'],
    ['quorate/testing/jest', 'testing/fixtures/jest'],
  ]
  return names.map(([name, folder]) => [name, `${REFERENCE}/${folder}/index.md`])
}

const DECISIONS = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => name.endsWith('.md')).sort()
  .map((name): Page => [titleOf(`docs/decisions/${name}`), `docs/decisions/${name}`])

const SECTIONS = sections(apiPages(), DECISIONS)

function sidebarOf({ groups }: Section): DefaultTheme.SidebarItem[] {
  return groups.filter(({ pages }) => pages.length > 0).map(({ text, pages }) => ({
    text,
    items: pages.map(([name, source]) => ({ text: name, link: linkOf(source) })),
  }))
}

/** Folders whose pages are of one section, but for those that another one names. */
const FOLDERS: ReadonlyMap<string, string> = new Map([
  ['/guide/', 'Guides'],
  ['/backends/', 'Engines'],
  ['/protocol/', 'Reference'],
  ['/reference/', 'Reference'],
  ['/decisions/', 'Internals'],
])

/** The sidebar of each section, for its folders and its pages elsewhere; the longest address is looked for first. */
function sidebars(): DefaultTheme.SidebarMulti {
  const all = SECTIONS.flatMap((section) => {
    const sidebar = sidebarOf(section)
    const folders = [...FOLDERS.keys()].filter((folder) => FOLDERS.get(folder) === section.text)
    const addresses = section.groups.flatMap(({ pages }) => pages.map(([, source]) => linkOf(source)))
    const apart = addresses.filter((address) => !folders.some((folder) => address.startsWith(folder)))
    return [...folders, ...apart].map((address) => [address, sidebar] as const)
  })
  return Object.fromEntries(all.sort(([a], [b]) => b.length - a.length))
}

export default defineConfig({
  title: 'Quorate',
  description: 'Locks, leader election, configuration and membership for Node.js that survive a crash.',
  lang: 'en',
  srcDir: ROOT,
  srcExclude: [...excluded(), ...(HAS_REFERENCE ? [] : [`${REFERENCE}/**`])],
  outDir: OUT_DIR,
  cacheDir: join(ROOT, 'site/.vitepress/cache'),
  base: process.env['QUORATE_SITE_BASE'] ?? '/',
  cleanUrls: true,
  rewrites: (source) => addressOf(source) ?? source,
  metaChunk: true,
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${process.env['QUORATE_SITE_BASE'] ?? '/'}icon.svg` }],
    ['meta', { name: 'color-scheme', content: 'light dark' }],
  ],
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    languageAlias: { dockerfile: 'docker' },
    anchor: { slugify: slugOf },
    config: changeMarkdown,
  },
  themeConfig: {
    nav: SECTIONS.map(({ text, groups }) => {
      const [, first] = groups[0]?.pages[0] ?? ['', '']
      const sources = groups.flatMap(({ pages }) => pages.map(([, source]) => linkOf(source)))
      const own = sources.map((address) => address.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      const below = text === 'Reference' ? '|/reference/.*' : ''
      return { text, link: linkOf(first), activeMatch: `^(${own.join('|')}${below})$` }
    }),
    sidebar: sidebars(),
    outline: { level: [2, 3] },
    search: { provider: 'local' },
  },
  vite: {
    resolve: { alias: DEMO_ALIASES },
    worker: { format: 'es' },
    build: { target: 'es2022', chunkSizeWarningLimit: 4_000 },
    publicDir: join(ROOT, 'site/public'),
  },
  buildEnd: ({ outDir, pages }) => {
    for (const file of FILES) {
      const to = join(outDir, file.replace(/^docs\//, ''))
      mkdirSync(dirname(to), { recursive: true })
      copyFileSync(join(ROOT, file), to)
    }
    writeTexts(outDir, pages, SECTIONS)
  },
})
