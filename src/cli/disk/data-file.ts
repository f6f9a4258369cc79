/** A log or a snapshot that somebody named, as chunks. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeFileSystem } from '../../backends/embedded/host/storage/node-file-system.ts'
import { parseDataFileName } from '../../backends/wire/disk/file-names.ts'
import type { DataFileName } from '../../backends/wire/disk/file-names.ts'
import { Failure } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'

type Kind = DataFileName['kind']

const READ_BYTES = 0x4_0000
/** Where the files are, seen from what people know as the directory of a server. */
const PLACES = ['', 'version-2']

/**
 * Makes sure that there is a file, and not a directory or a file of the other kind.
 *
 * @throws Failure, with the command or the file that was probably meant
 */
export async function expectDataFile(file: string, kind: Kind): Promise<void> {
  let isDirectory: boolean
  try {
    isDirectory = (await stat(file)).isDirectory()
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${reasonOf(error)}`)
  }
  if (isDirectory) {
    const newest = await newestIn(file, kind)
    const example = newest === null ? `; there is no ${kind} in it` : `, such as ${newest}`
    throw new Failure(`${file} is a directory: name one file${example}`)
  }
  const named = parseDataFileName(file.slice(file.lastIndexOf('/') + 1))?.kind ?? kind
  if (named !== kind) throw new Failure(`${file} has the name of a ${named}: quorate ${named} reads it`)
}

/** Its bytes, in order. Errors of the system become a Failure that names the file. */
export async function* chunksOf(path: string): AsyncGenerator<Uint8Array, void> {
  const file = await orFailure(path, nodeFileSystem.open(path, 'read'))
  try {
    for (let at = 0; ; ) {
      const chunk = await orFailure(path, file.read(at, READ_BYTES))
      if (chunk.length === 0) return
      at += chunk.length
      yield chunk
    }
  } finally {
    await file.close()
  }
}

async function orFailure<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${reasonOf(error)}`)
  }
}

async function newestIn(directory: string, kind: Kind): Promise<string | null> {
  for (const place of PLACES) {
    const names = await nodeFileSystem.list(join(directory, place)).catch(() => [])
    const found = names.flatMap((name) => {
      const parsed = parseDataFileName(name)
      return parsed?.kind === kind && !parsed.isTemporary ? [{ name, zxid: parsed.zxid }] : []
    })
    const [newest] = found.sort((a, b) => (a.zxid > b.zxid ? -1 : 1))
    if (newest !== undefined) return join(directory, place, newest.name)
  }
  return null
}
