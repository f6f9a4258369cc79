/**
 * The lines that were typed, kept for the next run in the state folder of the user. It is a convenience: where the file
 * cannot be read or written, there is none, and nothing else changes.
 *
 * Secrets   lines of `addauth` hold passwords and are not kept.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** How many lines are kept. */
const LINES_MAX = 1_000

/** Where the file is, by the XDG base directory specification. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_STATE_HOME: state = '' } = env
  return join(state.startsWith('/') ? state : join(homedir(), '.local', 'state'), 'quorate', 'history')
}

/** Lines in a file; see the head of this one. */
export class HistoryFile {
  /** The lines that there were, oldest first. */
  readonly lines: readonly string[]
  readonly #path: string

  /**
   * Reads the file.
   *
   * @param path - it and its folder are made when they are needed
   */
  constructor(path: string) {
    this.#path = path
    const all = readLines(path)
    this.lines = all.slice(-LINES_MAX)
    if (all.length > 2 * LINES_MAX) attempt(() => writeFileSync(path, lineText(this.lines), { mode: 0o600 }))
  }

  /** Adds a line. */
  add(line: string): void {
    if (line.trim() === '' || /^\s*addauth\b/.test(line)) return
    attempt(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      appendFileSync(this.#path, lineText([line]), { mode: 0o600 })
    })
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '')
  } catch {
    return []
  }
}

function attempt(write: () => void): void {
  try {
    write()
  } catch {
    // A home that cannot be written to is no reason to stop.
  }
}

function lineText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
