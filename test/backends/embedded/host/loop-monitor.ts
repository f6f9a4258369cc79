/**
 * Measures the turns of the event loop, and the heap between them.
 *
 * A turn is judged by what it computed and not by how long it took on the clock: on a machine with other work to do, a
 * process is stopped for as long as that work wants.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const US_PER_MS = 1_000

/** Longest turn since it was started. */
export class LoopMonitor {
  #longestMs = 0
  #lastMs = performance.now()
  #lastCpu = process.cpuUsage()
  #isRunning = true

  constructor() {
    setImmediate(() => {
      this.#measure()
    })
  }

  /** The longest turn in milliseconds: of the clock or of the processor, whichever is less. */
  get longestTurnMs(): number {
    return this.#longestMs
  }

  /** Forgets the turns until now. */
  reset(): void {
    this.#longestMs = 0
    this.#lastMs = performance.now()
    this.#lastCpu = process.cpuUsage()
  }

  stop(): void {
    this.#isRunning = false
  }

  #measure(): void {
    const nowMs = performance.now()
    const cpu = process.cpuUsage()
    const cpuMs = (cpu.user - this.#lastCpu.user + cpu.system - this.#lastCpu.system) / US_PER_MS
    this.#longestMs = Math.max(this.#longestMs, Math.min(nowMs - this.#lastMs, cpuMs))
    this.#lastMs = nowMs
    this.#lastCpu = cpu
    if (!this.#isRunning) return
    setImmediate(() => {
      this.#measure()
    })
  }
}

/** What the calibration takes on the machine that limits in milliseconds are meant for. */
export const CALIBRATION_MS = 20

/** To sort names is work of the same kind as a server's, and knows nothing of it. */
export function calibrationMs(): number {
  const times = Array.from({ length: 5 }, () => {
    const startMs = performance.now()
    const before = process.cpuUsage()
    const names = Array.from({ length: 30_000 }, (_, i) => `n${(i * 7_919) % 30_011}`)
    names.sort()
    const { user, system } = process.cpuUsage(before)
    return Math.min(performance.now() - startMs, (user + system) / US_PER_MS)
  })
  return Math.min(...times)
}

/** How much slower than the machine that limits are meant for this one is at this moment; 1 for a faster one. */
export function slowness(): number {
  return Math.max(1, calibrationMs() / CALIBRATION_MS)
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes on the heap that are in use, and of buffers outside of it. */
export function bytesInUse(): number {
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
