/** The lines that a shell has run, by their numbers from 0. */
import { UsageError } from '../exit-status.ts'
import { shownLine } from '../secrets.ts'

/** How many lines `history` shows. */
const SHOWN_MAX = 11

/** A line and its number. */
export interface NumberedLine {
  readonly number: number
  readonly line: string
}

/** The lines of one shell, in the order in which they were typed. */
export class LineHistory {
  readonly #lines: string[] = []

  /** The number of the next line. */
  get length(): number {
    return this.#lines.length
  }

  add(line: string): void {
    this.#lines.push(line)
  }

  /** The last lines, without anything that may be a secret. */
  last(): readonly NumberedLine[] {
    const first = Math.max(0, this.#lines.length - SHOWN_MAX)
    return this.#lines.slice(first).map((line, index) => ({ number: first + index, line: shownLine(line) }))
  }

  /**
   * Finds the line that a `redo` names. The `redo` itself, which was the last line, is forgotten.
   *
   * @param text - the number as it was typed
   * @throws UsageError if there is no such line, or if it is a `redo` too
   */
  redo(text: string): string {
    const last = this.#lines.length - 1
    const number = /^\d+$/.test(text) ? Number(text) : Infinity
    const line = number < last ? this.#lines[number] : undefined
    if (line === undefined) throw new UsageError(`there is no command ${text} in the history`)
    if (/^\s*redo\b/.test(line)) throw new UsageError('No redoing redos')
    this.#lines.pop()
    return line
  }
}
