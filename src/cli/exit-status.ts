/** How a command of the command line ends, and the errors by which it does so. */

/** Exit statuses of `quorate`; `lock` has besides them that of the command it runs. */
export const ExitStatus = Object.freeze({
  ok: 0,
  /** It was understood, and did not work. */
  failure: 1,
  /** It was not understood. */
  usage: 2,
  /** A signal ended it: this, and the number of the signal. */
  signal: 128,
})

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
  /** What the program ends with. */
  readonly status: number

  /**
   * Makes an error.
   *
   * @param message - why
   * @param status - what the program ends with; 1 by default
   */
  constructor(message: string, status: number = ExitStatus.failure) {
    super(message)
    this.name = 'Failure'
    this.status = status
  }
}
