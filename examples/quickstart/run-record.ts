/** Everything that a run leaves, for the checks and the report to look at. */
import type { EnsembleServerStatus } from 'quorate/embedded'
import type { ElectionRecord, GroupRecord, Happening, LeaderRecord } from './chronicle.ts'
import type { Invoice, Pricing } from './pricing.ts'
import type { WorkerRecord } from './worker.ts'

/** One run of the quickstart. */
export interface RunRecord {
  /** The invoices of the run. */
  readonly jobs: readonly Invoice[]
  /** The text of the ledger's file, as it is at the end. */
  readonly ledger: string
  /** Each published pricing by its version, in the order of publication. */
  readonly pricings: ReadonlyMap<number, Pricing>
  readonly workers: readonly WorkerRecord[]
  /** The worker whose session was killed in the middle of a job, and the token of the lease that it had. */
  readonly killed: { readonly worker: string; readonly job: string; readonly token: bigint; readonly atMs: number }
  /** When the engine failed, and the leader that was crashed; null if it is not ours. */
  readonly outage: { readonly server: number | null; readonly atMs: number }
  readonly happenings: readonly Happening[]
  readonly elections: readonly ElectionRecord[]
  readonly leaders: readonly LeaderRecord[]
  readonly groups: readonly GroupRecord[]
  /** Sessions that the servers have ended, or whose nodes are gone, in hexadecimal digits. */
  readonly expired: ReadonlySet<string>
  readonly pulse: readonly number[]
  /** The servers at the end, when nobody writes any more. */
  readonly servers: readonly EnsembleServerStatus[]
  /** Why what concerns elections and servers is left out; null if it is not. */
  readonly leftOut: string | null
  readonly durationMs: number
}

/** Times without service, in milliseconds. */
export interface ServiceGaps {
  readonly atOutageMs: number
  readonly otherwiseMs: number
}

/** Milliseconds between the acknowledged writes before and after the outage began, and the most between any others. */
export function serviceGaps({ pulse, outage }: RunRecord): ServiceGaps {
  let atOutageMs = Infinity
  let otherwiseMs = 0
  for (const [i, atMs] of pulse.entries()) {
    const beforeMs = pulse[i - 1]
    if (beforeMs === undefined) continue
    if (beforeMs <= outage.atMs && atMs > outage.atMs) atOutageMs = atMs - beforeMs
    else otherwiseMs = Math.max(otherwiseMs, atMs - beforeMs)
  }
  return { atOutageMs, otherwiseMs }
}
