/** The levers for tests of an ensemble: each acts on real servers, networks and sessions, at the call. */
import type { EnsembleEvents } from './ensemble-events.ts'
import type { MemoryNetwork } from './host/peers/memory.ts'
import type { LocalServer } from './local-server.ts'
import { checkId } from './options.ts'

/** The parts of an ensemble that the levers work on. */
export interface ChaosParts {
  /** The servers, by id. */
  readonly members: ReadonlyMap<number, LocalServer>
  readonly network: MemoryNetwork
  readonly events: EnsembleEvents
  /** Starts a server that is down. */
  readonly start: (member: LocalServer, wipe: boolean) => void
}

/** The levers of one ensemble, and which of its sessions are cut off. */
export class Chaos {
  readonly #parts: ChaosParts
  readonly #isolated = new Set<bigint>()

  constructor(parts: ChaosParts) {
    this.#parts = parts
  }

  /** Whether the client of a session reaches no server. */
  readonly isIsolated = (sessionId: bigint): boolean => this.#isolated.has(sessionId)

  /** See `Ensemble.crash`. */
  crash(id: number): void {
    const member = this.#member(id)
    if (!member.isUp) return
    member.stop()
    this.#parts.events.emit(id, { type: 'crashed' })
  }

  /** See `Ensemble.restart`. */
  restart(id: number, { wipe = false }: { readonly wipe?: boolean }): void {
    const member = this.#member(id)
    if (member.isUp) throw new RangeError(`server ${id} is up; crash it first`)
    this.#parts.start(member, wipe)
  }

  /** See `Ensemble.partition`. */
  partition(groups: readonly (readonly number[])[]): void {
    const named = groups.flat()
    for (const id of named) this.#member(id)
    const twice = named.find((id, index) => named.indexOf(id) !== index)
    if (twice !== undefined) throw new RangeError(`server ${twice} is named twice in a partition`)
    this.#parts.network.partition(groups)
  }

  /** See `Ensemble.heal`. */
  heal(): void {
    this.#parts.network.heal()
  }

  /** See `Ensemble.expireSession`. */
  expire(sessionId: bigint): void {
    for (const member of this.#inOrder()) member.host?.expireSession(sessionId)
  }

  /** See `Ensemble.disconnectSession`. */
  disconnect(sessionId: bigint): void {
    for (const member of this.#inOrder()) member.host?.disconnectSession(sessionId)
  }

  /** See `Ensemble.isolateSession`. */
  isolate(sessionId: bigint): void {
    this.#isolated.add(sessionId)
    this.disconnect(sessionId)
  }

  /** See `Ensemble.rejoinSession`. */
  rejoin(sessionId: bigint): void {
    this.#isolated.delete(sessionId)
  }

  #inOrder(): LocalServer[] {
    return [...this.#parts.members].sort(([a], [b]) => a - b).map(([, member]) => member)
  }

  #member(id: number): LocalServer {
    const { members } = this.#parts
    checkId(id, [...members.keys()])
    return members.get(id) as LocalServer
  }
}
