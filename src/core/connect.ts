/** Connecting: the way from an engine to a client. */
import { settingsOf } from './arguments.ts'
import type { Backend } from './backend.ts'
import type { Client, ConnectOptions } from './client.ts'
import type { Observer } from './observer.ts'
import { KeptClient } from './kept-client.ts'
import { validateBackend } from './validate-client.ts'

/**
 * Connects to an engine: opens a session, and makes the namespace if it is missing.
 *
 * @param backend - the engine, such as `embedded({ servers: 3 })`
 * @param options - all optional
 * @returns a connected client, unless `waitForSession` is false; close it when it is no longer needed, as it keeps the
 * process alive
 * @throws CoordinationError `TIMEOUT` or `ABORTED` with outcome `aborted` if there was no session in time; its
 * `cause` is what the last attempt failed with, or the signal's reason
 * @throws TypeError or RangeError for a wrong option
 */
export async function connect(backend: Backend, options: ConnectOptions = {}): Promise<Client> {
  return openClient(backend, options, () => Promise.resolve())
}

/**
 * Connects as {@link connect} does, with something that ends after the session.
 *
 * @param end - called once, when the client is closed or could not be connected
 * @param observers - beside those of the options
 */
export async function openClient(
  backend: Backend,
  options: ConnectOptions,
  end: () => Promise<void>,
  observers: readonly Observer[] = [],
): Promise<Client> {
  validateBackend(backend)
  const given = settingsOf(options)
  const settings = { ...given, observers: [...given.observers, ...observers] }
  const client = new KeptClient(backend, settings, end)
  try {
    if (settings.waitForSession) await client.open(settings)
    else client.openLater(settings)
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}
