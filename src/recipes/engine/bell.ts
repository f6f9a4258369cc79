/**
 * Bell: it wakes a wait. Watches of several nodes ring one bell, and so does every change of the client's state, after
 * which a watch may be gone. Whoever hears it reads again.
 */
import type { WatchEvent } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import type { Wait } from './wait.ts'

/** One round of waiting: whatever it has armed rings it, and so does every change of the client's state. */
export class Bell {
  readonly #client: Client
  readonly #rung = deferred<undefined>()
  readonly #ends: (() => void)[]

  /** Makes a bell; end it in a finally. */
  constructor(client: Client) {
    this.#client = client
    this.#ends = [client.onState(() => this.ring())]
  }

  /** Rings it; to be given to a read as its watch, after {@link Bell.on}. */
  readonly ring = (): void => {
    this.#rung.resolve(undefined)
  }

  /** Makes a watch of a path that rings, and is forgotten when the bell ends. */
  on(path: string, tell: (event: WatchEvent) => void): (event: WatchEvent) => void {
    const watch = (event: WatchEvent): void => {
      tell(event)
      this.ring()
    }
    this.#ends.push(() => this.#client.unwatch(path, watch))
    return watch
  }

  /** Waits until it rings. */
  async heard(wait: Wait): Promise<void> {
    await abortable(this.#rung.promise, wait.signal)
  }

  /** Forgets what it has armed. */
  end(): void {
    for (const end of this.#ends.splice(0)) end()
  }
}
