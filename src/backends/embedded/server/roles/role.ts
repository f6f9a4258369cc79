/**
 * A server looks for a leader, leads, or follows one. Each of these roles is an object, from its beginning to its end.
 * The server (server.ts) passes its inputs on to the present role, and draws the conclusions.
 *
 * Outputs   nothing in here calls the server back: a role shows its conclusions (`end`, `isUpToDate`, `mayServe`) or
 *           hands them out (`takeAnswers`), and the server looks at them after every input, in one place.
 */
import type { Packet } from '../../../wire/packets.ts'
import type { Connections } from '../clients/connections.ts'
import type { LeaderExchange } from '../clients/leader-exchange.ts'
import type { ServerConfig } from '../config.ts'
import type { ServerEvent, ServerStatus } from '../ready.ts'
import type { Replica } from '../state/replica.ts'
import type { WriteRequest } from '../writes/prepare.ts'
import type { Election } from '../zab/election.ts'
import type { Journal } from '../zab/journal.ts'
import type { Membership } from '../zab/membership.ts'
import type { Outbox } from '../zab/outbox.ts'

/** The parts of a server that outlive its roles. */
export interface ServerParts {
  readonly config: ServerConfig
  readonly journal: Journal
  readonly membership: Membership
  readonly outbox: Outbox
  readonly election: Election
  readonly replica: Replica
  readonly connections: Connections
  readonly exchange: LeaderExchange
  /** Wall clock at the present input, milliseconds since 1970. */
  readonly wallTimeMs: number
  /** Whether the memory of the process is nearly used up. */
  readonly isFull: (() => boolean) | undefined
  /** Reports an event to operators. */
  report(event: ServerEvent): void
}

/** An answer to a client of this server: its session may move here or not, or a sync of it is confirmed. */
export type Answer = Extract<Packet, { type: 'REVALIDATED' | 'SYNCED' }>

/** Why a role is over. */
export interface RoleEnd {
  /** For people and logs. */
  readonly reason: string
  /** The next epoch that this server proposes must be greater than this. */
  readonly epochFloor: number
  /** The next leader's history may not be joinable to the log here; see the learner's. */
  readonly needsState?: boolean
  /** The leader does not have the end of what was applied here; see the learner's. */
  readonly rewindTo?: bigint | null
  /** The leader until now, if it has ended its link: its vote is not waited for. */
  readonly goneLeader?: number | null
}

/** The questions and inputs that every role answers. */
export interface RoleInputs {
  readonly name: ServerStatus['role']
  /** The server that it follows or is; null while it looks. */
  readonly leader: number | null
  /** Whether its leader is a server of ZooKeeper. */
  readonly isPlain: boolean
  /** Everything up to here is committed. */
  readonly committedZxid: bigint
  /** Whether its history is that of an established leader, so that what is committed may be applied. */
  readonly isUpToDate: boolean
  /** Whether clients may be served once what is committed is applied. */
  readonly mayServe: boolean
  /** Whether clients that ask for a session here get one while it serves. */
  readonly takesClients: boolean
  /** Set once the role is over; the server must look for a leader. */
  readonly end: RoleEnd | null
  /** Service begins: everything that was committed before is applied. */
  serve(): void
  /** A client of this server writes. */
  submit(request: WriteRequest): void
  /** A client of this server asks for confirmation that its leader leads. */
  sync(syncId: number): void
  /** A client of this server wants its session to move here. */
  revalidate(packet: Extract<Packet, { type: 'REVALIDATE' }>): void
  /** A session was heard of here; false if it can no longer be kept alive. */
  touch(sessionId: bigint): boolean
  /** One tick of logical time. */
  tick(): void
  /** Receives a packet of another server. */
  receivePacket(from: number, link: number, packet: Packet): void
  /**
   * A link to or from another server is there.
   *
   * @param isDialled - whether this server has asked for it, in this role or an earlier one
   */
  linkOpened(peer: number, link: number, isDialled: boolean): void
  /** A server that was dialled, by this role or an earlier one, cannot be reached. */
  unreachable(peer: number): void
  /** A link broke or was closed by the other side. */
  linkClosed(peer: number, link: number): void
  /** The host has made something durable. */
  persisted(): void
  /** The output is about to be taken. */
  flush(): void
  /** Another configuration is in force. */
  reconfigured(): void
  /** Takes the answers to clients of this server, in order. */
  takeAnswers(): readonly Answer[]
  /** Closes its links. */
  close(): void
}
