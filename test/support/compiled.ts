/**
 * The source as JavaScript, for tests that start processes of their own: Node.js 20 does not run TypeScript.
 */
import { execFileSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Below `node_modules`, where packages are found. */
const CACHE = join(ROOT, 'node_modules/.cache')
/** Files that were compiled before, each by a digest of its source: several test files of a run want the same. */
const COMPILED = join(CACHE, 'quorate-compiled')
/** Packages that were built before, by a digest of all they were built from. */
const BUILT = join(CACHE, 'quorate-built')
const VITE = join(ROOT, 'node_modules/vite/bin/vite.js')
const PACKAGE_CONFIG = 'vite-package.config.ts'
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
}

/** Makes a folder of its own below `node_modules`, where packages are found; whoever asked for it removes it. */
export function scratchFolder(): string {
  mkdirSync(CACHE, { recursive: true })
  return mkdtempSync(join(CACHE, 'quorate-'))
}

/** Puts the code of the package into a folder, as `npm run build:code` puts it into `dist`. */
export function buildPackageInto(folder: string): void {
  const sources = sourcesIn('src').map((name) => join('src', name))
  const digest = createHash('sha256')
  for (const name of ['package.json', PACKAGE_CONFIG, ...sources.sort()]) {
    digest.update(`${name}\0`).update(readFileSync(join(ROOT, name))).update('\0')
  }
  const built = join(BUILT, digest.digest('hex'))
  if (!existsSync(built)) {
    const part = `${built}-${randomUUID()}`
    const options = ['--config', PACKAGE_CONFIG, '--outDir', part, '--logLevel', 'warn']
    execFileSync(process.execPath, [VITE, 'build', ...options], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
    putInPlace(part, built)
  }
  cpSync(built, folder, { recursive: true })
}

/** Compiles `examples` into a folder, which must be in a compiled package. */
export function compileExamplesInto(folder: string): void {
  compile('examples', folder)
}

/** Compiles `src` and `sim` into folders of these names, as the simulation runs. */
export function compileSimulationInto(folder: string): void {
  for (const name of ['src', 'sim']) compile(name, join(folder, name))
}

/** Puts the fuzzer and all that it stands on into a folder. */
export function compileFuzzerInto(folder: string): void {
  for (const name of ['src', 'sim', 'fuzz', 'chaos', 'test']) compile(name, join(folder, name))
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
}

/** Others build or compile the same at the same time: they find all of it or nothing. */
function putInPlace(part: string, whole: string): void {
  try {
    renameSync(part, whole)
  } catch (error) {
    rmSync(part, { recursive: true, force: true })
    if (!existsSync(whole)) throw error
  }
}

function compile(source: string, folder: string): void {
  for (const name of sourcesIn(source)) {
    const file = join(folder, name.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, compiled(readFileSync(join(ROOT, source, name), 'utf8'), name))
  }
}

/** The JavaScript of a file; from the cache, if it was compiled before. */
function compiled(text: string, fileName: string): string {
  const key = createHash('sha256').update(JSON.stringify([ts.version, OPTIONS, fileName, text])).digest('hex')
  const file = join(COMPILED, `${key}.js`)
  try {
    return readFileSync(file, 'utf8')
  } catch {
    const { outputText } = ts.transpileModule(text, { compilerOptions: OPTIONS, fileName })
    mkdirSync(COMPILED, { recursive: true })
    const part = `${file}-${randomUUID()}`
    writeFileSync(part, outputText)
    putInPlace(part, file)
    return outputText
  }
}
