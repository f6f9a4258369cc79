/** How a command of the command line ends, and the errors by which it does so. */

/** Exit statuses of `quorate`; commands that run a program have their own, {@link LOCK_STATUSES}, and that of the program. */
export const ExitStatus = Object.freeze({
  ok: 0,
  /** It was understood, and did not work. */
  failure: 1,
  /** It was not understood. */
  usage: 2,
  /** A signal ended it: this, and the number of the signal. */
  signal: 128,
})

/** What a command ends with when it does not do what it is for. */
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
  /** What was held was lost while the command ran. */
  lost: 74,
  /** Somebody else had it for as long as there was time; `-E` names another. */
  busy: 75,
}) satisfies Statuses

/** What was typed is wrong; the message names it and says what is right. */
export class UsageError extends Error {
  /**
   * Makes an error.
   *
   * @param message - what is wrong, with the value
   */
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** What was typed is right, and cannot be done; the message says why. */
export class Failure extends Error {
  /** What the program ends with, or what is the matter, for which each command has its status. */
  readonly status: number | 'failure' | 'unreachable'

  /**
   * Makes an error.
   *
   * @param message - why
   * @param status - what the program ends with; that of any failure by default
   */
  constructor(message: string, status: Failure['status'] = 'failure') {
    super(message)
    this.name = 'Failure'
    this.status = status
  }
}
