/** The files of the page, which the build has put beside this module; read once, and kept. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { Refusal } from './refusal.ts'

/** A file as it is sent. */
export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
  readonly gzipped: Buffer
}

/** The files, by their paths in an address; there are no others. */
const FILES: Readonly<Record<string, { readonly name: string; readonly type: string }>> = {
  '/': { name: 'index.html', type: 'text/html; charset=utf-8' },
  '/page.js': { name: 'page.js', type: 'text/javascript; charset=utf-8' },
  '/index.css': { name: 'index.css', type: 'text/css; charset=utf-8' },
  '/icon.svg': { name: 'icon.svg', type: 'image/svg+xml' },
}

/** Where the build puts them. */
export const BUILT_PAGE = fileURLToPath(new URL('../dashboard/page', import.meta.url))

export class PageFiles {
  readonly #folder: string
  readonly #files = new Map<string, PageFile>()

  /** Makes it; nothing is read. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * The file at a path; null if there is none.
   *
   * @throws Refusal if the page was not built
   */
  async at(path: string): Promise<PageFile | null> {
    const known = Object.hasOwn(FILES, path) ? FILES[path] : undefined
    if (known === undefined) return null
    const found = this.#files.get(path) ?? (await this.#read(known.name, known.type))
    this.#files.set(path, found)
    return found
  }

  async #read(name: string, type: string): Promise<PageFile> {
    try {
      const bytes = await readFile(join(this.#folder, name))
      return { type, bytes, gzipped: gzipSync(bytes) }
    } catch {
      throw new Refusal(500, 'NOT_BUILT', `the page of the dashboard is not built: ${name} is missing; npm run build`)
    }
  }
}
