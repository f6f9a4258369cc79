/**
 * Count-down latch: opens, for good, when so many things are done, whoever does them.
 *
 * Model     a persistent node with the count in its data, and a child per thing that is done, named by its id. The
 *           latch is open when there are as many children as the count says.
 * Safety    an id counts once, however often it is sent: a count whose answer was lost is repeated under the same name,
 *           and into this latch only, never into one that was made in its place.
 * Liveness  counts stay when their process ends. Who waits looks again after every change and every reconnect.
 * Cost      a count: 3 round trips; a wait: 3, then 1 event + 1 read per count, for each who waits. So it is for
 *           hundreds of things, not for many thousands.
 * Source    java.util.concurrent.CountDownLatch; Redisson RCountDownLatch, whose repeated count counts twice.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger, validateText } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, parentOf, validatePath } from '../../core/path.ts'
import { refusal } from '../../core/refusal.ts'
import { Bell } from '../engine/bell.ts'
import type { NodeIdentity } from '../engine/protected-writes.ts'
import { CREATE_ATTEMPTS_MAX, checkIdentity, isGone, isOutcomeUnknown, readSynced } from '../engine/protected-writes.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** Options of {@link CountDownLatch}. */
export interface CountDownLatchOptions {
  /** How many things must be done, 1 to 1,000; the same in every process. */
  readonly count: number
}

/** Options of {@link CountDownLatch.countDown}. */
export interface CountDownOptions extends TimedWaitOptions {
  /**
   * Names the thing that is done: one segment of a path. It counts once, also when it is done again after a crash. By
   * default each call counts.
   */
  readonly id?: string
}

/** Takes the error of each count whose answer was lost. */
type Tell = (error: CoordinationError) => void

const OPTIONS = optionNames<CountDownLatchOptions>({ count: true })
const COUNT_OPTIONS = optionNames<CountDownOptions>({ id: true, waitMs: true, signal: true })

/** Each count is a node, and all of them are listed by who waits. */
const COUNT_MAX = 1_000

/** A gate that opens when so many things are done. */
export class CountDownLatch {
  /** The latch's node. */
  readonly path: string
  readonly #client: Client
  readonly #count: number

  /**
   * Makes a latch's client side; nothing is sent.
   *
   * @param client - through which to count and wait
   * @param path - the latch; its node is made when it is needed, and stays until {@link CountDownLatch.remove}
   * @param options - the count
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: CountDownLatchOptions) {
    validateClient(client, 'CountDownLatch')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node below the root, got "/"')
    refuseUnknown(options, OPTIONS, 'CountDownLatch')
    const count: unknown = (options as Partial<CountDownLatchOptions> | undefined)?.count
    validateInteger('count', count, 1, COUNT_MAX)
    this.path = path
    this.#client = client
    this.#count = count
  }

  /**
   * Counts one thing as done.
   *
   * @param options.id - the name of the task that is done; each name counts once
   * @throws CoordinationError `INVALID_VALUE` if the latch has another count; `CONNECTION_LOSS` or `SESSION_EXPIRED`
   * with outcome `unknown` if the answer was lost and the latch was removed meanwhile; `ABORTED`, `TIMEOUT`,
   * `CLIENT_CLOSED` (it may have counted); a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  async countDown(options: CountDownOptions = {}): Promise<void> {
    const { id = crypto.randomUUID(), ...others } = options
    refuseUnknown(options, COUNT_OPTIONS, 'countDown')
    const child = this.#childOf(id)
    await this.#during(others, 'countDown', async (wait) => {
      const lost: CoordinationError[] = []
      for (let attempt = 1; ; attempt += 1) {
        const latch = await this.#find(wait)
        try {
          await this.#add(latch, child, wait, (error) => void lost.push(error))
          return
        } catch (error) {
          if (!isGone(error) || attempt === CREATE_ATTEMPTS_MAX) throw error
          // Removed: a create that was sent may have counted in that latch; otherwise this counts in the next one.
          if (lost[0] !== undefined) throw lost[0]
        }
      }
    })
  }

  /**
   * Waits until the latch is open; not at all if it is.
   *
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @throws CoordinationError `INVALID_VALUE` if the latch has another count; `NO_NODE` if it was removed during the
   * wait; `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  wait(options: TimedWaitOptions = {}): Promise<void> {
    return this.#during(options, 'wait', async (wait) => {
      const { czxid } = await this.#find(wait)
      for (;;) {
        const bell = new Bell(this.#client)
        try {
          const watch = bell.on(this.path, () => undefined)
          const read = (): ReturnType<Client['children']> => {
            return this.#client.children(this.path, { watch, signal: wait.signal })
          }
          const { names, stat } = await wait.insist(read)
          if (stat.czxid !== czxid) throw refusal('NO_NODE', this.path)
          if (names.length >= this.#count) return
          if (options.waitMs === 0) wait.timeOut('the latch is closed')
          await bell.heard(wait)
        } finally {
          bell.end()
        }
      }
    })
  }

  /**
   * Tells how many things are still to be done.
   *
   * @param options - the signal and the time limit of the reading
   * @returns 0 if the latch is open
   * @throws CoordinationError `INVALID_VALUE` if the latch has another count; `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`,
   * `CONNECTION_LOSS`, `SESSION_EXPIRED`, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  remaining(options: TimedWaitOptions = {}): Promise<number> {
    return this.#during(options, 'remaining', async (wait) => {
      const found = await wait.insist(() => readSynced(this.#client, this.path, wait.signal))
      if (found === null) return this.#count
      this.#check(found.data)
      return Math.max(0, this.#count - found.stat.numChildren)
    })
  }

  /**
   * Removes the latch with all of its counts. Those who still wait get an error; a later count begins another.
   *
   * @param options - the signal and the time limit of the attempt
   * @returns whether there was one
   * @throws CoordinationError `NOT_EMPTY` if somebody has put nodes below a count; `ABORTED`, `TIMEOUT`,
   * `CLIENT_CLOSED` (it may have taken effect), `CONNECTION_LOSS`, `SESSION_EXPIRED`, or a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  remove(options: TimedWaitOptions = {}): Promise<boolean> {
    return this.#during(options, 'remove', async (wait) => {
      const found = await wait.insist(() => readSynced(this.#client, this.path, wait.signal))
      if (found === null) return false
      const latch = { path: this.path, czxid: found.stat.czxid }
      for (let attempt = 1; ; attempt += 1) {
        try {
          await wait.insist(() => this.#removeAll(latch, wait.signal))
          return true
        } catch (error) {
          if (isGone(error) || isCoordinationError(error, 'NO_NODE')) return true
          // A count came in between the list and the removal.
          if (!isCoordinationError(error, 'NOT_EMPTY') || attempt === CREATE_ATTEMPTS_MAX) throw error
        }
      }
    })
  }

  /** Reads the latch, or makes it. */
  async #find(wait: Wait): Promise<NodeIdentity> {
    const { signal } = wait
    for (let attempt = 1; ; attempt += 1) {
      const found = await wait.insist(() => readSynced(this.#client, this.path, signal))
      if (found !== null) {
        this.#check(found.data)
        return { path: this.path, czxid: found.stat.czxid }
      }
      try {
        const { stat } = await wait.insist(() => this.#client.create(this.path, String(this.#count), { signal }))
        return { path: this.path, czxid: stat.czxid }
      } catch (error) {
        if (!isCoordinationError(error, 'NO_NODE', 'NODE_EXISTS') || attempt === CREATE_ATTEMPTS_MAX) throw error
        if (error.code === 'NODE_EXISTS') continue
        await wait.insist(() => this.#client.makePath(parentOf(this.path), { mode: 'persistent', signal }))
      }
    }
  }

  /** Makes the node of a count in this very latch; content if it is there. */
  async #add(latch: NodeIdentity, child: string, wait: Wait, tell: Tell): Promise<void> {
    const create = { type: 'create', path: child, data: new Uint8Array(), mode: 'persistent' } as const
    try {
      await wait.insist(async () => {
        try {
          await this.#client.multi([checkIdentity(latch), create], { signal: wait.signal })
        } catch (error) {
          if (isOutcomeUnknown(error)) tell(error)
          throw error
        }
      })
    } catch (error) {
      if (!isCoordinationError(error, 'NODE_EXISTS')) throw error
    }
  }

  async #removeAll(latch: NodeIdentity, signal: AbortSignal): Promise<void> {
    const { names } = await this.#client.children(latch.path, { signal })
    const paths = [...names.map((name) => joinPath(latch.path, name)), latch.path]
    const deletes = paths.map((path) => ({ type: 'delete', path, version: -1 }) as const)
    await this.#client.multi([checkIdentity(latch), ...deletes], { signal })
  }

  #check(data: Uint8Array): void {
    const stored = new TextDecoder().decode(data)
    if (stored === String(this.#count)) return
    const message = `${this.path} counts down from ${JSON.stringify(stored)}, this latch from ${String(this.#count)}`
    throw new CoordinationError('INVALID_VALUE', message, { outcome: 'rejected', path: this.path })
  }

  #childOf(id: string): string {
    validateText('id', id)
    if (id.includes('/')) throw new TypeError(`id must be one segment of a path, got ${JSON.stringify(id)}`)
    const child = joinPath(this.path, id)
    validatePath(child, 'id')
    return child
  }

  #during<T>(options: TimedWaitOptions, what: string, run: (wait: Wait) => Promise<T>): Promise<T> {
    const call = { what, path: this.path, isUnlimited: true, kind: 'count-down-latch' }
    return withinWait(this.#client, call, options, (_signal, wait) => run(wait))
  }
}
