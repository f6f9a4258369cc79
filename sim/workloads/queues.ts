/**
 * A queue in use: clients put items of several priorities, some of them to be done later, take them one at a time and
 * several at once, and settle them in every way there is, or not at all.
 *
 * Waiters    wait for some time, until they change their mind, or not at all; some go through a loop of takes.
 * Work       some lasts longer than a session lives; some clients are closed in the middle of it. What was put away is
 *            removed now and then; before that there may be no room for more.
 * End        everybody works until nothing is left to do, which must be in time.
 */
import { delay } from '../../src/core/async.ts'
import type { Client } from '../../src/core/client.ts'
import type { CoordinationError } from '../../src/core/errors.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import type { TimedWaitOptions } from '../../src/recipes/engine/wait.ts'
import { DistributedQueue } from '../../src/recipes/queues/distributed-queue.ts'
import type { DistributedQueueOptions, QueueItem } from '../../src/recipes/queues/distributed-queue.ts'
import { Violation } from '../check.ts'
import { QueuesCheck } from '../checks/queues.ts'
import type { ClientLife, MakeWorkload, WorkloadSetup } from '../workload.ts'
import { abortedAfter, attempt, eventually, isRefusal, limited } from './attempt.ts'

const PATH = '/queue'
/** Times are in ticks. */
const PAUSE_TICKS_MAX = 20
const WAIT_TICKS_MAX = 75
const WORK_TICKS_MAX = 5
/** How long everything may take once there is service: longer than any session lives on without its client. */
const SETTLED_TICKS = 3_000
const LONG_WORK_CHANCE = 0.03
const DELAY_CHANCE = 0.2
const DELAY_TICKS_MAX = 60
const CLOSING_CHANCE = 0.01
const TIDY_CHANCE = 0.05
/**
 * A queue that gets full now and then, or one that puts away what was handed out too often. Never both: a client that
 * has no room to put an item away says so to `onError`, which counts as a fault of the run.
 */
const LIMITS: readonly QueueLimits[] = Object.freeze([
  { maxItems: 12, attemptsMax: Infinity },
  { maxItems: 1_000, attemptsMax: 4 },
])

type QueueLimits = Required<Pick<DistributedQueueOptions<string>, 'maxItems' | 'attemptsMax'>>

/** The parts that all clients share. */
interface Scene extends Pick<WorkloadSetup, 'probes'> {
  readonly check: QueuesCheck
  readonly limits: QueueLimits
}

/** Makes the workload `queues`. */
export const makeQueues: MakeWorkload = ({ world, ledger, owners, probes, random }) => {
  const check = new QueuesCheck({ clocks: world.kernel, ledger, owners, path: PATH })
  const scene = { check, probes, limits: random.pick(LIMITS) }
  const program = (client: Client, life: ClientLife): Promise<void> => new QueueUser(client, life, scene).run()
  return { name: 'queues', checks: [check], program }
}

/** A way to settle an item. */
type Settlement = 'ack' | 'deadLetter' | 'nack' | 'dispose'

/** One life of one client. */
class QueueUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #queue: DistributedQueue<string>
  #puts = 0
  /** Why the last take got nothing. */
  #lastTake: CoordinationError | null = null

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    this.#queue = new DistributedQueue(client, PATH, scene.limits)
  }

  async run(): Promise<void> {
    const hands = this.#life.random.pick([1, 1, 2])
    await Promise.all([this.#produce(), ...Array.from({ length: hands }, () => this.#consume())])
    if (this.#client.state.status === 'closed') return
    const { check } = this.#scene
    const settledMs = SETTLED_TICKS * this.#life.tickMs
    const endMs = performance.now() + settledMs
    while (!check.isEmptyAt(Date.now())) {
      if (performance.now() >= endMs) {
        const why = `the last take: ${this.#lastTake?.message}`
        throw new Violation(check.name, `QU5: after ${settledMs} ms ${check.leftAt(Date.now())}; ${why}`, 'liveness')
      }
      const item = await this.#take()
      if (item !== null) await this.#settle(item, 'ack')
      else await this.#makeRoom()
      await delay(this.#life.tickMs)
    }
    await eventually(check.name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
  }

  get #goesOn(): boolean {
    return !this.#life.isEnding() && this.#client.state.status !== 'closed'
  }

  async #produce(): Promise<void> {
    const { random, node, tickMs } = this.#life
    while (this.#goesOn) {
      this.#puts += 1
      const value = `${node.name}-${node.incarnation}-${this.#puts}`
      const priority = random.between(1, 3)
      const delayMs = random.chance(DELAY_CHANCE) ? random.between(1, DELAY_TICKS_MAX) * tickMs : 0
      const { value: id, error } = await attempt(() => this.#limited((limits) => {
        return this.#queue.put(value, { ...limits, priority, delayMs })
      }))
      if (id !== null) this.#scene.check.put(value, id, node)
      else if (isRefusal(error)) this.#scene.check.refused(value)
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  async #consume(): Promise<void> {
    const { random } = this.#life
    while (this.#goesOn) {
      if (random.chance(0.1)) await this.#loop()
      else {
        const item = await this.#take()
        if (item !== null) await this.#work(item)
      }
      if (random.chance(TIDY_CHANCE)) await this.#makeRoom()
      if (random.chance(CLOSING_CHANCE)) {
        this.#scene.probes.hit('closed-in-tenure')
        return this.#client.close()
      }
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  /** Takes and works in a loop, with several items at once or one after the other, until it changes its mind. */
  async #loop(): Promise<void> {
    const { random, tickMs } = this.#life
    const concurrency = random.between(1, 2)
    const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
    const works: Promise<void>[] = []
    await attempt(() => abortedAfter(limitMs, async (signal) => {
      for await (const item of this.#queue.consume({ signal, concurrency })) {
        this.#given(item)
        const working = this.#work(item)
        if (concurrency === 1) await working
        works.push(working)
      }
    }))
    await Promise.all(works)
  }

  async #take(): Promise<QueueItem<string> | null> {
    const { value, error } = await attempt(() => this.#limited((limits) => this.#queue.take(limits)))
    this.#lastTake = error
    if (value !== null) this.#given(value)
    return value
  }

  #given(item: QueueItem<string>): void {
    if (item.attempt > 1) this.#scene.probes.hit('item-came-back')
    this.#scene.check.taken(item, this.#life.node)
  }

  /** Removes what was put away: as long as there is too much of it, items that cannot be done stay where they are. */
  async #makeRoom(): Promise<void> {
    await attempt(async () => {
      for (const { id } of await this.#queue.deadLetters()) await this.#queue.removeDeadLetter(id)
    })
  }

  #limited<T>(call: (limits: TimedWaitOptions) => Promise<T>): Promise<T> {
    return limited(this.#life, WAIT_TICKS_MAX, call)
  }

  async #work(item: QueueItem<string>): Promise<void> {
    const { random, tickMs } = this.#life
    const isLong = random.chance(LONG_WORK_CHANCE)
    await this.#life.sleep(random.unit() * (isLong ? 2 * this.#client.sessionTimeoutMs / tickMs : WORK_TICKS_MAX))
    await this.#settle(item, random.pick<Settlement>(['ack', 'ack', 'ack', 'deadLetter', 'nack', 'dispose']))
  }

  async #settle(item: QueueItem<string>, settlement: Settlement): Promise<void> {
    const { check } = this.#scene
    const { node } = this.#life
    check.settling(item)
    if (settlement === 'nack') return item.nack()
    if (settlement === 'dispose') return item[Symbol.asyncDispose]()
    const { error } = await attempt(() => this.#limited((limits) => {
      return settlement === 'ack' ? item.ack(limits) : item.deadLetter('no use', limits)
    }))
    if (error === null) check.confirmed(item, settlement === 'deadLetter', node)
    else if (isRefusal(error)) check.unsettled(item, node)
  }
}
