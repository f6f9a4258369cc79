/**
 * Id allocator: whole numbers that no two callers in any process are given, most of them without a round trip.
 *
 * Model     a counter says which ids are taken. A process takes a block of them at a time, and hands them out itself.
 * Safety    an id is given once. Ids of a block that is not used up when the process ends are lost, and so are those of
 *           a block whose answer was lost: a counter that may have been raised is raised again.
 * Order     ids of one process grow; those of two processes do not come in the order of their calls.
 * Cost      1 change of the counter for each block.
 * Source    Curator CachedAtomicLong.
 */
import type { Client } from '../../core/client.ts'
import { abortable } from '../../core/async.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { isOutcomeUnknown } from '../engine/protected-writes.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { AtomicCounter } from './atomic-counter.ts'

/** Options of an {@link IdAllocator}. */
export interface IdAllocatorOptions {
  /** How many ids a process takes at a time; 100 by default. */
  readonly block?: number
}

const OPTIONS = optionNames<IdAllocatorOptions>({ block: true })
const BLOCK_MAX = 1_000_000
const BLOCK_DEFAULT = 100
/** So many blocks may be lost to one call. */
const BLOCKS_LOST_MAX = 10

/** Ids for all processes. */
export class IdAllocator {
  readonly #client: Client
  readonly #counter: AtomicCounter
  readonly #block: bigint
  #next = 0n
  #end = 0n
  #taking: Promise<void> | null = null

  /**
   * Makes an allocator's client side; nothing is sent.
   *
   * @param client - through which to take blocks
   * @param path - the counter, of 64 bits; made with the first block
   * @param options - how many ids to take at a time
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: IdAllocatorOptions = {}) {
    validateClient(client, 'IdAllocator')
    refuseUnknown(options, OPTIONS, 'IdAllocator')
    const { block = BLOCK_DEFAULT } = options
    validateInteger('block', block, 1, BLOCK_MAX)
    this.#client = client
    this.#counter = new AtomicCounter(client, path)
    this.#block = BigInt(block)
  }

  /** The counter's path. */
  get path(): string {
    return this.#counter.path
  }

  /**
   * Gives an id, from 0 on.
   *
   * @param options - the signal and the time limit of the wait for a block
   * @throws CoordinationError `INVALID_VALUE` (`not-sent`: there are no more; `corrupt`: no number is stored),
   * `CONNECTION_LOSS`, `SESSION_EXPIRED`, `BAD_VERSION`; `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`; a refusal of
   * the servers. In each case no id was given, and ids may be lost
   * @throws TypeError or RangeError for a wrong option
   */
  next(options: TimedWaitOptions = {}): Promise<bigint> {
    return withinWait(this.#client, { what: 'next', path: this.path }, options, async (signal) => {
      while (this.#next === this.#end) {
        this.#taking ??= this.#take().finally(() => {
          this.#taking = null
        })
        await abortable(this.#taking, signal)
      }
      this.#next += 1n
      return this.#next - 1n
    })
  }

  /** Takes a block, for all who wait for one. */
  async #take(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { before, after } = await this.#counter.add(this.#block)
        this.#next = before
        this.#end = after
        return
      } catch (error) {
        // Whether the block was taken is not known: nobody will use it.
        if (!isOutcomeUnknown(error) || attempt === BLOCKS_LOST_MAX) throw error
      }
    }
  }
}
