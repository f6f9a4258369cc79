/**
 * The layout of a data directory: the files of one server, or those of several, each in a directory of its own.
 */
import { isMissing } from './host/storage/file-system.ts'
import type { FileSystem } from './host/storage/file-system.ts'
import { VERSION_DIRECTORY } from './host/storage/files.ts'
import { StorageError } from './host/storage/storage-error.ts'

const SERVER_ID = /^[1-9]\d{0,2}$/

/** The ids of the servers that have a directory of their own with data, in order. */
export async function serversIn(files: FileSystem, dataDir: string): Promise<readonly number[]> {
  const ids: number[] = []
  for (const name of await namesIn(files, dataDir)) {
    if (SERVER_ID.test(name) && (await holdsData(files, `${dataDir}/${name}`))) ids.push(Number(name))
  }
  return ids.sort((a, b) => a - b)
}

/**
 * Refuses a directory that was laid out for the other kind of ensemble: all of its data would be passed over.
 *
 * @param isAlone - whether the directory is that of one server
 * @throws StorageError `MISPLACED`
 */
export async function expectLayout(files: FileSystem, dataDir: string, isAlone: boolean): Promise<void> {
  if (isAlone) {
    const ids = await serversIn(files, dataDir)
    if (ids.length === 0) return
    const found = `${dataDir} holds the data of an ensemble of several servers (${ids.join(', ')})`
    const help = 'and this one is alone: start it with as many as before, or give it another dataDir'
    throw new StorageError('MISPLACED', `${found}, ${help}`)
  }
  if (!(await holdsData(files, dataDir))) return
  const found = `${dataDir} holds the data of one server that was alone, and this ensemble has several`
  throw new StorageError('MISPLACED', `${found}: start it with servers: 1, or give it another dataDir`)
}

async function holdsData(files: FileSystem, directory: string): Promise<boolean> {
  return (await namesIn(files, `${directory}/${VERSION_DIRECTORY}`)).length > 0
}

async function namesIn(files: FileSystem, directory: string): Promise<readonly string[]> {
  try {
    return await files.list(directory)
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ENOTDIR')) return []
    throw error
  }
}
