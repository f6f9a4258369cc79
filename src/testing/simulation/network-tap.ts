/** Looks on at the network of the simulated world. */
import type { Packet } from '../../backends/wire/packets.ts'
import type { ClientMessage, ServerMessage } from '../../backends/wire/records.ts'
import type { SimNode } from './sim-node.ts'

/** Sees what goes through the network, and changes nothing; for checkers. Clients' connections are numbered from 1. */
export interface NetworkTap {
  /** A client dials a server. */
  opened(connection: number, client: SimNode, server: number): void
  clientSent(connection: number, message: ClientMessage): void
  /** A server that is up gets a client's message. */
  serverReceived(connection: number, message: ClientMessage): void
  clientReceived(connection: number, message: ServerMessage): void
  /** The client's end is closed: it hears nothing more on this connection. */
  closed(connection: number): void
  packetSent(from: number, to: number, link: number, packet: Packet): void
  packetReceived(from: number, to: number, link: number, packet: Packet): void
}
