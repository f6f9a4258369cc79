/**
 * Assertions about our own code: they stay on in production, because a broken promise that is noticed is an outage and
 * one that is not noticed is lost data. A failure of the world is a CoordinationError; a mistake of the caller is a
 * TypeError.
 */

/** Thrown when the code itself is wrong. A server that throws it must stop: its state can no longer be trusted. */
export class AssertionError extends Error {
  /**
   * Makes an assertion error.
   *
   * @param message - the promise that was broken
   */
  constructor(message: string) {
    super(message)
    this.name = 'AssertionError'
  }
}

/**
 * Asserts what must be true if our code is right.
 *
 * @param condition - the condition that must hold
 * @param message - the promise, as a sentence; a function where building it costs something
 * @throws AssertionError if it does not hold
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message())
}

/**
 * Marks a branch that the types rule out.
 *
 * @param value - the value that no case took; the compiler shows that there is none
 * @param what - the kind of value, for the message
 * @throws AssertionError always
 */
export function unreachable(value: never, what: string): never {
  throw new AssertionError(`unexpected ${what}: ${String(value)}`)
}
