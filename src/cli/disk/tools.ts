/** The tools for files of servers: they need no connection, and no server that runs. */
import { diskReason } from '../disk-reason.ts'
import { Failure } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { Output } from '../output.ts'
import { describeError } from '../shell/error-text.ts'
import { runBackup, runRestore } from './backup-command.ts'
import { runLog } from './log-command.ts'
import { runSnapshot } from './snapshot-command.ts'

/** By the word that calls it. */
const TOOLS: Readonly<Record<string, (args: readonly string[], output: Output) => Promise<number>>> = {
  log: runLog,
  snapshot: runSnapshot,
  backup: runBackup,
  restore: runRestore,
}

/**
 * Runs a tool to its end.
 *
 * @param name - one of `FILE_TOOLS` of command-line.ts
 * @returns the exit status
 */
export async function runTool(name: string, args: readonly string[], output: Output): Promise<number> {
  try {
    const run = TOOLS[name]
    if (run === undefined) throw new Failure(`there is no tool ${name}`)
    return await run(args, output)
  } catch (error) {
    const isOfSystem = error instanceof Error && 'syscall' in error
    const { status, ...described } = describeError(isOfSystem ? new Failure(diskReason(error)) : error)
    output.err(args.includes('--json') ? jsonLine({ error: described }) : `${described.message}\n`)
    return status
  }
}
