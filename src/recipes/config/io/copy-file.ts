/**
 * A file of this machine that keeps the last good copy of a value.
 *
 * Safety    a copy is written to a temporary file, synced and renamed: a reader finds the old one or the new one. Only
 *           its owner may read it, since a value can hold secrets. Temporary files of a process that was killed are
 *           removed when the next one loads.
 */
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { CopyStore } from '../last-copy.ts'

/** Larger files hold no value: every engine refuses less. */
const FILE_BYTES_MAX = 64 * 1_048_576
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
/** A temporary file that is as old as this has no process any more that writes it. */
const LEFTOVER_MS = 60_000

export class CopyFile implements CopyStore {
  readonly name: string

  /** Names the file; nothing is read. */
  constructor(file: string) {
    // A process may go elsewhere later.
    this.name = resolve(file)
  }

  async load(): Promise<Uint8Array | null> {
    await this.#removeLeftovers()
    return readWhole(this.name)
  }

  async save(bytes: Uint8Array | null): Promise<void> {
    if (bytes === null) return this.#remove()
    await mkdir(dirname(this.name), { recursive: true, mode: DIRECTORY_MODE })
    const temporary = `${this.name}.${crypto.randomUUID()}.tmp`
    try {
      await writeSynced(temporary, bytes)
      await rename(temporary, this.name)
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw error
    }
    await syncDirectory(dirname(this.name))
  }

  async #remove(): Promise<void> {
    try {
      await unlink(this.name)
    } catch (error) {
      if (isMissing(error)) return
      throw error
    }
    await syncDirectory(dirname(this.name))
  }

  async #removeLeftovers(): Promise<void> {
    const directory = dirname(this.name)
    const prefix = `${basename(this.name)}.`
    const names = await readdir(directory).catch(() => [])
    for (const name of names) {
      if (!name.startsWith(prefix) || !/^[0-9a-f-]{36}\.tmp$/.test(name.slice(prefix.length))) continue
      const path = join(directory, name)
      const found = await stat(path).catch(() => null)
      if (found !== null && Date.now() - found.mtimeMs > LEFTOVER_MS) await unlink(path).catch(() => undefined)
    }
  }
}

/**
 * Reads a file.
 *
 * @returns null if there is none
 */
export async function readWhole(file: string): Promise<Uint8Array | null> {
  try {
    const found = await stat(file)
    if (!found.isFile()) throw new Error('it is no file')
    if (found.size > FILE_BYTES_MAX) throw new Error(`it has ${String(found.size)} bytes`)
    const handle = await open(file, 'r')
    try {
      return await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', FILE_MODE)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isMissing(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'ENOENT'
}
