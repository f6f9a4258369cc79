/**
 * Runs seeds in a process of its own: takes a job from each line of its input, `{"seed":1,"isTwice":true}`, and says a
 * line of JSON a run. It ends with its input.
 *
 * Quiet     no line may come while a job runs: a run takes the place of the event loop.
 * Left      after a finding the run ends where it is. Its programs go on to the end of their turn, and fail there: that
 *           is no finding, and none of the next job.
 */
import { createInterface } from 'node:readline'
import * as own from './job.ts'
import type { Job } from './job.ts'

/** Whether the last run ended with a finding. */
let isCutShort = false
process.on('unhandledRejection', (reason) => {
  if (!isCutShort) throw reason
})

for await (const text of createInterface({ input: process.stdin })) {
  const job = JSON.parse(text) as Job
  const { runJob } = job.code === undefined ? own : await import(job.code) as typeof own
  isCutShort = false
  await runJob(job, (line) => {
    isCutShort = line.finding !== null
    process.stdout.write(`${JSON.stringify(line)}\n`)
  })
}
