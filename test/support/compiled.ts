/**
 * The source as JavaScript, for tests that start processes of their own: Node.js 20 does not run TypeScript.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
}

/** Makes a folder of its own below `node_modules`, where packages are found; whoever asked for it removes it. */
export function scratchFolder(): string {
  const cache = join(ROOT, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  return mkdtempSync(join(cache, 'quorate-'))
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
    const text = readFileSync(join(source, name), 'utf8')
    const { outputText } = ts.transpileModule(text, { compilerOptions: OPTIONS, fileName: name })
    const file = join(folder, name.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, outputText)
  }
}
