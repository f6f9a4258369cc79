/** Connecting, as the package publishes it: with the channels of diagnostics_channel, on which anybody may listen. */
import type { Backend } from '../core/backend.ts'
import type { Client, ConnectOptions } from '../core/client.ts'
import { openClient } from '../core/connect.ts'
import { channels } from './channels.ts'

/**
 * Connects to an engine: opens a session, and makes the namespace if it is missing.
 *
 * @param backend - the engine, such as `embedded({ servers: 3 })`
 * @param options - all optional
 * @returns a connected client; close it when it is no longer needed, as it keeps the process alive
 * @throws CoordinationError `TIMEOUT` or `ABORTED` with outcome `aborted` if there was no session in time; its
 * `cause` is what the last attempt failed with, or the signal's reason
 * @throws TypeError or RangeError for a wrong option
 */
export async function connect(backend: Backend, options: ConnectOptions = {}): Promise<Client> {
  return openClient(backend, options, () => Promise.resolve(), [channels])
}
