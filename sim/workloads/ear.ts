/**
 * A listener that must not be called once its end was asked for: not by an event that was on its way already, and not
 * because another listener of the same event has ended it.
 */
import { Violation } from '../check.ts'

export class Ear<E, R extends void | Promise<void> = void | Promise<void>> {
  readonly #what: string
  readonly #listener: (event: E) => R
  #isOver = false

  /**
   * Makes a listener.
   *
   * @param what - names it
   * @param listener - its action
   */
  constructor(what: string, listener: (event: E) => R) {
    this.#what = what
    this.#listener = listener
  }

  /** The function to subscribe. */
  readonly hear = (event: E): R => {
    if (this.#isOver) throw new Violation('callbacks', `E1: ${this.#what} was called after its end`)
    return this.#listener(event)
  }

  /** To be told when the call that ends it has returned. */
  over(): void {
    this.#isOver = true
  }
}
