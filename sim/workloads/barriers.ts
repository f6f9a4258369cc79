/**
 * Barriers and latches in use: clients raise and lower one barrier and wait at it, go through rounds of a double
 * barrier, and count a latch down that is removed now and then.
 *
 * Waiters    wait for some time, until they change their mind, or not at all.
 * Work       some of it inside a round lasts longer than a session lives.
 * End        the barrier is lowered; rounds of another double barrier open for all but one who may be left over, and
 *            everybody counts another latch down and waits for it, in time.
 */
import type { Client } from '../../src/core/client.ts'
import type { CoordinationError } from '../../src/core/errors.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import type { TimedWaitOptions } from '../../src/recipes/engine/wait.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { CountDownLatch } from '../../src/recipes/barriers/count-down-latch.ts'
import { DoubleBarrier } from '../../src/recipes/barriers/double-barrier.ts'
import { Violation } from '../check.ts'
import { BarriersCheck } from '../checks/barriers.ts'
import type { GateCall } from '../checks/barriers.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { attempt, eventually, isRefusal, limited } from './attempt.ts'

const PATHS = Object.freeze({
  barrier: '/gates/barrier',
  doubles: ['/gates/double', '/gates/last-double'],
  latches: ['/gates/latch', '/gates/last-latch'],
})
const [DOUBLE = '', LAST_DOUBLE = ''] = PATHS.doubles
const [LATCH = '', LAST_LATCH = ''] = PATHS.latches
/** Of members, and of counts. */
const COUNT = 2
/** Times are in ticks. */
const PAUSE_TICKS_MAX = 30
const WAIT_TICKS_MAX = 75
const WORK_TICKS_MAX = 5
const LONG_WORK_CHANCE = 0.03
const REMOVE_CHANCE = 0.3
/** How long the last round and the last wait may take once there is service: longer than sessions of the dead live. */
const SETTLED_TICKS = 3_000

/** The parts that all clients share. */
interface Scene {
  readonly check: BarriersCheck
  readonly probes: Probes
  /** The processes that have not gone through a last round. */
  readonly pending: Map<SimNode, number>
}

/** Makes the workload `barriers`. */
export const makeBarriers: MakeWorkload = ({ ledger, owners, probes }) => {
  const check = new BarriersCheck({ ledger, owners, paths: PATHS, count: COUNT })
  const scene = { check, probes, pending: new Map<SimNode, number>() }
  const program = (client: Client, life: ClientLife): Promise<void> => new GateUser(client, life, scene).run()
  return { name: 'barriers', checks: [check], program }
}

/** One life of one client. */
class GateUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #barrier: Barrier
  readonly #latch: CountDownLatch
  #counts = 0

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    this.#barrier = new Barrier(client, PATHS.barrier)
    this.#latch = new CountDownLatch(client, LATCH, { count: COUNT })
  }

  async run(): Promise<void> {
    const { node, tickMs } = this.#life
    const { check, pending } = this.#scene
    pending.set(node, node.incarnation)
    await Promise.all([
      this.#repeat(() => this.#useBarrier()),
      this.#repeat(() => this.#useLatch()),
      this.#goThroughRounds(),
    ])
    const settledMs = SETTLED_TICKS * tickMs
    await this.#lowerLast(settledMs)
    await this.#countLast(settledMs)
    await this.#meetLast(settledMs)
    await eventually(check.name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
  }

  async #repeat(use: () => Promise<void>): Promise<void> {
    while (!this.#life.isEnding()) {
      await use()
      await this.#life.sleep(this.#life.random.unit() * PAUSE_TICKS_MAX)
    }
  }

  async #useBarrier(): Promise<void> {
    const { random } = this.#life
    await random.pick([() => this.#raise(), () => this.#lower(), () => this.#waitThere(), () => this.#ask()])()
  }

  async #raise(): Promise<void> {
    const call = this.#scene.check.changes('raise', this.#life.node)
    const { error } = await attempt(() => this.#limited((limits) => this.#barrier.raise(limits)))
    if (error === null) this.#scene.check.said(call, true)
    else this.#deny(call, error)
  }

  async #lower(): Promise<boolean> {
    const call = this.#scene.check.changes('lower', this.#life.node)
    const { value: wasUp, error } = await attempt(() => this.#limited((limits) => this.#barrier.lower(limits)))
    if (error !== null) this.#deny(call, error)
    else this.#scene.check.said(call, false)
    if (wasUp === true) this.#scene.check.said(call, true)
    return error === null
  }

  async #waitThere(): Promise<void> {
    const call = this.#scene.check.call(this.#life.node)
    const { error } = await attempt(() => this.#limited((limits) => this.#barrier.wait(limits)))
    if (error === null) this.#scene.check.said(call, false)
  }

  async #ask(): Promise<void> {
    const call = this.#scene.check.call(this.#life.node)
    const { value: isUp } = await attempt(() => this.#limited((limits) => this.#barrier.isUp(limits)))
    if (isUp !== null) this.#scene.check.said(call, isUp)
  }

  async #useLatch(): Promise<void> {
    const { random } = this.#life
    const uses = [() => this.#count(LATCH, this.#latch), () => this.#awaitOpen(), () => this.#askLatch()]
    await random.pick(uses)()
  }

  async #count(path: string, latch: CountDownLatch): Promise<void> {
    const { node } = this.#life
    const { check } = this.#scene
    this.#counts += 1
    const id = `${node.name}-${node.incarnation}-${this.#counts}`
    const call = check.call(node)
    const { error } = await attempt(() => this.#limited((limits) => latch.countDown({ ...limits, id })))
    if (error === null) check.counted(call, path, id)
    else if (isRefusal(error)) check.refusedCount(path, id)
  }

  /** Waits until the latch is open; then somebody removes it. */
  async #awaitOpen(): Promise<void> {
    const call = this.#scene.check.call(this.#life.node)
    const { error } = await attempt(() => this.#limited((limits) => this.#latch.wait(limits)))
    if (error !== null) return
    this.#scene.check.lacks(call, LATCH, 0)
    if (!this.#life.random.chance(REMOVE_CHANCE)) return
    const removal = this.#scene.check.call(this.#life.node)
    const { error: kept } = await attempt(() => this.#limited((limits) => this.#latch.remove(limits)))
    if (kept === null) this.#scene.check.lacks(removal, LATCH, COUNT)
  }

  async #askLatch(): Promise<void> {
    const call = this.#scene.check.call(this.#life.node)
    const { value: lacking } = await attempt(() => this.#limited((limits) => this.#latch.remaining(limits)))
    if (lacking !== null) this.#scene.check.lacks(call, LATCH, lacking)
  }

  async #goThroughRounds(): Promise<void> {
    const { random, tickMs } = this.#life
    const double = new DoubleBarrier(this.#client, DOUBLE, { count: COUNT })
    await this.#repeat(async () => {
      const call = this.#scene.check.call(this.#life.node)
      const { error } = await attempt(() => this.#limited((limits) => double.enter(limits)))
      if (error !== null) return
      this.#scene.check.isIn(call, DOUBLE)
      this.#scene.probes.hit('round-entered')
      const isLong = random.chance(LONG_WORK_CHANCE)
      await this.#life.sleep(random.unit() * (isLong ? 2 * this.#client.sessionTimeoutMs / tickMs : WORK_TICKS_MAX))
      await this.#leave(double, call)
    })
    await this.#inTime('the end of a round', SETTLED_TICKS * tickMs, (limits) => double.leave(limits))
  }

  async #leave(double: DoubleBarrier, call: GateCall): Promise<void> {
    for (;;) {
      const { error } = await attempt(() => this.#limited((limits) => double.leave(limits)))
      if (error === null) return this.#scene.check.left(call)
      if (this.#life.isEnding()) return
    }
  }

  /** Nobody raises it any more. */
  async #lowerLast(settledMs: number): Promise<void> {
    while (!(await this.#lower())) await this.#life.sleep(1)
    await this.#inTime('a barrier that is down', settledMs, (limits) => this.#barrier.wait(limits))
  }

  async #countLast(settledMs: number): Promise<void> {
    const latch = new CountDownLatch(this.#client, LAST_LATCH, { count: COUNT })
    for (let count = 1; count <= COUNT; count++) await this.#count(LAST_LATCH, latch)
    while ((await attempt(() => latch.remaining())).value !== 0) await this.#count(LAST_LATCH, latch)
    await this.#inTime('a latch that is counted down', settledMs, (limits) => latch.wait(limits))
  }

  /** Goes through a round with another, unless nobody else is left to. */
  async #meetLast(settledMs: number): Promise<void> {
    const { pending } = this.#scene
    const { node } = this.#life
    const double = new DoubleBarrier(this.#client, LAST_DOUBLE, { count: COUNT })
    const alone = new AbortController()
    const look = setInterval(() => {
      const others = [...pending].filter(([other, life]) => other.isUp && other.incarnation === life)
      if (others.length < COUNT) alone.abort(new Error('nobody else is left'))
    }, this.#life.tickMs)
    await this.#inTime('a round', settledMs, (limits) => double.enter({ ...limits, signal: alone.signal }))
    clearInterval(look)
    pending.delete(node)
    await this.#inTime('the end of a round', settledMs, (limits) => double.leave(limits))
  }

  /** BA6: a wait ends in time, whatever connection it loses meanwhile. */
  async #inTime(what: string, waitMs: number, call: (limits: TimedWaitOptions) => Promise<void>): Promise<void> {
    for (;;) {
      const { error } = await attempt(() => call({ waitMs }))
      if (error === null || error.code === 'ABORTED') return
      if (error.code !== 'TIMEOUT') continue
      const { check } = this.#scene
      throw new Violation(check.name, `BA6: ${this.#life.node.name} waited ${waitMs} ms for ${what}`, 'liveness')
    }
  }

  #deny(call: GateCall, error: CoordinationError): void {
    if (isRefusal(error)) this.#scene.check.refused(call)
  }

  #limited<T>(call: (limits: TimedWaitOptions) => Promise<T>): Promise<T> {
    return limited(this.#life, WAIT_TICKS_MAX, call)
  }
}
