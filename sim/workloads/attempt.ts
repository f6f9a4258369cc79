/**
 * How programs of a workload bear what the world does to them, and how long they wait for it to end.
 */
import { CoordinationError } from '../../src/core/errors.ts'
import type { TimedWaitOptions } from '../../src/recipes/engine/wait.ts'
import { Violation } from '../check.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { ClientLife } from '../workload.ts'

/** Most looks of a program that waits for something. */
const LOOKS_MAX = 400

/** The end of an attempt. */
export type Attempted<T> =
  | { readonly value: T; readonly error: null }
  | { readonly value: null; readonly error: CoordinationError }

/** Tries something that the world may make fail; any other error than that is thrown. */
export async function attempt<T>(run: () => Promise<T>): Promise<Attempted<T>> {
  try {
    return { value: await run(), error: null }
  } catch (error) {
    if (!(error instanceof CoordinationError)) throw error
    return { value: null, error }
  }
}

/** Runs something under a signal that is aborted after some time, unless it has ended by then. */
export async function abortedAfter<T>(delayMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => {
    controller.abort(new Error('the program has changed its mind'))
  }, delayMs)
  try {
    return await run(controller.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Whether a call has had no effect for sure. */
export function isRefusal(error: CoordinationError | null): boolean {
  return error !== null && ['rejected', 'not-sent', 'lost'].includes(error.outcome)
}

/**
 * Calls within some limit of time, until the program changes its mind, or without any patience.
 *
 * @param waitTicksMax - the longest limit, in ticks
 */
export function limited<T>(
  { random, tickMs }: Pick<ClientLife, 'random' | 'tickMs'>,
  waitTicksMax: number,
  call: (limits: TimedWaitOptions) => Promise<T>,
): Promise<T> {
  const limitMs = random.unit() * waitTicksMax * tickMs
  const ways: (() => Promise<T>)[] = [
    () => call({ waitMs: limitMs }),
    () => abortedAfter(limitMs, (signal) => call({ signal })),
    () => call({ waitMs: 0 }),
  ]
  return random.pick(ways)()
}

/** Runs a check within a listener of an AbortSignal, whose errors end the process and not the run. */
export function reported(kernel: Pick<Kernel, 'fail'>, check: () => void): void {
  try {
    check()
  } catch (error) {
    kernel.fail(error)
  }
}

/**
 * Waits until something holds.
 *
 * @param boundMs - by the clock of the node
 * @param describe - the message if it does not come to hold, after the name of the check
 * @throws Violation of liveness
 */
export async function eventually(
  check: string,
  boundMs: number,
  holds: () => boolean,
  describe: () => string,
): Promise<void> {
  const endMs = performance.now() + boundMs
  while (!holds()) {
    if (performance.now() >= endMs) throw new Violation(check, `${describe()} after ${boundMs} ms`, 'liveness')
    await new Promise((resolve) => setTimeout(resolve, boundMs / LOOKS_MAX))
  }
}
