/**
 * The content of files that operators replace while a server runs: it is read again, without a restart.
 *
 * When      as it is asked for, and not more often than once per second.
 * Safety    files that cannot be used - of two, one may be replaced before the other - leave the content as it is;
 *           that is told once per replacement.
 */
import { statSync } from 'node:fs'

/** The files are looked at again after this time, in milliseconds. */
const LOOK_MS = 1_000

/** The files, and what is done with them. */
export interface ReplacedFilesOptions<Content> {
  readonly paths: readonly string[]
  /** @throws Error that names the file */
  readonly read: () => Content
  /** They were replaced, and the new content is in use from now on. */
  readonly onLoaded: (content: Content) => void
  /** They were replaced, and cannot be used. */
  readonly onKept: (reason: string) => void
}

/** Files, and what was read in them last. */
export class ReplacedFiles<Content> {
  readonly #options: ReplacedFilesOptions<Content>
  #content: Content
  #version = 1
  #seen: string
  #lookMs: number

  /**
   * Reads the files.
   *
   * @throws Error of `read`
   */
  constructor(options: ReplacedFilesOptions<Content>) {
    this.#options = options
    // Before they are read: what is replaced meanwhile is read once more.
    this.#seen = stampOf(options.paths)
    this.#content = options.read()
    this.#lookMs = performance.now() + LOOK_MS
  }

  /** The content in use, and a number that grows when it is replaced. */
  current(): { readonly version: number; readonly content: Content } {
    if (performance.now() >= this.#lookMs) this.#look()
    return { version: this.#version, content: this.#content }
  }

  #look(): void {
    this.#lookMs = performance.now() + LOOK_MS
    const { paths, read, onLoaded, onKept } = this.#options
    const stamp = stampOf(paths)
    if (stamp === this.#seen) return
    this.#seen = stamp
    try {
      this.#content = read()
    } catch (error) {
      onKept(error instanceof Error ? error.message : String(error))
      return
    }
    this.#version += 1
    onLoaded(this.#content)
  }
}

/** Two equal ones mean that nothing was replaced. */
function stampOf(paths: readonly string[]): string {
  return paths.map((path) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`
  }).join(', ')
}
