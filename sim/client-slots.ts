/**
 * The clients of a run: slots, each filled by one client at a time.
 *
 * Life      a client connects, runs the program of its workload, closes. If its process crashes, another one on a node
 *           of its own takes the slot after a while.
 */
import type { ClientPlaces } from '../src/testing/simulation/inject.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { Place } from '../src/testing/simulation/plan.ts'
import type { Probes } from '../src/testing/simulation/probes.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { Workload } from './workload.ts'
import type { World } from '../src/testing/simulation/world.ts'

/** Clients connect however long there is no quorum: longer than any run, in milliseconds. */
const PATIENCE_MS = 3_600_000
/** How long a slot stays empty that a client has left by itself, in ticks. */
const LEFT_TICKS_MAX = 10
/** How long a sleeping program waits before it looks whether the run draws to its end, in ticks by its clock. */
const SLEEP_SLICE_TICKS = 12

interface Slot {
  readonly index: number
  node: SimNode | null
  lives: number
  isDone: boolean
}

/** The parts that client slots are made from. */
export interface ClientSlotsOptions {
  readonly world: World
  readonly random: SeededRandom
  readonly workload: Workload
  readonly probes: Probes
  readonly count: number
  /** The longest turns of the event loops that are busy, in milliseconds, by place. */
  readonly turnsMs: Readonly<Record<Place, number>>
}

/** The slots of one run. */
export class ClientSlots implements ClientPlaces {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #workload: Workload
  readonly #probes: Probes
  readonly #slots: readonly Slot[]
  readonly #turnsMs: ClientSlotsOptions['turnsMs']
  /** Every node that a client ever ran on. */
  readonly #all: SimNode[] = []
  #isEnding = false

  constructor({ world, random, workload, probes, count, turnsMs }: ClientSlotsOptions) {
    this.#world = world
    this.#random = random
    this.#workload = workload
    this.#probes = probes
    this.#turnsMs = turnsMs
    this.#slots = Array.from({ length: count }, (_, index) => ({ index, node: null, lives: 0, isDone: false }))
  }

  /** Lets every slot begin, each within this many milliseconds. */
  start(withinMs: number): void {
    for (const slot of this.#slots) this.#fillIn(slot, this.#random.unit() * withinMs)
  }

  /** Asks every program to end. Slots that are empty stay so. */
  end(): void {
    this.#isEnding = true
  }

  node(index: number): SimNode | undefined {
    return this.#slots[index]?.node ?? undefined
  }

  nodes(): SimNode[] {
    return this.#slots.flatMap(({ node }) => node ?? [])
  }

  /** The slots whose program has not ended, as the names of their nodes. */
  unfinished(): string[] {
    return this.#slots.flatMap(({ node, isDone }) => (node === null || isDone ? [] : [node.name]))
  }

  /** Nodes whose client has ended and which have timers left, with how many. */
  leftTimers(): string[] {
    return this.#all.flatMap(timersOf)
  }

  crash(index: number, downMs: number): boolean {
    const slot = this.#slots[index]
    if (slot?.node?.isUp !== true || slot.isDone) return false
    this.#probes.hit('client-crashed')
    this.#world.kernel.kill(slot.node)
    slot.node = null
    this.#fillIn(slot, downMs)
    return true
  }

  #fillIn(slot: Slot, delayMs: number): void {
    this.#world.kernel.after(delayMs, null, 'client', () => {
      if (this.#isEnding || slot.node !== null) return
      slot.lives += 1
      if (slot.lives > 1) this.#probes.hit('client-replaced')
      const life = slot.lives - 1
      const random = this.#random.fork(`slot ${slot.index} life ${life}`)
      slot.node = this.#world.addClient(async (client, node) => {
        client.onState(({ status }) => {
          if (status === 'suspended') this.#probes.hit('client-suspended')
          if (status === 'expired') this.#probes.hit('client-expired')
        })
        await this.#workload.program(client, {
          slot: slot.index, life, node, random,
          tickMs: this.#world.tickMs,
          isEnding: () => this.#isEnding,
          sleep: (forTicks) => this.#sleep(forTicks * this.#world.tickMs),
        })
        await client.close()
        if (this.#isEnding) slot.isDone = true
        else this.#leaveTo(slot)
      }, { connectTimeoutMs: PATIENCE_MS })
      slot.node.turnMsMax = this.#turnsMs[`c${slot.index + 1}`] ?? 0
      this.#all.push(slot.node)
    })
  }

  /** Whoever has left in the middle of a run is followed by another. */
  #leaveTo(slot: Slot): void {
    slot.node = null
    this.#fillIn(slot, this.#random.unit() * LEFT_TICKS_MAX * this.#world.tickMs)
  }

  async #sleep(forMs: number): Promise<void> {
    const sliceMs = SLEEP_SLICE_TICKS * this.#world.tickMs
    const untilMs = performance.now() + forMs
    for (let leftMs = forMs; leftMs > 0 && !this.#isEnding; leftMs = untilMs - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, sliceMs)))
    }
  }
}

/** The timers that are set on a node that is up, as a line; nothing if there are none. */
export function timersOf(node: SimNode | null): string[] {
  return node !== null && node.isUp && node.timerCount > 0 ? [`${node.name}: ${node.timerCount}`] : []
}
