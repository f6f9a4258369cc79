/** Counts the rare situations of clients' connections, as the tap sees them. */
import { Err, OpCode } from '../src/backends/wire/codes.ts'
import type { Reply, WatcherEvent } from '../src/backends/wire/records.ts'
import type { Probes } from '../src/testing/simulation/probes.ts'
import type { SentRequest, TapConnection, TapObserver } from './tap.ts'

/** Hits the probes of clients. */
export class ClientProbes implements TapObserver {
  readonly #probes: Probes
  /** What was armed again behind a change of connections, by connection. */
  readonly #movedWatches = new Map<number, Set<string>>()

  constructor(probes: Probes) {
    this.#probes = probes
  }

  replied({ number }: TapConnection, sent: SentRequest | null, { err }: Reply): void {
    if (sent?.request.op !== OpCode.setWatches || err !== Err.ok) return
    const { dataWatches, existWatches, childWatches } = sent.request.body
    this.#movedWatches.set(number, new Set([...dataWatches, ...existWatches, ...childWatches]))
  }

  /** What was missed meanwhile is told before the reply to setWatches; so this one came later. */
  notified({ number }: TapConnection, { path }: WatcherEvent): void {
    if (this.#movedWatches.get(number)?.delete(path) === true) this.#probes.hit('watch-fired-after-move')
  }

  closed({ number }: TapConnection): void {
    this.#movedWatches.delete(number)
  }
}
