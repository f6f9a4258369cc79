#!/usr/bin/env node
/**
 * The `quorate` command: a server, a shell, or one command of the shell.
 *
 *     quorate server [zoo.cfg]         serves clients of ZooKeeper
 *     quorate ensemble DIR             runs several servers for development
 *     quorate status host:port,...     shows where servers stand
 *     quorate dashboard                shows an ensemble, its tree and its locks in a browser
 *     quorate top                      shows it in the terminal
 *     quorate doctor URL               checks a set-up, and says what to mend
 *     quorate log FILE                 reads a file of a server; so do snapshot, backup and restore
 *     quorate [--connect URL]          reads commands from the terminal, or from standard input
 *     quorate ls / [--json]            runs one
 *
 * Exit status: 0 done, 1 not done, 2 not understood; 128 and its number if a signal ended it; `lock`, `elect` and
 * `run-once` have that of their command.
 */
import { constants } from 'node:os'
import { askerOf } from './ask-password.ts'
import { FILE_TOOLS, takeArguments, USAGE } from './command-line.ts'
import type { CommandLine } from './command-line.ts'
import { loginOf } from './credentials.ts'
import type { Login } from './credentials.ts'
import { shownUrl } from './secrets.ts'
import { ExitStatus } from './exit-status.ts'
import { HistoryFile, historyPath } from './history-file.ts'
import { runInteractive, runScript } from './interactive.ts'
import { jsonLine, standardOutput } from './output.ts'
import type { StandardOutput } from './output.ts'
import { packageVersion } from './package-version.ts'
import { describeError } from './shell/error-text.ts'
import { readCommand, statusesOf } from './shell/commands.ts'
import { Shell } from './shell/shell.ts'

/** Commands that need no connection. */
const LOCAL: ReadonlySet<string> = new Set(['help', 'version', 'quit', 'close', 'history', 'printwatches'])

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

/** A command with options of its own, loaded when it is called. */
interface Program {
  /** The signals that end it. */
  readonly signals?: readonly NodeJS.Signals[]
  readonly run: (args: readonly string[], output: StandardOutput, stop: AbortSignal) => Promise<number>
}

const ENDS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']
const ENDS_OF_SERVERS: readonly NodeJS.Signals[] = [...ENDS, 'SIGHUP']

const PROGRAMS: Readonly<Record<string, Program>> = {
  server: {
    signals: ENDS_OF_SERVERS,
    run: async (...given) => (await import('./server-command.ts')).runServer(...given),
  },
  ensemble: {
    signals: ENDS_OF_SERVERS,
    run: async (...given) => (await import('./ensemble-command.ts')).runEnsemble(...given),
  },
  dashboard: {
    signals: ENDS_OF_SERVERS,
    run: async (args, output, stop) => {
      return (await import('./dashboard-command.ts')).runDashboard(args, process.env, output, stop)
    },
  },
  status: { run: async (...given) => (await import('./status-command.ts')).runStatus(...given) },
  top: {
    run: async (args, output, stop) => {
      const { runTop } = await import('./top-command.ts')
      return runTop(args, process.env, { output, screen: process.stdout, keys: process.stdin }, stop)
    },
  },
  doctor: {
    run: async (args, output, stop) => (await import('./doctor-command.ts')).runDoctor(args, process.env, output, stop),
  },
  completion: {
    run: async (args, output) => (await import('./completion-command.ts')).printCompletion(args, output, helpOf),
  },
}

async function main(args: readonly string[]): Promise<number> {
  const [first = '', ...rest] = args
  if (FILE_TOOLS.has(first)) return (await import('./disk/tools.ts')).runTool(first, rest, standardOutput(false))
  const program = Object.hasOwn(PROGRAMS, first) ? PROGRAMS[first] : undefined
  if (program !== undefined) return runProgram(program, rest)
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

/** The help of a program of its own. */
async function helpOf(name: string): Promise<string> {
  const output = { ...standardOutput(false), text: '', out: (text: string): void => void (output.text += text) }
  if (FILE_TOOLS.has(name)) await (await import('./disk/tools.ts')).runTool(name, ['--help'], output)
  else await PROGRAMS[name]?.run(['--help'], output, new AbortController().signal)
  return output.text
}

/** Runs a program of its own; an error of one is a line. */
async function runProgram({ run, signals = ENDS }: Program, args: readonly string[]): Promise<number> {
  const output = standardOutput(false)
  try {
    return await run(args, output, new Interruption(signals).signal)
  } catch (error) {
    const { status, message } = describeError(error)
    output.err(`${message}\n`)
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
  return loginOf(line, process.env, askerOf(process.stdin, process.stderr))
}

/** The end of a program that is broken: one line, without a trace that means nothing to who sees it. */
function fail(error: unknown): never {
  process.stderr.write(`quorate ended by itself: ${describeError(error).message}\n`)
  process.exit(ExitStatus.failure)
}

// Whoever reads our output may stop, as head does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail(error)
    process.exit(ExitStatus.failure)
  })
}
process.on('uncaughtException', fail)

process.exitCode = await main(process.argv.slice(2))
