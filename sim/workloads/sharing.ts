/**
 * Read-write locks, semaphores and a rate in use: clients read, write, go on reading after they wrote, take permits,
 * and tokens beside that.
 *
 * Waiters    wait without limit, for some time, until they change their mind, or not at all.
 * Tenures    some last longer than a session lives.
 * End        everybody writes once more and takes all permits once more, which must be granted in time; then nobody is
 *            left in any queue.
 */
import type { Client } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { ReadWriteLock } from '../../src/recipes/locks/read-write-lock.ts'
import { Semaphore } from '../../src/recipes/locks/semaphore.ts'
import { Violation } from '../check.ts'
import { RatesCheck } from '../checks/rates.ts'
import { SharingCheck } from '../checks/sharing.ts'
import type { Share } from '../checks/sharing.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { abortedAfter, attempt, eventually } from './attempt.ts'
import { Taker, rateFor } from './taker.ts'

/** Times are in ticks. */
const PAUSE_TICKS_MAX = 5
const WAIT_TICKS_MAX = 75
const HOLD_TICKS_MAX = 3
/** Part of the tenures that last longer than a session lives. */
const LONG_TENURE_CHANCE = 0.03
const DOWNGRADE_CHANCE = 0.4
/** How long the last grant may take once there is service. */
const GRANT_TICKS = 3_000
const CLEANUP_TICKS = 2_000
const PERMITS = 3
const LOCK = '/sharing/lock'
const SEMAPHORE = '/sharing/semaphore'
const RATE = '/sharing/rate'

/** A way to ask for a share of something. */
interface Wish {
  readonly place: string
  readonly share: Share
  acquire(options: { readonly waitMs?: number; readonly signal?: AbortSignal }): Promise<Lease>
  tryAcquire(): Promise<Lease | null>
}

/** Makes the workload `sharing`. */
export const makeSharing: MakeWorkload = ({ world, ledger, owners }) => {
  const check = new SharingCheck(world.kernel, PERMITS)
  const rates = new RatesCheck({
    ledger, owners, clocks: world.kernel, path: RATE, rate: rateFor(world.tickMs),
  })
  const program = async (client: Client, life: ClientLife): Promise<void> => {
    const taker = new Taker(client, RATE, life, rates)
    await Promise.all([taker.run(), new Sharer(client, life, check).run()])
    await taker.takeLast()
  }
  return { name: 'sharing', checks: [check, rates], program }
}

/** One life of one client. */
class Sharer {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #check: SharingCheck
  readonly #lock: ReadWriteLock
  readonly #semaphore: Semaphore

  constructor(client: Client, life: ClientLife, check: SharingCheck) {
    this.#client = client
    this.#life = life
    this.#check = check
    this.#lock = new ReadWriteLock(client, LOCK)
    this.#semaphore = new Semaphore(client, SEMAPHORE, { permits: PERMITS })
  }

  async run(): Promise<void> {
    const hands = this.#life.random.pick([1, 1, 2])
    await Promise.all(Array.from({ length: hands }, () => this.#work()))
    for (const wish of [this.#side('write'), this.#permits(PERMITS)]) await this.#acquireLast(wish)
    const isClean = (): boolean => pendingCleanups(this.#client) === 0
    await eventually(this.#check.name, CLEANUP_TICKS * this.#life.tickMs, isClean, () => 'clean-ups are owed')
  }

  async #work(): Promise<void> {
    const { random } = this.#life
    while (!this.#life.isEnding()) {
      const wishes = [this.#side('read'), this.#side('write'), this.#permits(random.between(1, PERMITS))]
      const wish = random.pick(wishes)
      const lease = await this.#acquire(wish)
      if (lease !== null) await this.#hold(wish, lease)
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  #side(share: 'read' | 'write'): Wish {
    const side = share === 'read' ? this.#lock.reader : this.#lock.writer
    return {
      place: LOCK, share,
      acquire: (options) => side.acquire(options),
      tryAcquire: () => side.tryAcquire(),
    }
  }

  #permits(permits: number): Wish {
    return {
      place: SEMAPHORE, share: permits,
      acquire: (options) => this.#semaphore.acquire({ ...options, permits }),
      tryAcquire: () => this.#semaphore.tryAcquire({ permits }),
    }
  }

  /** Acquires in one of the ways there are. Null: it did not acquire. */
  async #acquire(wish: Wish): Promise<Lease | null> {
    const { random, tickMs } = this.#life
    const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
    const ways: (() => Promise<Lease | null>)[] = [
      () => wish.acquire({}),
      () => wish.acquire({ waitMs: limitMs }),
      () => abortedAfter(limitMs, (signal) => wish.acquire({ signal })),
      () => abortedAfter(random.unit() * PAUSE_TICKS_MAX * tickMs, (signal) => wish.acquire({ signal })),
      () => wish.tryAcquire(),
    ]
    return this.#granted(wish, await attempt(random.pick(ways)))
  }

  #granted(wish: Wish, { value }: { readonly value: Lease | null }): Lease | null {
    if (value !== null) this.#check.granted(wish.place, wish.share, value, this.#life.node)
    return value
  }

  async #hold(wish: Wish, lease: Lease): Promise<void> {
    const { random, tickMs } = this.#life
    const isLong = random.chance(LONG_TENURE_CHANCE)
    await this.#life.sleep(random.unit() * (isLong ? 2 * this.#client.sessionTimeoutMs / tickMs : HOLD_TICKS_MAX))
    if (wish.share === 'write' && random.chance(DOWNGRADE_CHANCE)) {
      const { value: reading } = await attempt(() => this.#lock.downgrade(lease))
      if (reading !== null) {
        this.#check.releasing(lease)
        this.#check.granted(wish.place, 'read', reading, this.#life.node)
        await this.#life.sleep(random.unit() * HOLD_TICKS_MAX)
        await this.#release(reading)
      }
    }
    await this.#release(lease)
  }

  async #release(lease: Lease): Promise<void> {
    this.#check.releasing(lease)
    await lease.release()
  }

  /** Once there is service and everybody comes to an end, everybody gets everything. */
  async #acquireLast(wish: Wish): Promise<void> {
    const waitMs = GRANT_TICKS * this.#life.tickMs
    for (;;) {
      const attempted = await attempt(() => wish.acquire({ waitMs }))
      if (attempted.error?.code === 'TIMEOUT') {
        const who = `${this.#life.node.name} waited ${waitMs} ms for ${wish.share} of ${wish.place}`
        throw new Violation(this.#check.name, `V4: ${who}`, 'liveness')
      }
      const lease = this.#granted(wish, attempted)
      if (lease !== null) return this.#release(lease)
    }
  }
}
