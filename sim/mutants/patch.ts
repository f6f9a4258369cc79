/**
 * Makes a mutant: copies compiled code and changes the copy.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Edit, Mutant } from './mutant.ts'

/** The edit that takes the teeth out of every assertion. */
const ASSERTIONS_OFF: Edit = { file: 'core/assert.ts', from: 'if (!condition)', to: 'if (false)' }

/** The compiled code that this file is part of: `src` and `sim`. */
const COMPILED = fileURLToPath(new URL('../../', import.meta.url))

/** How a mutant is made. */
export interface MakeMutantOptions {
  /** The target, whose content is replaced. It has to lie below a folder in which packages are found. */
  readonly folder: string
  /** The compiled code to copy; by default that which this module is part of. */
  readonly compiled?: string
  readonly assertions: 'on' | 'off'
}

/**
 * Makes a mutant.
 *
 * @throws RangeError if an edit does not fit the code: its text must be there exactly once
 */
export function makeMutant(mutant: Pick<Mutant, 'edits'>, options: MakeMutantOptions): void {
  const { folder, compiled = COMPILED, assertions } = options
  rmSync(folder, { recursive: true, force: true })
  cpSync(compiled, folder, { recursive: true, filter: (path) => !/\.(map|d\.ts)$/.test(path) })
  // Below node_modules nothing of the package above is known.
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  const edits = assertions === 'on' ? mutant.edits : [...mutant.edits, ASSERTIONS_OFF]
  for (const edit of edits) {
    const file = join(folder, 'src', compiledName(edit.file))
    writeFileSync(file, applied(edit, readFileSync(file, 'utf8')))
  }
}

/**
 * The text of a file after an edit.
 *
 * @throws RangeError if what it replaces is not there exactly once
 */
export function applied({ file, from, to }: Edit, text: string): string {
  const parts = text.split(from)
  if (parts.length !== 2) throw new RangeError(`${parts.length - 1} times in ${file}: ${from}`)
  return parts.join(to)
}

/** The name of the compiled file of a source file. */
function compiledName(file: string): string {
  return file.replace(/\.ts$/, '.js')
}
