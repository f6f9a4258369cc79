/**
 * The tenures of {@link LeaderElection.run}: one after the other, until the signal of the run ends them.
 *
 * Model     the work of a leader gets a signal of its own, which is aborted when the leadership is lost or the run is
 *           to end. Nothing goes on before the work has settled: no resignation, no next campaign (CURATOR-16, 518).
 */
import type { Client, WaitOptions } from '../../core/client.ts'
import { whenAborted } from '../../core/async.ts'
import { optionNames, validateSignal } from '../../core/options.ts'
import type { Leadership } from './leadership.ts'

/** The work of a leader; it leads until the returned promise settles. */
export type LeaderWork<T> = (leadership: Leadership<T>, signal: AbortSignal) => Promise<void> | void

/** Options of {@link LeaderElection.run}. */
export type RunOptions = WaitOptions

/** The names of these options. */
export const RUN_OPTIONS = optionNames<RunOptions>({ signal: true })

export class Tenure<T> {
  readonly #client: Client
  readonly #work: LeaderWork<T>
  readonly #signal: AbortSignal | undefined

  /**
   * @param client - gets what the work throws when it was told to end
   * @param work - of a leader
   * @param signal - ends the run
   */
  constructor(client: Client, work: LeaderWork<T>, signal: AbortSignal | undefined) {
    validateSignal(signal)
    this.#client = client
    this.#work = work
    this.#signal = signal
  }

  /** Makes a step of the run; null if its signal has ended it. */
  async unlessOver<R>(step: () => Promise<R>): Promise<R | null> {
    try {
      return await step()
    } catch (error) {
      if (this.#signal?.aborted === true) return null
      throw error
    }
  }

  /** Does the work of one leadership, and resigns. */
  async serve(leadership: Leadership<T>): Promise<void> {
    const ending = new AbortController()
    const signals = [leadership.signal, ...(this.#signal === undefined ? [] : [this.#signal])]
    const unlisten = signals.map((signal) => whenAborted(signal, () => {
      ending.abort(signal.reason)
    }))
    try {
      await this.#work(leadership, ending.signal)
    } catch (error) {
      if (!ending.signal.aborted) throw error
      if (!isConsequence(error, ending.signal.reason)) this.#client.report(error)
    } finally {
      for (const end of unlisten) end()
      await leadership.resign()
    }
  }
}

/** Whether an error only says that the signal was aborted. */
function isConsequence(error: unknown, reason: unknown): boolean {
  if (error === reason) return true
  return error instanceof Error && (error.cause === reason || error.name === 'AbortError')
}
