/**
 * Runs seeds in a process of its own: `node worker.js '{"seeds":[1,2,3],"twice":[2]}'`, one line of JSON a run.
 *
 * Twice     a seed that is also in `twice` runs a second time, with the portable draining. Both have to give the same trace;
 *           if they do not, something leaks into the world from outside, and that is a finding of its own.
 */
import { drawRun } from './profiles.ts'
import type { ProfileName } from './profiles.ts'
import { runDraw } from './run.ts'
import type { RunReport } from './run.ts'
import { WORKLOADS } from './workloads/all.ts'

/** What a worker is asked to do. */
export interface WorkerTask {
  readonly seeds: readonly number[]
  /** Those of the seeds that run twice. */
  readonly twice: readonly number[]
  readonly profile?: ProfileName
  readonly workload?: string
}

/** What a worker says of a run. */
export interface WorkerLine extends RunReport {
  /** Processor time of this run, in milliseconds. */
  readonly cpuMs: number
  /** Whether it is the second run of its seed. */
  readonly again?: true
}

async function work({ seeds, twice, profile, workload }: WorkerTask): Promise<void> {
  const workloads = workload === undefined ? Object.keys(WORKLOADS) : [workload]
  for (const seed of seeds) {
    const draw = drawRun(seed, { profile, workloads })
    const before = process.cpuUsage()
    const report = await runDraw(draw)
    const { user, system } = process.cpuUsage(before)
    const line = { ...report, cpuMs: (user + system) / 1_000 } satisfies WorkerLine
    console.log(JSON.stringify(line))
    if (!twice.includes(seed)) continue
    const again = await runDraw(draw, { draining: 'portable' })
    if (again.hash !== report.hash || again.events !== report.events) {
      throw new Error(`seed ${seed} went another way: ${report.hash} in ${report.events} events, then ${again.hash} in ${again.events}`)
    }
    console.log(JSON.stringify({ ...line, again: true } satisfies WorkerLine))
  }
}

await work(JSON.parse(process.argv[2] ?? '{}') as WorkerTask)
