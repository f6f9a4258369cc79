/**
 * A lock on a data directory: one process uses it at a time.
 *
 * Model     a file that names a process, and the instant at which that process began, so that another process that has
 *           the same id later is not mistaken for it. The file of a process that is gone is removed.
 * Limits    it keeps out processes of this machine. A directory that several machines mount is not protected.
 */
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { isMissing } from './file-system.ts'
import { withPath } from './node-file-system.ts'
import { StorageError } from './storage-error.ts'

const FILE_NAME = 'quorate.lock'
/** Others may take a lock at the same time; this many attempts are made. */
const ATTEMPTS_MAX = 20
/** Where the instant at which a process began stands in /proc/PID/stat, after the name of its program. */
const START_FIELD = 19
/** The state of a process that has ended, and whose parent has not asked how: in containers, it can stay for good. */
const ZOMBIE = 'Z'
const FILE_MODE = 0o600

const HELP = 'stop it, or give this server another dataDir'

/**
 * Locks a directory, which must be there.
 *
 * @param help - the end of the message if it is locked: the advice to the operator
 * @returns a function that unlocks it
 * @throws StorageError `LOCKED` if a process that is alive has locked it, this one included
 */
export async function lockDirectory(directory: string, help = HELP): Promise<() => Promise<void>> {
  const path = `${directory}/${FILE_NAME}`
  const own = `${path}.${randomUUID()}`
  const content = `${process.pid} ${await startOf(process.pid)}\n`
  try {
    await writeFile(own, content, { mode: FILE_MODE })
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await isLinked(own, path)) return () => unlock(path, content)
      await removeIfAbandoned(directory, path, help)
    }
  } catch (error) {
    throw withPath(error, path)
  } finally {
    await unlink(own).catch(() => undefined)
  }
  throw new StorageError('LOCKED', `${directory}: several processes try to lock it at the same time; start one`)
}

/** Whether a directory has the lock of a process, which may be gone. */
export async function isLocked(directory: string): Promise<boolean> {
  return (await contentOf(`${directory}/${FILE_NAME}`)) !== null
}

async function isLinked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Removes the lock of a process that is gone. */
async function removeIfAbandoned(directory: string, path: string, help: string): Promise<void> {
  const found = await contentOf(path)
  if (found === null) return
  const [pid = '', start = ''] = found.trim().split(' ')
  if (await isAlive(Number(pid), start)) {
    const what = Number(pid) === process.pid ? 'this process' : `process ${pid}`
    throw new StorageError('LOCKED', `${directory} is used by ${what}: ${help}`)
  }
  // Another process may have done this meanwhile, and locked the directory: then that lock is put back.
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  if ((await contentOf(aside)) !== found) await isLinked(aside, path)
  await unlink(aside)
}

async function unlock(path: string, content: string): Promise<void> {
  if ((await contentOf(path)) === content) await unlink(path)
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

async function isAlive(pid: number, start: string): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // It may not be asked, but it is there.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  const [state] = await fieldsOf(pid)
  return state !== ZOMBIE && (await startOf(pid)) === start
}

/** When a process began, in a form that can be compared; `-` where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  return (await fieldsOf(pid))[START_FIELD] ?? '-'
}

/** The state of a process, and more about it; empty where the system does not tell. */
async function fieldsOf(pid: number): Promise<readonly string[]> {
  const stat = await contentOf(`/proc/${pid}/stat`)
  return stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
