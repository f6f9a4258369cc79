/**
 * A call within a wait of its own: what the caller, the time limit and the end of the client end, it ends.
 */
import type { Client } from '../../core/client.ts'
import { refuseUnknown } from '../../core/options.ts'
import type { TimedWaitOptions } from './wait.ts'
import { WAIT_OPTIONS, Wait } from './wait.ts'

/**
 * Runs a task within a wait.
 *
 * @param call - its name and the path that it is about, for the errors
 * @param options - the caller's
 * @param task - is given the signal of the wait
 * @throws what ended the wait, if something did; otherwise what the task threw
 */
export async function withinWait<R>(
  client: Client,
  call: { readonly what: string; readonly path: string },
  options: TimedWaitOptions,
  task: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  refuseUnknown(options, WAIT_OPTIONS, call.what)
  const wait = new Wait(client, call.path, options)
  try {
    return await task(wait.signal)
  } catch (error) {
    throw wait.explain(error)
  } finally {
    wait.close()
  }
}
