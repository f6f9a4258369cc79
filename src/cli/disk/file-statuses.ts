/** Exit statuses of the commands that verify a file. */
import { ExitStatus } from '../exit-status.ts'

/** The verdict on a file. 1 and 2 are those of every command: it cannot be read; the command was not understood. */
export const FileStatus = Object.freeze({
  sound: ExitStatus.ok,
  /** The last record is incomplete, as a crash leaves it. */
  torn: 3,
  /** Bytes are not those that were written. */
  damaged: 4,
})
