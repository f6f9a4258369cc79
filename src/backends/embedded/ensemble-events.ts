/** Events of an ensemble, for people and tests, and the status of its servers. */
import { requireFunction } from '../../core/options.ts'
import type { HostEvent } from './host/host.ts'
import type { TcpPeersEvent } from './host/peers/tcp/peer-events.ts'
import type { SaslEvent } from './host/sasl/sasl-settings.ts'
import type { CertificatesEvent } from './host/tls/tls-settings.ts'
import type { EmbeddedSettings } from './options.ts'
import type { ServerEvent, ServerStatus } from './server/ready.ts'

/** Shortest time between two reports of errors in the handling of clients; others in between are only events. */
const CLIENT_ERROR_PAUSE_MS = 1_000

/** The status of one server of the ensemble; `role` is `DOWN` while it is crashed. */
export interface EnsembleServerStatus extends Omit<ServerStatus, 'role'> {
  /** The server's state; `DOWN` while it is crashed. */
  readonly role: ServerStatus['role'] | 'DOWN'
}

/** Something in the life of the ensemble. */
export interface EnsembleEvent {
  /** myid of the server. */
  readonly server: number
  /** When, on `performance.now()`. */
  readonly atMs: number
  /** The event, with its own fields. */
  readonly event:
    | ServerEvent
    | HostEvent
    | TcpPeersEvent
    | CertificatesEvent
    | SaslEvent
    /** It has read its data: the epoch and the last transaction that they hold, which may not be committed. */
    | { readonly type: 'started'; readonly epoch: number; readonly loggedZxid: bigint }
    | { readonly type: 'crashed' }
    /** A client did not come through its TLS hand-shake. */
    | { readonly type: 'client-refused'; readonly address: string; readonly reason: string }
    | { readonly type: 'failed'; readonly error: unknown }
}

/** Who listens to the events of an ensemble, and to its errors. */
export class EnsembleEvents {
  readonly #settings: Pick<EmbeddedSettings, 'onError' | 'onClientError'>
  readonly #listeners = new Set<(event: EnsembleEvent) => void>()
  #clientErrorAtMs = -Infinity

  constructor(settings: Pick<EmbeddedSettings, 'onError' | 'onClientError'>) {
    this.#settings = settings
  }

  /** Adds a listener; the function that is returned ends the listening. */
  listen(listener: (event: EnsembleEvent) => void): () => void {
    requireFunction('listener', listener)
    // A function of its own, so that one listener may listen twice and end each listening by itself.
    const entry = (event: EnsembleEvent): void => listener(event)
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  /** Ends all listening. */
  clear(): void {
    this.#listeners.clear()
  }

  /** Tells everybody. */
  emit(server: number, event: EnsembleEvent['event']): void {
    const atMs = performance.now()
    for (const listener of [...this.#listeners]) {
      // One that was called before may have ended it, or closed the ensemble.
      if (!this.#listeners.has(listener)) continue
      try {
        listener({ server, atMs, event })
      } catch (error) {
        this.#settings.onError(error)
      }
    }
  }

  /** A server has ended by itself. */
  failed(server: number, error: unknown): void {
    this.emit(server, { type: 'failed', error })
    this.#settings.onError(error)
  }

  /** A client that can cause one can cause thousands: all of them are counted and are events, few are reported. */
  tellClientError(error: unknown): void {
    const nowMs = performance.now()
    if (nowMs - this.#clientErrorAtMs < CLIENT_ERROR_PAUSE_MS) return
    this.#clientErrorAtMs = nowMs
    this.#settings.onClientError(error)
  }
}
