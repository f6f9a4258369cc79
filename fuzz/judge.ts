/**
 * Runs one input and judges it: no error that the target does not expect, and within the limits of time and memory.
 *
 * Time      is that of the processor, so that a busy machine finds nothing. What was too slow or too large once is run
 *           again, three times: the least of them counts, since collections and compilations strike any input.
 */
import { getHeapStatistics } from 'node:v8'
import { takeAllocatedBytes } from './allocations.ts'
import type { Target } from './target.ts'

const REPEATS = 3
const US_PER_MS = 1_000

/** A broken promise, or a limit that was passed. */
export interface Verdict {
  /** The error's name, `slow` or `large`. */
  readonly kind: string
  readonly what: string
}

/** How the messages of errors begin that the engine of JavaScript makes, and nobody here. */
const OF_THE_ENGINE =
  /^(Cannot |Invalid |Maximum call stack|.{0,60} is not (a function|iterable|a constructor|defined)$|undefined|null)/

/** Whether an error is one that code throws when it is wrong, and not to say that a value is. */
export function isOfTheEngine(error: Error): boolean {
  return OF_THE_ENGINE.test(error.message)
}

/** Tells findings apart: those of one place, or of one promise, are the same. */
export function signatureOf({ kind, what }: Verdict): string {
  return `${kind} ${/\(([\w/.-]+)\)$/.exec(what)?.[1] ?? ''} ${kind === 'BrokenPromise' ? what.slice(0, 30) : ''}`
}

interface Cost {
  readonly cpuMs: number
  readonly memoryBytes: number
}

/** Runs an input; null if every promise was kept. */
export async function judge(target: Target, input: Uint8Array): Promise<Verdict | null> {
  const { cpuMsMax, memoryBytesMax } = target.limits
  let cost: Cost
  try {
    cost = await costOf(target, input)
    for (let i = 0; i < REPEATS && (cost.cpuMs > cpuMsMax || cost.memoryBytes > memoryBytesMax); i++) {
      const again = await costOf(target, input)
      cost = {
        cpuMs: Math.min(cost.cpuMs, again.cpuMs),
        memoryBytes: Math.min(cost.memoryBytes, again.memoryBytes),
      }
    }
  } catch (error) {
    return verdictOf(error)
  }
  if (cost.cpuMs > cpuMsMax) return { kind: 'slow', what: `${Math.round(cost.cpuMs)} ms, ${cpuMsMax} at most` }
  if (cost.memoryBytes > memoryBytesMax) {
    return { kind: 'large', what: `${cost.memoryBytes} bytes of memory, ${memoryBytesMax} at most` }
  }
  return null
}

/** An error that no target expects. */
export function verdictOf(error: unknown): Verdict {
  if (!(error instanceof Error)) return { kind: typeof error, what: String(error) }
  const place = /\n\s+at .*?((?:src|fuzz)\/[\w/.-]+):\d+/.exec(error.stack ?? '')?.[1] ?? 'an unknown place'
  return { kind: error.name, what: `${error.message.slice(0, 300)} (${place})` }
}

async function costOf(target: Target, input: Uint8Array): Promise<Cost> {
  const memory = memoryInUse()
  takeAllocatedBytes()
  const cpu = process.cpuUsage()
  await target.run(input)
  const { user, system } = process.cpuUsage(cpu)
  const memoryBytes = Math.max(memoryInUse() - memory, takeAllocatedBytes())
  return { cpuMs: (user + system) / US_PER_MS, memoryBytes }
}

function memoryInUse(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}
