/** How a command of the command line ends, and the errors by which it does so. */

/** Exit statuses of `quorate`; commands that run a program have {@link LOCK_STATUSES}, and that of the program. */
export const ExitStatus = Object.freeze({
  ok: 0,
  /** It was understood, and did not work. */
  failure: 1,
  /** It was not understood. */
  usage: 2,
  /** A signal ended it: this, and the number of the signal. */
  signal: 128,
})

/** The exit statuses of a command that fails. */
export interface Statuses {
  /** It was not understood. */
  readonly usage: number
  /** No server answered. */
  readonly unreachable: number
  /** Anything else. */
  readonly failure: number
}

/** The statuses of every command that runs no program. */
export const STATUSES: Statuses = Object.freeze({
  usage: ExitStatus.usage,
  unreachable: ExitStatus.failure,
  failure: ExitStatus.failure,
})

/**
 * The statuses of `lock`, `elect` and `run-once`, apart from those that the command under it is likely to have.
 *
 * Source    sysexits.h: EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_IOERR, EX_TEMPFAIL. flock(1) uses it too.
 */
export const LOCK_STATUSES = Object.freeze({
  usage: 64,
  unreachable: 69,
  failure: 70,
  /** The lock or the leadership was lost while the command ran. */
  lost: 74,
  /** Somebody else had it for as long as there was time; `-E` names another. */
  busy: 75,
}) satisfies Statuses

/** The command line is wrong; the message names the fault and the right form. */
export class UsageError extends Error {
  /**
   * Makes an error.
   *
   * @param message - the fault, with the value
   */
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** The command is valid and failed; the message says why. */
export class Failure extends Error {
  /** The exit status, or the kind of failure, for which each command has a status of its own. */
  readonly status: number | 'failure' | 'unreachable'

  /**
   * Makes an error.
   *
   * @param message - why
   * @param status - the exit status, or the kind of failure; any failure by default
   */
  constructor(message: string, status: Failure['status'] = 'failure') {
    super(message)
    this.name = 'Failure'
    this.status = status
  }
}
