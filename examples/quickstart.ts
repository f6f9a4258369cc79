/**
 * The quickstart: five workers price invoices under one lock, while everything happens that must not matter.
 *
 * Use       `npm run quickstart`, or `npm run quickstart -- --json` for one JSON document
 *           `npm run quickstart -- --connect redis://127.0.0.1:6379` on an engine that you run; see venue.ts
 *           `npm run quickstart -- --data-dir DIR` keeps all data in a directory. Kill it with `kill -9` at any moment
 *           and start it again: it goes on with the jobs that are left; see resume.ts
 * Story     three servers and five workers. The prices change. A worker's session is killed in the middle of a job. The
 *           leader crashes and comes back. At the end each job is in the ledger exactly once. On an engine that is not
 *           ours, connections are cut instead.
 * Status    0; 1 if any check fails or the engine does not answer, 2 for a wrong argument.
 */
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connect, ConfigCenter, CoordinationError, GroupMembership } from 'quorate'
import type { EnsembleServerStatus } from 'quorate/embedded'
import { Chronicle } from './quickstart/chronicle.ts'
import { readJobs } from './quickstart/jobs.ts'
import { Ledger } from './quickstart/ledger.ts'
import { PriceList } from './quickstart/price-list.ts'
import { pricingSchema } from './quickstart/pricing.ts'
import type { Invoice, Pricing } from './quickstart/pricing.ts'
import { reportOf, textOf } from './quickstart/report.ts'
import { checkResumed, resumeStory } from './quickstart/resume.ts'
import type { RunRecord } from './quickstart/run-record.ts'
import { textTable } from './quickstart/text-table.ts'
import { openVenue } from './quickstart/venue.ts'
import type { Venue } from './quickstart/venue.ts'
import { CONFIG_PATH, GROUP_PATH, Worker } from './quickstart/worker.ts'

const WORKERS = 5
/** Index of the worker whose session is killed. */
const VICTIM = 2
/** Shares of the jobs after which something happens. */
const PRICES_CHANGE_AT = 0.25
const SESSION_IS_KILLED_AT = 0.5
const ENGINE_FAILS_AT = 0.7
const ENGINE_RECOVERS_AT = 0.85
/** A run takes a few seconds; one that takes this long hangs. */
const RUN_MS_MAX = 60_000
const POLL_MS = 5
const USAGE_STATUS = 2

const DATA = join(dirname(createRequire(import.meta.url).resolve('quorate/package.json')), 'examples', 'data')

/** Where the story takes place. */
interface Stage {
  readonly venue: Venue
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
 * @param venue - the engine
 * @param folder - where the ledger and the copy of the prices go
 * @param jobs - the invoices to price
 * @returns the record of the run
 */
async function runStory(venue: Venue, folder: string, jobs: readonly Invoice[]): Promise<RunRecord> {
  const chronicle = new Chronicle()
  const note = (what: string): void => chronicle.note(what)
  const ledger = new Ledger(join(folder, 'ledger.jsonl'))
  const limit = new AbortController()
  const { signal } = limit
  setTimeout(() => limit.abort(new Error(`still not done after ${RUN_MS_MAX} ms`)), RUN_MS_MAX).unref()

  // A clerk, who publishes the prices, and five workers, each with a session of its own.
  venue.watch(chronicle)
  await using clerk = await connect(venue.backend, venue.options)
  const group = new GroupMembership(clerk, GROUP_PATH)
  venue.watchGroup(chronicle, group)
  const config = new ConfigCenter<Pricing>(clerk, CONFIG_PATH, { schema: pricingSchema })
  const prices = await PriceList.copy(join(DATA, 'pricing.json'), join(folder, 'pricing.json'), config)
  note(await prices.publish(signal))
  const names = Array.from({ length: WORKERS }, (_, i) => `worker-${i + 1}`)
  const workers = await Promise.all(
    names.map(async (name, index) => {
      const client = await connect(index === VICTIM ? venue.victimBackend : venue.backend, venue.options)
      return Worker.start(name, client, { jobs, ledger, signal, note })
    }),
  )
  chronicle.watchGroup(group)
  await using heart = await connect(venue.pulseBackend(), venue.options)
  const rest = new AbortController()
  const beating = chronicle.takePulse(heart, rest.signal)
  note(`${workers.length} workers begin with ${jobs.length} jobs`)
  const working = Promise.all(workers.map((worker) => worker.run()))
  for (const task of [beating, working]) task.catch((error: unknown) => limit.abort(error))

  const shareDone = (share: number): Promise<void> => ledger.untilLength(Math.floor(share * jobs.length), signal)
  const stage: Stage = { venue, ledger, chronicle, signal, shareDone }
  await shareDone(PRICES_CHANGE_AT)
  await prices.change()
  note(await prices.publish(signal))
  const killed = await killSession(stage, workers)
  const outage = await failEngine(stage)

  const workerRecords = await working
  note('no job is left')
  rest.abort()
  await beating
  await heart.close()
  const servers = await untilEqual(stage)
  const { happenings, elections, leaders, groups, expired, pulse, nowMs: durationMs } = chronicle
  const text = await readFile(ledger.file, 'utf8')
  const seen = { happenings, elections, leaders, groups, expired, pulse }
  const facts = { ...seen, servers, leftOut: venue.leftOut, durationMs }
  return { jobs, ledger: text, pricings: prices.published, workers: workerRecords, killed, outage, ...facts }
}

/** A worker stops in the middle of a job, and its session ends. It wakes up when another has taken its place. */
async function killSession(stage: Stage, workers: readonly Worker[]): Promise<RunRecord['killed']> {
  const { venue, ledger, chronicle, signal } = stage
  await stage.shareDone(SESSION_IS_KILLED_AT)
  const victim = workers[VICTIM]
  if (victim === undefined) throw new Error('there is no worker to kill')
  const { job, lease, resume } = await victim.pauseInNextJob()
  const killed = { worker: victim.name, job: job.id, token: lease.token, atMs: chronicle.nowMs }
  chronicle.note(`${victim.name} stands still: it has the lock, and has priced ${job.id}; its session is killed`)
  venue.endSession(victim.client)
  await ledger.untilLength(ledger.length + 1, signal)
  chronicle.note(`another worker has done ${job.id}; ${victim.name} wakes up and sends what it had`)
  resume()
  return killed
}

/** The leader crashes, and another is elected; the old one starts again and catches up. Or connections are cut. */
async function failEngine({ venue, chronicle, shareDone }: Stage): Promise<RunRecord['outage']> {
  await shareDone(ENGINE_FAILS_AT)
  const atMs = chronicle.nowMs
  const server = await venue.fail(chronicle, () => shareDone(ENGINE_RECOVERS_AT))
  return { server, atMs }
}

/** Nobody writes any more: waits until the last writes have reached every server. */
async function untilEqual({ venue, signal }: Stage): Promise<EnsembleServerStatus[]> {
  for (;;) {
    const servers = venue.servers()
    if (signal.aborted || servers.every(({ zxid, serving }) => serving && zxid === servers[0]?.zxid)) return servers
    await delay(POLL_MS)
  }
}

/**
 * Runs the story in a temporary folder, with the jobs of `examples/data/jobs.json`.
 *
 * @param url - the engine; three servers of its own by default
 * @returns the record of the run
 * @throws TypeError if the URL means no engine
 */
export async function runQuickstart(url = 'embedded:'): Promise<RunRecord> {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-quickstart-'))
  try {
    await using venue = await openVenue(url)
    return await runStory(venue, folder, await readJobs(join(DATA, 'jobs.json')))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/**
 * Runs the story with its data in a directory, or what is left of it, if the directory has data.
 *
 * @returns whether all checks hold
 */
async function runOnDisk(directory: string, url: string, args: readonly string[]): Promise<number> {
  const servers = join(directory, 'servers')
  const isResumed = existsSync(servers)
  await mkdir(directory, { recursive: true })
  await using venue = await openVenue(url, servers)
  const jobs = await readJobs(join(DATA, 'jobs.json'))
  if (!isResumed) return tell(await runStory(venue, directory, jobs), args, console.log)
  const file = join(directory, 'ledger.jsonl')
  const signal = AbortSignal.timeout(RUN_MS_MAX)
  const run = await resumeStory(venue, { file, prices: join(DATA, 'pricing.json'), jobs, signal })
  const checks = checkResumed(run)
  const ok = checks.every((check) => check.ok)
  const rows = checks.map((check) => [check.ok === true ? 'ok' : 'FAILED', check.name, check.found])
  const asText = (): string => textTable(['', 'check', 'found'], rows)
  console.log(args.includes('--json') ? JSON.stringify({ ok, checks }, null, 2) : asText())
  return ok ? 0 : 1
}

/**
 * Prints what came of a run.
 *
 * @param run - the record of the run
 * @param args - `--json` for one document instead of tables
 * @param print - gets the text
 * @returns the exit status
 */
export function tell(run: RunRecord, args: readonly string[], print: (text: string) => void): number {
  const report = reportOf(run)
  print(args.includes('--json') ? JSON.stringify(report, null, 2) : textOf(report, [...run.pricings.values()]))
  return report.ok ? 0 : 1
}

/** Runs the command. An error that the user can mend takes one line: a wrong argument, a silent engine. */
async function main(args: string[]): Promise<number> {
  try {
    const options = { connect: { type: 'string' }, 'data-dir': { type: 'string' }, json: { type: 'boolean' } } as const
    const { values } = parseArgs({ args, options })
    const { 'data-dir': directory, connect: url } = values
    if (directory !== undefined) return await runOnDisk(directory, url ?? 'embedded:', args)
    return tell(await runQuickstart(values.connect), args, console.log)
  } catch (thrown) {
    const error = firstOf(thrown)
    if (!(error instanceof TypeError || error instanceof CoordinationError)) throw thrown
    console.error(`quickstart: ${error.message}${error.cause instanceof Error ? `: ${error.cause.message}` : ''}`)
    return error instanceof TypeError ? USAGE_STATUS : 1
  }
}

/** The error itself, without those that came when what it had left open was closed. */
function firstOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'suppressed' in thrown ? firstOf(thrown.suppressed) : thrown
}

// A link may lead here.
const [, program] = process.argv
if (program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2))
}
