/** The client through which a dashboard reads: the caller's, or one of its own that is opened when it is needed. */
import { connectUrl } from '../connect-url.ts'
import { deferred } from '../core/async.ts'
import type { Client } from '../core/client.ts'
import { connect } from '../core/connect.ts'
import { CoordinationError } from '../core/errors.ts'
import type { DashboardSettings } from './options.ts'

const CONNECT_MS_MAX = 5_000
/** Reads are repeated by whoever looks, so each is given up early. */
const OPERATION_MS_MAX = 5_000

export class DashboardConnection {
  readonly #settings: Pick<DashboardSettings, 'client' | 'connect'>
  readonly #ended = new AbortController()
  #opening: Promise<Client> | null = null

  /** Makes it; nothing is connected. */
  constructor(settings: Pick<DashboardSettings, 'client' | 'connect'>) {
    this.#settings = settings
  }

  /**
   * The client; all who ask while it is being opened wait for the same one.
   *
   * @throws CoordinationError `TIMEOUT` if no server was found, and the next call tries again; `CLIENT_CLOSED`
   */
  client(): Promise<Client> {
    if (this.#ended.signal.aborted) return Promise.reject(closed())
    const { client } = this.#settings
    if (client !== undefined) return Promise.resolve(client)
    this.#opening ??= this.#open()
    return this.#opening
  }

  /** Ends the client if it is the dashboard's own. Idempotent. */
  async close(): Promise<void> {
    this.#ended.abort()
    const opened = await this.#opening?.catch(() => null)
    await opened?.close()
  }

  async #open(): Promise<Client> {
    const { promise, resolve, reject } = deferred<Client>()
    try {
      const { connect: target } = this.#settings
      const options = {
        connectTimeoutMs: CONNECT_MS_MAX,
        operationTimeoutMs: OPERATION_MS_MAX,
        signal: this.#ended.signal,
        // A page that nobody looks at has no log; what matters to a reader is in the answers.
        onError: () => undefined,
      }
      const isUrl = typeof target === 'string' || target instanceof URL
      if (target === undefined) throw closed()
      const client = await (isUrl ? connectUrl(target, options) : connect(target, options))
      resolve(client)
    } catch (error) {
      this.#opening = null
      reject(error)
    }
    return promise
  }
}

function closed(): CoordinationError {
  return new CoordinationError('CLIENT_CLOSED', 'the dashboard is closed', { outcome: 'not-sent' })
}
