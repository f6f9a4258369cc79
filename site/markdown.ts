/** Changes to what markdown-it makes of the pages, so that the Markdown of the repository needs none. */
import { relative } from 'node:path/posix'
import type { MarkdownOptions } from 'vitepress'
import { ROOT, siteLink } from './pages.ts'

/** markdown-it, as VitePress brings it. */
type MarkdownIt = Parameters<NonNullable<MarkdownOptions['config']>>[0]
type Token = ReturnType<MarkdownIt['parse']>[number]
type TokenClass = new (type: string, tag: string, nesting: number) => Token

/** The environment that VitePress gives a page. */
interface PageEnv {
  readonly path?: string
  readonly realPath?: string
}

const ERRORS = 'docs/errors.md'

/** Adds the changes. */
export function changeMarkdown(md: MarkdownIt): void {
  md.core.ruler.push('site-links', (state) => {
    const { path, realPath = path } = state.env as PageEnv
    if (realPath === undefined) return
    const source = relative(ROOT, realPath)
    for (const token of state.tokens) if (token.children !== null) token.children = withLinks(source, token.children)
    emptyHeadersAsCells(state.tokens)
    if (source === ERRORS) for (const [index, token] of state.tokens.entries()) addCode(md, state.tokens, index, token)
  })
}

/** The tokens of a line, with the links of the site; a link to what only the repository has is its text. */
function withLinks(source: string, tokens: readonly Token[]): Token[] {
  const open: boolean[] = []
  return tokens.filter((token) => {
    if (token.type === 'link_close') return open.pop() ?? true
    if (token.type !== 'link_open') return true
    const link = siteLink(source, token.attrGet('href') ?? '')
    if (link.kind === 'page') token.attrSet('href', link.href)
    if (link.kind === 'file') {
      token.attrSet('href', link.href)
      token.attrSet('target', '_self')
    }
    open.push(link.kind !== 'repository')
    return link.kind !== 'repository'
  })
}

/** An empty heading of a column heads nothing, and is announced all the same. */
function emptyHeadersAsCells(tokens: readonly Token[]): void {
  for (const [index, token] of tokens.entries()) {
    const [text, end] = tokens.slice(index + 1)
    if (token.type !== 'th_open' || text?.content !== '' || end === undefined) continue
    token.tag = 'td'
    end.tag = 'td'
  }
}

/** The heading of an error has its code as a second anchor. */
function addCode(md: MarkdownIt, tokens: readonly Token[], index: number, token: Token): void {
  const line = tokens[index + 1]
  const first = line?.children?.[0]
  if (token.type !== 'heading_open' || line === undefined || first === undefined) return
  const code = /^`?([A-Z][A-Z_]+)`?$/.exec(line.content)?.[1]
  if (code === undefined) return
  const mark = new (first.constructor as TokenClass)('html_inline', '', 0)
  mark.content = `<span id="${md.utils.escapeHtml(code)}"></span>`
  line.children?.unshift(mark)
}
