/**
 * Monitors of a load test: the longest turn of the event loop, and the memory that is still in use.
 *
 * Turns     are measured in processor time and not by the clock: a turn in which the machine did something else is
 *           nobody's fault. The work of the collector and of the threads of files and names counts too, so
 *           the figure is an upper bound.
 * Heap      is the memory in use after two collections. It falls before it is compared: garbage is
 *           no growth.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The figures of a run. */
export interface Seen {
  /** Processor time of the longest turn of the event loop, in milliseconds. */
  readonly longestTurnMs: number
  /** The growth of the memory in use, in bytes; below 0 if it is less. */
  readonly grownBytes: number
}

/** Runs something, and looks at the event loop meanwhile and at the heap before and after it. */
export async function monitored(run: () => Promise<void>): Promise<Seen> {
  const before = heapBytes()
  const turns = new Turns()
  try {
    await run()
  } finally {
    turns.stop()
  }
  return { longestTurnMs: turns.longestMs, grownBytes: heapBytes() - before }
}

/** The heap in use, with the sockets' and buffers' memory outside of it, in bytes, after a collection. */
export function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Looks at each turn of the event loop, until it is stopped. */
class Turns {
  longestMs = 0
  #before = process.cpuUsage()
  #isOver = false

  constructor() {
    setImmediate(() => {
      this.#look()
    })
  }

  stop(): void {
    this.#isOver = true
  }

  #look(): void {
    if (this.#isOver) return
    const { user, system } = process.cpuUsage(this.#before)
    this.longestMs = Math.max(this.longestMs, (user + system) / 1_000)
    this.#before = process.cpuUsage()
    setImmediate(() => {
      this.#look()
    })
  }
}
