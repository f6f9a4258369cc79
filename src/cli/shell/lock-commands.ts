/** Commands on locks: `locks ls`, `locks who`, and `lock`, which runs a command while it holds one. */
import { UsageError } from '../exit-status.ts'
import { jsonData, textOf } from '../output.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { usageOf } from './command.ts'
import { runUnderLock } from './lock-run.ts'
import type { LockContender } from './lock-queue.ts'
import { readLock, readLocks } from './lock-queue.ts'
import { agoText, hex } from './node-text.ts'
import { tableText } from './table.ts'

/** How long a command has to end after SIGTERM when its lock is lost, in milliseconds, before SIGKILL. */
const KILL_GRACE_MS = 5_000
const TIME_MS_MAX = 2 ** 31 - 1

/** How much of what a contender says of itself stands in a table. */
const DATA_CHARS_MAX = 60

/** See the head of this file. */
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
    usage: '[-wait ms] [-grace ms] [-data text] path -- command...',
    summary: 'runs a command while it holds a fair lock; -wait at most so long for it',
    flags: { wait: 'value', grace: 'value', data: 'value' },
    words: [1, 1],
    run: lock,
  },
]

async function locks(context: CommandContext, given: Given): Promise<void> {
  const [what, path = ''] = given.words
  if (what === 'ls') await listLocks(context, path)
  else if (what === 'who') await listContenders(context, path)
  else throw new UsageError(`locks takes ls or who, got ${JSON.stringify(what)}\nusage: locks ls|who path`)
}

async function listLocks({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const found = await readLocks(client(), path, signal)
  const nowMs = Date.now()
  const rows = found.map(({ path: lockPath, contenders }) => {
    const [holder] = contenders
    if (holder === undefined) return [lockPath]
    const since = agoText(holder.sinceMs, nowMs)
    return [lockPath, hex(holder.sessionId), since, String(contenders.length - 1), says(holder)]
  })
  print({
    text: rows.length === 0 ? '' : tableText([['LOCK', 'HOLDER', 'SINCE', 'WAITING', 'SAYS'], ...rows]),
    json: {
      path,
      locks: found.map(({ path: lockPath, contenders }) => ({
        path: lockPath,
        holder: contenders[0] === undefined ? null : jsonContender(contenders[0]),
        waiting: contenders.length - 1,
      })),
    },
  })
}

async function listContenders({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const { contenders } = await readLock(client(), path, signal)
  const nowMs = Date.now()
  const rows = contenders.map((contender) => [
    String(contender.position),
    contender.holds ? 'holds' : 'waits',
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
    throw new UsageError(`lock needs a command behind --\n${usageOf(LOCK_COMMANDS[1] as Command)}`)
  }
  if (context.shell.isInteractive) {
    const instead = `quorate lock ${given.word(0)} -- ${program} ...`
    throw new UsageError(`lock runs a command, which needs the terminal: ${instead}`)
  }
  await runUnderLock(context, {
    path: given.word(0),
    program,
    args,
    waitMs: given.integer('wait', 1, TIME_MS_MAX),
    graceMs: given.integer('grace', 0, TIME_MS_MAX) ?? KILL_GRACE_MS,
    data: given.value('data') ?? `pid ${process.pid}: ${[program, ...args].join(' ')}`,
  })
}

function jsonContender({ data, ...contender }: LockContender): object {
  return { ...contender, ...jsonData(data) }
}

/** What a contender says, on one line. */
function says({ data }: LockContender): string {
  const text = textOf(data) ?? `${data.length} bytes`
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
  return line.length <= DATA_CHARS_MAX ? line : `${line.slice(0, DATA_CHARS_MAX - 3)}...`
}
