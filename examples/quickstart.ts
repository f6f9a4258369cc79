/**
 * The quickstart: five workers price invoices under one lock, while everything happens that must not matter.
 *
 * Use       `npm run quickstart`, or `npm run quickstart -- --json` for one JSON document
 * Story     three servers and five workers. The prices change. A worker's session is killed in the middle of a job. The
 *           leader crashes and comes back. At the end each job is in the ledger exactly once.
 * Status    0; 1 if any check fails.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect, ConfigCenter, GroupMembership } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { Ensemble, EnsembleServerStatus } from 'quorate/embedded'
import { Chronicle } from './quickstart/chronicle.ts'
import { readJobs } from './quickstart/jobs.ts'
import { Ledger } from './quickstart/ledger.ts'
import { PriceList } from './quickstart/price-list.ts'
import { pricingSchema } from './quickstart/pricing.ts'
import type { Invoice, Pricing } from './quickstart/pricing.ts'
import { reportOf, textOf } from './quickstart/report.ts'
import type { RunRecord } from './quickstart/run-record.ts'
import { CONFIG_PATH, GROUP_PATH, Worker } from './quickstart/worker.ts'

const SERVERS = 3
const WORKERS = 5
/** Index of the worker whose session is killed. */
const VICTIM = 2
/** Shares of the jobs after which something happens. */
const PRICES_CHANGE_AT = 0.25
const SESSION_IS_KILLED_AT = 0.5
const LEADER_CRASHES_AT = 0.7
const OLD_LEADER_RESTARTS_AT = 0.85
/** A run takes about two seconds; one that takes this long hangs. */
const RUN_MS_MAX = 30_000
const POLL_MS = 5

const DATA = join(dirname(createRequire(import.meta.url).resolve('quorate/package.json')), 'examples', 'data')

/** Where the story takes place. */
interface Stage {
  readonly ensemble: Ensemble
  readonly ledger: Ledger
  readonly chronicle: Chronicle
  /** Ends all waits. */
  readonly signal: AbortSignal
  /** Waits until this share of the jobs is done. */
  readonly shareDone: (share: number) => Promise<void>
}

/**
 * Runs the story.
 *
 * @param folder - where the ledger and the copy of the prices go
 * @param jobs - what there is to do
 * @returns what happened
 */
async function runStory(folder: string, jobs: readonly Invoice[]): Promise<RunRecord> {
  const chronicle = new Chronicle()
  const note = (what: string): void => chronicle.note(what)
  const ledger = new Ledger(join(folder, 'ledger.jsonl'))
  const limit = new AbortController()
  const { signal } = limit
  setTimeout(() => limit.abort(new Error(`still not done after ${RUN_MS_MAX} ms`)), RUN_MS_MAX).unref()

  // Three servers; a clerk, who publishes the prices; and five workers, each with a session of its own.
  await using ensemble = embedded({ servers: SERVERS })
  chronicle.watchEnsemble(ensemble)
  await using clerk = await connect(ensemble)
  const config = new ConfigCenter<Pricing>(clerk, CONFIG_PATH, { schema: pricingSchema })
  const prices = await PriceList.copy(join(DATA, 'pricing.json'), join(folder, 'pricing.json'), config)
  note(await prices.publish(signal))
  const names = Array.from({ length: WORKERS }, (_, i) => `worker-${i + 1}`)
  const workers = await Promise.all(names.map((name) => Worker.start(name, ensemble, { jobs, ledger, signal, note })))
  chronicle.watchGroup(new GroupMembership(clerk, GROUP_PATH))
  // A crash is worst for the pulse: its server is the leader, so it has to find another one as well.
  await using heart = await connect(ensemble.at(ensemble.leader ?? 1))
  const rest = new AbortController()
  const beating = chronicle.takePulse(heart, rest.signal)
  note(`${workers.length} workers begin with ${jobs.length} jobs`)
  const working = Promise.all(workers.map((worker) => worker.run()))
  for (const task of [beating, working]) task.catch((error: unknown) => limit.abort(error))

  const shareDone = (share: number): Promise<void> => ledger.untilLength(Math.floor(share * jobs.length), signal)
  const stage: Stage = { ensemble, ledger, chronicle, signal, shareDone }
  await shareDone(PRICES_CHANGE_AT)
  await prices.change()
  note(await prices.publish(signal))
  const killed = await killSession(stage, workers)
  const crash = await crashLeader(stage)

  const workerRecords = await working
  note('no job is left')
  rest.abort()
  await beating
  await heart.close()
  const servers = await untilEqual(stage)
  const { happenings, elections, leaders, groups, expired, pulse, nowMs: durationMs } = chronicle
  const text = await readFile(ledger.file, 'utf8')
  const facts = { happenings, elections, leaders, groups, expired, pulse, servers, durationMs }
  return { jobs, ledger: text, pricings: prices.published, workers: workerRecords, killed, crash, ...facts }
}

/** A worker stops in the middle of a job, and its session ends. It wakes up when another has taken its place. */
async function killSession(stage: Stage, workers: readonly Worker[]): Promise<RunRecord['killed']> {
  const { ensemble, ledger, chronicle, signal } = stage
  await stage.shareDone(SESSION_IS_KILLED_AT)
  const victim = workers[VICTIM]
  const sessionId = victim?.client.sessionId
  if (victim === undefined || typeof sessionId !== 'bigint') throw new Error('there is no worker to kill')
  const { job, lease, resume } = await victim.pauseInNextJob()
  const killed = { worker: victim.name, job: job.id, token: lease.token, atMs: chronicle.nowMs }
  chronicle.note(`${victim.name} stands still: it has the lock, and has priced ${job.id}; its session is killed`)
  ensemble.expireSession(sessionId)
  await ledger.untilLength(ledger.length + 1, signal)
  chronicle.note(`another worker has done ${job.id}; ${victim.name} wakes up and sends what it had`)
  resume()
  return killed
}

/** The leader crashes, and another is elected. The old one starts again and catches up. */
async function crashLeader(stage: Stage): Promise<RunRecord['crash']> {
  const { ensemble, chronicle } = stage
  await stage.shareDone(LEADER_CRASHES_AT)
  const server = ensemble.leader ?? 1
  const atMs = chronicle.nowMs
  chronicle.note(`server ${server}, which leads, crashes`)
  ensemble.crash(server)
  await stage.shareDone(OLD_LEADER_RESTARTS_AT)
  chronicle.note(`server ${server} starts again`)
  ensemble.restart(server)
  return { server, atMs }
}

/** Nobody writes any more: waits until the last writes have reached every server. */
async function untilEqual({ ensemble, signal }: Stage): Promise<EnsembleServerStatus[]> {
  for (;;) {
    const servers = ensemble.status()
    if (signal.aborted || servers.every(({ zxid, serving }) => serving && zxid === servers[0]?.zxid)) return servers
    await delay(POLL_MS)
  }
}

/**
 * Runs the story in a temporary folder, with the jobs of `examples/data/jobs.json`.
 *
 * @returns what happened
 */
export async function runQuickstart(): Promise<RunRecord> {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-quickstart-'))
  try {
    return await runStory(folder, await readJobs(join(DATA, 'jobs.json')))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/**
 * Prints what came of a run.
 *
 * @param run - what happened
 * @param args - `--json` for one document instead of tables
 * @param print - gets the text
 * @returns the exit status
 */
export function tell(run: RunRecord, args: readonly string[], print: (text: string) => void): number {
  const report = reportOf(run)
  print(args.includes('--json') ? JSON.stringify(report, null, 2) : textOf(report, [...run.pricings.values()]))
  return report.ok ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = tell(await runQuickstart(), process.argv.slice(2), console.log)
}
