/**
 * The messages between servers: notifications of the election, and the packets between a leader and its learners.
 *
 * Quorum packets travel on links. A link is one connection that a learner opened to the server that it believes to
 * lead; packets of a link arrive in order or not at all, and a new attempt is a new link, so that nothing of an earlier
 * attempt can be mistaken for the present one. Notifications are datagrams: any may be lost, none overtakes another of
 * the same pair.
 *
 * Source    FastLeaderElection.Notification; Leader.java and Learner.java (packet types in comments).
 */

import type { Configuration } from './configuration.ts'

/** The state of a server in the election. */
export type PeerState = 'LOOKING' | 'FOLLOWING' | 'LEADING' | 'OBSERVING'

/** A vote for a leader, as compared: by peer epoch, then zxid, then id. */
export interface Vote {
  /** myid of the server voted for. */
  readonly leader: number
  /** zxid of the last transaction in its log. */
  readonly zxid: bigint
  /** Its current epoch. */
  readonly peerEpoch: number
}

/** One message of the election: the sender's vote, round and state. */
export interface Notification extends Vote {
  readonly type: 'NOTIFICATION'
  /** The sender's logical clock: which round of the election it is in. */
  readonly electionEpoch: number
  /** The sender's state. */
  readonly state: PeerState
  /** The configuration that is in force at the sender, if transactions have made it. */
  readonly configuration?: Configuration
}

/** A session that was heard of, and the time-out it has. */
export interface SessionTouch {
  readonly sessionId: bigint
  readonly timeoutMs: number
}

/** One identity of a client, as it goes along with a request. */
export interface ClientIdentity {
  readonly scheme: string
  readonly id: string
}

/** A client's write on its way to the leader. The consensus layer does not look into it. */
export interface ForwardedRequest {
  readonly sessionId: bigint
  /** The client's number for it. */
  readonly xid: number
  readonly op: number
  /** As `op` demands it. */
  readonly body: unknown
  readonly identities: readonly ClientIdentity[]
  /** The session's password, if the server that forwards it alone knows the session, or has done so until now. */
  readonly localPasswd?: Uint8Array
}

/** The packets of a link; each names its number in ZooKeeper. `dialect` stands in those of a server of ZooKeeper. */
export type Packet =
  /** 11, learner -> leader: opens a link of a voter. */
  | { readonly type: 'FOLLOWERINFO'; readonly acceptedEpoch: number; readonly dialect?: 'zookeeper' }
  /** 16, learner -> leader: opens a link of an observer. */
  | { readonly type: 'OBSERVERINFO'; readonly acceptedEpoch: number; readonly dialect?: 'zookeeper' }
  /** 17, leader -> learner: the epoch that it proposes. */
  | { readonly type: 'LEADERINFO'; readonly epoch: number; readonly dialect?: 'zookeeper' }
  /** 18, learner -> leader: epoch accepted; -1 if it had accepted this epoch before. */
  | { readonly type: 'ACKEPOCH'; readonly currentEpoch: number; readonly lastZxid: bigint }
  /** 13, leader -> learner: your log is a prefix of mine; the missing proposals follow. */
  | { readonly type: 'DIFF'; readonly zxid: bigint }
  /** 14: cut your log after this zxid; then as DIFF. */
  | { readonly type: 'TRUNC'; readonly zxid: bigint }
  /** 15: drop what you have; the state at this zxid follows in SNAPCHUNKs. Then as DIFF. */
  | { readonly type: 'SNAP'; readonly zxid: bigint }
  /** The next bytes of a state, perhaps none. ZooKeeper sends the state as plain bytes after SNAP. */
  | { readonly type: 'SNAPCHUNK'; readonly bytes: Uint8Array; readonly isLast: boolean }
  /** Learner -> leader: a SNAPCHUNK has arrived, and the learner is alive. ZooKeeper has no such packet. */
  | { readonly type: 'SNAPACK' }
  /** 2, leader -> follower (and observer while it synchronises). */
  | { readonly type: 'PROPOSAL'; readonly zxid: bigint; readonly txn: Uint8Array }
  /** 3, follower -> leader: durable up to here. Of NEWLEADER's zxid: synchronised, epoch durable. */
  | { readonly type: 'ACK'; readonly zxid: bigint }
  /** 4, leader -> learner: a majority has everything up to here. */
  | { readonly type: 'COMMIT'; readonly zxid: bigint }
  /** 8, leader -> observer: a proposal and its commit in one. */
  | { readonly type: 'INFORM'; readonly zxid: bigint; readonly txn: Uint8Array }
  /** 10, leader -> learner: the end of the synchronisation; zxid = epoch << 32. */
  | { readonly type: 'NEWLEADER'; readonly zxid: bigint }
  /** 12, leader -> learner: a majority is synchronised; serve. */
  | { readonly type: 'UPTODATE' }
  /** 5, both ways: alive. A learner's answer carries the sessions that were heard of since the last one. */
  | { readonly type: 'PING'; readonly touched: readonly SessionTouch[] }
  /**
   * 6, learner -> leader: the client on this connection wants to move its session here, with this time-out from now on.
   * ZooKeeper sends neither password nor connection.
   */
  | {
    readonly type: 'REVALIDATE'
    readonly connection: number
    readonly sessionId: bigint
    readonly timeoutMs: number
    readonly passwd: Uint8Array
  }
  /** 6, leader -> learner: the answer, for that connection only. */
  | {
    readonly type: 'REVALIDATED'
    readonly connection: number
    readonly sessionId: bigint
    readonly valid: boolean
    readonly timeoutMs: number
  }
  /** 1, learner -> leader: a write of a client. */
  | { readonly type: 'REQUEST'; readonly request: ForwardedRequest }
  /**
   * 7, learner -> leader: asks it to have itself confirmed by a majority; the sessions that were heard of come along,
   * and count as heard of before that. ZooKeeper sends nothing along and does not ask the majority.
   */
  | { readonly type: 'SYNC'; readonly syncId: number; readonly touched: readonly SessionTouch[] }
  /** 7, leader -> learner: confirmed; every write acknowledged before it was asked for has reached you. */
  | { readonly type: 'SYNCED'; readonly syncId: number }

/** A message from one server to another: a notification, or a packet on a link. */
export type PeerMessage = Notification | { readonly type: 'PACKET'; readonly link: number; readonly packet: Packet }
