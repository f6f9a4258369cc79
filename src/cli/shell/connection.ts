/** The shell's connection: a client, and its engine's own calls. */
import { connect } from '../../core/connect.ts'
import type { Client, ClientState } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { Engine } from '../connect-url.ts'
import type { Login } from '../login.ts'
import { Failure } from '../exit-status.ts'
import { shownUrl } from '../secrets.ts'
import type { ZooKeeperOperations } from '../../backends/zookeeper/extension/operations.ts'

/** Options of {@link ShellConnection.open}. */
export interface ConnectionOptions {
  /** The session time-out to ask for, in milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long to try, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Ends the attempt. */
  readonly signal: AbortSignal
  /** Who connects, where the engine's URL does not say it; null for nobody in particular. */
  readonly login: Login | null
  /** Hears of what happens to the session. */
  readonly onState: (state: ClientState) => void
  /** Hears of errors that have no caller. */
  readonly onError: (error: unknown) => void
}

/** A connected client and what belongs to it. */
export class ShellConnection {
  /** Where it leads, for people. */
  readonly label: string
  readonly client: Client
  readonly #engine: Engine

  private constructor(engine: Engine, client: Client) {
    this.label = engine.label
    this.client = client
    this.#engine = engine
  }

  /**
   * Connects.
   *
   * @param engine - from a URL; closed if this rejects
   * @throws Failure with the reason, if there was no session in time
   */
  static async open(engine: Engine, options: ConnectionOptions): Promise<ShellConnection> {
    const { sessionTimeoutMs, connectTimeoutMs, login, signal, onState, onError } = options
    try {
      const client = await connect(engine.backend, { sessionTimeoutMs, connectTimeoutMs, signal, onError })
      await identify(engine, client, login)
      client.onState(onState)
      return new ShellConnection(engine, client)
    } catch (error) {
      await engine.close()
      throw explained(error, shownUrl(engine.url), connectTimeoutMs)
    }
  }

  /**
   * The calls that only ZooKeeper's protocol has.
   *
   * @param what - the feature that needs them, for the message
   * @throws Failure if this engine does not have them
   */
  zookeeper(what: string): ZooKeeperOperations {
    if (this.#engine.zookeeper !== null) return this.#engine.zookeeper
    throw new Failure(`${this.#engine.backend.name} has no ${what}: it is ZooKeeper's own`)
  }

  /** Ends the session, and an ensemble started for it. */
  async close(): Promise<void> {
    await this.client.close()
    await this.#engine.close()
  }
}

/** On a ZooKeeper one says who one is after connecting, or proves it by SASL while the session is opened. */
async function identify({ zookeeper }: Engine, client: Client, login: Login | null): Promise<void> {
  if (zookeeper === null || login === null || login.mechanism !== undefined) return
  try {
    await zookeeper.addAuth('digest', `${login.user ?? ''}:${login.password}`)
  } catch (error) {
    await client.close()
    throw error
  }
}

function explained(error: unknown, url: string, timeoutMs: number): unknown {
  if (isCoordinationError(error, 'ABORTED')) return new Failure(`the connecting to ${url} was interrupted`)
  if (!isCoordinationError(error, 'TIMEOUT', 'CONNECTION_LOSS')) return error
  const cause = error.cause instanceof Error ? error.cause.message : error.message
  return new Failure(`no session with ${url} within ${timeoutMs} ms: ${cause}`, 'unreachable')
}
