/** Counts the rare situations of clients' connections, as the tap sees them. */
import { Err, OpCode } from '../src/backends/wire/codes.ts'
import type { Reply, WatcherEvent } from '../src/backends/wire/records.ts'
import type { Kernel } from '../src/testing/simulation/kernel.ts'
import type { Probes } from '../src/testing/simulation/probes.ts'
import type { SentRequest, TapConnection, TapObserver } from './tap.ts'

/** Hits the probes of clients. */
export class ClientProbes implements TapObserver {
  readonly #probes: Probes
  readonly #kernel: Kernel
  /** The paths that were armed again after a change of connections, by connection. */
  readonly #movedWatches = new Map<number, Set<string>>()

  /** By connection, the event of the kernel in which its client was last told something, and how often in it. */
  readonly #told = new Map<number, { event: number; count: number }>()

  constructor(probes: Probes, kernel: Kernel) {
    this.#probes = probes
    this.#kernel = kernel
  }

  replied({ number }: TapConnection, sent: SentRequest | null, { err }: Reply): void {
    this.#wasTold(number)
    if (sent?.request.op !== OpCode.setWatches || err !== Err.ok) return
    const { dataWatches, existWatches, childWatches } = sent.request.body
    this.#movedWatches.set(number, new Set([...dataWatches, ...existWatches, ...childWatches]))
  }

  /** Missed changes are told before the reply to setWatches; so this one came later. */
  notified({ number }: TapConnection, { path }: WatcherEvent): void {
    this.#wasTold(number)
    if (this.#movedWatches.get(number)?.delete(path) === true) this.#probes.hit('watch-fired-after-move')
  }

  closed({ number }: TapConnection): void {
    this.#movedWatches.delete(number)
    this.#told.delete(number)
  }

  #wasTold(connection: number): void {
    const { eventCount } = this.#kernel
    const told = this.#told.get(connection)
    const count = told?.event === eventCount ? told.count + 1 : 1
    this.#told.set(connection, { event: eventCount, count })
    if (count === 2) this.#probes.hit('messages-in-one-turn')
  }
}
