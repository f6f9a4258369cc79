/**
 * A cron job that runs once in a fleet, with a deploy in the middle.
 *
 * Use       `npm run example:cron`
 * Story     three hosts stand for the leadership; whoever leads runs the job of each minute (a tenth of a second here).
 *           The deploy stops and starts one host after the other. In the middle a host loses its session while it
 *           leads. At the end each minute was run once, in order.
 * Fencing   the journal of runs is what the leader writes to. It refuses a token that is smaller than one it has seen,
 *           and a minute that was run already: so a leader that was overtaken without knowing it does no harm.
 * Status    0; 1 if a check fails.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { connect, isCoordinationError, LeaderElection } from 'quorate'
import type { Backend, Leadership } from 'quorate'
import { embedded } from 'quorate/embedded'

const ELECTION_PATH = '/elections/cron'
const HOSTS = ['host-1', 'host-2', 'host-3'] as const
const MINUTE_MS = 100
const MINUTES = 30
const RUN_MS_MAX = 60_000

/** One run of the job. */
interface JobRun {
  readonly minute: number
  readonly host: string
  readonly token: bigint
}

/** Where runs are written down: it stands for the database of the application. */
class Journal {
  readonly runs: JobRun[] = []
  refused = 0
  readonly #startMs = performance.now()

  /** The next minute that nobody has run, or null if it is not due yet. */
  get due(): number | null {
    const next = this.runs.length
    return next < MINUTES && performance.now() - this.#startMs >= next * MINUTE_MS ? next : null
  }

  /** Writes a run down; false if it is refused. */
  add(run: JobRun): boolean {
    const isStale = run.token < (this.runs.at(-1)?.token ?? 0n)
    if (isStale || run.minute !== this.runs.length) this.refused += 1
    else this.runs.push(run)
    return !isStale
  }
}

/** One host of the fleet, until it is stopped. */
class Host {
  readonly name: string
  readonly #journal: Journal
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  /** The session that it leads on, or null. */
  leadsOn: bigint | null = null

  constructor(name: string, backend: Backend, journal: Journal) {
    this.name = name
    this.#journal = journal
    this.#running = this.#run(backend)
  }

  /** Ends its work in order: whoever is next leads at once. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(backend: Backend): Promise<void> {
    await using client = await connect(backend)
    const election = new LeaderElection(client, ELECTION_PATH, { id: this.name })
    const work = async (leadership: Leadership, signal: AbortSignal): Promise<void> => {
      this.leadsOn = client.sessionId
      await this.#lead(leadership, signal)
      this.leadsOn = null
    }
    await election.run(work, { signal: this.#stop.signal })
  }

  async #lead(leadership: Leadership, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const minute = this.#journal.due
      if (minute !== null) this.#journal.add({ minute, host: this.name, token: leadership.token })
      await delay(MINUTE_MS / 10)
    }
  }
}

/** Runs the story, and tells what is wrong with it. */
export async function runCron(): Promise<{ readonly runs: readonly JobRun[]; readonly problems: readonly string[] }> {
  await using ensemble = embedded({ servers: 3 })
  const journal = new Journal()
  const start = (name: string): Host => new Host(name, ensemble, journal)
  const fleet = HOSTS.map(start)
  const untilRun = async (minutes: number): Promise<void> => {
    const endMs = performance.now() + RUN_MS_MAX
    while (journal.runs.length < minutes) {
      if (performance.now() > endMs) throw new Error(`minute ${journal.runs.length} was not run`)
      await delay(MINUTE_MS / 10)
    }
  }
  await untilRun(MINUTES / 3)
  for (const [index, host] of fleet.entries()) {
    await host.stop()
    fleet[index] = start(host.name)
    await untilRun(journal.runs.length + 1)
  }
  const leader = fleet.find(({ leadsOn }) => leadsOn !== null)
  if (typeof leader?.leadsOn === 'bigint') ensemble.expireSession(leader.leadsOn)
  await untilRun(MINUTES)
  await Promise.all(fleet.map((host) => host.stop()))
  return { runs: journal.runs, problems: problemsOf(journal.runs) }
}

function problemsOf(runs: readonly JobRun[]): string[] {
  const problems: string[] = []
  if (runs.length !== MINUTES) problems.push(`${runs.length} of ${MINUTES} minutes were run`)
  if (runs.some(({ minute }, index) => minute !== index)) problems.push('a minute was run twice, or out of order')
  if (runs.some(({ token }, index) => token < (runs[index - 1]?.token ?? 0n))) problems.push('a token did not grow')
  if (new Set(runs.map(({ host }) => host)).size < 2) problems.push('one host led all the time')
  return problems
}

if (process.argv[1]?.endsWith('cron.js') === true) {
  try {
    const { runs, problems } = await runCron()
    for (const { host, token } of runs.filter((run, index) => run.token !== runs[index - 1]?.token)) {
      console.log(`${host} led under token ${token}: ${runs.filter((run) => run.token === token).length} minutes`)
    }
    for (const problem of problems) console.error(`wrong: ${problem}`)
    process.exitCode = problems.length === 0 ? 0 : 1
  } catch (error) {
    console.error(isCoordinationError(error) ? `${error.code}: ${error.message}` : error)
    process.exitCode = 1
  }
}
