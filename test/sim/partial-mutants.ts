/**
 * Makes only that part of a mutant which differs from the code as it is, so that mutants can run in one process and
 * share all else that V8 has compiled there: most of a mutant's first run would be spent on compiling it again.
 *
 * Model     the part is the files that are edited, those that import them, directly or by way of others, and the one
 *           that the run begins with. They import each other, and what is not among them from where it is.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Mutant } from '../../sim/mutants/mutant.ts'
import { applied } from '../../sim/mutants/patch.ts'

/** The names of other files in a compiled file, in whatever way it imports them: all begin with a dot. */
const IMPORT = /(?<=\b(?:from|import)\s*\(?\s*["'])\.[^"']+(?=["'])/g

/** Compiled code, and who imports whom in it. */
export class CompiledCode {
  readonly #folder: string
  readonly #texts = new Map<string, string>()
  readonly #importers = new Map<string, string[]>()

  /** @param folder - the code, with the names of its files in the repository but for their `.js` */
  constructor(folder: string) {
    this.#folder = folder
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.js')) continue
      const text = readFileSync(join(folder, file), 'utf8')
      this.#texts.set(file, text)
      for (const [name] of text.matchAll(IMPORT)) {
        const imported = join(dirname(file), name)
        this.#importers.set(imported, [...(this.#importers.get(imported) ?? []), file])
      }
    }
  }

  /** Writes the files of a mutant that differ into a folder, and in any case the one to begin with. */
  writeDifference({ edits }: Pick<Mutant, 'edits'>, begin: string, folder: string): void {
    const edited = edits.map(({ file }) => `src/${file.replace(/\.ts$/, '.js')}`)
    const reached = new Set<string>()
    const reach = (file: string): void => {
      if (reached.has(file)) return
      reached.add(file)
      for (const importer of this.#importers.get(file) ?? []) reach(importer)
    }
    for (const file of [begin, ...edited]) reach(file)
    for (const file of reached) {
      const own = edits.filter((_, index) => edited[index] === file)
      const text = own.reduce((before, edit) => applied(edit, before), this.#texts.get(file) ?? '')
      const target = join(folder, file)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, text.replace(IMPORT, (name) => {
        const imported = join(dirname(file), name)
        return reached.has(imported) ? name : relative(dirname(target), join(this.#folder, imported))
      }))
    }
  }
}
