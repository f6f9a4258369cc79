/** Commands that run another program: `lock` and `elect` while something is held, `run-once` once for everybody. */
import { LOCK_STATUSES } from '../exit-status.ts'
import type { Command } from './command.ts'
import { LEADER_PRIZE, LOCK_PRIZE, runWhileHeld } from './lock-run.ts'
import { runOnce, RUN_ONCE_DETAILS, TTL_MS_MAX } from './once-run.ts'
import { flagHelp, heldRunOf, RUN_FLAGS, statusHelp } from './program-run.ts'

const RUNS_PROGRAM = { statuses: LOCK_STATUSES, runsProgram: true, flags: RUN_FLAGS, words: [1, 1] } as const

const USAGE = '[-wait ms] [-E status] [-grace ms] [-data text] path -- command...'

const LOCK: Command = {
  ...RUNS_PROGRAM,
  name: 'lock',
  usage: USAGE,
  summary: 'runs a command while it holds a fair lock, and ends with its status',
  details: flagHelp('the lock') + statusHelp('the lock'),
  run: (context, given) => runWhileHeld(context, LOCK_PRIZE, heldRunOf(LOCK, given, context.isInteractive)),
}

const ELECT: Command = {
  ...RUNS_PROGRAM,
  name: 'elect',
  usage: USAGE,
  summary: 'stands in an election, runs a command while it leads, and ends with its status',
  details: flagHelp('the leadership') + statusHelp('the leadership'),
  run: (context, given) => {
    return runWhileHeld(context, LEADER_PRIZE, heldRunOf(ELECT, given, context.isInteractive))
  },
}

const RUN_ONCE: Command = {
  ...RUNS_PROGRAM,
  name: 'run-once',
  usage: `[-ttl ms] ${USAGE}`,
  summary: 'runs a command once for everybody who names the path, and shows each its output',
  details: RUN_ONCE_DETAILS + flagHelp('the right to do it', '') + statusHelp('the right to do it'),
  flags: { ...RUN_FLAGS, ttl: 'value' },
  run: (context, given) => {
    const [ttlMs, waitMs] = ['ttl', 'wait'].map((flag) => given.integer(flag, 1, TTL_MS_MAX))
    return runOnce(context, { ...heldRunOf(RUN_ONCE, given, context.isInteractive), ttlMs, waitMs })
  },
}

/** `lock`, `elect` and `run-once`. */
export const RUN_COMMANDS: readonly Command[] = [LOCK, ELECT, RUN_ONCE]
