/** The error for a data directory that a server cannot start on. */

/**
 * The reason.
 *
 * - `LOCKED`: another process uses the directory.
 * - `DAMAGED`: a file that cannot be done without is damaged or missing.
 * - `MISPLACED`: logs and snapshots are not in the directories that the options name.
 */
export type StorageErrorCode = 'LOCKED' | 'DAMAGED' | 'MISPLACED'

/** Says what is wrong with a data directory, and what to do. Nothing was changed in it. */
export class StorageError extends Error {
  /** A stable name of the reason. */
  readonly code: StorageErrorCode

  /**
   * Makes an error.
   *
   * @param message - names the file and says what helps
   */
  constructor(code: StorageErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StorageError'
    this.code = code
  }
}

/** The uncommitted end of a directory cannot be cut off: the history before it is not whole there. */
export class RewindError extends StorageError {
  /** @param why - the part that is missing */
  constructor(zxid: string, why: string) {
    super('DAMAGED', `what comes after zxid ${zxid} was never committed, and cannot be cut off here: ${why}`)
  }
}
