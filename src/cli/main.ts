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
 *     quorate scram-user NAME          makes the line by which a server knows a user
 *     quorate log FILE                 reads a file of a server; so do snapshot, backup and restore
 *     quorate [--connect URL]          reads commands from the terminal, or from standard input
 *     quorate ls / [--json]            runs one
 *
 * Exit status: 0 done, 1 not done, 2 not understood; 128 and its number if a signal ended it; `lock`, `elect` and
 * `run-once` have that of their command.
 */
import { FILE_TOOLS } from './command-line.ts'
import { ExitStatus } from './exit-status.ts'
import { Interruption } from './interruption.ts'
import { isOutputGivenUp, standardOutput } from './output.ts'
import type { StandardOutput } from './output.ts'
import { describeError } from './shell/error-text.ts'

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
  'scram-user': {
    run: async (args, output) => {
      const [{ runScramUser }, { askerOf }] = await Promise.all([
        import('./scram-user-command.ts'),
        import('./ask-password.ts'),
      ])
      return runScramUser(args, process.env, output, askerOf(process.stdin, process.stderr))
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
  return (await import('./shell-command.ts')).runShellCommand(args)
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
// A write that nobody takes would keep the process.
if (isOutputGivenUp()) process.exit()
