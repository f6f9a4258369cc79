/**
 * A call within a wait of its own, which the caller's signal, the time limit or the end of the client ends.
 */
import type { Client } from '../../core/client.ts'
import { refuseUnknown } from '../../core/options.ts'
import type { TimedWaitOptions } from './wait.ts'
import { WAIT_OPTIONS, Wait } from './wait.ts'

/**
 * Runs a task within a wait.
 *
 * @param call - its name and the path that it is about, for the errors; whether the wait is for as long as it takes,
 * and the kind of claim, if observers are to get it
 * @param options - the caller's
 * @param task - is given the signal of the wait, and the wait
 * @throws the error that ended the wait, if one did; otherwise the error of the task
 */
export async function withinWait<R>(
  client: Client,
  call: { readonly what: string; readonly path: string; readonly isUnlimited?: boolean; readonly kind?: string },
  options: TimedWaitOptions,
  task: (signal: AbortSignal, wait: Wait) => Promise<R>,
): Promise<R> {
  refuseUnknown(options, WAIT_OPTIONS, call.what)
  const wait = new Wait(client, call.path, options, call.isUnlimited)
  if (call.kind !== undefined) wait.observe(call.what, call.kind)
  try {
    return await task(wait.signal, wait)
  } catch (error) {
    throw wait.explain(error)
  } finally {
    wait.close()
  }
}
