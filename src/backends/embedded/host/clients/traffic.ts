/**
 * Counts of what goes through one server's client port, for operators.
 *
 * Source    ServerStats.java, AvgMinMaxCounter.java; ServerCnxn.java for one connection.
 */
import { SizeStats } from '../../server/writes/size-stats.ts'

/** Least, greatest and average of what was measured, in milliseconds. */
class Latency {
  #min = 0
  #max = 0
  #sum = 0
  #count = 0

  /** Takes a measurement. */
  add(ms: number): void {
    this.#min = this.#count === 0 ? ms : Math.min(this.#min, ms)
    this.#max = Math.max(this.#max, ms)
    this.#sum += ms
    this.#count += 1
  }

  /** Least; 0 before the first. */
  get min(): number {
    return this.#min
  }

  /** Greatest; 0 before the first. */
  get max(): number {
    return this.#max
  }

  /** Average; 0 before the first. */
  get average(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  /** Forgets everything. */
  reset(): void {
    this.#min = 0
    this.#max = 0
    this.#sum = 0
    this.#count = 0
  }
}

/** What goes through anything. */
class Passage {
  /** Packets that came. */
  received = 0
  /** Packets that went, events included. */
  sent = 0
  /** From a request to its reply. */
  readonly latency = new Latency()

  /** Begins to count anew. */
  reset(): void {
    this.received = 0
    this.sent = 0
    this.latency.reset()
  }
}

/** What went through a port. */
export class Traffic extends Passage {
  /** Lengths of what was sent, in bytes, without their own. */
  readonly responseSizes = new SizeStats()
  /** Bytes that came. */
  bytesReceived = 0
  /** Connections that were one too many of their address. */
  connectionsRejected = 0
  /** Connections that had no session in time. */
  sessionlessExpired = 0
  /** Errors of this code in what it did for one client, which ended that client's connection. */
  clientErrors = 0

  /** Begins to count anew, but for what only grows. */
  override reset(): void {
    super.reset()
    this.responseSizes.reset()
  }
}

/** What went through one connection. */
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

  /** Begins to count anew. */
  override reset(): void {
    super.reset()
    this.lastOp = -1
    this.lastXid = -1
    this.lastZxid = 0n
    this.lastResponseAtMs = 0
    this.lastLatencyMs = 0
  }
}
