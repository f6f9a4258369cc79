/**
 * Was it all so? Each check computes again from the ledger's file and the inputs, and trusts nothing that a worker said
 * of itself if the file can tell.
 */
import { parseLedger } from './ledger.ts'
import type { Entry } from './ledger.ts'
import { priceOf } from './pricing.ts'
import { serviceGaps } from './run-record.ts'
import type { RunRecord } from './run-record.ts'

/** One thing that must be so. */
export interface Check {
  readonly name: string
  /** Null if it is left out on this engine. */
  readonly ok: boolean | null
  /** The finding, or why it is left out. */
  readonly found: string
}

type Rule = (run: RunRecord, entries: readonly Entry[]) => Check

const RULES: readonly Rule[] = [
  eachJobOnce,
  tokensIncrease,
  amountsAreRight,
  workersFollowTheConfiguration,
  noWorkerRestarted,
  killedWorkerLosesItsLease,
  groupSeesItLeave,
  lockGoesOn,
  fenceHolds,
  anotherLeaderIsElected,
  serviceComesBack,
  oldLeaderCatchesUp,
]

/** Checks a run. */
export function checkRun(run: RunRecord): Check[] {
  const entries = parseLedger(run.ledger)
  return RULES.map((rule) => rule(run, entries))
}

function eachJobOnce({ jobs }: RunRecord, entries: readonly Entry[]): Check {
  const done = new Set(entries.map(({ job }) => job))
  const missing = jobs.filter(({ id }) => !done.has(id)).length
  const unknown = [...done].filter((job) => !jobs.some(({ id }) => id === job)).length
  const twice = entries.length - done.size
  return {
    name: 'each job is in the ledger exactly once',
    ok: missing === 0 && unknown === 0 && twice === 0,
    found: `${entries.length} entries for ${jobs.length} jobs; ${missing} missing, ${twice} twice, ${unknown} unknown`,
  }
}

function tokensIncrease(_run: RunRecord, entries: readonly Entry[]): Check {
  const tokens = entries.map(({ token }) => BigInt(token))
  const falls = tokens.filter((token, i) => i > 0 && token <= (tokens[i - 1] ?? 0n)).length
  return {
    name: 'fencing tokens increase strictly along the ledger',
    ok: falls === 0 && tokens.length > 0,
    found: `0x${tokens[0]?.toString(16)} to 0x${tokens.at(-1)?.toString(16)}, ${falls} out of order`,
  }
}

function amountsAreRight({ jobs, pricings }: RunRecord, entries: readonly Entry[]): Check {
  const wrong = entries.filter(({ job, version, net, vat, total }) => {
    const invoice = jobs.find(({ id }) => id === job)
    const pricing = pricings.get(version)
    if (invoice === undefined || pricing === undefined) return true
    const price = priceOf(invoice, pricing)
    return price.net !== net || price.vat !== vat || price.total !== total
  })
  return {
    name: 'each amount is what its version of the configuration makes of the job',
    ok: wrong.length === 0,
    found: `${entries.length - wrong.length} computed again and equal, ${wrong.length} not`,
  }
}

function workersFollowTheConfiguration({ pricings }: RunRecord, entries: readonly Entry[]): Check {
  const counts = [...pricings.keys()].map((version) => entries.filter((entry) => entry.version === version).length)
  const goesBack = workersOf(entries).some((worker) => {
    const versions = entriesOf(worker, entries).map(({ version }) => version)
    return versions.some((version, i) => i > 0 && version < (versions[i - 1] ?? 0))
  })
  return {
    name: 'prices are from before and from after the change, and no worker goes back',
    ok: counts.length === 2 && counts.every((count) => count > 0) && !goesBack,
    found: `${counts[0]} by the first version, ${counts[1]} by the second`,
  }
}

function noWorkerRestarted({ workers, pricings }: RunRecord, entries: readonly Entry[]): Check {
  const survivors = workers.filter(({ lost }) => lost === null)
  const both = survivors.filter(({ name, sessions }) => {
    const own = entriesOf(name, entries)
    const isOneSession = sessions[0] === sessions[1] && own.every(({ session }) => session === sessions[0])
    return isOneSession && new Set(own.map(({ version }) => version)).size === pricings.size
  })
  return {
    name: 'the others take the new prices, and outlive the outage, on the session they began with',
    ok: survivors.length > 0 && both.length === survivors.length,
    found: `${both.length} of ${survivors.length} workers`,
  }
}

function killedWorkerLosesItsLease({ workers, killed, expired, leftOut }: RunRecord): Check {
  const victim = workers.find(({ name }) => name === killed.worker)
  const lost = victim?.lost
  // The end of its node may be what it hears of first; and whoever is cut off hears nothing, but knows the time.
  const reasons = leftOut === null ? ['session-expired', 'node-deleted'] : ['deadline-passed']
  const isTold = lost?.reason !== undefined && reasons.includes(lost.reason)
  return {
    name: 'the killed worker\'s session is over, and the signal of its lease aborts',
    ok: victim !== undefined && expired.has(victim.sessions[0]) && isTold && lost.job === killed.job,
    found: `${killed.worker}, session 0x${victim?.sessions[0]}: ${lost?.reason ?? 'nothing lost'}`,
  }
}

function groupSeesItLeave({ groups, killed, workers }: RunRecord): Check {
  const seen = groups.find(({ atMs, left }) => atMs >= killed.atMs && left.includes(killed.worker))
  const others = workers.length - 1
  return {
    name: 'the group sees it leave while the others stay',
    ok: seen?.members.length === others,
    found: seen === undefined ? 'not seen' : `after ${ms(seen.atMs - killed.atMs)}; ${seen.members.length} stay`,
  }
}

function lockGoesOn({ killed }: RunRecord, entries: readonly Entry[]): Check {
  const entry = entries.find(({ job }) => job === killed.job)
  return {
    name: 'its lock and its job go on to another worker',
    ok: entry !== undefined && entry.worker !== killed.worker && BigInt(entry.token) > killed.token,
    found: `${killed.job} is done by ${entry?.worker ?? 'nobody'}`,
  }
}

function fenceHolds({ workers, killed }: RunRecord, entries: readonly Entry[]): Check {
  const lost = workers.find(({ name }) => name === killed.worker)?.lost
  const got = entries.filter(({ token }) => BigInt(token) === killed.token).length
  return {
    name: 'what it sends when it wakes up is refused by its token',
    ok: lost?.refusal === 'stale-token' && got === 0,
    found: `token 0x${killed.token.toString(16)}: ${lost?.refusal ?? 'not refused'}`,
  }
}

function anotherLeaderIsElected({ elections, leaders, outage, servers, leftOut }: RunRecord): Check {
  const name = 'after the outage another leader is elected by a majority, in a later epoch'
  if (leftOut !== null) return { name, ok: null, found: leftOut }
  const before = leaders.findLast(({ atMs }) => atMs <= outage.atMs)
  const after = leaders.find(({ atMs }) => atMs > outage.atMs)
  const majority = Math.floor(servers.length / 2) + 1
  const isBacked = elections.some(({ atMs, votedFor, supporters }) => {
    return atMs > outage.atMs && votedFor === after?.server && supporters.length >= majority
  })
  const isAnother = after !== undefined && after.server !== outage.server && after.epoch > (before?.epoch ?? 0)
  return {
    name,
    ok: before?.server === outage.server && isBacked && isAnother,
    found: `server ${before?.server} in epoch ${before?.epoch}, then server ${after?.server} in epoch ${after?.epoch}`,
  }
}

function serviceComesBack(run: RunRecord): Check {
  const { atOutageMs, otherwiseMs } = serviceGaps(run)
  return {
    name: 'writes go on after the outage',
    ok: Number.isFinite(atOutageMs),
    found: `${ms(atOutageMs)} without an acknowledged write; ${ms(otherwiseMs)} at most otherwise`,
  }
}

function oldLeaderCatchesUp({ servers, outage, leftOut }: RunRecord): Check {
  const name = 'the old leader comes back, follows, and has what the others have'
  if (leftOut !== null) return { name, ok: null, found: leftOut }
  const old = servers.find(({ myid }) => myid === outage.server)
  const states = new Set(servers.map(({ epoch, zxid, nodes, sessions }) => [epoch, zxid, nodes, sessions].join(' ')))
  return {
    name,
    ok: old?.role === 'FOLLOWING' && states.size === 1 && servers.every(({ serving }) => serving),
    found: servers.map(({ myid, role, zxid }) => `${myid} ${role.toLowerCase()} 0x${zxid.toString(16)}`).join(', '),
  }
}

function workersOf(entries: readonly Entry[]): string[] {
  return [...new Set(entries.map(({ worker }) => worker))]
}

function entriesOf(worker: string, entries: readonly Entry[]): readonly Entry[] {
  return entries.filter((entry) => entry.worker === worker)
}

function ms(durationMs: number): string {
  return `${Math.round(durationMs)} ms`
}
