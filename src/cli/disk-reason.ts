/** Why a server cannot use its files, and the remedy, in one line. */
import { DamageError } from '../backends/wire/disk/damage.ts'

const HELP: ReadonlyMap<unknown, string> = new Map([
  ['EMFILE', 'this process has too many open files: raise its limit (ulimit -n)'],
  ['ENFILE', 'this machine has too many open files: raise its limit (fs.file-max)'],
  ['EROFS', 'the file system is read-only: mount it for writing, or give this server another --data-dir'],
  ['EACCES', 'no permission: the files must belong to the user who runs the server'],
  ['EPERM', 'no permission: the files must belong to the user who runs the server'],
  ['ENOSPC', 'the disk is full: make room'],
  ['EDQUOT', 'the quota of this user is used up: make room'],
  ['EIO', 'the disk failed: check it before the server is started again'],
])

const DAMAGE_HELP =
  '; `quorate log FILE` and `quorate snapshot FILE` show what is sound. Copy the directory away, then restore a backup '
  + '(`quorate restore`); or, in an ensemble, start on an empty directory: the others fill it'

/** The message of an error; of one of the system, with the path and with what helps. */
export function diskReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof DamageError) return `${error.message}${error.kind === 'version' ? '' : DAMAGE_HELP}`
  const { code, path } = error as NodeJS.ErrnoException
  const help = HELP.get(code)
  return help === undefined ? error.message : `${path ?? error.message}: ${help}`
}
