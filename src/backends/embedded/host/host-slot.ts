/** The place of one server's host: empty, being opened, or running. */
import { Host } from './host.ts'
import type { HostOptions } from './host.ts'

/** A place for one host at a time. */
export class HostSlot {
  #host: Host | null = null
  #opening: Promise<Host> | null = null

  /** The host that runs; null while none does, and while one is being opened. */
  get host(): Host | null {
    return this.#host
  }

  /** Whether a host runs or is being opened. */
  get isTaken(): boolean {
    return this.#host !== null || this.#opening !== null
  }

  /**
   * Opens a host, which then runs here unless the slot was emptied meanwhile.
   *
   * @param onOpen - called when it is here, before it begins
   * @param storageReady - its storage is not touched before
   */
  open(options: HostOptions, onOpen: (host: Host) => void, storageReady?: Promise<void>): void {
    const opening = storageReady === undefined ? Host.open(options) : storageReady.then(() => Host.open(options))
    this.#opening = opening
    opening.then(
      (host) => {
        if (this.#opening !== opening) return
        this.#opening = null
        this.#host = host
        onOpen(host)
        host.start()
      },
      (error: unknown) => {
        if (this.#opening === opening) options.onFailure(error)
      },
    )
  }

  /** Empties the slot: a host that runs is stopped, one that is being opened will not run. */
  empty(): void {
    const host = this.#host
    this.#host = null
    this.#opening = null
    host?.stop()
  }
}
