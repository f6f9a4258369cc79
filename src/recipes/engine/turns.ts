/**
 * Turns: those of one client who want the same thing take it one after the other, so that only one of them asks the
 * servers, and wakes when it is free.
 */
import { abortable, deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'

const turnsOf = new WeakMap<Client, Map<string, Turn[]>>()

/** The right of one of a client's callers to ask for a path. */
export class Turn {
  readonly #turns: Map<string, Turn[]>
  readonly #path: string
  readonly #called = deferred<undefined>()

  private constructor(turns: Map<string, Turn[]>, path: string) {
    this.#turns = turns
    this.#path = path
  }

  /**
   * Waits for a turn; they come in the order of the calls.
   *
   * @param signal - ends the wait
   */
  static async take(client: Client, path: string, signal: AbortSignal): Promise<Turn> {
    const turns = turnsOf.get(client) ?? new Map<string, Turn[]>()
    turnsOf.set(client, turns)
    const turn = new Turn(turns, path)
    const line = turns.get(path) ?? []
    turns.set(path, line)
    if (line.push(turn) === 1) return turn
    try {
      await abortable(turn.#called.promise, signal, path)
      return turn
    } catch (error) {
      turn.end()
      throw error
    }
  }

  /** Ends it, or gives it up before it came. Idempotent. */
  end(): void {
    const line = this.#turns.get(this.#path) ?? []
    const place = line.indexOf(this)
    if (place === -1) return
    line.splice(place, 1)
    const [next] = line
    if (next === undefined) this.#turns.delete(this.#path)
    else if (place === 0) next.#called.resolve(undefined)
  }
}
