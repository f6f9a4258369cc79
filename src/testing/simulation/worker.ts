/**
 * Runs seeds in a process of its own: `node worker.js '{"seeds":[1,2,3],"twice":[2]}'`, one line of JSON a run.
 *
 * Twice     a seed that is also in `twice` runs a second time, with the portable draining. Both have to give the same
 *           trace; if they do not, something leaks into the world from outside, and that is a finding of its own.
 */
import { drawRun } from './profiles.ts'
import type { Draw, Given } from './profiles.ts'
import { runDraw } from './run.ts'
import type { RunReport } from './run.ts'
import { WORKLOADS } from './workloads/all.ts'

/** Frames of a stack that are worth reading. */
const STACK_FRAMES = 20

/** What a worker is asked to do. */
export interface WorkerTask {
  readonly seeds: readonly number[]
  /** Those of the seeds that run twice. */
  readonly twice: readonly number[]
  readonly given?: Given
}

/** What a worker says of a run. */
export interface WorkerLine extends RunReport {
  /** Processor time of this run, in milliseconds. */
  readonly cpuMs: number
  /** Whether it is the second run of its seed. */
  readonly again?: true
}

async function work({ seeds, twice, given = {} }: WorkerTask): Promise<void> {
  const workloads = Object.keys(WORKLOADS)
  for (const seed of seeds) {
    const draw = drawRun(seed, { ...given, workloads })
    const usage = process.cpuUsage()
    const report = await runQuickly(draw)
    const { user, system } = process.cpuUsage(usage)
    const line = { ...report, cpuMs: (user + system) / 1_000 }
    say(line)
    if (!twice.includes(seed)) continue
    const again = await runDraw(draw, { draining: 'portable' })
    if (again.hash !== report.hash || again.events !== report.events) {
      const [before, now] = [report, again].map(({ hash, events }) => `${hash} in ${events} events`)
      throw new Error(`seed ${seed} went another way: ${before}, then ${now}`)
    }
    say({ ...line, again: true })
  }
}

/**
 * Runs a draw without the stacks of errors, which cost more than all else that a client does about one. If something is
 * found, the run is repeated with them.
 */
async function runQuickly(draw: Draw): Promise<RunReport> {
  Error.stackTraceLimit = 0
  const report = await runDraw(draw)
  Error.stackTraceLimit = STACK_FRAMES
  return report.finding === null ? report : runDraw(draw)
}

function say(line: WorkerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

await work(JSON.parse(process.argv[2] ?? '{}') as WorkerTask)
