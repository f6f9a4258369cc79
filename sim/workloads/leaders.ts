/**
 * Elections and counters in use: clients stand, lead, proclaim, hand over and resign, and count beside that.
 *
 * Leaders    write to what they lead under their token; some at a late moment, some only while they are sure.
 * Transfers  go to any host, whether it stands or not.
 * Counters   are changed by everyone at once, so that some queue.
 * End        everybody leads once more, in time, and owes nothing when it goes.
 */
import type { Client } from '../../src/core/client.ts'
import { AtomicCounter } from '../../src/recipes/counters/atomic-counter.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import type { Leadership } from '../../src/recipes/leader/leadership.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { World } from '../../src/testing/simulation/world.ts'
import { Violation } from '../check.ts'
import { LeadersCheck } from '../checks/leaders.ts'
import { LocksCheck } from '../checks/locks.ts'
import { FencedResource } from '../fenced-resource.ts'
import type { ClientLife, MakeWorkload, WorkloadSetup } from '../workload.ts'
import { abortedAfter, attempt, eventually, reported } from './attempt.ts'
import type { Attempted } from './attempt.ts'

/** Times are in ticks. */
const PAUSE_TICKS_MAX = 5
const COUNT_PAUSE_TICKS_MAX = 15
const WAIT_TICKS_MAX = 75
const LEAD_TICKS_MAX = 4
const LATE_TICKS_MAX = 150
const GRANT_TICKS = 3_000
const CLEANUP_TICKS = 2_000
const PATH = '/elections/cron'

/** The parts that all users share. */
interface Scene extends Pick<WorkloadSetup, 'operators'> {
  readonly world: World
  readonly probes: Probes
  readonly leaders: LeadersCheck
  readonly locks: LocksCheck
  readonly led: FencedResource
  readonly counters: readonly string[]
  readonly hosts: number
}

/** Makes the workload `leaders`. */
export const makeLeaders: MakeWorkload = ({ world, ledger, tap, owners, operators, clients, probes, random }) => {
  const counters = Array.from({ length: random.between(1, 2) }, (_, index) => `/counters/${index + 1}`)
  const leaders = new LeadersCheck(ledger, owners, PATH, counters)
  const locks = new LocksCheck({
    clocks: world.kernel, ledger, tap, owners, probes, locks: new Map([[PATH, 'election' as const]]),
  })
  const scene = { world, probes, leaders, locks, led: new FencedResource(), counters, hosts: clients, operators }
  const program = (client: Client, life: ClientLife): Promise<void> => new CandidateHost(client, life, scene).run()
  return { name: 'leaders', checks: [leaders, locks], hunted: PATH, program }
}

/** One life of one client. */
class CandidateHost {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #election: LeaderElection<string>
  readonly #counters: readonly AtomicCounter[]
  readonly #isCareful: boolean
  readonly #tokens = new Set<bigint>()
  #campaigns = 0

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    const id = `host-${life.slot}`
    this.#election = new LeaderElection<string>(client, PATH, life.random.chance(0.5) ? { id } : { id, data: 'first' })
    this.#counters = scene.counters.map((path) => new AtomicCounter(client, path))
    this.#isCareful = life.random.chance(0.5)
  }

  async run(): Promise<void> {
    await Promise.all([this.#stand(), this.#count()])
    await this.#leadLast()
    const { locks } = this.#scene
    const cleanupMs = CLEANUP_TICKS * this.#life.tickMs
    await eventually(locks.name, cleanupMs, () => pendingCleanups(this.#client) === 0, () => 'L6: clean-ups are owed')
    await attempt(() => this.#client.sync())
    this.#lookForRest()
  }

  async #stand(): Promise<void> {
    const { random, tickMs } = this.#life
    while (!this.#life.isEnding()) {
      const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
      const ways: (() => Promise<Leadership<string>>)[] = [
        () => this.#election.campaign({ waitMs: limitMs }),
        () => abortedAfter(limitMs, (signal) => this.#election.campaign({ signal, onSessionLoss: 'reject' })),
        () => this.#election.campaign({ waitMs: 0 }),
      ]
      const { value: leadership } = await this.#campaign(random.pick(ways))
      if (leadership !== null) await this.#lead(leadership)
      this.#lookForRest()
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  async #campaign(stand: () => Promise<Leadership<string>>): Promise<Attempted<Leadership<string>>> {
    this.#campaigns += 1
    const attempted = await attempt(stand)
    if (attempted.value !== null) this.#elected(attempted.value)
    this.#campaigns -= 1
    return attempted
  }

  #elected(leadership: Leadership<string>): void {
    const { locks, probes, world } = this.#scene
    this.#tokens.add(leadership.token)
    locks.granted(PATH, leadership, this.#life.node)
    leadership.signal.addEventListener('abort', () => {
      probes.hit('lock-lost')
      reported(world.kernel, () => {
        locks.lost(leadership)
      })
    })
  }

  async #lead(leadership: Leadership<string>): Promise<void> {
    const { random, tickMs } = this.#life
    for (let turn = random.between(0, 3); turn > 0; turn -= 1) {
      await this.#life.sleep(random.unit() * LEAD_TICKS_MAX)
      if (this.#isCareful && !leads(leadership)) break
      this.#write(leadership.token)
      await this.#scene.operators.atMoment(leadership.path, this.#life.node, random)
      if (random.chance(0.5)) {
        await attempt(() => leadership.proclaim(`turn ${turn}`, { waitMs: WAIT_TICKS_MAX * tickMs }))
      }
    }
    this.#scene.locks.releasing(leadership)
    if (random.chance(0.4)) {
      const other = `host-${random.between(0, this.#scene.hosts - 1)}`
      const { value } = await attempt(() => leadership.transferTo(other, { waitMs: WAIT_TICKS_MAX * tickMs }))
      if (value === true) this.#scene.probes.hit('leader-handed-over')
    }
    await this.#resign(leadership)
  }

  async #resign(leadership: Leadership<string>): Promise<void> {
    const { locks, leaders } = this.#scene
    const { sessionId } = this.#client
    await leadership.resign()
    this.#tokens.delete(leadership.token)
    const isSame = sessionId === this.#client.sessionId
    locks.released(leadership, isSame ? sessionId : null)
    if (leadership.state === 'released' && isSame) leaders.resigned(leadership.token)
  }

  /** Writes to what the leader leads. */
  #write(token: bigint): void {
    const { world, locks, led } = this.#scene
    const { random, node, tickMs } = this.#life
    const arrive = (): boolean => {
      const isAccepted = led.write(token)
      locks.wrote(PATH, token, isAccepted)
      return isAccepted
    }
    if (!this.#isCareful) {
      const lateMs = random.chance(0.5) ? 0 : random.unit() * LATE_TICKS_MAX * tickMs
      world.kernel.after(lateMs, null, 'write', arrive)
    } else if (!arrive() && !locks.isStruck(token)) {
      throw new Violation(locks.name, `L5: ${node.name} was sure that it leads, and its write was refused`)
    }
  }

  async #count(): Promise<void> {
    const { random, tickMs } = this.#life
    while (!this.#life.isEnding()) {
      const counter = random.pick(this.#counters)
      const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
      this.#scene.leaders.steps(counter.path)
      const { value, error } = await attempt(() => counter.add(1, random.chance(0.2) ? { waitMs: limitMs } : {}))
      const isNever = error?.outcome === 'rejected' || error?.outcome === 'not-sent'
      if (error?.outcome === 'unknown') this.#scene.probes.hit('step-unknown')
      this.#scene.leaders.stepped(counter.path, value ?? (isNever ? 'never' : 'maybe'))
      await this.#life.sleep(random.unit() * COUNT_PAUSE_TICKS_MAX)
    }
  }

  /** Once there is service and everybody comes to an end, everybody leads. */
  async #leadLast(): Promise<void> {
    const { locks } = this.#scene
    const waitMs = GRANT_TICKS * this.#life.tickMs
    for (;;) {
      const { value: leadership, error } = await this.#campaign(() => this.#election.campaign({ waitMs }))
      if (error?.code === 'TIMEOUT') {
        const queue = locks.describe(PATH)
        throw new Violation(locks.name, `V4: ${this.#life.node.name} waited ${waitMs} ms: ${queue}`, 'liveness')
      }
      if (leadership === null) continue
      locks.releasing(leadership)
      return this.#resign(leadership)
    }
  }

  #lookForRest(): void {
    const { sessionId } = this.#client
    if (sessionId === null || pendingCleanups(this.#client) > 0) return
    this.#scene.locks.owesNothing(sessionId, { tokens: this.#tokens, acquiring: new Map([[PATH, this.#campaigns]]) })
  }
}

function leads(leadership: Leadership<string>): boolean {
  try {
    leadership.throwIfLost()
    return true
  } catch {
    return false
  }
}
