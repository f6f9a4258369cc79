/**
 * docs/guarantees.md, as a test: each cell of the matrix names tests, each test that is named exists, and the tables of
 * what engines can give are those of the engines themselves. Write these with `UPDATE_GUARANTEES=1 npx vitest run
 * guarantees`, and review the difference.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { embedded } from '../src/backends/embedded/index.ts'
import { etcd } from '../src/backends/etcd/index.ts'
import { redis } from '../src/backends/redis/index.ts'
import { zookeeper } from '../src/backends/zookeeper/index.ts'
import type { Capabilities } from '../src/core/backend.ts'
import { conformanceGaps } from '../src/testing/conformance/backend-suite.ts'
import { ABILITIES } from './backends/abilities.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from './engines/zookeeper.ts'
import { titlesIn } from './test-titles.ts'

/** A test, or a group of them, that the page names. */
interface NamedTest {
  readonly label: string
  readonly file: string
  readonly title: string
}

/** The part of the page about a recipe. */
interface RecipePart {
  readonly recipe: string
  /** Titles of its tests, of which each group has one. */
  readonly titles: readonly string[]
  readonly cells: readonly string[]
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = 'docs/guarantees.md'
const RECIPES = [
  'FairLock',
  'ExclusiveLock',
  'LeaderElection',
  'AtomicCounter',
  'ConfigCenter',
  'GroupMembership',
  'PersistentNode',
  'ServiceRegistry',
  'Partitioner',
]
/** Those of the table of its own, whose suites run on each engine. */
const OTHERS = [
  'ReadWriteLock',
  'ReentrantLock',
  'Semaphore',
  'MultiLock',
  'SharedValue',
  'SharedCount',
  'IdAllocator',
  'RateLimiter',
  'Barrier',
  'CountDownLatch',
  'DoubleBarrier',
  'DistributedQueue',
  'NodeCache',
  'ChildrenCache',
  'TreeCache',
  'transact',
  'onceOnly',
  'ConfigCenter',
  'LayeredConfig',
]
/** The labels of a cell of theirs: one for each fault, by engine. */
const OTHER_LABELS = ['E', 'Z', 'T', 'R'].map((engine) => {
  return ['1', '2', '3', '4', '5', 'P'].map((fault) => `${engine}${fault}`)
})
/** Where the suites are registered that run on each engine. */
const SUITES = 'test/testing/recipe-suites.ts'
const FAULTS = 7
const ENGINES = 4

const text = readFileSync(join(ROOT, PAGE), 'utf8')

function namedTests(page: string): NamedTest[] {
  const rows = page.matchAll(/^\| ([EZTR][P\d]) \| `(.+?)` \| `(.+?)` \|$/gm)
  return [...rows].map(({ 1: label = '', 2: file = '', 3: title = '' }) => ({ label, file, title }))
}

function recipeParts(page: string): RecipePart[] {
  return RECIPES.map((recipe) => {
    const [, part = ''] = new RegExp(`^## ${recipe}$(.*?)^## `, 'ms').exec(page) ?? []
    const rows = part.split('\n').filter((line) => /^\| [a-z]/.test(line))
    const cells = rows.flatMap((row) => row.split('|').slice(2, -1).map((cell) => cell.trim()))
    const titles = [...part.matchAll(/`([^`]+)`/g)].map(({ 1: title = '' }) => title)
    return { recipe, cells, titles: titles.filter((title) => /^\w+:? /.test(title) && title.startsWith(recipe)) }
  })
}

/** The labels in a cell; E1-E5 stands for E1 to E5. */
function labelsOf(cell: string): string[] {
  const spelt = cell.replace(/\b([EZTR])(\d)-\1(\d)\b/g, (_all, engine: string, first: string, last: string) => {
    const count = Number(last) - Number(first) + 1
    return Array.from({ length: count }, (_, index) => `${engine}${Number(first) + index}`).join()
  })
  return spelt.match(/\b[EZTR][P\d]\b/g) ?? []
}

/** The faults in the names of tests on a page. */
function problemsOf(page: string): string[] {
  const tests = namedTests(page)
  const has = (file: string, title: string): boolean => titlesIn(file).some((one) => one.test(title))
  const problems = tests
    .filter(({ file, title }) => !has(file, title))
    .map(({ label, file, title }) => `${label}: no test "${title}" in ${file}`)
  for (const { recipe, cells, titles } of recipeParts(page)) {
    if (cells.length !== FAULTS * ENGINES) problems.push(`${recipe}: ${cells.length} cells`)
    if (titles.length !== 2) problems.push(`${recipe}: names ${titles.length} tests`)
    for (const cell of cells) {
      const labels = labelsOf(cell)
      if (labels.length === 0) problems.push(`${recipe}: no test for "${cell}"`)
      const named = labels.flatMap((label) => tests.filter((test) => test.label === label))
      if (named.length < labels.length) problems.push(`${recipe}: an unknown label in "${cell}"`)
      const isShown = named.some(({ file }) => titles.some((title) => has(file, title)))
      if (labels.length > 0 && !isShown) problems.push(`${recipe}: no test of its own for "${cell}"`)
    }
  }
  const used = new Set(recipeParts(page).flatMap(({ cells }) => cells.flatMap(labelsOf)))
  return [...problems, ...tests.filter(({ label }) => !used.has(label)).map(({ label }) => `${label}: not used`)]
}

/** The faults in the table of the other recipes. */
function problemsOfOthers(page: string): string[] {
  const [, part = ''] = /^## The other recipes$(.*?)^## /ms.exec(page) ?? []
  const cases = [...part.matchAll(/^\| ([SV]\d+) \| `(.+?)` \| `(.+?)` \|$/gm)].map((row): NamedTest => {
    const { 1: label = '', 2: file = '', 3: title = '' } = row
    return { label, file, title }
  })
  const rows = [...part.matchAll(/^\| `((\w+) [^`]+)` \| (.+) \|$/gm)].map((row): OtherRow => {
    const { 1: title = '', 2: recipe = '', 3: cells = '' } = row
    return { title, recipe, cells: cells.split(' | ') }
  })
  const used = new Set(rows.flatMap(({ cells }) => cells.flatMap(caseLabelsOf)))
  return [
    ...OTHERS.filter((recipe) => rows.every((row) => row.recipe !== recipe)).map((recipe) => `${recipe}: no row`),
    ...cases.filter(({ label }) => !used.has(label)).map(({ label }) => `${label}: not used`),
    ...cases.filter(({ file, title }) => !sourceOf(file).includes(`'${title}'`))
      .map(({ label, file, title }) => `${label}: no case "${title}" in ${file}`),
    ...rows.flatMap((row) => [...problemsOfFaults(row, namedTests(page)), ...problemsOfMore(row, cases)]),
  ]
}

/** A row of the table of the other recipes: its cells are one per engine, and that of what else shows the promise. */
interface OtherRow {
  /** The title of its test in each group. */
  readonly title: string
  readonly recipe: string
  readonly cells: readonly string[]
}

/** Each cell names the group of every fault, and each group has the test of the recipe. */
function problemsOfFaults({ title, recipe, cells }: OtherRow, tests: readonly NamedTest[]): string[] {
  if (cells.length !== OTHER_LABELS.length + 1) return [`${recipe}: ${cells.length} cells`]
  return OTHER_LABELS.flatMap((labels, column) => {
    const cell = cells[column] ?? ''
    const named = labelsOf(cell)
    const groups = tests.filter(({ label }) => labels.includes(label))
    return [
      ...labels.filter((label) => !named.includes(label)).map((label) => `${recipe}: no ${label} in "${cell}"`),
      ...groups.filter(({ file }) => !titlesIn(file).some((one) => one.test(title)))
        .map(({ label, file }) => `${recipe}: ${label} has no test "${title}" in ${file}`),
    ]
  })
}

function problemsOfMore({ recipe, cells }: OtherRow, cases: readonly NamedTest[]): string[] {
  const cell = cells.at(-1) ?? ''
  const labels = caseLabelsOf(cell)
  if (labels.length === 0) return [`${recipe}: nothing more in "${cell}"`]
  return labels.flatMap((label) => {
    const named = cases.find((one) => one.label === label)
    if (named === undefined) return [`${recipe}: an unknown label in "${cell}"`]
    return isOf(recipe, named) ? [] : [`${recipe}: ${label} is of another recipe`]
  })
}

/** Whether a case is of a suite that is registered for a recipe, or a test of a file that has to do with it. */
function isOf(recipe: string, { label, file }: NamedTest): boolean {
  if (label.startsWith('V')) return new RegExp(`\\b${recipe}\\b`).test(sourceOf(file))
  const suites = [...sourceOf(file).matchAll(/^export function (\w+Suite)\(/gm)].map(({ 1: suite = '' }) => suite)
  const registered = new RegExp(`\\b(${suites.join('|')})\\(runner, \\{\\s*\\.\\.\\.engine,\\s*name: '${recipe}\\b`)
  return registered.test(sourceOf(SUITES))
}

function caseLabelsOf(cell: string): string[] {
  return cell.match(/\b[SV]\d+\b/g) ?? []
}

function sourceOf(file: string): string {
  return existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : ''
}

type Engines = readonly (readonly [name: string, capabilities: Capabilities])[]

function capabilityTable(engines: Engines): string {
  const rows: readonly (readonly [string, (capabilities: Capabilities) => string])[] = [
    ['an acknowledged write survives the end of', ({ durability }) => DURABILITY[durability]],
    ['a check of a creation is one request', (one) => (one.comparesCreations ? 'yes' : 'no')],
    ['a read behind `sync` is linearizable', (one) => yes(one.linearizableSync, 'while a leader is deposed')],
    ['container nodes', ({ containers }) => yes(containers)],
    ['time to live', ({ ttlGranularityMs }) => (ttlGranularityMs === null ? 'no' : `to ${ttlGranularityMs} ms`)],
    ['access control lists', ({ acl }) => yes(acl)],
    ['longest data of a node, in bytes', ({ dataBytesMax }) => dataBytesMax.toLocaleString('en')],
  ]
  return tableOf(
    ['', ...engines.map(([name]) => name)],
    rows.map(([title, cell]) => [title, ...engines.map(([, capabilities]) => cell(capabilities))]),
  )
}

const DURABILITY: Readonly<Record<Capabilities['durability'], string>> = {
  disk: 'all servers',
  memory: 'a minority of the servers',
  'best-effort': 'none for sure',
}

const DOES = { refused: 'asks for a refusal', skipped: 'skips it' } as const

function gapTable(engines: Engines): string {
  const gaps = engines.flatMap(([name, capabilities]) => {
    return conformanceGaps(capabilities, ABILITIES).map((gap) => ({ engine: name, ...gap }))
  })
  const refused = gaps.filter(({ kind }) => kind === 'refused')
  const skipped = gaps.filter(({ kind }) => kind === 'skipped')
  const rows = [...refused, ...skipped].map(({ engine, name, kind, reason }) => [engine, name, DOES[kind], reason])
  return [
    tableOf(['engine', 'case', 'what the suite does', 'reason'], rows),
    '',
    skipped.length === 0 ? 'No case is skipped on any engine.' : `${skipped.length} cases are skipped.`,
  ].join('\n')
}

function yes(is: boolean, unless = ''): string {
  if (is) return 'yes'
  return unless === '' ? 'no' : `not ${unless}`
}

function tableOf(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** A page with its generated parts made again. */
function generated(page: string, parts: Readonly<Record<string, string>>): string {
  return page.replace(/(<!-- generated: (\w+) -->\n).*?(?=<!-- end -->)/gs, (_all, begin: string, name: string) => {
    return `${begin}\n${parts[name] ?? ''}\n\n`
  })
}

describe('the guarantees', () => {
  it('name a test in each cell of the matrix, and each of these tests exists', () => {
    expect(problemsOf(text)).toEqual([])
  })

  it('are refused if a test is not there, a cell names none, or a label stands for nothing', () => {
    const without = (what: string, by: string): string[] => problemsOf(text.replace(what, by))
    expect(without('`embedded: the leader of three is killed`', '`embedded: a flood`')).toEqual([
      'E5: no test "embedded: a flood" in test/backends/embedded/recipe-faults.test.ts',
    ])
    expect(without('holds (E1)', 'holds')).toEqual(['FairLock: no test for "holds"'])
    expect(without('holds (E1)', 'holds (E9)')).toContain('FairLock: an unknown label in "holds (E9)"')
    expect(without('`ConfigCenter brings', '`ConfigCenter hides')).toContain(
      'ConfigCenter: no test of its own for "holds (E1)"',
    )
  })

  it('name the group of each fault in each cell of the other recipes, and cases of that recipe beside', () => {
    expect(problemsOfOthers(text)).toEqual([])
    expect(text).not.toContain('not tested |')
  })

  it('are refused if a fault or a case is not there, is of another recipe, or stands for nothing', () => {
    const without = (what: string, by: string): string[] => problemsOfOthers(text.replace(what, by))
    expect(without('`a loss is told to every lease`', '`a loss is kept secret`')).toEqual([
      'S5: no case "a loss is kept secret" in src/testing/conformance/reentrant-suite.ts',
    ])
    const [semaphore = ''] = /^\| `Semaphore .*$/m.exec(text) ?? []
    const changed = (what: string, by: string): string[] => without(semaphore, semaphore.replace(what, by))
    expect(changed('S6', 'S5')).toEqual(['S6: not used', 'Semaphore: S5 is of another recipe'])
    expect(changed('S6', 'S99')).toContain('Semaphore: an unknown label in "S99, V1, V4"')
    expect(changed('S6, V1, V4', 'much')).toContain('Semaphore: nothing more in "much"')
    expect(changed('holds (E1-E5, EP)', 'not tested')).toContain('Semaphore: no E1 in "not tested"')
    expect(changed('T1-T5', 'T1-T4')).toEqual(['Semaphore: no T5 in "holds (T1-T4, TP)"'])
    expect(changed('holds (E1-E5, EP) | ', '')).toEqual(['Semaphore: 4 cells'])
    expect(changed('gives out', 'hands')).toContain(
      'Semaphore: E1 has no test "Semaphore hands no more permits than there are, and serves everyone again" in '
        + 'test/backends/embedded/recipe-faults.test.ts',
    )
    expect(without('| `MultiLock has', '| MultiLock has')).toContain('MultiLock: no row')
  })

  const skipped = reasonToSkipZooKeeper()
  const reason = skipped === null ? '' : ` (skipped: ${skipped})`
  it.skipIf(skipped !== null)(`say of each engine what it says of itself${reason}`, async () => {
    const engine = await startZooKeeper()
    try {
      // Whether it takes a time to live, ZooKeeper tells with the first session.
      const onZooKeeper = zookeeper(engine.connectString)
      await (await onZooKeeper.open({ onError: () => undefined })).close()
      const engines: Engines = [
        ['embedded', embedded().capabilities],
        ['ZooKeeper', onZooKeeper.capabilities],
        ['etcd', etcd('http://127.0.0.1:2379').capabilities],
        ['Redis', redis('redis://127.0.0.1:6379').capabilities],
      ]
      const expected = generated(text, { capabilities: capabilityTable(engines), gaps: gapTable(engines) })
      if (process.env['UPDATE_GUARANTEES'] === '1') writeFileSync(join(ROOT, PAGE), expected)
      else expect(text).toBe(expected)
    } finally {
      await engine.stop()
    }
  })
})
