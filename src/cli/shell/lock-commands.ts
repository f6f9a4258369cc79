/** Commands on locks: `locks ls`, `locks who`, and `lock`, which runs a command while it holds one. */
import { hostname } from 'node:os'
import { LOCK_STATUSES, UsageError } from '../exit-status.ts'
import { jsonData, textOf } from '../output.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { wrong } from './command.ts'
import { runUnderLock } from './lock-run.ts'
import type { LockContender } from '../../recipes/locks/inspect.ts'
import { readLock, readLocks } from '../../recipes/locks/inspect.ts'
import { agoText, hex } from './node-text.ts'
import { tableText } from './table.ts'

/** How long a command has to end after SIGTERM when its lock is lost, in milliseconds, before SIGKILL. */
const KILL_GRACE_MS = 5_000
const TIME_MS_MAX = 2 ** 31 - 1

/** The greatest exit status that there is. */
const STATUS_MAX = 255

/** How much of what a contender says of itself stands in a table. */
const DATA_CHARS_MAX = 60

export const LOCK_COMMANDS: readonly Command[] = [
  {
    name: 'locks',
    usage: 'ls|who path',
    summary: 'ls: the locks below a node, their holders and queues; who: everyone at one lock',
    words: [2, 2],
    run: locks,
  },
  {
    name: 'lock',
    usage: '[-wait ms] [-E status] [-grace ms] [-data text] path -- command...',
    summary: 'runs a command while it holds a fair lock, and ends with its status',
    details: `  -wait ms      how long to wait for the lock, in milliseconds; 0: try once; no limit by default
  -E status     the exit status if somebody else has the lock (default: ${LOCK_STATUSES.busy})
  -grace ms     when the lock is lost, the time between SIGTERM and SIGKILL (default: ${KILL_GRACE_MS})
  -data text    what locks shows of the holder; process, host and program by default
exit status, where it is not that of the command:
  ${LOCK_STATUSES.usage}   not understood: wrong flags or arguments
  ${LOCK_STATUSES.unreachable}   no server answered; the command did not run
  ${LOCK_STATUSES.failure}   refused, such as for want of permission; the command did not run
  ${LOCK_STATUSES.lost}   the lock was lost, and the command ended
  ${LOCK_STATUSES.busy}   the lock was not free in time (-E names another status); the command did not run
  126, 127   the command cannot be run, or is not found
  128 + n    signal n ended the command, or the wait for the lock
`,
    statuses: LOCK_STATUSES,
    flags: { wait: 'value', E: 'value', grace: 'value', data: 'value' },
    words: [1, 1],
    run: lock,
  },
]

async function locks(context: CommandContext, given: Given): Promise<void> {
  const [what, path = ''] = given.words
  if (what === 'ls') await listLocks(context, path)
  else if (what === 'who') await listContenders(context, path)
  else throw wrong(LOCK_COMMANDS[0] as Command, `it takes ls or who, got ${JSON.stringify(what)}`)
}

async function listLocks({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const found = await readLocks(client(), path, signal)
  const nowMs = Date.now()
  const rows = found.map(({ path: lockPath, contenders }) => {
    const [holder] = contenders
    if (holder === undefined) return [oneLine(lockPath)]
    const since = agoText(holder.sinceMs, nowMs)
    return [oneLine(lockPath), hex(holder.sessionId), since, String(waitingIn(contenders)), says(holder)]
  })
  print({
    text: rows.length === 0 ? '' : tableText([['LOCK', 'HOLDER', 'SINCE', 'WAITING', 'SAYS'], ...rows]),
    json: {
      path,
      locks: found.map(({ path: lockPath, contenders }) => ({
        path: lockPath,
        holder: contenders[0] === undefined ? null : jsonContender(contenders[0]),
        waiting: waitingIn(contenders),
      })),
    },
  })
}

async function listContenders({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const { contenders } = await readLock(client(), path, signal)
  const nowMs = Date.now()
  const rows = contenders.map((contender) => [
    String(contender.position),
    stateOf(contender),
    agoText(contender.sinceMs, nowMs),
    hex(contender.sessionId),
    contender.token.toString(),
    says(contender),
  ])
  print({
    text: rows.length === 0 ? 'nobody\n' : tableText([['#', 'STATE', 'SINCE', 'SESSION', 'TOKEN', 'SAYS'], ...rows]),
    json: { path, contenders: contenders.map(jsonContender) },
  })
}

async function lock(context: CommandContext, given: Given): Promise<void> {
  const [program, ...args] = given.rest ?? []
  if (program === undefined) {
    throw wrong(LOCK_COMMANDS[1] as Command, 'it needs a command after --')
  }
  if (context.isInteractive) {
    const instead = `quorate lock ${given.word(0)} -- ${program} ...`
    throw new UsageError(`lock runs a command, which needs the terminal: ${instead}`)
  }
  await runUnderLock(context, {
    path: given.word(0),
    program,
    args,
    waitMs: given.integer('wait', 0, TIME_MS_MAX),
    busyStatus: given.integer('E', 0, STATUS_MAX) ?? LOCK_STATUSES.busy,
    graceMs: given.integer('grace', 0, TIME_MS_MAX) ?? KILL_GRACE_MS,
    // Arguments may be secrets, and whoever reads the tree reads this.
    data: given.value('data') ?? `pid ${process.pid} on ${hostname()}: ${program}`,
  })
}

/** How many of a queue wait. */
function waitingIn(contenders: readonly LockContender[]): number {
  return contenders.filter(({ holds }) => !holds).length
}

/** What a contender does; of a read-write lock, also on which side. */
function stateOf({ kind, holds }: LockContender): string {
  if (kind === 'lock') return holds ? 'holds' : 'waits'
  return holds ? `${kind}s` : `waits to ${kind}`
}

function jsonContender({ data, ...contender }: LockContender): object {
  return { ...contender, ...jsonData(data) }
}

/** What a contender says, on one line. */
function says({ data }: LockContender): string {
  const text = textOf(data) ?? `${data.length} bytes`
  const line = visibleLine(text)
  return line.length <= DATA_CHARS_MAX ? line : `${line.slice(0, DATA_CHARS_MAX - 3)}...`
}
