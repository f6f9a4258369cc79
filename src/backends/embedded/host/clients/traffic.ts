/**
 * Counts of what goes through one server's client port, for operators.
 *
 * Source    ServerStats.java; ServerCnxn.java for one connection.
 */
import { OpCode } from '../../../wire/codes.ts'
import { SizeStats } from '../../server/writes/size-stats.ts'
import { Latency, LatencySummary } from '../latency.ts'

/** The operations that the reference counts as updates: those that become a transaction. */
const UPDATES: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createTTL,
  OpCode.createContainer,
  OpCode.delete,
  OpCode.setData,
  OpCode.setAcl,
  OpCode.multi,
  OpCode.reconfig,
  OpCode.closeSession,
])

/** Counts of packets, both ways. */
class Passage {
  /** Packets that came. */
  received = 0
  /** Packets that went, events included. */
  sent = 0
  /** From a request to its reply. */
  readonly latency = new Latency()

  /** Begins to count again. */
  reset(): void {
    this.received = 0
    this.sent = 0
    this.latency.reset()
  }
}

/** The traffic of a port. */
export class Traffic extends Passage {
  /** Lengths of what was sent, in bytes, without their own. */
  readonly responseSizes = new SizeStats()
  /** Times of requests that change nothing. */
  readonly readLatency = new LatencySummary()
  /** Times of requests that became transactions. */
  readonly updateLatency = new LatencySummary()
  /** Bytes that came. */
  bytesReceived = 0
  /** Bytes of what was sent, without their lengths. */
  bytesAnswered = 0
  /** Connections whose clients came with a session that they had. */
  revalidations = 0
  /** Connections whose clients asked for a session, a new one or their own. */
  connectionRequests = 0
  /** Connections that were one too many of their address. */
  connectionsRejected = 0
  /** Connections without TLS, from this machine and from others. */
  plainLocal = 0
  plainRemote = 0
  /** Connections that did not come through their TLS hand-shakes. */
  handshakesRefused = 0
  /** Attempts to prove who a client is that failed. */
  authFailures = 0
  /** Connections that had no session in time. */
  sessionlessExpired = 0
  /** Errors of this code in the handling of one client, which ended that client's connection. */
  clientErrors = 0

  /** A connection without TLS was made. */
  connectedPlainly(isLocal: boolean): void {
    if (isLocal) this.plainLocal += 1
    else this.plainRemote += 1
  }

  /** A request was answered. */
  measured(op: number, latencyMs: number): void {
    this.latency.add(latencyMs)
    const summary = UPDATES.has(op) ? this.updateLatency : this.readLatency
    summary.add(latencyMs)
  }

  /** So many bytes went to a client. */
  answered(bytes: number): void {
    this.responseSizes.add(bytes)
    this.bytesAnswered += bytes
  }

  /** Starts the counts again, except those that only grow. */
  override reset(): void {
    super.reset()
    this.plainLocal = 0
    this.plainRemote = 0
    this.handshakesRefused = 0
    this.responseSizes.reset()
    this.readLatency.reset()
    this.updateLatency.reset()
  }
}

/** The traffic of one connection. */
export class ConnectionTraffic extends Passage {
  /** Operation that was answered last; -1 before the first. */
  lastOp = -1
  /** xid of the last request of an application that was answered; -1 before the first. */
  lastXid = -1
  /** zxid of the last reply. */
  lastZxid = 0n
  /** When the last reply went, on `performance.now()`. */
  lastResponseAtMs = 0
  /** How long the last reply took. */
  lastLatencyMs = 0

  /** Begins to count again. */
  override reset(): void {
    super.reset()
    this.lastOp = -1
    this.lastXid = -1
    this.lastZxid = 0n
    this.lastResponseAtMs = 0
    this.lastLatencyMs = 0
  }
}
