/**
 * Barrier: one gate for all processes. While it is up, whoever comes waits; when it is lowered, all go on.
 *
 * Model     the barrier is up while the node at `path` exists. The node is persistent: who has raised it may end, and
 *           it stays up until somebody lowers it.
 * Safety    a lowering removes the node that it has found, and no other: repeated after a lost answer it does not lower
 *           a barrier that was raised again meanwhile. A raise whose answer was lost is not sent a second time either.
 * Liveness  who waits goes on when the barrier that it met is lowered, also where another is raised in its place before
 *           it looks.
 * Cost      raise: 1 round trip; lower: 3; wait: 2, and 1 watch and 1 event where it is up. All who wait are woken:
 *           that is what they are there for.
 * Source    Curator DistributedBarrier, whose node it shares; kazoo Barrier.
 */
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { validateClient } from '../../core/validate-client.ts'
import { parentOf, validatePath } from '../../core/path.ts'
import { CREATE_ATTEMPTS_MAX, isOutcomeUnknown } from '../engine/protected-writes.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { removeThis, statNow, untilGone } from './gate-node.ts'

/** A gate that is up or down for all. */
export class Barrier {
  /** The node that is there while the barrier is up. */
  readonly path: string
  readonly #client: Client

  /**
   * Makes a barrier's client side; nothing is sent.
   *
   * @param client - through which to raise, lower and wait
   * @param path - the barrier; nothing else may be there
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string) {
    validateClient(client, 'Barrier')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node below the root, got "/"')
    this.path = path
    this.#client = client
  }

  /**
   * Raises the barrier. If it is up already, it stays up.
   *
   * @param options - the signal and the time limit of the attempt
   * @throws CoordinationError `CONNECTION_LOSS`, `SESSION_EXPIRED` (with outcome `unknown` if the answer was lost and
   * the barrier is down: it was not raised, or somebody has lowered it since); `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   * (it may have taken effect); a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  raise(options: TimedWaitOptions = {}): Promise<void> {
    return this.#during(options, 'raise', async (wait) => {
      const { signal } = wait
      for (let attempt = 1; ; attempt += 1) {
        try {
          await this.#create(signal)
          return
        } catch (error) {
          if (!isCoordinationError(error, 'NO_NODE') || attempt === CREATE_ATTEMPTS_MAX) throw error
        }
        await wait.insist(() => this.#client.makePath(parentOf(this.path), { mode: 'persistent', signal }))
      }
    })
  }

  /**
   * Lowers the barrier, whoever has raised it: all who wait go on.
   *
   * @param options - the signal and the time limit of the attempt
   * @returns whether it was up when this call looked
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED` (it may have taken effect), `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, `NOT_EMPTY` if somebody has put nodes below it, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  lower(options: TimedWaitOptions = {}): Promise<boolean> {
    return this.#during(options, 'lower', async (wait) => {
      const found = await statNow(this.#client, this.path, wait)
      if (found === null) return false
      await removeThis(this.#client, { path: this.path, czxid: found.czxid }, wait)
      return true
    })
  }

  /**
   * Waits until the barrier is down; not at all if it is.
   *
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or what the
   * servers refused; in each case nothing is left behind
   * @throws TypeError or RangeError for a wrong option
   */
  wait(options: TimedWaitOptions = {}): Promise<void> {
    return this.#during(options, 'wait', async (wait) => {
      const found = await statNow(this.#client, this.path, wait)
      if (found === null) return
      if (options.waitMs === 0) {
        wait.timeOut('the barrier is up')
        wait.check()
      }
      await untilGone(this.#client, { path: this.path, czxid: found.czxid }, wait)
    })
  }

  /**
   * Tells whether the barrier is up.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or what the
   * servers refused
   * @throws TypeError or RangeError for a wrong option
   */
  isUp(options: TimedWaitOptions = {}): Promise<boolean> {
    return this.#during(options, 'isUp', async (wait) => (await statNow(this.#client, this.path, wait)) !== null)
  }

  /**
   * Makes the node, or finds it there.
   *
   * A create whose answer was lost and whose node is not there may have been lowered since: another would raise a
   * barrier that nobody asks for any more, and that nobody lowers.
   */
  async #create(signal: AbortSignal): Promise<void> {
    try {
      await this.#client.create(this.path, '', { signal })
    } catch (error) {
      if (isCoordinationError(error, 'NODE_EXISTS')) return
      if (signal.aborted || !isOutcomeUnknown(error) || !(await this.#isThere(signal))) throw error
    }
  }

  /** False also if it cannot be read. */
  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.sync(this.path, { signal })
      return (await this.#client.exists(this.path, { signal })) !== null
    } catch {
      return false
    }
  }

  #during<T>(options: TimedWaitOptions, what: string, run: (wait: Wait) => Promise<T>): Promise<T> {
    const call = { what, path: this.path, isUnlimited: true, kind: 'barrier' }
    return withinWait(this.#client, call, options, (_signal, wait) => run(wait))
  }
}
