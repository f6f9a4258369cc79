/**
 * The source as JavaScript, for tests that start processes of their own: Node.js 20 does not run TypeScript.
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Below `node_modules`, where packages are found. */
const CACHE = join(ROOT, 'node_modules/.cache')
/** Code that was compiled before, by a digest of its sources: a dozen test files of a run want the same. */
const COMPILED = join(CACHE, 'quorate-compiled')
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

/** Compiles `src` into a folder, each file by itself and without a look at the types. */
export function compileInto(folder: string): void {
  compile(join(ROOT, 'src'), folder)
}

/** Compiles `examples` into a folder, which must be in a compiled package. */
export function compileExamplesInto(folder: string): void {
  compile(join(ROOT, 'examples'), folder)
}

/** Compiles `src` and `sim` into folders of these names, as the simulation runs. */
export function compileSimulationInto(folder: string): void {
  for (const name of ['src', 'sim']) compile(join(ROOT, name), join(folder, name))
}

function compile(source: string, folder: string): void {
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const file = join(folder, name.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, compiled(readFileSync(join(source, name), 'utf8'), name))
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
    // Others compile the same at the same time: they find all of it or nothing.
    const part = `${file}-${randomUUID()}`
    writeFileSync(part, outputText)
    renameSync(part, file)
    return outputText
  }
}
