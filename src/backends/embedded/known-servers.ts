/**
 * The servers of an ensemble of processes as one of them knows them: those of its options, until transactions have made
 * another configuration.
 *
 * Departed  a server that was removed stays reachable while this process lives: it asks who leads, and is told.
 * Unknown   is one that no configuration names: it is turned away until one does (decision 0022).
 * Own       this server keeps the address that it was started with: its ports are open there.
 */
import { configurationOf, readServers } from '../wire/configuration.ts'
import { clientAddressOf } from '../wire/server-line.ts'
import type { ServerLine } from '../wire/server-line.ts'
import type { PeerAddress } from './host/peers/tcp/peer-address.ts'

/** The servers that one process knows. */
export class KnownServers {
  readonly #myid: number
  readonly #addresses: Map<number, PeerAddress>
  #servers: ReadonlyMap<number, ServerLine>
  #text: string

  /** @param servers - those of the options, by myid */
  constructor(myid: number, servers: ReadonlyMap<number, ServerLine>) {
    this.#myid = myid
    this.#servers = servers
    this.#addresses = new Map(servers)
    this.#text = configurationOf(servers, 0n).text
  }

  /** Where the ports for other servers are, by myid; it changes as servers come. */
  get addresses(): ReadonlyMap<number, PeerAddress> {
    return this.#addresses
  }

  /** The text of the configuration. */
  get text(): string {
    return this.#text
  }

  /** How many there are. */
  get size(): number {
    return this.#servers.size
  }

  /** How many of them vote. */
  get voterCount(): number {
    return [...this.#servers.values()].filter(({ votes }) => votes).length
  }

  /** Whether this server votes. */
  get votes(): boolean {
    return this.#servers.get(this.#myid)?.votes ?? false
  }

  /** Where clients reach the others. */
  get otherClients(): { readonly host: string; readonly port: number }[] {
    const others = [...this.#servers].filter(([id]) => id !== this.#myid)
    return others.flatMap(([, server]) => clientAddressOf(server) ?? [])
  }

  /** Transactions have made a configuration. */
  reconfigured(text: string): void {
    this.#text = text
    this.#servers = readServers(text.split('\n'))
    for (const [id, server] of this.#servers) if (id !== this.#myid) this.#addresses.set(id, server)
  }
}
