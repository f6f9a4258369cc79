#!/usr/bin/env node
/**
 * The `quorate` command: a server, a shell, or one command of the shell.
 *
 *     quorate server [zoo.cfg]         serves clients of ZooKeeper
 *     quorate [--connect URL]          reads commands from the terminal, or from standard input
 *     quorate ls / [--json]            runs one
 *
 * Exit status: 0 done, 1 not done, 2 not understood; 128 and its number if a signal ended it; `lock` has that of its
 * command.
 */
import { constants } from 'node:os'
import { readCommandLine, USAGE } from './command-line.ts'
import type { CommandLine } from './command-line.ts'
import { shown } from './connect-url.ts'
import { ExitStatus } from './exit-status.ts'
import { HistoryFile, historyPath } from './history-file.ts'
import { runInteractive, runScript } from './interactive.ts'
import { jsonLine } from './output.ts'
import type { Output } from './output.ts'
import { packageVersion } from './package-version.ts'
import { describeError } from './shell/error-text.ts'
import { readCommand, Shell } from './shell/shell.ts'

/** Commands that need no connection. */
const LOCAL: ReadonlySet<string> = new Set(['help', 'version', 'quit', 'close', 'history', 'printwatches'])

const output: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
}

/** The first signal that asked this program to end. */
class Interruption {
  name: NodeJS.Signals | null = null
  readonly #controller = new AbortController()

  constructor(names: readonly NodeJS.Signals[]) {
    for (const name of names) {
      // A second one ends the program as if nobody listened.
      process.once(name, () => {
        this.name ??= name
        this.#controller.abort()
      })
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The status of a program that it has ended. */
  get status(): number {
    return ExitStatus.signal + (this.name === null ? 0 : constants.signals[this.name])
  }
}

async function main(args: readonly string[]): Promise<number> {
  let json = args.includes('--json')
  try {
    if (args[0] === 'server') {
      const { runServer } = await import('./server-command.ts')
      return await runServer(args.slice(1), output, new Interruption(['SIGINT', 'SIGTERM', 'SIGHUP']).signal)
    }
    const line = readCommandLine(args)
    json = line.json
    if (line.shows === 'usage') output.out(`${USAGE}\n`)
    else if (line.shows === 'version') output.out(`${packageVersion()}\n`)
    else return await (line.command.length === 0 ? runShell(line) : runOnce(line))
    return ExitStatus.ok
  } catch (error) {
    const { status, ...described } = describeError(error)
    if (described.message !== '') output.err(json ? jsonLine({ error: described }) : `${described.message}\n`)
    return status
  }
}

/** Runs one command; behind one that set watches, waits until they have fired. */
async function runOnce(line: CommandLine): Promise<number> {
  const interruption = new Interruption(['SIGINT', 'SIGTERM'])
  const { signal } = interruption
  const shell = new Shell({ ...line, output, isInteractive: false })
  try {
    const { command } = readCommand(line.command)
    if (!LOCAL.has(command.name)) await shell.connect(line.url, signal)
    const status = await shell.run(line.command, signal)
    if (status !== ExitStatus.ok) return signal.aborted && status === ExitStatus.failure ? interruption.status : status
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
async function runShell(line: CommandLine): Promise<number> {
  const isTyped = process.stdin.isTTY && process.stdout.isTTY
  const shell = new Shell({ ...line, output, isInteractive: true })
  try {
    if (isTyped) {
      if (!line.json) output.out(`Connecting to ${shown(line.url)}\n`)
      await shell.connect(line.url).catch((error: unknown) => {
        output.err(`${describeError(error).message}\n`)
      })
      const terminal = { input: process.stdin, output: process.stdout }
      await runInteractive(shell, terminal, new HistoryFile(historyPath()), line.json)
      return ExitStatus.ok
    }
    await shell.connect(line.url)
    return await runScript(shell, process.stdin)
  } finally {
    await shell.close()
  }
}

// Whoever reads our output may stop, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(ExitStatus.failure)
})

process.exitCode = await main(process.argv.slice(2))
