/** The sources as JavaScript, for tests that run them in processes of their own. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A folder of JavaScript. */
export interface Built {
  /** The file that stands for one of `src`, such as `testing/simulation/worker.ts`. */
  file(source: string): URL
  /** Removes the folder. */
  remove(): void
}

/**
 * Translates `src`, without looking at types. The folder is within the repository, where packages are found.
 *
 * @param change - may change the text of a file, given its path below `src`
 */
export function buildSources(change: (path: string, text: string) => string = (_, text) => text): Built {
  const cache = join(ROOT, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'quorate-'))
  for (const path of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue
    const { outputText } = ts.transpileModule(change(path, readFileSync(join(ROOT, 'src', path), 'utf8')), {
      fileName: path,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    const target = join(folder, path.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, outputText)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  return {
    file: (source) => pathToFileURL(join(folder, source.replace(/\.ts$/, '.js'))),
    remove: () => {
      rmSync(folder, { recursive: true })
    },
  }
}
