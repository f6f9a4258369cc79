/**
 * The documentation, as a test: every example is a program that the compiler accepts and that runs, and every link
 * leads somewhere.
 *
 *     ```ts               a complete program; a ```text block right after it is its output
 *     ```ts no-run        one that is only compiled, since a test lacks something it needs
 *     ```ts decorators    the same, with the decorators that Nest has
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { format } from 'node:util'
import ts from 'typescript'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'

interface Page {
  readonly path: string
  readonly text: string
}

interface Example {
  /** Where it stands, such as `docs/errors.md:12`. */
  readonly name: string
  /** Where it is written to, from the root of the repository. */
  readonly file: string
  readonly code: string
  readonly runs: boolean
  /** The output that it must print, or null if it may print anything. */
  readonly prints: string | null
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const EXTRACTED = 'test/.docs'

/** Where pages are, besides the root. */
const FOLDERS = ['docs', 'docs/backends', 'docs/decisions', 'docs/guide', 'docs/protocol', 'bench']

/** The public classes of curator-recipes 5.4 and of x-discovery, but for those that only Curator itself makes. */
const CURATOR_CLASSES = `
  AfterConnectionEstablished AtomicStats AtomicValue BlockingQueueConsumer CachedAtomicInteger CachedAtomicLong
  CancelLeadershipException ChildData CuratorCache CuratorCacheAccessor CuratorCacheBridge
  CuratorCacheBridgeBuilder CuratorCacheBuilder CuratorCacheListener CuratorCacheListenerBuilder
  CuratorCacheStorage DefaultTreeCacheSelector DistributedAtomicInteger DistributedAtomicLong
  DistributedAtomicNumber DistributedAtomicValue DistributedBarrier DistributedDelayQueue DistributedDoubleBarrier
  DistributedIdQueue DistributedPriorityQueue DistributedQueue ErrorMode GroupMember InterProcessLock
  InterProcessMultiLock InterProcessMutex InterProcessReadWriteLock InterProcessSemaphore
  InterProcessSemaphoreMutex InterProcessSemaphoreV2 LeaderLatch LeaderLatchListener LeaderSelector
  LeaderSelectorListener LeaderSelectorListenerAdapter Lease LockInternals LockInternalsDriver LockInternalsSorter
  Locker MultiItem NodeCache NodeCacheListener Participant PathChildrenCache PathChildrenCacheEvent
  PathChildrenCacheListener PathChildrenCacheMode PersistentEphemeralNode PersistentNode PersistentNodeListener
  PersistentTtlNode PersistentWatcher PredicateResults PromotedToLock QueueAllocator QueueBase QueueBuilder
  QueueConsumer QueuePutListener QueueSafety QueueSerializer QueueSharder QueueSharderPolicies Revocable
  RevocationListener RevocationSpec Revoker SharedCount SharedCountListener SharedCountReader SharedValue
  SharedValueListener SharedValueReader SimpleDistributedQueue StandardLockInternalsDriver TreeCache TreeCacheEvent
  TreeCacheIterator TreeCacheListener TreeCacheSelector VersionedValue DownInstancePolicy InstanceFilter
  InstanceSerializer JsonInstanceSerializer ProviderStrategy RandomStrategy RoundRobinStrategy ServiceCache
  ServiceCacheListener ServiceDiscovery ServiceDiscoveryBuilder ServiceInstance ServiceInstanceBuilder
  ServiceProvider ServiceProviderBuilder StickyStrategy UriSpec DiscoveryPathConstructor
  DiscoveryPathConstructor DownInstancePolicy InstanceFilter InstanceSerializer JsonInstanceSerializer
  ProviderStrategy RandomStrategy RoundRobinStrategy ServiceCache ServiceCacheListener ServiceDiscovery
  ServiceDiscoveryBuilder ServiceInstance ServiceInstanceBuilder ServiceProvider ServiceProviderBuilder
  ServiceType StickyStrategy UriSpec
`.trim().split(/\s+/)

function pages(): Page[] {
  const under = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return FOLDERS.includes(path) ? under(path) : []
      return path.endsWith('.md') ? [path] : []
    })
  return under('.').sort().map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

function examplesOf({ path, text }: Page): Example[] {
  const blocks = text.matchAll(/^```ts( no-run| decorators)?\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?/gms)
  return [...blocks].map(({ index, 1: how, 2: code = '', 3: prints }) => {
    const line = text.slice(0, index).split('\n').length
    const file = `${EXTRACTED}/${path.replaceAll('/', '-').replace(/\.md$/, '')}-${line}.ts`
    return { name: `${path}:${line}`, file, code, runs: how === undefined, prints: prints ?? null }
  })
}

/** As the templates of Nest have them; they change nothing where there is no decorator. */
const FOR_DECORATORS = { experimentalDecorators: true, emitDecoratorMetadata: true, erasableSyntaxOnly: false }

/** The compiler's errors for files, one per line, with the file's name. */
function compile(files: readonly string[]): string[] {
  const configPath = join(ROOT, 'tsconfig.json')
  const { config } = ts.readConfigFile(configPath, (path) => ts.sys.readFile(path)) as { config: object }
  const parsed = ts.parseJsonConfigFileContent({ ...config, include: [], files }, ts.sys, ROOT, {}, configPath)
  const options = { ...parsed.options, noUnusedLocals: false, noUnusedParameters: false, ...FOR_DECORATORS }
  const program = ts.createProgram(files.map((file) => join(ROOT, file)), options)
  // Of these files alone: `npm run typecheck` tells about the others.
  const found = files.flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(join(ROOT, file))))
  return [...parsed.errors, ...found].map((diagnostic) => {
    const where = relative(ROOT, diagnostic.file?.fileName ?? '')
    const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0
    return `${where}:${line + 1}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`
  })
}

/** The anchors of a page's headings, by GitHub's rule. */
function anchorsOf(text: string): Set<string> {
  const prose = text.replace(/^```.*?^```$/gms, '')
  const seen = new Map<string, number>()
  return new Set(
    [...prose.matchAll(/^#+ +(.*)$/gm)].map(({ 1: heading = '' }) => {
      const slug = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
      const before = seen.get(slug) ?? 0
      seen.set(slug, before + 1)
      return before === 0 ? slug : `${slug}-${before}`
    }),
  )
}

/** Links of a page that lead nowhere within the repository. */
function deadLinks(page: Page, textOf: (path: string) => string | null): string[] {
  const prose = page.text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(({ 1: link = '' }) => link)
  return links.filter((link) => !/^[a-z]+:/.test(link)).flatMap((link) => {
    const [file = '', anchor] = link.split('#')
    const target = textOf(file === '' ? page.path : join(dirname(page.path), file))
    if (target === null) return [`${page.path}: no such file: ${link}`]
    return anchor === undefined || anchorsOf(target).has(anchor) ? [] : [`${page.path}: no such heading: ${link}`]
  })
}

/** A file's text, the empty string for a folder, or null for nothing. */
function read(path: string): string | null {
  const full = join(ROOT, path)
  return ts.sys.directoryExists(full) ? '' : (ts.sys.readFile(full) ?? null)
}

describe('the documentation', () => {
  it.each(pages())('has no dead link in $path', (page) => {
    expect(deadLinks(page, read)).toEqual([])
  })

  it('is refused for a link to a file or a heading that is not there', () => {
    const textOf = (path: string): string | null => (path === 'docs/b.md' ? '# A heading: `one`\n' : null)
    const linking = (link: string): string[] => deadLinks({ path: 'docs/a.md', text: `See [this](${link}).` }, textOf)
    expect(linking('b.md#a-heading-one')).toEqual([])
    expect(linking('b.md#another')).toEqual(['docs/a.md: no such heading: b.md#another'])
    expect(linking('c.md')).toEqual(['docs/a.md: no such file: c.md'])
  })
})

/** Names of ours, by capital letter, in the second column of tables that say what is what; each is `page: Name`. */
function namesOfOurs({ path, text }: Page): string[] {
  const rows = [...text.matchAll(/^\| .*? \| (.*?) \|/gm)].map(({ 1: cell = '' }) => cell)
  const code = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(({ 1: text = '' }) => text))
  return code.flatMap((text) => text.match(/\b[A-Z]\w+\b/g) ?? []).map((name) => `${path}: ${name}`)
}

/** The names that the package publishes. */
function publishedNames(): Set<string> {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: object }
  const entries = Object.values(exports).flatMap((one: string | { types: string }) => {
    return typeof one === 'string' ? [] : [one.types.replace(/^\.\/dist/, 'src').replace(/\.d\.ts$/, '.ts')]
  })
  return new Set(entries.flatMap((entry) => readFileSync(join(ROOT, entry), 'utf8').match(/\b[A-Z]\w+\b/g) ?? []))
}

describe('the pages for those who come from elsewhere', () => {
  const tables = pages().filter(({ path }) => path.startsWith('docs/guide/from-'))

  it('say of nothing that it is ours which is not published', () => {
    const published = publishedNames()
    const named = tables.flatMap(namesOfOurs)
    expect(named).toContain('docs/guide/from-curator.md: FairLock')
    expect(named.filter((name) => !published.has(name.replace(/.*: /, '')))).toEqual([])
  })

  it('have each class of Curator that an application names', () => {
    const { text = '' } = tables.find(({ path }) => path.endsWith('from-curator.md')) ?? {}
    expect(CURATOR_CLASSES.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})

describe('the examples in the documentation', () => {
  const examples = pages().flatMap(examplesOf)

  beforeAll(() => {
    rmSync(join(ROOT, EXTRACTED), { recursive: true, force: true })
    mkdirSync(join(ROOT, EXTRACTED), { recursive: true })
    // `export {}` makes a program without imports a module too.
    for (const { file, code } of examples) writeFileSync(join(ROOT, file), `${code}\nexport {}\n`)
  })

  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('are there, in the README and in the guides', () => {
    const names = examples.map(({ name }) => name)
    expect(names).toContainEqual(expect.stringMatching(/^README\.md:/))
    expect(names).toContainEqual(expect.stringMatching(/^docs\/guide\//))
  })

  it('are accepted by the compiler', () => {
    expect(compile(examples.map(({ file }) => file))).toEqual([])
  })

  it('are refused by the compiler when they use what is not there', () => {
    const file = `${EXTRACTED}/wrong.ts`
    writeFileSync(join(ROOT, file), "import { NoSuchName } from 'quorate'\n\nconsole.log(NoSuchName)\n")
    expect(compile([file])).toEqual([expect.stringMatching(/^test\/\.docs\/wrong\.ts:1: .*NoSuchName/)])
  })

  it.each(examples.filter(({ runs }) => runs))('run: $name', async ({ file, prints }) => {
    const log = vi.spyOn(console, 'log').mockReturnValue()
    await import(/* @vite-ignore */ join(ROOT, file))
    const printed = log.mock.calls.map((values) => `${format(...values)}\n`).join('')
    if (prints !== null) expect(printed).toBe(prints)
  })
})
