/**
 * `quorate backup` and `quorate restore`: the data of a server, which may run, to another directory and back.
 *
 * Backup    is itself a data directory: what a start would use, the promises and `myid`. Of servers in one process,
 *           with a directory each, all are copied.
 * Whole     a copy is made in `unfinished` within its directory, verified there, and gets its place by renames: one
 *           that was interrupted is never treated as a whole one.
 * Votes     a server of an ensemble that is restored has forgotten what it acknowledged since the backup: it gets no
 *           vote, and earns it (decision 0006), unless all servers go back together.
 * Tokens    where all go back, the next epoch is later, by the clock, than any since the backup: no zxid and no fencing
 *           token is given out twice.
 */
import { rmdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { firstEpoch } from '../../backends/embedded/host/epochs.ts'
import { copyData, setPromises } from '../../backends/embedded/host/storage/data-copy.ts'
import type { CopiedData, DataPlace, SourceFacts } from '../../backends/embedded/host/storage/data-copy.ts'
import { isLocked, lockDirectory } from '../../backends/embedded/host/storage/directory-lock.ts'
import { readSmallFile, replaceFile } from '../../backends/embedded/host/storage/file-system.ts'
import { nodeFileSystem as files } from '../../backends/embedded/host/storage/node-file-system.ts'
import { VERSION_DIRECTORY } from '../../backends/embedded/host/storage/files.ts'
import { StorageError } from '../../backends/embedded/host/storage/storage-error.ts'
import { formatMyid, parseMyid } from '../../backends/wire/disk/number-files.ts'
import { takeOptions } from '../command-options.ts'
import { ExitStatus, Failure, UsageError } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'
import { jsonLine } from '../output.ts'
import type { Output } from '../output.ts'
import { WorkProgress } from '../work-progress.ts'
import { hex } from '../shell/node-text.ts'
import { countingWrites } from './counting-files.ts'

const BACKUP_USAGE = `usage: quorate backup DIR --to DIR [options]
Copies the data of a server: the newest sound snapshot, the log from it on, its promises and its myid. The server may
run, on this machine: then every write is in the copy that was acknowledged before it began.
The copy is verified as a start would do it. It is a data directory, and quorate restore brings it back.
options:
  --to DIR         where the copy goes: empty, or not there
  --log-dir DIR    where the logs are, if the server has a dataLogDir
  --json           the result as a JSON value
  --help
exit status: 0 done, 1 not done, 2 not understood`

const RESTORE_USAGE = `usage: quorate restore DIR --to DIR [options]
Makes a data directory from a backup. A server of an ensemble gets its vote back when it has caught up with the others.
options:
  --to DIR             the data directory: empty, or not there
  --log-dir DIR        where the logs go, if the server has a dataLogDir
  --myid N             for another server of the ensemble than that of the backup
  --whole-ensemble     all servers of the ensemble are lost, and are restored before one of them starts
  --json               the result as a JSON value
  --help
exit status: 0 done, 1 not done, 2 not understood`

const COMMON = {
  to: { type: 'string' },
  'log-dir': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
const RESTORE = { ...COMMON, myid: { type: 'string' }, 'whole-ensemble': { type: 'boolean' } } as const

const MYID_FILE = 'myid'
const MYID_BYTES_MAX = 64
const MYID_MAX = 254
const UNFINISHED = 'unfinished'
/** Names that an empty directory may hold: the lock, and the file system's own. */
const NO_CONTENT = /^(quorate\.lock.*|lost\+found)$/

/** From where to where. */
interface Way {
  readonly from: string
  readonly fromLogs: string
  readonly to: string
  readonly toLogs: string
  readonly source: SourceFacts
}

/** Changes a copy before it gets its place. */
type Finish = (copied: CopiedData, place: string) => Promise<void>

/**
 * Copies the data of a server.
 *
 * @param args - after `backup`
 * @returns the exit status
 * @throws UsageError, Failure, and the error of damaged data
 */
export async function runBackup(args: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = takeOptions('backup', args, COMMON)
  if (values.help === true) {
    output.out(`${BACKUP_USAGE}\n`)
    return ExitStatus.ok
  }
  const { from, to } = directoriesOf('backup', positionals, values.to)
  const logs = values['log-dir']
  const fromLogs = logs === undefined ? from : resolve(logs)
  const unlocks: (() => Promise<void>)[] = []
  try {
    await placesIn(from)
    const isRunning = !(await lockAll([from, fromLogs], unlocks))
    const source = { mayLackLog: logs !== undefined, isRunning }
    const way = { from, fromLogs, to, toLogs: to, source }
    await copy(way, await readMyid(from), () => Promise.resolve(), { json: values.json === true, output })
  } finally {
    for (const unlock of unlocks) await unlock()
  }
  return ExitStatus.ok
}

/**
 * Makes a data directory from a backup.
 *
 * @param args - after `restore`
 * @returns the exit status
 * @throws UsageError, Failure, and the error of damaged data
 */
export async function runRestore(args: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = takeOptions('restore', args, RESTORE)
  if (values.help === true) {
    output.out(`${RESTORE_USAGE}\n`)
    return ExitStatus.ok
  }
  const { from, to } = directoriesOf('restore', positionals, values.to)
  const toLogs = values['log-dir'] === undefined ? to : resolve(values['log-dir'])
  const isWhole = values['whole-ensemble'] === true
  const json = values.json === true
  const places = await placesIn(from)
  const myid = values.myid === undefined ? await readMyid(from) : myidOf(values.myid)
  const isMember = myid !== null
  const goesBackAlone = isMember && !isWhole
  const finish: Finish = async ({ acceptedEpoch, currentEpoch, votes }, place) => {
    const later = goesBackAlone ? acceptedEpoch : Math.max(acceptedEpoch, firstEpoch())
    const mayVote = isMember ? isWhole : votes
    await setPromises(files, place, { acceptedEpoch: later, currentEpoch, votes: mayVote })
  }
  if (isMember && places.length > 1) throw new UsageError('--myid is for the backup of one server')
  // A backup may be on what cannot be written to; only the directory of a server has a lock.
  const help = 'stop it first; files that change are no backup'
  const unlock = (await isLocked(from)) ? await lockDirectory(from, help) : null
  try {
    const source = { mayLackLog: true, isRunning: false }
    await copy({ from, fromLogs: from, to, toLogs, source }, myid, finish, { json, output })
  } finally {
    await unlock?.()
  }
  if (goesBackAlone && !json) {
    output.err(`server ${myid} gets its vote back when it has caught up with the others of its ensemble\n`)
  }
  return ExitStatus.ok
}

/** Locks directories, so that no server starts on them; false if a server uses one of them. */
async function lockAll(directories: readonly string[], unlocks: (() => Promise<void>)[]): Promise<boolean> {
  try {
    for (const each of new Set(directories)) unlocks.push(await lockDirectory(each))
    return true
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'LOCKED') throw error
    return false
  }
}

async function copy(
  { from, fromLogs, to, toLogs, source: facts }: Way,
  myid: number | null,
  finish: Finish,
  { json, output }: { readonly json: boolean; readonly output: Output },
): Promise<void> {
  const places = await placesIn(from)
  const targets = new Set([to, toLogs])
  for (const target of targets) await files.makeDirectory(target)
  const unlocks: (() => Promise<void>)[] = []
  try {
    for (const target of targets) {
      unlocks.push(await lockDirectory(target, 'name another directory'))
      await expectEmpty(target)
    }
    for (const place of places) {
      const target = { dataDir: `${to}/${UNFINISHED}${place}`, dataLogDir: `${toLogs}/${UNFINISHED}${place}` }
      const source = { dataDir: from + place, dataLogDir: fromLogs + place }
      const copied = await copyWithProgress(source, target, facts)
      await finish(copied, target.dataDir)
      const { lastZxid, passedOver } = copied
      if (json) output.out(jsonLine({ from: source.dataDir, to: to + place, zxid: hex(lastZxid), passedOver }))
      else output.out(`${source.dataDir}: copied to ${to}${place}, up to zxid ${hex(lastZxid)}\n`)
      if (!json) for (const what of passedOver) output.err(`passed over: ${what}\n`)
    }
    if (myid !== null) await replaceFile(files, `${to}/${UNFINISHED}`, MYID_FILE, `${formatMyid(myid)}\n`)
    // The data last: with them a server begins, and needs its log and its name.
    for (const target of [...targets].reverse()) await giveItsPlace(target)
  } finally {
    for (const unlock of unlocks) await unlock()
  }
}

/** Copies, and says on the terminal how far it is. */
async function copyWithProgress(source: DataPlace, target: DataPlace, facts: SourceFacts): Promise<CopiedData> {
  const progress = new WorkProgress({ what: 'bytes written' })
  try {
    return await copyData(countingWrites(files, (bytes) => progress.add(bytes)), source, target, facts)
  } finally {
    progress.end()
  }
}

/** Moves what is in `unfinished` to where it belongs. */
async function giveItsPlace(target: string): Promise<void> {
  const unfinished = `${target}/${UNFINISHED}`
  const names = [...(await files.list(unfinished))].sort((a, b) => Number(a !== MYID_FILE) - Number(b !== MYID_FILE))
  for (const name of names) {
    await files.rename(`${unfinished}/${name}`, `${target}/${name}`)
    await files.syncDirectory(target)
  }
  await rmdir(unfinished)
  await files.syncDirectory(target)
}

async function expectEmpty(target: string): Promise<void> {
  const names = (await files.list(target)).filter((name) => !NO_CONTENT.test(name))
  if (names.length === 0) return
  const help = names.includes(UNFINISHED) ? 'an earlier attempt was interrupted: remove it' : 'name an empty one'
  throw new Failure(`${target} is not empty (${names.sort().slice(0, 3).join(', ')}): ${help}`)
}

/** The directories of servers in a directory: itself, or one per server of a process with several. */
async function placesIn(directory: string): Promise<readonly string[]> {
  let names: readonly string[]
  try {
    names = await files.list(directory)
  } catch (error) {
    throw new Failure(`cannot read ${directory}: ${reasonOf(error)}`)
  }
  if (names.includes(VERSION_DIRECTORY)) return ['']
  const places: string[] = []
  for (const name of names.filter((each) => /^\d+$/.test(each))) {
    const within: readonly string[] = await files.list(`${directory}/${name}`).catch((): string[] => [])
    if (within.includes(VERSION_DIRECTORY)) places.push(`/${name}`)
  }
  if (places.length > 0) return places.sort()
  const isInside = directory.endsWith(`/${VERSION_DIRECTORY}`)
  const help = isInside ? 'name the directory above it' : `there is no ${VERSION_DIRECTORY} in it`
  throw new Failure(`${directory} is no data directory: ${help}`)
}

async function readMyid(directory: string): Promise<number | null> {
  const path = `${directory}/${MYID_FILE}`
  const bytes = await readSmallFile(files, path, MYID_BYTES_MAX)
  return bytes === null ? null : parseMyid(path, bytes)
}

function directoriesOf(
  command: string,
  positionals: readonly string[],
  to: string | undefined,
): { readonly from: string; readonly to: string } {
  const [from] = positionals
  if (from === undefined || to === undefined || positionals.length > 1) {
    throw new UsageError(`${command} takes two directories: quorate ${command} DIR --to DIR`)
  }
  return { from: resolve(from), to: resolve(to) }
}

function myidOf(text: string): number {
  const myid = Number(text)
  if (/^\d+$/.test(text) && myid >= 1 && myid <= MYID_MAX) return myid
  throw new UsageError(`--myid must be a whole number from 1 to ${MYID_MAX}, got ${JSON.stringify(text)}`)
}
