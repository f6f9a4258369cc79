/**
 * The thread in which a target runs. The input that is run is in shared memory, so that it is known if the thread ends
 * with it, or never ends.
 */
import { parentPort, workerData } from 'node:worker_threads'
// Before anything that it is to count.
import './allocations.ts'
import { Fuzzer } from './fuzzer.ts'
import type { Outcome } from './fuzzer.ts'
import { verdictOf } from './judge.ts'
import { TARGETS } from './targets/all.ts'

/** Numbers at the beginning of the shared memory: how many inputs have begun, and the length of this one. */
export const SHARED_HEAD_BYTES = 8

/** The work of a thread. */
export interface Task {
  readonly target: string
  readonly seed: number
  readonly seconds: number
  readonly inputs: number
  /** How many findings end the run. */
  readonly findings: number
  readonly corpus: readonly Uint8Array[]
  readonly shared: SharedArrayBuffer
  /** Of the engine; empty if there is none. */
  readonly url: string
}

/** Its answer, at its end. */
export type Report = { readonly outcome: Outcome } | { readonly failure: string }

async function run({ target: name, seed, seconds, corpus, shared, url, ...limits }: Task): Promise<Report> {
  const target = TARGETS.find((one) => one.name === name)
  if (target === undefined) return { failure: `no target ${name}` }
  const head = new Int32Array(shared, 0, 2)
  const bytes = new Uint8Array(shared, SHARED_HEAD_BYTES)
  const fuzzer = new Fuzzer(target, seed, (input) => {
    const known = input.subarray(0, bytes.length)
    bytes.set(known)
    head[1] = known.length
    head[0] = (head[0] ?? 0) + 1
  })
  try {
    await target.start?.(url)
    const all = [...(await target.seeds()), ...corpus]
    const outcome = await fuzzer.run(all, { untilMs: performance.now() + 1_000 * seconds, ...limits })
    await target.stop?.()
    return { outcome }
  } catch (error) {
    const { kind, what } = verdictOf(error)
    return { failure: `${kind}: ${what}` }
  }
}

if (parentPort !== null) {
  const report = await run(workerData as Task)
  parentPort.postMessage(report)
  parentPort.unref()
}
