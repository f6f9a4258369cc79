/** The options of the module, and the names under which Nest knows what it provides. */
import type { Backend } from '../../core/backend.ts'
import type { Client, ConnectOptions } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validateBackend, validateClient } from '../../core/validate-client.ts'

/** Options of {@link QuorateModule}: what to connect to, or a client that is there. */
export interface QuorateModuleOptions {
  /** The engine to connect to when the application starts. */
  readonly backend?: Backend
  /** How to connect to it; the options of `connect`. */
  readonly connect?: ConnectOptions
  /** A client of the application's own, instead of `backend`. The module does not close it. */
  readonly client?: Client
  /**
   * How long, in milliseconds, the end of the application waits for calls and releases that are under way before the
   * module closes its client; 5,000 by default.
   */
  readonly drainMs?: number
}

const OPTIONS = optionNames<QuorateModuleOptions>({ backend: true, connect: true, client: true, drainMs: true })

/** Under this the module provides the client; {@link InjectClient} asks for it. */
export const QUORATE_CLIENT = Symbol('quorate client')

/**
 * Checks the options of the module.
 *
 * @throws TypeError for a wrong option, and unless there is one of `backend` and `client`
 */
export function checkOptions(options: QuorateModuleOptions): void {
  refuseUnknown(options, OPTIONS, 'QuorateModule')
  const { backend, client, connect } = options
  if ((backend === undefined) === (client === undefined)) {
    throw new TypeError('QuorateModule needs either backend, such as embedded() of quorate/embedded, or client')
  }
  if (backend !== undefined) validateBackend(backend)
  if (client === undefined) return
  validateClient(client, 'QuorateModule')
  if (connect !== undefined) throw new TypeError('QuorateModule: the option connect belongs to backend, not to client')
}
