/**
 * Slows writes that need memory while there is little left, and refuses them when there is next to none; see
 * memory-gate.ts. Nothing else waits for it: reads, pings, deletes and sessions go on.
 *
 * Order     a client's requests after a write that waits wait too, as they are answered in their order.
 */
import type { FairInputs, Input } from './fair-inputs.ts'
import type { HostTimes } from './host-times.ts'
import { MemoryGate } from './memory-gate.ts'
import type { MemoryGateOptions } from './memory-gate.ts'

/** How long a write waits. */
const SLOWED_MS = 50

/** The brake of one server. */
export class WriteBrake {
  readonly #gate: MemoryGate
  readonly #inputs: FairInputs
  readonly #times: HostTimes
  readonly #resume: (connection: number) => void
  /** Clients whose next write has waited. */
  readonly #slowed = new Set<number>()

  /** @param resume - goes on with a client that was paused here */
  constructor(
    options: MemoryGateOptions,
    inputs: FairInputs,
    times: HostTimes,
    resume: (connection: number) => void,
  ) {
    this.#gate = new MemoryGate(options)
    this.#inputs = inputs
    this.#times = times
    this.#resume = resume
  }

  /** Has the writes wait that would be next and have not waited. */
  slow(nowMs: number): void {
    for (let next = this.#inputs.peekClient(); next?.input.growsTree === true; next = this.#inputs.peekClient()) {
      const { connection } = next
      if (this.#slowed.has(connection) || this.#gate.admission(nowMs) !== 'slow') return
      this.#times.slowedWrites += 1
      this.#slowed.add(connection)
      this.#inputs.pause(connection, 'memory')
      setTimeout(() => {
        this.#resume(connection)
      }, SLOWED_MS).unref()
    }
  }

  /** An input was taken. */
  taken(connection: number | null, { growsTree }: Input): void {
    if (growsTree && connection !== null) this.#slowed.delete(connection)
  }

  /** The connection of a client is gone. */
  forget(connection: number): void {
    this.#slowed.delete(connection)
  }

  /** Whether a write that needs memory is refused now; it is counted. */
  isFull(): boolean {
    const isFull = this.#gate.admission(performance.now()) === 'refused'
    if (isFull) this.#times.refusedWrites += 1
    return isFull
  }
}
