/**
 * Where the pages of the site come from: the Markdown of this repository, in its place, and the pages of the API that
 * TypeDoc writes. What a reader of the repository follows, a reader of the site follows too: links lead to the pages of
 * the site, and anchors of headings are those of GitHub.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'

/** The root of the repository, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Pages outside docs/, and their addresses. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['CHANGELOG.md', 'changelog.md'],
  ['CONTRIBUTING.md', 'contributing.md'],
  ['SECURITY.md', 'security.md'],
  ['bench/README.md', 'bench.md'],
  ['examples/README.md', 'examples.md'],
])

/** The README is the front page of a viewer of the repository; what others link to in it is its table of recipes. */
const README = 'README.md'
const TABLE_OF_RECIPES = '/which-recipe.md'

/** The address of a page below the site, as `guide/fair-lock.md`; null if its source is no page of the site. */
export function addressOf(source: string): string | null {
  const elsewhere = ELSEWHERE.get(source)
  if (elsewhere !== undefined) return elsewhere
  const found = /^(?:docs|site(?=\/reference))\/(.*\.md)$/.exec(source)
  return found?.[1] ?? null
}

/** Where there is Markdown that is no page of the site, as patterns. */
export function excluded(): string[] {
  const tops = new Set(['docs', 'site', ...[...ELSEWHERE.keys()].map((source) => source.split('/')[0] ?? '')])
  const others = readdirSync(ROOT, { withFileTypes: true }).filter(({ name }) => !tops.has(name))
  return [
    ...others.flatMap((entry) => (entry.isDirectory() ? [`${entry.name}/**`] : [entry.name])),
    'docs/api/**',
    'site/{dist,public,demo,.vitepress}/**',
  ]
}

/** The anchor of a heading, by GitHub's rule. Errors have another one, their code: `errors#NO_NODE`. */
export function slugOf(heading: string): string {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
}

/** Where a link of a page leads on the site. */
export type SiteLink =
  | { readonly kind: 'as-is' }
  /** A page of the site, from its root. */
  | { readonly kind: 'page'; readonly href: string }
  /** A file that the site has as it is, such as alert rules; from its root. */
  | { readonly kind: 'file'; readonly href: string; readonly source: string }
  /** Something that only the repository has. */
  | { readonly kind: 'repository' }

/**
 * Finds where a link leads.
 *
 * @param source - the page that it stands on, from the root of the repository
 * @param href - as it is written
 */
export function siteLink(source: string, href: string): SiteLink {
  if (/^([a-z]+:|\/|#)/.test(href)) return { kind: 'as-is' }
  const [path = '', anchor] = href.split('#')
  const target = join(dirname(source), decodeURIComponent(path))
  if (target === README) return { kind: 'page', href: TABLE_OF_RECIPES }
  const address = addressOf(target)
  if (address !== null) return { kind: 'page', href: `/${address}${anchor === undefined ? '' : `#${anchor}`}` }
  if (/^docs\/operations\//.test(target) && existsSync(join(ROOT, target))) {
    return { kind: 'file', href: `/${target.replace(/^docs\//, '')}`, source: target }
  }
  return { kind: 'repository' }
}

/** The title of a page: its first heading, without marks of code. */
export function titleOf(source: string): string {
  const text = readFileSync(join(ROOT, source), 'utf8')
  return /^# (.*)$/m.exec(text)?.[1]?.replaceAll('`', '') ?? source
}
