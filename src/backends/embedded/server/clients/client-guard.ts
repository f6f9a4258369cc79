/**
 * Keeps an error in the handling of one client away from all others.
 *
 * Model     each step that is done for a client runs in here. An error in it costs that client its connection. The
 *           exception is what the step asks of the consensus: an error in there breaks promises to other servers, and
 *           the server must stop, no matter who asked.
 */

/** The calls that steps for clients make to the consensus. */
interface Consensus {
  submit(request: never): void
  sync(syncId: number): void
  revalidate(packet: never): void
}

/** Runs the steps of all clients. */
export class ClientGuard {
  #breach: { readonly error: unknown } | null = null

  /**
   * Does something for a client.
   *
   * @param onError - called with the error that it throws
   */
  run(step: () => void, onError: (error: unknown) => void): void {
    try {
      step()
    } catch (error) {
      onError(error)
    }
  }

  /** A host whose consensus is watched. */
  watched<H extends Consensus>(host: H): H {
    return {
      ...host,
      submit: (request: never) => {
        this.#watch(() => host.submit(request))
      },
      sync: (syncId: number) => {
        this.#watch(() => host.sync(syncId))
      },
      revalidate: (packet: never) => {
        this.#watch(() => host.revalidate(packet))
      },
    }
  }

  /** Throws the error of the consensus, if there was one. */
  expectConsensus(): void {
    if (this.#breach !== null) throw this.#breach.error
  }

  #watch(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#breach ??= { error }
      throw error
    }
  }
}
