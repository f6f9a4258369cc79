/**
 * Clients that lose their connection as soon as they have a session: they have seen no zxid, so that a server cannot
 * tell that they have been where more had happened.
 */
import type { ConnectResponse } from '../src/backends/wire/records.ts'
import type { Probes } from '../src/testing/simulation/probes.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { World } from '../src/testing/simulation/world.ts'
import type { Tap, TapConnection, TapObserver } from './tap.ts'

/** Cuts such connections, and counts those who move so, whatever has cut theirs. */
export class UnseenMoves implements TapObserver {
  readonly #world: World
  readonly #tap: Tap
  readonly #random: SeededRandom
  readonly #probes: Probes
  readonly #chance: number

  constructor(world: World, tap: Tap, random: SeededRandom, probes: Probes, chance: number) {
    this.#world = world
    this.#tap = tap
    this.#random = random
    this.#probes = probes
    this.#chance = chance
  }

  attached({ client, server, askedId, sessionId }: TapConnection, { timeOut }: ConnectResponse): void {
    if (timeOut <= 0) return
    if (askedId !== 0n) {
      if (this.#tap.session(sessionId)?.zxid === 0n) this.#probes.hit('session-moved-unseen')
      return
    }
    if (this.#chance === 0 || !this.#random.chance(this.#chance)) return
    const { kernel, network } = this.#world
    // The client has a turn in which it sends what it has to send.
    kernel.after(0, null, 'unseen-move', () => {
      network.cut(client.name, this.#world.server(server).node.name)
    })
  }
}
