/** How long each stays in. */
const STAY_MS = 15

/** Who is in at a time, of whichever process, and whether that was ever more than a recipe allows. */
export class Occupants {
  /** Each entry that was one too many. */
  readonly breaches: string[] = []
  /** All entries, in their order. */
  readonly entered: string[] = []
  readonly #inside: string[] = []
  readonly #mayBeIn: (inside: readonly string[]) => boolean

  /** @param mayBeIn - whether these may be in at once */
  constructor(mayBeIn: (inside: readonly string[]) => boolean) {
    this.#mayBeIn = mayBeIn
  }

  enter(who: string): void {
    this.entered.push(who)
    this.#inside.push(who)
    if (!this.#mayBeIn(this.#inside)) this.breaches.push(this.#inside.join(' + '))
  }

  leave(who: string): void {
    this.#inside.splice(this.#inside.indexOf(who), 1)
  }

  /** Goes in and out, some times over. */
  async rounds(who: string, times: number, enter: () => Promise<() => Promise<unknown>>): Promise<void> {
    for (let round = 0; round < times; round += 1) {
      const leave = await enter()
      this.enter(who)
      // Whoever comes in by mistake gets the time to do so: some round trips.
      await new Promise((resolve) => setTimeout(resolve, STAY_MS))
      this.leave(who)
      await leave()
    }
  }
}
