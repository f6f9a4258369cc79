/**
 * The checks of a session: its time-out, how long calls take, and how far the clock of the servers is from ours.
 *
 * Writes    one ephemeral node, `/quorate-doctor-<uuid>`, which is deleted again.
 * Clock     the time at which the servers say that this node was made, against the middle of the call that made it; so
 *           it is known as exactly as that call was short.
 */
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { describeError } from '../shell/error-text.ts'
import { checked, leftOut } from './finding.ts'
import type { Checked, Finding } from './finding.ts'

/** The client that these checks measure, and the properties of its engine. */
export interface SessionContext {
  readonly client: Pick<Client, 'create' | 'delete' | 'exists' | 'sessionTimeoutMs'>
  readonly signal: AbortSignal
  /** The time-out that was asked for, in milliseconds. */
  readonly askedMs: number
  /** Whether nothing may be written. */
  readonly isReadOnly: boolean
  /** Whether times of nodes are by the clock of the servers. */
  readonly tellsTime: boolean
}

/** The results of the checks, and by how much the clock of the servers is ahead of ours, in milliseconds. */
export interface SessionChecked {
  readonly checks: readonly Checked[]
  readonly aheadMs: number
}

const READS = 9
const READ_MS_MAX = 50
const WRITE_MS_MAX = 250
/** A call that takes longer than this part of the session's time-out endangers its leases. */
const TIMEOUT_PARTS = 6
const CLOCK_WARN_MS = 1_000
const CLOCK_BAD_MS = 10_000

/** A write that was tried. */
interface Written {
  readonly ms: number
  /** How far the clock of the servers is ahead, and how exactly that is known. */
  readonly aheadMs: number
  readonly exactMs: number
}

/** Makes them. */
export async function checkSession(context: SessionContext): Promise<SessionChecked> {
  const { client } = context
  const reads = await timeReads(context)
  const written = context.isReadOnly ? null : await tryWrite(context)
  const isWritten = written !== null && 'ms' in written
  const latency = latencyCheck(client.sessionTimeoutMs, reads, written)
  const checks = [timeoutCheck(context), latency, clockCheck(context, written)]
  return { checks, aheadMs: isWritten && context.tellsTime ? written.aheadMs : 0 }
}

function timeoutCheck({ client, askedMs }: SessionContext): Checked {
  const { sessionTimeoutMs } = client
  const findings: Finding[] = sessionTimeoutMs >= askedMs ? [] : [{
    level: 'note',
    what: `the servers give a session time-out of ${sessionTimeoutMs} ms, of ${askedMs} ms that were asked for`,
    why: 'a process that is paused or cut off for longer loses its locks and its ephemeral nodes',
    todo: 'raise maxSessionTimeout on the servers if your applications need more',
  }]
  return checked('session', `there is one, with a time-out of ${sessionTimeoutMs} ms`, findings)
}

async function timeReads({ client, signal }: SessionContext): Promise<number[]> {
  const times: number[] = []
  for (let count = 0; count < READS; count += 1) {
    const startMs = performance.now()
    await client.exists('/', { signal })
    times.push(performance.now() - startMs)
  }
  return times.sort((a, b) => a - b)
}

async function tryWrite({ client, signal }: SessionContext): Promise<Written | Finding> {
  const path = `/quorate-doctor-${crypto.randomUUID()}`
  const [startMs, startedMs] = [Date.now(), performance.now()]
  try {
    await client.create(path, '', { mode: 'ephemeral', signal })
  } catch (error) {
    return refusedWrite(error)
  }
  const ms = performance.now() - startedMs
  const stat = await client.exists(path, { signal })
  await client.delete(path, { signal })
  return { ms, aheadMs: (stat?.ctime ?? 0) - (startMs + ms / 2), exactMs: ms / 2 }
}

function refusedWrite(error: unknown): Finding {
  const { message } = describeError(error)
  if (isCoordinationError(error, 'NO_NODE')) {
    return {
      level: 'bad',
      what: `the node of the namespace or chroot is missing: ${message}`,
      why: 'nothing can be created below it',
      todo: 'create it, or connect without the chroot',
    }
  }
  const isRefused = isCoordinationError(error, 'NO_AUTH', 'READ_ONLY')
  return {
    level: isRefused ? 'note' : 'bad',
    what: `a node cannot be created at /: ${message}`,
    why: isRefused ? 'so writes and the clock of the servers could not be measured' : 'locks and leaders need writes',
    todo: isRefused ? 'connect as who may create nodes, or pass --read-only' : 'see the findings on the servers',
  }
}

function latencyCheck(timeoutMs: number, reads: readonly number[], written: Written | Finding | null): Checked {
  const median = reads[Math.floor(reads.length / 2)] ?? 0
  const most = reads.at(-1) ?? 0
  const writeMs = written !== null && 'ms' in written ? written.ms : null
  const findings: Finding[] = written !== null && 'what' in written ? [written] : []
  const slowest = Math.max(most, writeMs ?? 0)
  if (slowest > timeoutMs / TIMEOUT_PARTS) {
    findings.push({
      level: 'bad',
      what: `a call took ${shown(slowest)}, of a session time-out of ${timeoutMs} ms`,
      why: 'a lease is trusted for two thirds of the time-out after a call that was answered: it is lost so',
      todo: 'look for a slow disk, a long pause or a distant server; or ask for a longer session time-out',
    })
  } else if (median > READ_MS_MAX || (writeMs ?? 0) > WRITE_MS_MAX) {
    findings.push({
      level: 'warn',
      what: `a read takes ${shown(median)}, a write ${writeMs === null ? 'an unknown time' : shown(writeMs)}`,
      why: 'each lock costs two calls, and a hand-over two more',
      todo: 'connect to servers that are near, give their logs a disk of their own, and see quorate status',
    })
  }
  const write = writeMs === null ? '' : `, a write ${shown(writeMs)}`
  return checked('latency', `a read takes ${shown(median)} (${shown(most)} at most)${write}`, findings)
}

function clockCheck({ isReadOnly, tellsTime }: SessionContext, written: Written | Finding | null): Checked {
  if (!tellsTime) return leftOut('clock', 'this engine has no clock of its own: nodes have the times of who made them')
  if (written === null || !('ms' in written)) {
    return leftOut('clock', isReadOnly ? 'it takes a write' : 'no node could be created')
  }
  const { aheadMs, exactMs } = written
  const surely = Math.abs(aheadMs) - exactMs
  const direction = aheadMs > 0 ? 'ahead of' : 'behind'
  const findings: Finding[] = surely <= CLOCK_WARN_MS ? [] : [{
    level: surely > CLOCK_BAD_MS ? 'bad' : 'warn',
    what: `the clock of the servers is ${shown(Math.abs(aheadMs))} ${direction} the one of this machine`,
    why: 'ages of locks, times to live of results and logs of several machines are compared by these clocks',
    todo: 'run NTP or chrony on this machine and on the servers',
  }]
  const says = `the servers are ${shown(Math.abs(aheadMs))} ${direction} us, within ${shown(exactMs)}`
  return checked('clock', says, findings)
}

function shown(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}
