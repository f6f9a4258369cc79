/**
 * Waiting for room on a disk that is full.
 *
 * Model     a step that fails for lack of room is done again, after a pause, until it succeeds or the wait is given up.
 *           A step must be repeatable: the next attempt removes whatever a failed one left.
 */

/** How often a full disk is tried again. */
const PAUSE_MS = 500
const CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])

/** Whether an error says that there is no room on the disk, or not for this user. */
export function isNoRoom(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CODES.has(error.code)
}

/** Waits for room, for one storage. */
export class RoomWait {
  readonly #onFull: (error: unknown) => void
  readonly #onRoom: () => void
  /** Ends the pause, and the wait. */
  #giveUp: (() => void) | null = null
  #isFull = false

  /**
   * Makes one that does not wait.
   *
   * @param onFull - told of the first error of a wait
   * @param onRoom - told when there is room again
   */
  constructor(onFull: (error: unknown) => void, onRoom: () => void) {
    this.#onFull = onFull
    this.#onRoom = onRoom
  }

  /**
   * Does a step, again and again while there is no room.
   *
   * @throws any error of the step; also one for lack of room, if the wait is given up
   */
  async do(step: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await step()
        break
      } catch (error) {
        if (!isNoRoom(error)) throw error
        if (!this.#isFull) this.#onFull(error)
        this.#isFull = true
        if (!(await this.#pause())) throw error
      }
    }
    if (!this.#isFull) return
    this.#isFull = false
    this.#onRoom()
  }

  /** Ends a wait. */
  giveUp(): void {
    this.#giveUp?.()
  }

  /** @returns false if the wait is given up */
  #pause(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#giveUp = null
        resolve(true)
      }, PAUSE_MS)
      this.#giveUp = () => {
        this.#giveUp = null
        this.#isFull = false
        clearTimeout(timer)
        resolve(false)
      }
    })
  }
}
