/**
 * Services in use: clients register instances under ids of their own and under one that all of them want, change what
 * these say of themselves, unregister, and watch who is there.
 *
 * Watchers  some are slow and miss states; some are closed, and begin again.
 * Closing   some clients are closed while an instance of theirs is registered.
 * End       everybody unregisters, and those who watch come to the last list, in time.
 */
import type { Client } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { ServiceRegistry } from '../../src/recipes/services/service-registry.ts'
import type { InstanceDetails, ServiceRegistration } from '../../src/recipes/services/service-registry.ts'
import { ServiceWatcher } from '../../src/recipes/services/service-watcher.ts'
import type { ServiceChange } from '../../src/recipes/services/service-watcher.ts'
import type { RollReader } from '../checks/roll.ts'
import { ServicesCheck } from '../checks/services.ts'
import type { InstanceWords } from '../checks/services.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { attempt, eventually, limited } from './attempt.ts'
import { Ear } from './ear.ts'

const BASE = '/services'
const SERVICE = 'web'
const WANTED_ID = 'primary'
const WANTED_CHANCE = 0.3
/** Times are in ticks. */
const PAUSE_TICKS_MAX = 20
const STAY_TICKS_MAX = 10
const WAIT_TICKS_MAX = 75
const UPDATES_MAX = 4
const SLOW_CHANCE = 0.1
const ANEW_CHANCE = 0.1
const CLOSING_CHANCE = 0.03
/** How long clean-ups and the last list may take once there is service. */
const SETTLED_TICKS = 2_000

/** Makes the workload `services`. */
export const makeServices: MakeWorkload = ({ world, ledger, owners, probes }) => {
  const check = new ServicesCheck({ clocks: world.kernel, ledger, owners, path: `${BASE}/${SERVICE}` })
  const program = (client: Client, life: ClientLife): Promise<void> => {
    return new ServiceUser(client, life, check, probes).run()
  }
  return { name: 'services', checks: [check], program }
}

/** A watcher, and who listens to it. */
interface Watching {
  readonly watcher: ServiceWatcher
  readonly reader: RollReader
  readonly ear: Ear<ServiceChange>
}

/** One life of one client. */
class ServiceUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #check: ServicesCheck
  readonly #probes: Probes
  readonly #registry: ServiceRegistry
  #watching: Watching
  #handles = 0

  constructor(client: Client, life: ClientLife, check: ServicesCheck, probes: Probes) {
    this.#client = client
    this.#life = life
    this.#check = check
    this.#probes = probes
    this.#registry = new ServiceRegistry(client, BASE)
    this.#watching = this.#watch()
  }

  async run(): Promise<void> {
    const { random } = this.#life
    while (!this.#life.isEnding()) {
      await this.#beThere()
      if (this.#client.state.status === 'closed') return
      if (random.chance(ANEW_CHANCE)) await this.#watchAnew()
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
    const settledMs = SETTLED_TICKS * this.#life.tickMs
    const { name } = this.#check
    await eventually(name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
    const { reader } = this.#watching
    const isUpToDate = (): boolean => this.#check.isUpToDate(reader)
    await eventually(name, settledMs, isUpToDate, () => `SD1: ${reader.name} was not told of the last list`)
  }

  /** Registers an instance, lets it say this and that of itself, and unregisters it. */
  async #beThere(): Promise<void> {
    const { random, node, slot } = this.#life
    this.#handles += 1
    const handle = `${node.name}-${node.incarnation}-${this.#handles}`
    let words: InstanceWords = { port: slot, enabled: true, payload: { handle, update: 0 } }
    this.#check.says(words)
    const id = random.chance(WANTED_CHANCE) ? WANTED_ID : `instance-${slot}`
    const { value: registration } = await attempt(() => limited(this.#life, WAIT_TICKS_MAX, (limits) => {
      return this.#registry.register(SERVICE, { ...words, ...limits, id })
    }))
    if (registration === null) return
    this.#check.registered(registration, handle, node)
    for (let update = 1; update <= random.between(0, UPDATES_MAX); update++) {
      await this.#life.sleep(random.unit() * STAY_TICKS_MAX)
      words = await this.#update(registration, words, update)
    }
    await this.#life.sleep(random.unit() * STAY_TICKS_MAX)
    if (random.chance(CLOSING_CHANCE)) {
      this.#probes.hit('closed-in-tenure')
      return this.#client.close()
    }
    await registration.unregister()
    this.#check.unregistered(registration, handle, this.#client.sessionId)
  }

  /** Changes one thing that an instance says of itself. */
  async #update(registration: ServiceRegistration, before: InstanceWords, update: number): Promise<InstanceWords> {
    const { random, tickMs } = this.#life
    const payload = { ...before.payload, update }
    const details = random.pick([{ payload, port: random.between(1, 9) }, { payload, enabled: !before.enabled }])
    const words = { ...before, ...details } satisfies InstanceWords & InstanceDetails
    this.#check.says(words)
    const { error } = await attempt(() => registration.update(details, { waitMs: WAIT_TICKS_MAX * tickMs }))
    if (error === null) this.#check.updated(registration, words)
    return words
  }

  #watch(): Watching {
    const { random, node } = this.#life
    const watcher = new ServiceWatcher(this.#client, BASE, SERVICE)
    const reader: RollReader = { name: `${node.name}'s watcher`, moment: -1, members: new Map() }
    const ear = new Ear<ServiceChange>(reader.name, async (change) => {
      this.#check.told(reader, change)
      // Some take so long that they miss what comes meanwhile.
      if (random.chance(SLOW_CHANCE)) await this.#life.sleep(random.unit() * STAY_TICKS_MAX)
    })
    watcher.subscribe(ear.hear)
    return { watcher, reader, ear }
  }

  async #watchAnew(): Promise<void> {
    const closing = this.#watching.watcher.close()
    this.#watching.ear.over()
    this.#watching = this.#watch()
    await closing
  }
}
