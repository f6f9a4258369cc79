/**
 * Work that is done once, in use: clients ask for the results of a few keys, do the work where there is none, and fail
 * at it now and then. The results of some keys are over after a while.
 *
 * Waiters    wait for some time, until they change their mind, or not at all.
 * Work       some of it lasts longer than a session lives; some is done by a client that is closed meanwhile.
 * End        everybody asks for one more key, and is given its one result, in time.
 */
import type { Client } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import type { TimedWaitOptions } from '../../src/recipes/engine/wait.ts'
import { onceOnly } from '../../src/recipes/once/once-only.ts'
import type { OnceWork } from '../../src/recipes/once/once-only.ts'
import { Violation } from '../check.ts'
import { OnceCheck } from '../checks/once.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { attempt, eventually, isRefusal, limited } from './attempt.ts'

const LAST = '/once/last'
/** Keys whose results stay, and keys whose results are over after so many ticks. */
const LASTING_KEYS = 12
const FLEETING_KEYS = 2
const GOOD_TICKS = 30
/** Times are in ticks. */
const PAUSE_TICKS_MAX = 15
const WAIT_TICKS_MAX = 75
const WORK_TICKS_MAX = 5
const LONG_WORK_CHANCE = 0.1
const FAILURE_CHANCE = 0.2
const CLOSING_CHANCE = 0.02
/** How long the last result may take once there is service. */
const SETTLED_TICKS = 3_000

/** Work that has failed. */
class WorkError extends Error {}

/** The parts that all clients share. */
interface Scene {
  readonly check: OnceCheck
  readonly probes: Probes
  readonly keys: ReadonlyMap<string, number>
  /** By key, how often its work was begun. */
  readonly begun: Map<string, number>
}

/** Makes the workload `once`. */
export const makeOnce: MakeWorkload = ({ world, ledger, owners, probes }) => {
  const lasting = Array.from({ length: LASTING_KEYS }, (_, n) => [`/once/lasting-${n}`, Infinity] as const)
  const goodMs = GOOD_TICKS * world.tickMs
  const fleeting = Array.from({ length: FLEETING_KEYS }, (_, n) => [`/once/fleeting-${n}`, goodMs] as const)
  const keys = new Map([...lasting, ...fleeting, [LAST, Infinity] as const])
  const check = new OnceCheck({ ledger, owners, keys })
  const scene = { check, probes, keys, begun: new Map<string, number>() }
  const program = (client: Client, life: ClientLife): Promise<void> => new OnceUser(client, life, scene).run()
  return { name: 'once', checks: [check], program }
}

/** One life of one client. */
class OnceUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  #works = 0

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
  }

  async run(): Promise<void> {
    const { random } = this.#life
    const hands = random.pick([1, 1, 2])
    await Promise.all(Array.from({ length: hands }, () => this.#askOften()))
    if (this.#client.state.status === 'closed') return
    const { check } = this.#scene
    const settledMs = SETTLED_TICKS * this.#life.tickMs
    const endMs = performance.now() + settledMs
    while (!(await this.#ask(LAST, (call) => call({ waitMs: settledMs })))) {
      if (performance.now() < endMs) continue
      throw new Violation(check.name, `OO4: no result of ${LAST} after ${settledMs} ms`, 'liveness')
    }
    await eventually(check.name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
  }

  async #askOften(): Promise<void> {
    const { random } = this.#life
    const keys = [...this.#scene.keys.keys()].filter((key) => key !== LAST)
    while (!this.#life.isEnding() && this.#client.state.status !== 'closed') {
      await this.#ask(random.pick(keys), (call) => limited(this.#life, WAIT_TICKS_MAX, call))
      if (random.chance(CLOSING_CHANCE)) {
        this.#scene.probes.hit('closed-in-tenure')
        return this.#client.close()
      }
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  /** Asks for a result; false if it was given none. */
  async #ask(
    key: string,
    within: (call: (limits: TimedWaitOptions) => Promise<string>) => Promise<string>,
  ): Promise<boolean> {
    const { check, keys } = this.#scene
    const since = check.now
    const ttlMs = keys.get(key) ?? Infinity
    const options = ttlMs === Infinity ? {} : { ttlMs }
    const own: string[] = []
    const { value, error } = await attempt(() => within(async (limits) => {
      try {
        return await onceOnly(this.#client, key, (given) => {
          this.#works += 1
          const made = `${this.#life.node.name}-${this.#life.node.incarnation}-${this.#works}`
          own.push(made)
          return this.#work(key, made, given)
        }, { ...options, ...limits })
      } catch (failure) {
        if (!(failure instanceof WorkError)) throw failure
        check.isVoid(failure.message)
        return ''
      }
    }))
    if (isRefusal(error)) for (const made of own) check.isVoid(made)
    if (value === null || value === '') return false
    check.given(key, since, value, this.#life.node)
    return true
  }

  async #work(key: string, value: string, { token, signal }: OnceWork): Promise<string> {
    const { random, tickMs, node } = this.#life
    const { check, probes, begun } = this.#scene
    check.begins(key, token, node)
    const times = (begun.get(key) ?? 0) + 1
    begun.set(key, times)
    if (times > 1) probes.hit('work-done-again')
    const isLong = random.chance(LONG_WORK_CHANCE) && !this.#life.isEnding()
    await this.#life.sleep(random.unit() * (isLong ? 2 * this.#client.sessionTimeoutMs / tickMs : WORK_TICKS_MAX))
    // Some stop when they are told to; others finish what they have begun.
    if (random.chance(FAILURE_CHANCE) || (signal.aborted && random.chance(0.5))) throw new WorkError(value)
    return value
  }
}
