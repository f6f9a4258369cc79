/**
 * Partitions in use: clients share out items, work on what they own, and write to what each item guards.
 *
 * Owners     a careful one looks at its assignment before it writes; a careless one does not, and its writes may arrive
 *            late. Some take their time to let go of an item.
 * Coming     members stop and start again under the same id, some are closed in the middle of it, and some know more
 *            items than others.
 * End        everybody owns its share once more, and every item has an owner in time; then all stop.
 */
import type { Client } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import type { Assignment } from '../../src/recipes/membership/partition-share.ts'
import { Partitioner } from '../../src/recipes/membership/partitioner.ts'
import type { PartitionChange } from '../../src/recipes/membership/partitioner.ts'
import { PartitionsCheck } from '../checks/partitions.ts'
import { FencedResource } from '../fenced-resource.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload, WorkloadSetup } from '../workload.ts'
import { attempt, eventually } from './attempt.ts'

const PATH = '/partitions'
const COUNTS: readonly number[] = Object.freeze([1, 4, 9])
/** Times are in ticks. */
const STAY_TICKS_MAX = 60
const PAUSE_TICKS_MAX = 10
const REVOKE_TICKS_MAX = 6
const WAIT_TICKS_MAX = 75
/** How long a write of a careless owner may be on its way. */
const LATE_TICKS_MAX = 150
/** How long everything may take once there is service: longer than any session lives on without its client. */
const SETTLED_TICKS = 3_000
const CLOSING_CHANCE = 0.03

/** The parts that all members share. */
interface Scene extends Pick<WorkloadSetup, 'operators' | 'probes'> {
  readonly check: PartitionsCheck
  readonly count: number
  readonly resources: ReadonlyMap<string, FencedResource>
}

/** Makes the workload `partitions`. */
export const makePartitions: MakeWorkload = ({ world, ledger, owners, operators, probes, random }) => {
  const count = random.pick(COUNTS)
  const items = Array.from({ length: count }, (_, index) => String(index))
  const check = new PartitionsCheck({ clocks: world.kernel, ledger, owners, path: `${PATH}/items`, items })
  const resources = new Map(items.map((item) => [item, new FencedResource()]))
  const scene = { check, probes, operators, count, resources }
  const program = (client: Client, life: ClientLife): Promise<void> => new ItemUser(client, life, scene).run()
  return { name: 'partitions', checks: [check], hunted: PATH, program }
}

/** One life of one client that shares out items. */
class ItemUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #probes: Probes
  readonly #isCareful: boolean
  readonly #isSlow: boolean

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    this.#probes = scene.probes
    this.#isCareful = life.random.chance(0.5)
    this.#isSlow = life.random.chance(0.3)
  }

  async run(): Promise<void> {
    const { random } = this.#life
    while (!this.#life.isEnding()) {
      const partitioner = this.#make(random.chance(0.2) ? random.between(1, this.#scene.count) : this.#scene.count)
      if (await this.#start(partitioner)) await this.#stay()
      if (random.chance(CLOSING_CHANCE)) {
        this.#probes.hit('closed-in-tenure')
        return this.#client.close()
      }
      await partitioner.stop()
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
    await this.#endCalmly()
  }

  /** Owns its share once more, until every item has an owner. */
  async #endCalmly(): Promise<void> {
    const { check } = this.#scene
    const { tickMs } = this.#life
    const settledMs = SETTLED_TICKS * tickMs
    const partitioner = this.#make(this.#scene.count)
    const endMs = performance.now() + settledMs
    while (!(await this.#start(partitioner)) && performance.now() < endMs) await this.#life.sleep(1)
    await eventually(check.name, settledMs, () => check.isCalm, () => `N3: nobody owns ${check.unowned}`)
    await partitioner.stop()
    await eventually(check.name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
  }

  #make(count: number): Partitioner {
    const { node, random } = this.#life
    const { check } = this.#scene
    const onRevoke = async (assignment: Assignment): Promise<void> => {
      check.revoked(assignment, node)
      if (this.#isSlow) await this.#life.sleep(random.unit() * REVOKE_TICKS_MAX)
      check.lettingGo(assignment, node)
    }
    const partitioner = new Partitioner(this.#client, PATH, { id: `worker-${this.#life.slot}`, count, onRevoke })
    partitioner.subscribe((change) => this.#hear(change))
    return partitioner
  }

  #hear({ assigned, revoked }: PartitionChange): void {
    const { check } = this.#scene
    for (const assignment of revoked) check.ended(assignment, this.#life.node)
    for (const assignment of assigned) {
      check.assigned(assignment, this.#life.node)
      void this.#work(assignment)
    }
  }

  async #start(partitioner: Partitioner): Promise<boolean> {
    const waitMs = WAIT_TICKS_MAX * this.#life.tickMs
    const { error } = await attempt(() => partitioner.start({ waitMs, onSessionLoss: 'queue-again' }))
    return error === null
  }

  async #stay(): Promise<void> {
    await this.#life.sleep(this.#life.random.unit() * STAY_TICKS_MAX)
  }

  /** Writes under an assignment until that ends. */
  async #work(assignment: Assignment): Promise<void> {
    const { random, node } = this.#life
    const { operators } = this.#scene
    const { incarnation } = node
    while (!assignment.signal.aborted && !this.#life.isEnding()) {
      if (!this.#isCareful && random.chance(0.1)) {
        await this.#life.sleep(random.unit() * LATE_TICKS_MAX)
        this.#write(assignment)
      } else if (isHeld(assignment)) {
        this.#write(assignment)
      }
      await operators.atMoment(`${PATH}/items/${assignment.item}`, node, random)
      await this.#life.sleep(1 + random.unit() * PAUSE_TICKS_MAX)
      if (node.incarnation !== incarnation) return
    }
  }

  #write(assignment: Assignment): void {
    const isAccepted = this.#scene.resources.get(assignment.item)?.write(assignment.token) === true
    if (!isAccepted) this.#probes.hit('fenced-write-refused')
    this.#scene.check.wrote(assignment, isAccepted)
  }
}

function isHeld(assignment: Assignment): boolean {
  try {
    assignment.throwIfLost()
    return true
  } catch {
    return false
  }
}
