/**
 * A copy of what a start of a server would use: the newest snapshot that is sound, the log from it on, the promises.
 *
 * Verified  by a start: the copy is read as a server reads its files, so that one that is damaged, or lacks a
 *           transaction, is refused. A torn last record is cut off, in the copy.
 * Running   servers continue meanwhile: their log is copied as far as it is written, which is a prefix of it. Where
 *           something was removed or read while it was written, the copy is refused, and made again.
 * Needed    a place for the copy that is empty.
 * Memory    that of a start.
 */
import { isDeepStrictEqual } from 'node:util'
import { logFileName, parseDataFileName } from '../../../wire/disk/file-names.ts'
import { LogScanner } from '../../../wire/disk/log-scanner.ts'
import { isMissing, readSmallFile, replaceFile } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { FileStorage, INSTALL_PREFIX, VERSION_DIRECTORY } from './files.ts'
import { PromiseFiles, VOTES_FILE } from './promise-files.ts'
import { isDamage, newestOf, recover } from './recovery.ts'
import type { PassedOver } from './recovery.ts'
import { SnapshotFiles } from './snapshot-files.ts'
import { StorageError } from './storage-error.ts'

const CHUNK_BYTES = 0x10_0000
const PROMISES = ['acceptedEpoch', 'currentEpoch', VOTES_FILE]
/** Far more than any has. */
const PROMISE_BYTES_MAX = 4_096
/**
 * A running server removes and writes files during a copy: the copy is then tried again, up to this many times in all.
 */
const ATTEMPTS_MAX = 10
/** Nothing is written to the log of a copy. */
const PREALLOCATE_BYTES = 1

/** Where a server keeps its data, without `version-2`. */
export interface DataPlace {
  readonly dataDir: string
  /** Where logs are; often the same. */
  readonly dataLogDir: string
}

/** The facts of a copy. */
export interface CopiedData {
  /** The zxid of the last transaction. */
  readonly lastZxid: bigint
  readonly acceptedEpoch: number
  readonly currentEpoch: number
  readonly votes: boolean
  /** The damage that was passed over because nothing needed it, in words. */
  readonly passedOver: readonly string[]
}

/** The known facts of the source. */
export interface SourceFacts {
  /** Whether there may be no log; otherwise it is probably in another directory. */
  readonly mayLackLog: boolean
  /** Whether a server uses it. */
  readonly isRunning: boolean
}

/**
 * Copies the data of one server.
 *
 * @throws StorageError or DamageError for what a server would not start on; errors of the system
 */
export async function copyData(
  files: FileSystem,
  from: DataPlace,
  to: DataPlace,
  source: SourceFacts,
): Promise<CopiedData> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await copyOnce(files, from, to, source)
    } catch (error) {
      const mayPass = source.isRunning && (isDamage(error) || isMissing(error))
      if (!mayPass || attempt === ATTEMPTS_MAX) throw error
    }
    for (const directory of new Set([versionOf(to.dataDir), versionOf(to.dataLogDir)])) {
      for (const name of await files.list(directory)) await files.remove(`${directory}/${name}`)
    }
  }
}

async function copyOnce(
  files: FileSystem,
  from: DataPlace,
  to: DataPlace,
  { mayLackLog, isRunning }: SourceFacts,
): Promise<CopiedData> {
  const passedOver: string[] = []
  const note = (error: unknown): void => {
    passedOver.push(error instanceof Error ? error.message : String(error))
  }
  const [data, logs] = [versionOf(from.dataDir), versionOf(from.dataLogDir)]
  const [dataCopy, logsCopy] = [versionOf(to.dataDir), versionOf(to.dataLogDir)]
  await files.makeDirectory(dataCopy)
  await files.makeDirectory(logsCopy)
  const promises = await promisesIn(files, data)
  const names = await files.list(data)
  const installed = names.find((name) => name.startsWith(INSTALL_PREFIX))
  // A state from a leader that has taken effect replaces all there is: the log does not belong to it.
  const chosen =
    installed === undefined
      ? await newestSnapshot(files, data, note)
      : { name: installed, zxid: null, passedOver: [] }
  await copyFile(files, `${data}/${chosen.name}`, `${dataCopy}/${chosen.name}`)
  if (chosen.zxid !== null) {
    const firsts = await logsOf(files, logs)
    if (firsts.length === 0 && !mayLackLog) throw withoutLog(logs)
    const start = Math.max(0, firsts.findLastIndex((first) => first <= chosen.zxid))
    for (const first of firsts.slice(start)) {
      const name = logFileName(first)
      const scanner = isRunning ? new LogScanner(`${logs}/${name}`) : null
      await copyFile(files, `${logs}/${name}`, `${logsCopy}/${name}`, scanner)
    }
  }
  for (const [name, content] of promises) await replaceFile(files, dataCopy, name, content)
  if (isRunning && !isDeepStrictEqual(promises, await promisesIn(files, data))) {
    throw new StorageError('DAMAGED', `${data}: its promises changed while it was copied`)
  }
  await files.syncDirectory(dataCopy)
  await files.syncDirectory(logsCopy)
  const start = await readAsStart(files, to, { note, isRunning, passedOver: chosen.passedOver })
  return { ...start, passedOver }
}

/** The files with promises, with their content. */
async function promisesIn(files: FileSystem, directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const name of PROMISES) {
    const bytes = await readSmallFile(files, `${directory}/${name}`, PROMISE_BYTES_MAX)
    if (bytes !== null) found.set(name, Buffer.from(bytes).toString('latin1'))
  }
  return found
}

/**
 * Gives a copy promises of its own.
 *
 * @throws errors of the system
 */
export async function setPromises(
  files: FileSystem,
  dataDir: string,
  promises: Pick<CopiedData, 'acceptedEpoch' | 'currentEpoch' | 'votes'>,
): Promise<void> {
  const promiseFiles = new PromiseFiles(files, versionOf(dataDir))
  await promiseFiles.read()
  await promiseFiles.write(promises)
}

async function readAsStart(
  files: FileSystem,
  { dataDir, dataLogDir }: DataPlace,
  { note, isRunning, passedOver }: {
    readonly note: (error: unknown) => void
    readonly isRunning: boolean
    /** Damaged snapshots that were not copied. */
    readonly passedOver: readonly PassedOver[]
  },
): Promise<Omit<CopiedData, 'passedOver'>> {
  const ignore = (): void => undefined
  const storage = new FileStorage(files, {
    dataDir,
    dataLogDir,
    snapRetainCount: 1,
    preallocateBytes: PREALLOCATE_BYTES,
    onTornTail: (file, offset) => {
      // The last record of a log that is being written may not be whole yet.
      if (isRunning) return
      note(new Error(`${file}: at byte ${offset}: the last record was incomplete, as a crash leaves it`))
    },
    onFull: ignore,
    onRoom: ignore,
  })
  try {
    const { acceptedEpoch, currentEpoch, votes, entries, base } = await recover(storage, { passedOver })
    return { lastZxid: entries.at(-1)?.zxid ?? base, acceptedEpoch, currentEpoch, votes }
  } finally {
    await storage.close()
  }
}

async function newestSnapshot(
  files: FileSystem,
  directory: string,
  note: (error: unknown) => void,
): Promise<{ readonly name: string; readonly zxid: bigint; readonly passedOver: readonly PassedOver[] }> {
  const snapshots = new SnapshotFiles(files, directory)
  const stored = await snapshots.list()
  const candidates = stored.map((file) => ({ zxid: file.zxid, name: file.name, chunks: snapshots.read(file) }))
  const found = await newestOf(candidates, note)
  if (found === null) throw new StorageError('DAMAGED', `${directory} holds no snapshot: there is nothing to copy`)
  return { name: found.name, zxid: found.state.lastZxid, passedOver: found.passedOver }
}

async function logsOf(files: FileSystem, directory: string): Promise<bigint[]> {
  let names: readonly string[]
  try {
    names = await files.list(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  const parsed = names.map(parseDataFileName)
  const firsts = parsed.flatMap((name) => (name?.kind === 'log' ? [name.zxid] : []))
  return firsts.sort((a, b) => (a < b ? -1 : 1))
}

/**
 * Copies a file.
 *
 * @param log - of a log that may be being written: the copy ends with its records, as what comes after them may be read
 * later than what is before
 */
async function copyFile(files: FileSystem, from: string, to: string, log: LogScanner | null = null): Promise<void> {
  const source = await files.open(from, 'read')
  try {
    const target = await files.open(to, 'create')
    try {
      for (let at = 0; ; ) {
        const chunk = await source.read(at, CHUNK_BYTES)
        if (chunk.length === 0) break
        await target.write(chunk, at)
        at += chunk.length
        log?.push(chunk)
        if (log?.isPastRecords === true) break
      }
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

function withoutLog(directory: string): StorageError {
  const help = 'name the directory of the logs, or this one, as --log-dir'
  return new StorageError('MISPLACED', `${directory} holds no log: ${help}`)
}

function versionOf(directory: string): string {
  return `${directory}/${VERSION_DIRECTORY}`
}
