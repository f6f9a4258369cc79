/** Signals that end a program. */
import { constants } from 'node:os'
import { ExitStatus } from './exit-status.ts'

/** The first signal that asked this program to end. */
export class Interruption {
  /** Its name; null if none has. */
  name: NodeJS.Signals | null = null
  readonly #controller = new AbortController()

  constructor(names: readonly NodeJS.Signals[]) {
    for (const name of names) {
      // A second one ends the program as if nobody listened.
      process.once(name, () => {
        this.name ??= name
        this.#controller.abort()
      })
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The status of a program that it has ended. */
  get status(): number {
    return ExitStatus.signal + (this.name === null ? 0 : constants.signals[this.name])
  }
}
