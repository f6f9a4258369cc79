/**
 * One who asks: for whatever is held of a fair lock, for one of its contenders, or takes that out.
 *
 * Meant     a contender that was listed before; operators may put another node in its place before it is asked.
 */
import type { Lease } from '../../src/recipes/engine/lease.ts'
import type { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import type { RevocationsCheck } from '../checks/revocations.ts'
import type { ClientLife, WorkloadSetup } from '../workload.ts'
import { attempt, eventually } from './attempt.ts'

/** Times are in ticks. */
const WAIT_TICKS_MAX = 75
const HEARD_TICKS = 2_000
const REASONS: readonly string[] = Object.freeze(['', 'a deploy', 'it is late'])

/** The things that all who ask share. */
export interface AskerScene extends Pick<WorkloadSetup, 'operators' | 'probes'> {
  readonly revocations: RevocationsCheck
}

/** One life of one client that asks. */
export class Asker {
  readonly #life: ClientLife
  readonly #scene: AskerScene

  constructor(life: ClientLife, scene: AskerScene) {
    this.#life = life
    this.#scene = scene
  }

  /** Asks, or evicts, in one of the ways there are. */
  async ask(lock: FairLock): Promise<void> {
    const { random } = this.#life
    const ways = [() => this.#askAll(lock), () => this.#askOne(lock), () => this.#evictOne(lock)]
    await random.pick(ways)()
  }

  /**
   * Asks for a lease of its own and takes it away, once there is service.
   *
   * @param heard - the reasons that its holder has heard
   */
  async askLast(lock: FairLock, lease: Lease, heard: readonly string[]): Promise<void> {
    const { revocations } = this.#scene
    const boundMs = HEARD_TICKS * this.#life.tickMs
    const until = (holds: () => boolean, what: string): Promise<void> => {
      return eventually(revocations.name, boundMs, holds, () => `${lease.path} ${what}`)
    }
    const asked = await this.#askAll(lock)
    const isAsked = asked?.some(({ token }) => token === lease.token) === true
    if (isAsked) await until(() => heard.length > 0 || lease.state !== 'held', 'RV4: heard no request')
    revocations.names(lease, 'evict', this.#life.node)
    const { error } = await attempt(() => lock.evict(lease))
    if (error !== null) return
    revocations.evicted(lease)
    // One that a listener has released meanwhile is told nothing.
    const isTold = (): boolean => lease.signal.aborted || lease.state === 'released'
    await until(isTold, 'RV5: was not told that it is evicted')
  }

  async #askAll(lock: FairLock): Promise<readonly { readonly token: bigint }[] | null> {
    const { random, node, tickMs } = this.#life
    const answered = this.#scene.revocations.asksAll(lock.path, node)
    const limits = { reason: random.pick(REASONS), waitMs: random.unit() * WAIT_TICKS_MAX * tickMs }
    const { value } = await attempt(() => lock.revoke(limits))
    if (value !== null) answered(value)
    if (value !== null && value.length > 0) this.#scene.probes.hit('lock-asked')
    return value
  }

  async #askOne(lock: FairLock): Promise<void> {
    const contender = await this.#choose(lock)
    if (contender === null) return
    this.#scene.revocations.names(contender, 'ask', this.#life.node)
    await attempt(() => lock.revoke({ contender, reason: this.#life.random.pick(REASONS) }))
  }

  async #evictOne(lock: FairLock): Promise<void> {
    const contender = await this.#choose(lock)
    if (contender === null) return
    const { revocations, probes } = this.#scene
    revocations.names(contender, 'evict', this.#life.node)
    const { error } = await attempt(() => lock.evict(contender))
    if (error !== null) return
    revocations.evicted(contender)
    probes.hit('lock-evicted')
  }

  async #choose(lock: FairLock): Promise<{ readonly path: string; readonly token: bigint } | null> {
    const { random, node, tickMs } = this.#life
    const { value: queue } = await attempt(() => lock.contenders({ waitMs: random.unit() * WAIT_TICKS_MAX * tickMs }))
    if (queue === null || queue.length === 0) return null
    const contender = random.pick(queue)
    await this.#scene.operators.atMoment(contender.path, node, random)
    return contender
  }
}
