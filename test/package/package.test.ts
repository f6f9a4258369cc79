/** The published package, as users install it: its files, how its modules load, and its types in each compiler. */
import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { block, initArguments, page } from './documented.ts'
import { PublishedPackage, ROOT } from './published.ts'
import type { Manifest, Project } from './published.ts'

const GETTING_STARTED = 'docs/getting-started.md'
const FIRST_PROGRAM = block('README.md', '## In twenty lines', 'ts')
const FIRST_PROGRAM_PRINTS = /^worker-1 has joined\nthe discount is 10 %\ncharging with fence \d+ false\n$/
/** Packages of others that some entries need, and what those need of the application. */
const PEERS = [
  ...['@opentelemetry/api', 'yaml', 'fastify'],
  ...['@nestjs/common', '@nestjs/core', 'rxjs', 'reflect-metadata'],
]
/** The names of the compilers in package.json of the repository. */
const COMPILERS = ['typescript-5.6', 'typescript-5.9', 'typescript']
/** A compiler takes seconds, and many of them on a machine under load. */
const COMPILE_MS_MAX = 300_000
const UNPACKED_BYTES_MAX = 5_000_000

let published: PublishedPackage
let manifest: Manifest

beforeAll(async () => {
  published = await PublishedPackage.pack()
  manifest = published.manifest()
}, COMPILE_MS_MAX)

afterAll(() => {
  published.remove()
})

/** The entries that load in a test runner alone. */
const IN_A_RUNNER = ['quorate/testing/vitest', 'quorate/testing/jest']

/** The published names, such as `quorate/embedded`, with the file of each. */
function entries(): [name: string, file: string][] {
  return Object.entries(manifest.exports).flatMap(([path, entry]) =>
    typeof entry === 'string' ? [] : [[`quorate${path.slice(1)}`, entry.default] as [string, string]],
  )
}

/** The files of code that one of them needs, itself among them. */
function reachedFrom(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  const text = readFileSync(join(published.folder, file), 'utf8')
  const targets = text.matchAll(/(?:\bfrom |\bimport |\bimport\()['"](\.[^'"]+\.js)['"]/g)
  for (const { 1: target = '' } of targets) reachedFrom(join(dirname(file), target), seen)
  return seen
}

/** A program that imports everything, and whose types are wrong if those of an entry are not found. */
function useOfEveryEntry(): string {
  const names = entries().map(([name]) => name)
  const imports = names.map((name, index) => `import * as entry${index} from '${name}'\n`)
  // Not so if a module is not found, and its names are of any type.
  const isAny = names.map((_, index) => `const is${index}: 0 extends 1 & typeof entry${index} ? true : false = false\n`)
  return `${imports.join('')}${isAny.join('')}console.log(${names.map((_, index) => `is${index}`).join()})\n`
}

async function compile(project: Project, compiler: string, ...args: string[]): Promise<void> {
  expect(await project.tsc(compiler, ...args)).toEqual({ status: 0, output: '' })
}

describe('the packed package', () => {
  it('holds what its entry points reach, the documentation, and nothing else', () => {
    const starts = [...entries().map(([, file]) => file), ...Object.values(manifest.bin)]
    const used = new Set(starts.flatMap((file) => [...reachedFrom(join(file))]))
    // Of each module; the compiler finds them from the entries, as the bundler finds the code.
    const declarations = /^dist\/.*\.d\.ts$/
    const operations = /^docs\/operations\/[\w-]+\.(json|yml)$/
    const pages = /^docs\/(?!api\/).*\.md$|^(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md$/
    const builtPage = /^dist\/dashboard\/page\/(index\.html|page\.js|index\.css|icon\.svg)$/
    const pictures = /^docs\/(guide\/\w+\.png|\w+\.svg)$/
    const others = published.files().filter((path) =>
      !used.has(path) && ![declarations, pages, pictures, operations, builtPage].some((form) => form.test(path))
      && !['package.json', 'LICENSE'].includes(path),
    )
    expect(others).toEqual([])
    const bytes = published.files().reduce((sum, path) => sum + readFileSync(join(published.folder, path)).length, 0)
    expect(bytes).toBeLessThan(UNPACKED_BYTES_MAX)
  })

  it('has every page that its pages link to', () => {
    const files = new Set(published.files())
    const dead = [...files].filter((path) => path.endsWith('.md')).flatMap((path) => {
      const prose = readFileSync(join(published.folder, path), 'utf8').replace(/^```.*?^```$/gms, '')
      const links = [...prose.replace(/`[^`\n]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(({ 1: link = '' }) => link)
      const inner = links.filter((link) => !/^([a-z]+:|#)/.test(link)).map((link) => link.replace(/#.*/, ''))
      return inner.filter((link) => !files.has(join(dirname(path), link))).map((link) => `${path}: ${link}`)
    })
    expect(dead).toEqual([])
  })

  it('tells compilers that do not know "exports" the same as those that do', () => {
    const typings: Record<string, readonly string[]> = {}
    for (const [path, entry] of Object.entries(manifest.exports)) {
      if (typeof entry !== 'string' && path !== '.') typings[path.slice(2)] = [entry.types]
    }
    expect(manifest.typesVersions).toEqual({ '*': typings })
    expect(manifest.exports['.']).toEqual({ types: manifest.types, default: manifest.main })
  })

  it('loads each entry by import and by require, as the same module, without ioredis', async () => {
    const project = published.project('module', PEERS)
    const loaded = entries().map(([name]) => name).filter((name) => !IN_A_RUNNER.includes(name))
    const names = JSON.stringify(loaded)
    project.write('load.mjs', `
      import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      for (const name of ${names}) console.log(name, (await import(name)) === require(name))`)
    const { output } = await project.node('load.mjs')
    expect(output).toBe(loaded.map((name) => `${name} true\n`).join(''))
  })

  it('says of an entry for a test runner that it needs one', async () => {
    const project = published.project('module')
    const loading = IN_A_RUNNER.map((name) => `await import('${name}').catch(({ message }) => console.log(message))`)
    project.write('load.mjs', loading.join('\n'))
    const { output } = await project.node('load.mjs')
    expect(output).toMatch(/^Cannot find package 'vitest' .*\nquorate\/testing\/jest needs the globals of Jest: /)
  })

  it('has the command', async () => {
    const main = join('node_modules/quorate', manifest.bin['quorate'] ?? '')
    const ran = await published.project('module').node(main, ['version'])
    expect(ran).toEqual({ status: 0, output: `quorate ${manifest.version}\n` })
  })
})

describe('the compiler of the build', () => {
  it('is the one that package.json calls typescript, of those that have the same command', () => {
    expect(realpathSync(join(ROOT, 'node_modules/.bin/tsc'))).toMatch(/\/typescript\/bin\/tsc$/)
  })
})

describe('the first program in JavaScript', () => {
  it('runs as it is', async () => {
    const project = published.project('module')
    project.write('first.js', block(GETTING_STARTED, '**In JavaScript**', 'js'))
    expect((await project.node('first.js')).output).toBe('held\n')
  })
})

describe.each(COMPILERS)('the first program, with %s', { timeout: COMPILE_MS_MAX }, (compiler) => {
  it('runs with the tsconfig.json that `tsc --init` writes as the pages say', async () => {
    const project = published.project('module', ['@types/node'])
    project.write('first.ts', FIRST_PROGRAM)
    const init = initArguments(GETTING_STARTED, '## TypeScript')
    expect(initArguments('README.md', '## In twenty lines')).toEqual(init)
    await project.tsc(compiler, ...init)
    await compile(project, compiler)
    expect((await project.node('first.js')).output).toMatch(FIRST_PROGRAM_PRINTS)
  })

  it('runs with the tsconfig.json of the page, which sees the types of every entry', async () => {
    const project = published.project('module', ['@types/node', 'ioredis', ...PEERS])
    project.write('first.ts', FIRST_PROGRAM)
    project.write('all.ts', useOfEveryEntry())
    project.write('tsconfig.json', block(GETTING_STARTED, '## TypeScript', 'json'))
    // Declarations of the compiler that builds the package say `Uint8Array<ArrayBufferLike>`, which 5.6 does not know.
    await compile(project, compiler, '--skipLibCheck', String(compiler === 'typescript-5.6'))
    expect((await project.node('first.js')).output).toMatch(FIRST_PROGRAM_PRINTS)
  })

  it('runs with a plain `tsc --init` in which module and target are changed, and needs no @types/node', async () => {
    const project = published.project('module')
    project.write('first.ts', FIRST_PROGRAM)
    await project.tsc(compiler, '--init')
    const written = project.read('tsconfig.json')
    const changed = written
      .replace(/"module": "\w+"/, '"module": "nodenext"')
      .replace(/"target": "\w+"/, '"target": "es2022"')
    expect(changed).not.toBe(written)
    project.write('tsconfig.json', changed)
    await compile(project, compiler)
    expect((await project.node('first.js')).output).toMatch(FIRST_PROGRAM_PRINTS)
  })

  it('runs in a CommonJS project, as a function', async () => {
    const project = published.project('commonjs')
    project.write('first.ts', block(GETTING_STARTED, 'the program is a function:', 'ts'))
    const init = initArguments(GETTING_STARTED, 'TypeScript 5.9 and 6 need this:')
    await project.tsc(compiler, ...(compiler === 'typescript-5.6' ? ['--init'] : init))
    await compile(project, compiler, '--skipLibCheck', 'false')
    expect((await project.node('first.js')).output).toBe('held\n')
  })
})

describe('the recipe for Jest', () => {
  it('names every package that is only an ES module', () => {
    const text = block('docs/guide/test-with-jest.md', '## With ts-jest', 'json')
    const [ignored = ''] = (JSON.parse(text) as { transformIgnorePatterns: string[] }).transformIgnorePatterns
    const modules = new Set<string>(['quorate'])
    const add = (name: string): void => {
      const path = join(ROOT, 'node_modules', name, 'package.json')
      const { type, exports, dependencies = {} } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Manifest>
      if (type === 'module' && !JSON.stringify(exports).includes('"require"')) modules.add(name)
      Object.keys(dependencies).forEach(add)
    }
    Object.keys(manifest.dependencies ?? {}).forEach(add)
    for (const name of modules) expect(`/app/node_modules/${name}/index.js`).not.toMatch(new RegExp(ignored))
    expect('/app/node_modules/.pnpm/quorate@0.1.0/node_modules/quorate/index.js').not.toMatch(new RegExp(ignored))
    expect('/app/node_modules/.pnpm/ioredis@5.0.0/node_modules/ioredis/index.js').toMatch(new RegExp(ignored))
    expect('/app/node_modules/ioredis/index.js').toMatch(new RegExp(ignored))
    expect(page('README.md')).toContain('test-with-jest.md')
  })
})
