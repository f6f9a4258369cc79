/**
 * What a load test keeps an eye on: the longest turn of the event loop, and what is left in memory.
 *
 * Turns     are measured in processor time and not by the clock: a turn in which the machine did something else is
 *           nobody's fault. What the collector and the threads of files and names do at the same time counts too, so
 *           the figure is an upper bound.
 * Heap      is what is in use behind two collections. It falls before it is compared: what is still to be collected is
 *           no growth.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What was seen while something ran. */
export interface Seen {
  /** Processor time of the longest turn of the event loop, in milliseconds. */
  readonly longestTurnMs: number
  /** What is in use more than before, in bytes; below 0 if it is less. */
  readonly grownBytes: number
}

/** Runs something, and looks at the event loop meanwhile and at the heap before and behind it. */
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

/** What is in use, and what the sockets and buffers outside of the heap hold, in bytes, behind a collection. */
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
