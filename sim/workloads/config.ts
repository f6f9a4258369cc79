/**
 * Configuration in use: clients publish values, follow them, read them, and delete one now and then.
 *
 * Values     one is counted: whoever publishes adds one to what is in force there, so that a lost update shows. The
 *            other is free: it is overwritten with force, and deleted.
 * Schema     takes its time to look at a value in some of the lives, as one that asks somebody else would.
 * History    every other life keeps one, of few entries, so that some are dropped; the others know nothing of it.
 * Callbacks  some listeners close their center from within, while others have the same change still before them.
 * End        everybody has the last value, in time.
 */
import type { Client } from '../../src/core/client.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import type { ConfigChange } from '../../src/recipes/config/config-center.ts'
import type { PublishOptions } from '../../src/recipes/config/config-values.ts'
import type { StandardSchema } from '../../src/recipes/engine/standard-schema.ts'
import { ConfigCheck } from '../checks/config.ts'
import { ConfigHistoryCheck } from '../checks/config-history.ts'
import type { ConfigKind, ConfigReader, ConfigValue } from '../checks/config.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { abortedAfter, attempt, eventually } from './attempt.ts'
import { Ear } from './ear.ts'

/** Times are in ticks. */
const PAUSE_TICKS_MAX = 6
const WAIT_TICKS_MAX = 75
const THOUGHT_TICKS_MAX = 0.5
/** How often a listener closes the center that it listens to, and begins again. */
const MISCHIEF_CHANCE = 0.03
/** How long a reader may take to the last value once there is service. */
const CONVERGED_TICKS = 2_000
/** How many entries a history has at most. */
const ENTRIES_MAX = 5
const ROOT = '/config'
const VALUES: ReadonlyMap<string, ConfigKind> = new Map([['/config/counted', 'counted'], ['/config/free', 'free']])

/** Makes the workload `config`. */
export const makeConfig: MakeWorkload = ({ ledger, owners, probes }) => {
  const check = new ConfigCheck(ledger, owners, VALUES)
  const history = new ConfigHistoryCheck(ledger, VALUES.keys())
  const program = (client: Client, life: ClientLife): Promise<void> => {
    return new ConfigUser(client, life, { check, history, probes }).run()
  }
  return { name: 'config', checks: [check, history], hunted: ROOT, program }
}

/** A center, and what it was told. */
interface Follower {
  readonly path: string
  readonly center: ConfigCenter<ConfigValue>
  readonly reader: ConfigReader
  readonly ears: readonly Ear<ConfigChange<ConfigValue>>[]
}

/** Who watches over configuration. */
interface Watchers {
  readonly check: ConfigCheck
  readonly history: ConfigHistoryCheck
  readonly probes: Probes
}

/** One life of one client that uses configuration. */
class ConfigUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #check: ConfigCheck
  readonly #history: ConfigHistoryCheck
  /** Whether what this life publishes is recorded. */
  readonly #isRecording: boolean
  readonly #probes: Probes
  readonly #schema: StandardSchema<ConfigValue>
  readonly #followers: Follower[] = []
  #writes = 0
  #centers = 0

  constructor(client: Client, life: ClientLife, { check, history, probes }: Watchers) {
    this.#client = client
    this.#life = life
    this.#check = check
    this.#history = history
    this.#isRecording = (life.slot + life.life) % 2 === 1
    this.#probes = probes
    this.#schema = schemaOf(life)
  }

  async run(): Promise<void> {
    const { random } = this.#life
    for (const path of VALUES.keys()) this.#follow(path)
    const followers = this.#followers
    while (!this.#life.isEnding()) {
      const index = random.between(0, followers.length - 1)
      const follower = followers[index]
      if (follower === undefined) continue
      if (random.chance(0.02)) await this.#followAnew(follower)
      else await this.#step(follower)
      this.#check.looked(follower.reader, follower.center.stale, this.#client.state.status === 'connected')
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
    const { name } = this.#check
    for (const { reader } of followers) {
      const describe = (): string => `CFG1: ${reader.name} was not told of the last value of ${reader.path}`
      await eventually(name, CONVERGED_TICKS * this.#life.tickMs, () => this.#check.isUpToDate(reader), describe)
    }
  }

  async #followAnew(follower: Follower): Promise<void> {
    const index = this.#followers.indexOf(follower)
    if (index === -1) return
    const closing = follower.center.close()
    for (const ear of follower.ears) ear.over()
    this.#followers.splice(index, 1)
    this.#follow(follower.path)
    await closing
  }

  #follow(path: string): void {
    this.#centers += 1
    const history = this.#isRecording && { entriesMax: ENTRIES_MAX }
    const center = new ConfigCenter(this.#client, path, { schema: this.#schema, history })
    const reader = { name: `${this.#life.node.name}'s reader ${this.#centers}`, path, zxid: 0n }
    const told = new Ear<ConfigChange<ConfigValue>>(reader.name, async (change) => {
      if (change.resync) this.#probes.hit('config-resync')
      this.#check.told(reader, change)
      // Some take so long that they miss what comes meanwhile.
      if (this.#life.random.chance(0.1)) await this.#life.sleep(this.#life.random.unit() * PAUSE_TICKS_MAX)
    })
    const mischievous = new Ear<ConfigChange<ConfigValue>>(`a listener beside ${reader.name}`, () => {
      if (this.#life.random.chance(MISCHIEF_CHANCE) && !this.#life.isEnding()) void this.#followAnew(follower)
    })
    const ears = this.#life.random.chance(0.5) ? [told, mischievous] : [mischievous, told]
    for (const ear of ears) center.subscribe(ear.hear)
    const follower = { path, center, reader, ears }
    this.#followers.push(follower)
  }

  async #step(follower: Follower): Promise<void> {
    const { path, center } = follower
    const { random, tickMs } = this.#life
    const isCounted = VALUES.get(path) === 'counted'
    const steps = [
      () => this.#publish(follower, () => ({})),
      () => this.#publish(follower, () => ({ waitMs: random.unit() * WAIT_TICKS_MAX * tickMs })),
      () => abortedAfter(random.unit() * THOUGHT_TICKS_MAX * tickMs, (signal) => {
        return this.#publish(follower, () => ({ signal }))
      }),
      () => this.#publish(follower, () => (isCounted ? { ifVersion: center.version } : { force: true })),
      () => this.#read(follower),
      () => (this.#isRecording ? this.#list(follower) : this.#read(follower)),
      () => (isCounted ? this.#read(follower) : attempt(() => this.#client.delete(path))),
    ]
    await random.pick(steps)()
  }

  /** Publishes; with which options is asked when the value is made, as they are about the value before it. */
  async #publish({ path, center }: Follower, ask: () => PublishOptions): Promise<void> {
    // Who has not seen the value yet would replace whatever is there, and is right to.
    const { error: blindness } = await attempt(() => center.ready({ waitMs: WAIT_TICKS_MAX * this.#life.tickMs }))
    if (blindness !== null) return
    this.#writes += 1
    const value = { count: (center.current?.count ?? 0) + 1, by: `${this.#life.node.name}-${this.#writes}` }
    this.#check.begins(path, value)
    if (this.#isRecording) this.#history.begins(value)
    const { value: written, error } = await attempt(() => center.publish(value, ask()))
    if (error?.code === 'BAD_VERSION') this.#probes.hit('config-conflict')
    if (written !== null) this.#check.ends(value, written)
    else this.#check.ends(value, error.outcome === 'rejected' || error.outcome === 'not-sent' ? 'never' : 'maybe')
  }

  async #read({ path, center }: Follower): Promise<void> {
    const floor = this.#check.acknowledged(path)
    const { value, error } = await attempt(() => center.get({ waitMs: WAIT_TICKS_MAX * this.#life.tickMs }))
    if (error === null) this.#check.read(path, value, floor)
  }

  async #list({ path, center }: Follower): Promise<void> {
    const { value } = await attempt(() => center.history({ waitMs: WAIT_TICKS_MAX * this.#life.tickMs }))
    if (value !== null) this.#history.listed(path, value)
  }
}

/** Accepts every value; some take a while to say so. */
function schemaOf({ random, tickMs }: ClientLife): StandardSchema<ConfigValue> {
  const isSlow = random.chance(0.5)
  return {
    '~standard': {
      version: 1,
      vendor: 'quorate',
      validate: (value) => {
        const result = { value: value as ConfigValue }
        if (!isSlow) return result
        return new Promise((resolve) => setTimeout(resolve, random.unit() * THOUGHT_TICKS_MAX * tickMs, result))
      },
    },
  }
}
