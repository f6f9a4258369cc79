/**
 * Style as a test: import layers, sizes, names, dead exports, and texts that must agree with each other. Each
 * rule is run over the repository, and over small bad samples that it has to refuse.
 */
import { basename } from 'node:path/posix'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../src/core/errors.ts'
import { EMBEDDED, LAYERS, SERVER } from './import-layers.ts'
import { hasModifier, importsOf, isCode, isInSource, isSource, parse, repository } from './source-files.ts'
import type { File } from './source-files.ts'
import { ENTRY_POINTS, checkDeadExports, checkDeadMembers } from './unused-code.ts'

/** A rule looks at the files it is about and answers with a line for each thing that is wrong. */
interface Rule {
  readonly name: string
  readonly check: (files: readonly File[]) => string[]
  /** Each is a set of files with something wrong, by path. */
  readonly bad: readonly Readonly<Record<string, string>>[]
}

const FILE_LINES_MAX = 500
const FUNCTION_LINES_MAX = 70
const LINE_COLUMNS_MAX = 120

/** The two halves of a server, which only server.ts may know both. */
const STATE = ['state', 'writes', 'clients'].map((room) => `${SERVER}${room}/`)
const CONSENSUS = `${SERVER}zab/`

/** The simulation's microtask checkpoint, child processes and command line, and its patches of files: decision 0005. */
const SIMULATION_ON_NODE = [
  'src/testing/simulation/native-drain.ts',
  ...['pool', 'worker', 'main', 'tally', 'mutants/patch'].map((name) => `sim/${name}.ts`),
]

/** Where Node.js may be used. */
const OUTSIDE = /^src\/(backends\/([a-z]+\/io|embedded\/host)\/|recipes\/config\/io\/|cli\/|dashboard\/(?!page\/))/

const RUNTIME_DEPENDENCIES = ['p-queue', 'p-retry']
/** Which asynchronous context it runs in, a recipe can know from Node.js alone; and who listens in the process. */
const OF_NODE = [
  { file: 'src/observe/channels.ts', name: 'node:diagnostics_channel' },
  ...['recipes/engine/reentry.ts', 'frameworks/nestjs/with-lock.ts', 'frameworks/nestjs/leader-only.ts']
    .map((file) => ({ file: `src/${file}`, name: 'node:async_hooks' })),
] as const
/** Optional peers, and each only where it is used. */
const PEERS = [
  { from: 'src/backends/redis/', name: 'ioredis' },
  { from: 'src/recipes/config/yaml.ts', name: 'yaml' },
  ...['@nestjs/common', '@nestjs/core', 'reflect-metadata'].map((name) => ({ from: 'src/frameworks/nestjs/', name })),
  { from: 'src/frameworks/fastify/', name: 'fastify' },
  { from: 'src/observe/opentelemetry.ts', name: '@opentelemetry/api' },
  { from: 'src/testing/fixtures/vitest.ts', name: 'vitest' },
  // Bundled into the page when it is built.
  ...['preact', 'preact/hooks'].map((name) => ({ from: 'src/dashboard/page/', name })),
] as const
/** Globals that tests replace, so they are read when they are used and never kept from when a module was loaded. */
const REPLACED_GLOBALS = new Set([
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'queueMicrotask',
  'Date',
  'performance',
  'crypto',
])

interface Ban {
  readonly pattern: RegExp
  readonly why: string
}

/** Banned in every text of the repository, and why. */
const BANNED_TEXT: readonly Ban[] = [
  { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, why: 'finish it, or file an issue' },
  { pattern: /(^|[\s'"`(])(\/work|\/home|\/Users)\/|\.\.\/shared\b/, why: 'a path of one machine' },
  { pattern: /\b(agents?|slaves?)\b/i, why: 'not a word of docs/glossary.md' },
]

/** Turns of phrase that no text of the repository has, and the plain ones. */
const BANNED_PHRASES: readonly Ban[] = [
  { pattern: /\bsee the head of this file\b/i, why: 'say it here, or say nothing' },
  { pattern: /\banew\b/i, why: 'again' },
  { pattern: /\bfor ever\b/i, why: 'forever' },
  { pattern: /(\/\*\*|^\s*\*|\/\/|@returns|@param \w+ -) +What [^?\n]*$/m, why: 'name the thing' },
]

/** Banned in all TypeScript of the repository, and why. */
const BANNED_CODE: readonly Ban[] = [
  { pattern: /\beslint-disable\b|@ts-(ignore|nocheck|expect-error)\b/, why: 'change the code, not the rule' },
  { pattern: /\bas unknown as\b/, why: 'the type is wrong: mend it' },
  { pattern: /^export \*|^export default\b/m, why: 'export by name' },
  { pattern: /^\s*(export )?(declare )?((const )?enum|namespace) \w/m, why: 'a union of literals, a module' },
]

/** Banned in modules that applications load with the package, and why. */
const BANNED_LIBRARY: readonly Ban[] = [
  { pattern: /\bimport\.meta\b/, why: 'Jest, which makes CommonJS of a module, cannot load it' },
]

/** Banned in tests, and why. */
const BANNED_TEST: readonly Ban[] = [
  { pattern: /\b(it|test|describe)\.(only|skip|todo|fails)\b/, why: 'every test runs' },
]

/** Files that have to spell out what is banned. */
const NAMES_BANS = /^(test\/(tidy|lint)\.test\.ts|[a-z.-]+\.config\.[jt]s|site\/\.vitepress\/[a-z/]+\.ts)$/

const isTest = (file: File): boolean => isCode(file) && file.path.startsWith('test/')
const isAny = (): boolean => true

/** A rule that looks at one file at a time. */
function each(which: (file: File) => boolean, check: (file: File) => string[]): Rule['check'] {
  return (files) => files.filter(which).flatMap((file) => check(file))
}

/** A rule about what may stand in a text at all. */
function without(which: (file: File) => boolean, bans: readonly Ban[]): Rule['check'] {
  return each((file) => which(file) && !NAMES_BANS.test(file.path), ({ path, text }) =>
    bans.flatMap(({ pattern, why }) => {
      const found = pattern.exec(text)
      return found === null ? [] : [`${path}: "${found[0].trim()}": ${why}`]
    }),
  )
}

function checkLayers(file: File): string[] {
  const allowed = allowedFor(file.path)
  if (allowed === null) return [`${file.path}: belongs to no layer`]
  return importsOf(file)
    .filter(({ target }) => isInSource(target) || target.startsWith('quorate'))
    .filter(({ target }) => !allowed.some((prefix) => target.startsWith(prefix)))
    .map(({ target }) => `${file.path}: may not import ${target}`)
}

/** The prefixes of files that a file may import; null if it belongs to no layer. */
function allowedFor(path: string): readonly string[] | null {
  for (const { from, to } of LAYERS) {
    const found = new RegExp(`^${from.replace('*', '([^/]+)')}`).exec(path)
    if (found !== null) return to.map((prefix) => prefix.replace('*', found[1] ?? ''))
  }
  return null
}

/** Where a server joins its two halves. */
const JOINTS = [`${SERVER}server.ts`, `${SERVER}roles/`]

/** Follows imports inside server/, through any file but the joints: none may reach both halves. */
function checkServerHalves(files: readonly File[]): string[] {
  const inside = new Map(files.filter(({ path }) => path.startsWith(SERVER)).map((file) => [file.path, file]))
  const reached = (path: string, seen: Set<string>): Set<string> => {
    const file = inside.get(path)
    if (file === undefined || seen.has(path) || JOINTS.some((joint) => path.startsWith(joint))) return seen
    seen.add(path)
    for (const { target } of importsOf(file)) reached(target, seen)
    return seen
  }
  return [...inside.keys()].filter((path) => {
    const all = [...reached(path, new Set())]
    const isOfState = (one: string): boolean => STATE.some((room) => one.startsWith(room))
    return all.some(isOfState) && all.some((one) => one.startsWith(CONSENSUS))
  }).map((path) => `${path}: knows both the state and the consensus`)
}

function checkThirdParty(file: File): string[] {
  const isOutside = OUTSIDE.test(file.path)
  const mayUseNode = isOutside || SIMULATION_ON_NODE.includes(file.path)
  return importsOf(file)
    .filter(({ target }) => !isInSource(target))
    .filter(({ target }) => !(file.path.startsWith('src/core/') && RUNTIME_DEPENDENCIES.includes(target)))
    .filter(({ target }) => !PEERS.some(({ from, name }) => file.path.startsWith(from) && target === name))
    .filter(({ target }) => !(target.startsWith('node:') && mayUseNode))
    .filter(({ target }) => !OF_NODE.some((one) => file.path === one.file && target === one.name))
    .map(({ target }) => `${file.path}: may not import ${target}`)
}

function checkLines(file: File): string[] {
  const lines = file.text.replace(/\n$/, '').split('\n')
  const wide = lines.flatMap((line, index) =>
    line.length > LINE_COLUMNS_MAX ? [`${file.path}:${index + 1}: ${line.length} columns`] : [],
  )
  return lines.length > FILE_LINES_MAX ? [`${file.path}: ${lines.length} lines`, ...wide] : wide
}

function checkFunctions(file: File): string[] {
  const source = parse(file)
  const problems: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && !isGroupOfTests(node)) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line
      const lines = source.getLineAndCharacterOfPosition(node.getEnd()).line - first + 1
      if (lines > FUNCTION_LINES_MAX) problems.push(`${file.path}:${first + 1}: a function of ${lines} lines`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return problems
}

/** The function that is given to `describe` is a list of tests, as a file is. */
function isGroupOfTests(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && /^(\w+\.)?describe\b/.test(node.parent.expression.getText())
}

function checkFileName({ path }: File): string[] {
  const name = basename(path)
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config))?\.tsx?$/.test(name)) return [`${path}: name it in kebab-case`]
  return /^(utils?|helpers?|common|types|misc|shared|lib)\.ts$/.test(name) ? [`${path}: name it for what it holds`] : []
}

function checkKeptGlobals(file: File): string[] {
  const problems: string[] = []
  const keeps = (name: string): unknown => problems.push(`${file.path}: keeps ${name}`)
  const visit = (node: ts.Node): void => {
    // The body of a function and the field of an instance are evaluated later; a type never is.
    if (ts.isFunctionLike(node) || ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return
    if (ts.isPropertyDeclaration(node) && !hasModifier(node, ts.SyntaxKind.StaticKeyword)) return
    const isName = ts.isPropertyAccessExpression(node.parent) && node.parent.name === node
    if (ts.isIdentifier(node) && !isName && REPLACED_GLOBALS.has(node.text)) keeps(node.text)
    if (node.getText() === 'Math.random') keeps('Math.random')
    ts.forEachChild(node, visit)
  }
  parse(file).forEachChild(visit)
  return problems
}

/** Classes of one name are taken for one another. */
function checkClassNames(files: readonly File[]): string[] {
  const homes = new Map<string, string>()
  return files.filter(isSource).flatMap((file) =>
    parse(file).statements.filter(ts.isClassDeclaration).flatMap(({ name }) => {
      const text = name?.text ?? ''
      const home = homes.get(text)
      homes.set(text, file.path)
      return home === undefined ? [] : [`${file.path}: ${home} has a class ${text} too`]
    }),
  )
}

/**
 * TypeDoc asks for the comments of everything else. It would also ask for those of the properties within a union of
 * object types, which the comment of the union describes.
 */
function checkPublishedProperties(files: readonly File[]): string[] {
  const published = new Set(
    files
      .filter(({ path }) => ENTRY_POINTS.includes(path))
      .flatMap((file) => importsOf(file).flatMap(({ target, names }) => names.map((name) => `${target}#${name}`))),
  )
  return files.filter(isSource).flatMap((file) =>
    parse(file).statements.flatMap((statement) => {
      if (!ts.isInterfaceDeclaration(statement) && !ts.isClassDeclaration(statement)) return []
      const owner = statement.name?.text ?? ''
      // A class that implements an interface is described there.
      const isImplementation = ts.isClassDeclaration(statement) && statement.heritageClauses !== undefined
      if (isImplementation || !published.has(`${file.path}#${owner}`)) return []
      return statement.members
        .filter((member) => ts.isPropertySignature(member) || ts.isPropertyDeclaration(member))
        .filter(({ name }) => !ts.isPrivateIdentifier(name))
        .filter((member) => ts.getJSDocCommentsAndTags(member).length === 0)
        .map(({ name }) => `${file.path}: ${owner}.${name.getText()} has no comment`)
    }),
  )
}

function checkErrorPages(files: readonly File[]): string[] {
  const text = files.find(({ path }) => path === 'docs/errors.md')?.text ?? ''
  const headings = [...text.matchAll(/^#+ `?([A-Z][A-Z_]+)`?$/gm)].map(([, code]) => code ?? '')
  const codes: readonly string[] = ERROR_CODES
  return [
    ...codes.filter((code) => !headings.includes(code)).map((code) => `docs/errors.md: no heading for ${code}`),
    ...headings.filter((code) => !codes.includes(code)).map((code) => `docs/errors.md: no such code: ${code}`),
  ]
}

function checkDependencies(files: readonly File[]): string[] {
  const manifest = files.find(({ path }) => path === 'package.json')
  const found = Object.keys((JSON.parse(manifest?.text ?? '{}') as { dependencies?: object }).dependencies ?? {}).sort()
  return found.join() === RUNTIME_DEPENDENCIES.join() ? [] : [`package.json: depends on ${found.join(', ')}`]
}

function checkLockfile(files: readonly File[]): string[] {
  const lock = files.find(({ path }) => path === 'package-lock.json')
  const hosts = lock?.text.match(/"resolved": "[^"]*:[^"]*"/g) ?? []
  return [...new Set(hosts)].map((host) => `package-lock.json: names a registry: ${host}`)
}

const lines = (count: number): string => 'let a\n'.repeat(count)

const RULES: readonly Rule[] = [
  {
    name: 'imports go only where the layers let them',
    check: each(isSource, checkLayers),
    bad: [
      { 'src/core/client.ts': "import { FairLock } from '../recipes/locks/fair-lock.ts'" },
      { 'src/recipes/locks/fair-lock.ts': "import type { Ensemble } from '../../backends/embedded/ensemble.ts'" },
      { 'src/recipes/locks/fair-lock.ts': "import { connect } from 'quorate'" },
      { 'src/recipes/locks/fair-lock.ts': "import { ConfigCenter } from '../config/config-center.ts'" },
      { 'src/recipes/engine/contenders.ts': "import { FairLock } from '../locks/fair-lock.ts'" },
      { 'src/recipes/fair-lock.ts': '' },
      { 'src/observe/channels.ts': "import { Wait } from '../recipes/engine/wait.ts'" },
      { 'src/backends/etcd/index.ts': "export { jute } from '../wire/jute.ts'" },
      { 'src/backends/wire/jute.ts': "import { Xids } from '../client/xids.ts'" },
      { [`${SERVER}state/tree.ts`]: "import { deferred } from '../../../../core/async.ts'" },
      { [`${SERVER}state/tree.ts`]: "const host = await import('../../host/host.ts')" },
      { [`${SERVER}state/tree.ts`]: "import { Preparer } from '../writes/prepare.ts'" },
      { [`${SERVER}zab/leader.ts`]: "import type { State } from '../state/state.ts'" },
      { [`${EMBEDDED}host/host.ts`]: "import { Ensemble } from '../ensemble.ts'" },
      { 'src/testing/index.ts': "let ensemble: import('../backends/embedded/ensemble.ts').Ensemble" },
      { 'src/testing/simulation/world.ts': "import { Model } from '../../../sim/model.ts'" },
      { 'sim/model.ts': "import { Shell } from '../src/cli/shell/shell.ts'" },
      { 'src/dashboard/page/calls.ts': "import { joinPath } from '../../core/path.ts'" },
      { 'src/dashboard/readings/tree.ts': "import { Ensemble } from '../../backends/embedded/ensemble.ts'" },
      { 'src/elsewhere/file.ts': '' },
    ],
  },
  {
    name: 'in a server, state and consensus do not know each other',
    check: checkServerHalves,
    bad: [
      { [`${SERVER}state/tree.ts`]: "import { Zab } from '../zab/zab.ts'", [`${SERVER}zab/zab.ts`]: '' },
      { [`${SERVER}zab/leader.ts`]: "import type { State } from '../state/state.ts'", [`${SERVER}state/state.ts`]: '' },
      {
        [`${SERVER}writes/prepare.ts`]: "import { a } from '../bridge.ts'",
        [`${SERVER}bridge.ts`]: "import { Election } from './zab/election.ts'",
        [`${SERVER}zab/election.ts`]: '',
      },
    ],
  },
  {
    name: 'third parties and Node.js modules stay where they belong',
    check: each(isSource, checkThirdParty),
    bad: [
      { 'src/recipes/engine/mirror.ts': "import PQueue from 'p-queue'" },
      { 'src/core/async.ts': "import { setTimeout } from 'node:timers/promises'" },
      { 'src/recipes/config/config-center.ts': "import { readFile } from 'node:fs/promises'" },
      { 'src/recipes/engine/round.ts': "import { AsyncLocalStorage } from 'node:async_hooks'" },
      { 'src/core/async.ts': "import lodash from 'lodash'" },
      { 'src/observe/connect.ts': "import { channel } from 'node:diagnostics_channel'" },
      { 'src/backends/embedded/ensemble.ts': "import { readFileSync } from 'node:fs'" },
      { 'src/recipes/config/config-center.ts': "import { parse } from 'yaml'" },
      { 'src/backends/etcd/index.ts': "import { Redis } from 'ioredis'" },
      { 'src/dashboard/page/calls.ts': "import { join } from 'node:path'" },
      { 'src/dashboard/index.ts': "import { render } from 'preact'" },
    ],
  },
  {
    name: 'no two classes of the source have one name',
    check: checkClassNames,
    bad: [{ 'src/core/a.ts': 'export class Reader {}', 'src/cli/b.ts': 'class Reader {}' }],
  },
  {
    name: `a file has at most ${FILE_LINES_MAX} lines of at most ${LINE_COLUMNS_MAX} columns`,
    check: each(isCode, checkLines),
    bad: [
      { 'src/core/a.ts': lines(FILE_LINES_MAX + 1) },
      { 'test/a.test.ts': `// ${'x'.repeat(LINE_COLUMNS_MAX)}` },
    ],
  },
  {
    name: `a function has at most ${FUNCTION_LINES_MAX} lines`,
    check: each(isCode, checkFunctions),
    bad: [
      { 'src/core/a.ts': `function a() {\n${lines(FUNCTION_LINES_MAX)}}` },
      { 'src/core/a.ts': `class A {\n  a() {\n${lines(FUNCTION_LINES_MAX)}}\n}` },
      { 'test/a.test.ts': `describe('a', () => {\nit('b', () => {\n${lines(FUNCTION_LINES_MAX)}})\n})` },
    ],
  },
  {
    name: 'a file is named for what it holds',
    check: each(isCode, checkFileName),
    bad: [{ 'src/core/utils.ts': '' }, { 'src/core/types.ts': '' }, { 'src/core/fairLock.ts': '' }],
  },
  {
    name: 'nothing is left over in any text',
    check: without(isAny, BANNED_TEXT),
    bad: [
      { 'README.md': 'TODO: write this' },
      { 'docs/a.md': 'see /home/me/notes' },
      { 'docs/a.md': 'see ../shared/notes.md' },
      { 'docs/a.md': 'an agent of the ensemble' },
    ],
  },
  {
    name: 'texts are in plain words',
    check: without(isAny, BANNED_PHRASES),
    bad: ['// See the head of this file.', '// Begin anew', '/** What a does. */'].map((text) => ({ 'a.ts': text })),
  },
  {
    name: 'no rule is switched off, no type forced, nothing exported but by name',
    check: without(isCode, BANNED_CODE),
    bad: [
      { 'src/a.ts': '// eslint-disable-next-line' },
      { 'src/a.ts': '// @ts-expect-error' },
      { 'src/a.ts': 'const a = b as unknown as C' },
      { 'src/a.ts': "export * from './b.ts'" },
      { 'src/a.ts': 'export default 1' },
      { 'src/a.ts': 'export enum A {}' },
    ],
  },
  {
    name: 'an application that is compiled to CommonJS can load what the package exports',
    check: without((file) => /^src\/(?!cli\/|dashboard\/)/.test(file.path), BANNED_LIBRARY),
    bad: [{ 'src/core/a.ts': 'const here = import.meta.url' }],
  },
  {
    name: 'every test runs',
    check: without(isTest, BANNED_TEST),
    bad: [{ 'test/a.test.ts': "it.only('a', () => {})" }, { 'test/a.test.ts': "describe.skip('a', () => {})" }],
  },
  {
    name: 'globals that tests replace are not kept from when a module was loaded',
    check: each(isSource, checkKeptGlobals),
    bad: [
      { 'src/core/a.ts': 'const now = performance.now.bind(performance)' },
      { 'src/core/a.ts': 'const { setTimeout: later } = globalThis; const clock = { later: setTimeout }' },
      { 'src/core/a.ts': 'export const random = Math.random' },
      { 'src/core/a.ts': 'class A { static #id = crypto.randomUUID() }' },
    ],
  },
  {
    name: 'every export of src has somebody who imports it',
    check: checkDeadExports,
    bad: [
      { 'src/core/a.ts': 'export const a = 1', 'src/core/b.ts': "import { c } from './a.ts'" },
      { 'src/core/a.ts': 'export interface A {}' },
      { 'src/core/a.ts': 'export const A = 1\nexport type A = typeof A' },
      { 'src/core/a.ts': 'function a() {}\nexport { a }' },
    ],
  },
  {
    name: 'every member of a class of the source is named by somebody',
    check: checkDeadMembers,
    bad: [
      { 'src/core/a.ts': 'class A {\n  dead(): void {}\n}\nnew A()' },
      { 'src/core/a.ts': 'interface B {\n  dead: 1\n}\nclass A implements B {\n  get dead() {\n return 1 }\n}' },
      { 'src/core/a.ts': '/** Calls dead(). */\nclass A {\n  // dead\n  dead = 1\n}' },
    ],
  },
  {
    name: 'every property of a published interface or class has a comment',
    check: checkPublishedProperties,
    bad: [
      {
        'src/index.ts': "export type { A } from './core/a.ts'",
        'src/core/a.ts': 'export interface A {\n  /** Good. */\n  b: 1\n  c: 2\n}',
      },
      { 'src/index.ts': "export { A } from './core/a.ts'", 'src/core/a.ts': 'export class A { #b = 1; c = 2 }' },
    ],
  },
  {
    name: 'every error code has a heading in docs/errors.md, and the reverse',
    check: checkErrorPages,
    bad: [
      { 'docs/errors.md': '' },
      { 'docs/errors.md': [...ERROR_CODES, 'NO_SUCH'].map((code) => `## ${code}\n`).join('') },
    ],
  },
  {
    name: 'the runtime dependencies are p-queue and p-retry alone',
    check: checkDependencies,
    bad: [
      { 'package.json': '{"dependencies":{"p-queue":"1","p-retry":"1","lodash":"1"}}' },
      { 'package.json': '{}' },
    ],
  },
  {
    name: 'package-lock.json names no registry',
    check: checkLockfile,
    bad: [{ 'package-lock.json': '"resolved": "https://registry.example/a.tgz"' }],
  },
]

describe('the repository', () => {
  const files = repository()

  it.each(RULES.map((rule) => [rule.name, rule] as const))('%s', (_name, rule) => {
    expect(rule.check(files)).toEqual([])
  })

  it('has files of each kind for the rules to look at', () => {
    const folders = new Set(files.map(({ path }) => path.split('/')[0]))
    const expected = ['src', 'sim', 'test', 'docs', 'package.json', 'package-lock.json']
    expect([...folders]).toEqual(expect.arrayContaining(expected))
  })
})

describe('each rule', () => {
  const cases = RULES.flatMap(({ name, check, bad }) =>
    bad.map((sample, index) => ({ title: `${name} (${index + 1})`, check, sample })),
  )

  it.each(cases)('refuses a bad sample: $title', ({ check, sample }) => {
    const files = Object.entries(sample).map(([path, text]) => ({ path, text }))
    expect(check(files)).not.toEqual([])
  })
})
