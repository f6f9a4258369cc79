/**
 * V3: elections do not storm. A server that fails to find a leader tries again by its clock, not by messages, so that
 * it cannot look for one much more often than it ticks, whatever the others send.
 */
import { SERVER_DEFAULTS } from '../../src/backends/embedded/server/config.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { CheckedWorld } from '../checked-world.ts'

/** So many elections of one server ... */
const LOOKS = 100
/** ... within this many ticks are a storm; an attempt that fails takes a tick, one that succeeds takes several. */
const WITHIN_TICKS = 50

export class ElectionsCheck implements Check {
  readonly name = 'elections'
  readonly covers = ['V3']
  readonly #world: CheckedWorld
  readonly #withinMs: number
  /** By server, when it began to look for a leader, in virtual milliseconds. */
  readonly #looks: number[][]
  #eventsSeen = 0

  /** Checks the elections of a world. */
  constructor(world: CheckedWorld) {
    this.#world = world
    this.#withinMs = WITHIN_TICKS * (world.options.server?.tickMs ?? SERVER_DEFAULTS.tickMs)
    this.#looks = world.servers.map(() => [])
  }

  afterEvent(): void {
    const { events } = this.#world
    while (this.#eventsSeen < events.length) {
      const happened = events[this.#eventsSeen]
      this.#eventsSeen += 1
      if (happened === undefined) continue
      const looks = this.#looks[happened.server - 1]
      if (looks === undefined) continue
      // A start is of the plan's making.
      if (happened.event.type === 'started') looks.length = 0
      if (happened.event.type === 'looking') this.#look(happened.server, looks, happened.atMs)
    }
  }

  #look(server: number, looks: number[], atMs: number): void {
    looks.push(atMs)
    if (looks.length < LOOKS) return
    const spanMs = atMs - (looks.shift() ?? atMs)
    if (spanMs >= this.#withinMs) return
    throw new Violation(this.name, `V3: server ${server} began ${LOOKS} elections within ${spanMs} ms`, 'liveness')
  }
}
