/** A shell, or one command of it: all that the program does without a command of its own name. */
import { askerOf } from './ask-password.ts'
import { takeArguments, USAGE } from './command-line.ts'
import type { CommandLine } from './command-line.ts'
import { ARGUMENT_WARNING, hasPassword, loginOf } from './credentials.ts'
import type { Login } from './login.ts'
import { ExitStatus } from './exit-status.ts'
import { HistoryFile, historyPath } from './history-file.ts'
import { runInteractive, runScript } from './interactive.ts'
import { Interruption } from './interruption.ts'
import { jsonLine, standardOutput } from './output.ts'
import type { StandardOutput } from './output.ts'
import { packageVersion } from './package-version.ts'
import { shownUrl } from './secrets.ts'
import { readCommand, statusesOf } from './shell/commands.ts'
import { describeError } from './shell/error-text.ts'
import { Shell } from './shell/shell.ts'

/** Commands that need no connection. */
const LOCAL: ReadonlySet<string> = new Set(['help', 'version', 'quit', 'close', 'history', 'printwatches'])

/** Runs what the arguments say, and answers with the exit status. */
export async function runShellCommand(args: readonly string[]): Promise<number> {
  const { command, json, options } = takeArguments(args)
  let output = standardOutput(false)
  try {
    const line = options()
    output = standardOutput(line.raw)
    if (line.shows === 'usage') output.out(`${USAGE}\n`)
    else if (line.shows === 'version') output.out(`${packageVersion()}\n`)
    else return await (command.length === 0 ? runShell(line, output) : runOnce(line, command, output))
    return ExitStatus.ok
  } catch (error) {
    const { status, ...described } = describeError(error, statusesOf(command))
    if (described.message !== '') output.err(json ? jsonLine({ error: described }) : `${described.message}\n`)
    return status
  }
}

/** Runs one command; after one that set watches, waits until they have fired. */
async function runOnce(line: CommandLine, words: readonly string[], output: StandardOutput): Promise<number> {
  const { command } = readCommand(words)
  const login = LOCAL.has(command.name) ? null : await whoConnects(line)
  const interruption = new Interruption(['SIGINT', 'SIGTERM'])
  const { signal } = interruption
  const shell = new Shell({ ...line, login, output, isInteractive: false })
  shell.ask = askerOf(process.stdin, process.stderr)
  try {
    if (!LOCAL.has(command.name)) await shell.connect(undefined, signal)
    const status = await shell.run(words, signal)
    // A command with statuses of its own says itself which one a signal means.
    const isOurs = command.statuses === undefined && status === ExitStatus.failure
    if (status !== ExitStatus.ok) return signal.aborted && isOurs ? interruption.status : status
    await shell.watches.untilEmpty(signal)
    return status
  } catch (error) {
    if (signal.aborted) return interruption.status
    throw error
  } finally {
    await shell.close()
  }
}

/** Reads commands: with an editor from a terminal, as they are from anything else. */
async function runShell(line: CommandLine, output: StandardOutput): Promise<number> {
  const isTyped = process.stdin.isTTY && process.stdout.isTTY
  const shell = new Shell({ ...line, login: await whoConnects(line), output, isInteractive: true })
  try {
    if (isTyped) {
      if (!line.json) output.out(`Connecting to ${shownUrl(line.url)}\n`)
      await shell.connect().catch((error: unknown) => {
        output.err(`${describeError(error).message}\n`)
      })
      const terminal = { input: process.stdin, output: process.stdout, shown: output.shown }
      await runInteractive(shell, terminal, new HistoryFile(historyPath()), line.json)
      return ExitStatus.ok
    }
    await shell.connect()
    return await runScript(shell, process.stdin)
  } finally {
    await shell.close()
  }
}

function whoConnects(line: CommandLine): Promise<Login | null> {
  if (hasPassword(line.url)) process.stderr.write(`${ARGUMENT_WARNING}\n`)
  return loginOf(line, process.env, askerOf(process.stdin, process.stderr))
}
