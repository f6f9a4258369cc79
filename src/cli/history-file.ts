/**
 * The lines that were typed, kept for the next run in the state folder of the user. It is a convenience: where the file
 * cannot be read or written, there is none, and nothing else changes.
 *
 * Secrets   lines that may hold one are not kept, and neither are those that begin with a space. Such lines of an
 *           earlier version are removed when the file is read. The file is for its owner alone.
 */
import { appendFileSync, chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { holdsSecret } from './secrets.ts'
import { oneLine } from './visible.ts'

/** How many lines are kept. */
const LINES_MAX = 1_000

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/** Where the file is, by the XDG base directory specification. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_STATE_HOME: state = '' } = env
  return join(state.startsWith('/') ? state : join(homedir(), '.local', 'state'), 'quorate', 'history')
}

/** Whether a line may be kept, in a file or in the editor. */
export function isKept(line: string): boolean {
  const withoutTabs = line.replaceAll('\t', ' ')
  return !/^\s|^$/.test(line) && !holdsSecret(line) && oneLine(withoutTabs) === withoutTabs
}

/** The lines of one file. */
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
    const kept = all.filter(isKept)
    this.lines = kept.slice(-LINES_MAX)
    if (kept.length < all.length || all.length > 2 * LINES_MAX) attempt(() => replace(path, lineText(this.lines)))
    else attempt(() => guard(path))
  }

  /** Adds a line. */
  add(line: string): void {
    if (!isKept(line)) return
    attempt(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: FOLDER_MODE })
      appendFileSync(this.#path, lineText([line]), { mode: FILE_MODE })
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

/** Puts another text into the place of a file, or leaves it as it is. */
function replace(path: string, text: string): void {
  const made = `${path}.${process.pid}`
  try {
    writeFileSync(made, text, { mode: FILE_MODE })
    renameSync(made, path)
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  }
}

/** Takes the file from everybody else. */
function guard(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, FILE_MODE)
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
