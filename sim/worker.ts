/**
 * Runs seeds in a process of its own: takes a job from each line of its input, `{"seed":1,"isTwice":true}`, and says a
 * line of JSON a run. It ends with its input.
 *
 * Quiet     no line may come while a job runs: a run takes the place of the event loop.
 * Twice     such a seed runs a second time, with the portable draining. Both have to give the same trace; if they do
 *           not, something leaks into the world from outside, and that is a finding of its own.
 */
import { createInterface } from 'node:readline'
import { drawRun } from '../src/testing/simulation/profiles.ts'
import type { Draw, Given } from '../src/testing/simulation/profiles.ts'
import { runDraw } from './run.ts'
import type { RunReport } from './run.ts'
import { WORKLOADS } from './workloads/all.ts'

/** Frames of a stack that are worth reading. */
const STACK_FRAMES = 20

/** A run for a worker to make. */
export interface Job {
  /** The seed that everything is drawn from. */
  readonly seed: number
  /** Whether it runs a second time, to see that it goes the same way. */
  readonly isTwice: boolean
  /** Whether it is enough to know that something is found: its stack costs another run. */
  readonly isBrief?: boolean
  /** The part of the draw that is not left to the seed. */
  readonly given?: Given
}

/** A worker's report of a run. */
export interface WorkerLine extends RunReport {
  /** Processor time of this run, in milliseconds. */
  readonly cpuMs: number
  /** Whether it is the second run of its seed. */
  readonly again?: true
}

async function work({ seed, isTwice, isBrief = false, given = {} }: Job): Promise<void> {
  const draw = drawRun(seed, { ...given, workloads: Object.keys(WORKLOADS) })
  const usage = process.cpuUsage()
  const report = await runQuickly(draw, isBrief)
  const { user, system } = process.cpuUsage(usage)
  const line = { ...report, cpuMs: (user + system) / 1_000 }
  say(line)
  if (!isTwice) return
  const again = await runDraw(draw, { draining: 'portable' })
  if (again.hash !== report.hash || again.events !== report.events) {
    const [before, now] = [report, again].map(({ hash, events }) => `${hash} in ${events} events`)
    throw new Error(`seed ${seed} went another way: ${before}, then ${now}`)
  }
  say({ ...line, again: true })
}

/**
 * Runs a draw without the stacks of errors, which cost more than all else that a client does about one. If something is
 * found, the run is repeated with them, unless that is not asked for.
 */
async function runQuickly(draw: Draw, isBrief: boolean): Promise<RunReport> {
  Error.stackTraceLimit = 0
  const report = await runDraw(draw)
  Error.stackTraceLimit = STACK_FRAMES
  return report.finding === null || isBrief ? report : runDraw(draw)
}

function say(line: WorkerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

for await (const text of createInterface({ input: process.stdin })) await work(JSON.parse(text) as Job)
