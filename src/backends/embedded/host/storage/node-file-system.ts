/** The files of this machine. */
import { close, fdatasync, fstat, fsync, ftruncate, open, read, write } from 'node:fs'
import { mkdir, open as openHandle, readdir, rename, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { FileSystem } from './file-system.ts'
import { WholeFile } from './whole-file.ts'
import type { FileCalls } from './whole-file.ts'

const closeFile = promisify(close)
const syncData = promisify(fdatasync)
const statFile = promisify(fstat)
const syncFile = promisify(fsync)
const truncateFile = promisify(ftruncate)
const openFile = promisify(open)
const readFile = promisify(read)
const writeFile = promisify(write)

const FLAGS = Object.freeze({ read: 'r', write: 'r+', create: 'wx+' })
/** Only its owner may look into what a server keeps: data and passwords of sessions are in there. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** Reads and writes this machine's files. */
export const nodeFileSystem: FileSystem = Object.freeze({
  list: (directory: string) => readdir(directory),
  makeDirectory: async (directory: string) => {
    const first = await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE })
    if (first === undefined) return
    // The name of each that is new is in the one above it.
    for (let made = directory; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
  },
  open: async (path: string, mode: 'read' | 'write' | 'create') => {
    return new WholeFile(new NodeFile(await openFile(path, FLAGS[mode], FILE_MODE), path))
  },
  rename,
  remove: unlink,
  syncDirectory,
})

async function syncDirectory(directory: string): Promise<void> {
  const handle = await openHandle(directory, 'r')
  try {
    await syncFile(handle.fd)
  } finally {
    await handle.close()
  }
}

/** A path that does not depend on where the process goes later. */
export function absolutePath(path: string): string {
  return resolve(path)
}

/** An error of the system, which names the file also where the system knows only its number. */
export function withPath(error: unknown, path: string): unknown {
  return error instanceof Error && 'code' in error && !('path' in error) ? Object.assign(error, { path }) : error
}

class NodeFile implements FileCalls {
  readonly #fd: number
  readonly #path: string

  constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  size(): Promise<number> {
    return this.#named(async () => (await statFile(this.#fd)).size)
  }

  read(into: Uint8Array, at: number): Promise<number> {
    return this.#named(async () => (await readFile(this.#fd, into, 0, into.length, at)).bytesRead)
  }

  write(bytes: Uint8Array, at: number): Promise<number> {
    return this.#named(async () => (await writeFile(this.#fd, bytes, 0, bytes.length, at)).bytesWritten)
  }

  setSize(length: number): Promise<void> {
    return this.#named(() => truncateFile(this.#fd, length))
  }

  sync(): Promise<void> {
    return this.#named(() => syncData(this.#fd))
  }

  close(): Promise<void> {
    return this.#named(() => closeFile(this.#fd))
  }

  async #named<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw withPath(error, this.#path)
    }
  }
}
