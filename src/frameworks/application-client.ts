/**
 * The client of an application: what a framework's module or plugin is told to connect to, and what it closes at the
 * end of the application.
 */
import type { Backend } from '../core/backend.ts'
import type { Client, ConnectOptions } from '../core/client.ts'
import { optionNames, refuseUnknown, validateWaitMs } from '../core/options.ts'
import { validateBackend, validateClient } from '../core/validate-client.ts'
import { connect } from '../observe/connect.ts'

/** The options: what to connect to, or a client that is there. */
export interface ApplicationClientOptions {
  /** The engine to connect to when the application starts. */
  readonly backend?: Backend
  /** How to connect to it; the options of `connect`. */
  readonly connect?: ConnectOptions
  /** A client of the application's own, instead of `backend`; it is not closed here. */
  readonly client?: Client
  /**
   * How long, in milliseconds, the end of the application waits for what is under way, such as calls and releases,
   * before its client is closed; 5,000 by default.
   */
  readonly drainMs?: number
}

const OPTIONS = optionNames<ApplicationClientOptions>({ backend: true, connect: true, client: true, drainMs: true })
const DRAIN_MS = 5_000

/**
 * The client of an application that starts.
 *
 * @param options - of the application
 * @param what - the module or plugin, for messages
 * @throws TypeError for a wrong option, and unless there is one of `backend` and `client`
 * @throws CoordinationError as `connect`
 */
export async function openApplicationClient(
  options: ApplicationClientOptions | undefined,
  what: string,
): Promise<Client> {
  refuseUnknown(options, OPTIONS, what)
  const { backend, client, connect: connectOptions } = options ?? {}
  validateWaitMs('drainMs', drainMsOf(options ?? {}))
  if (client === undefined) {
    if (backend === undefined) {
      throw new TypeError(`${what} needs either backend, such as embedded() of quorate/embedded, or client`)
    }
    validateBackend(backend)
    return connect(backend, connectOptions)
  }
  validateClient(client, what)
  if (backend === undefined && connectOptions === undefined) return client
  throw new TypeError(`${what}: client excludes backend and connect`)
}

/** How long the end of an application waits for what is under way, in milliseconds. */
export function drainMsOf({ drainMs = DRAIN_MS }: ApplicationClientOptions): number {
  return drainMs
}

/** Closes the client of an application that ends, unless it is the application's own. */
export async function closeApplicationClient(client: Client, options: ApplicationClientOptions): Promise<void> {
  if (options.client === undefined) await client.close({ drainMs: drainMsOf(options) })
}
