/**
 * A program that is run while something is held: a lock, a leadership, the right to do work once.
 *
 * End       of what is held before the program's: SIGTERM, and after a grace SIGKILL; then the program's own status
 *           does not matter.
 * Safety    the program hears of a loss, and is not fenced: its writes should carry the token that it is given in its
 *           environment. Without a terminal it leads a process group of its own, and the signals go to all that it has
 *           started.
 * Signals   SIGINT, SIGTERM, SIGHUP and SIGQUIT of ours are passed on to it.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { constants, hostname } from 'node:os'
import { PASSWORD_VARIABLE } from '../credentials.ts'
import { ExitStatus, Failure, LOCK_STATUSES, UsageError } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'
import type { Command, FlagKind, Given } from './command.ts'
import { wrong } from './command.ts'

/** A command line, and how it ends when what is held is lost. */
export interface ProgramRun {
  readonly program: string
  readonly args: readonly string[]
  /** Time between SIGTERM and SIGKILL when what is held is lost, in milliseconds. */
  readonly graceMs: number
}

/** A program that runs while something is held, and how to wait for that. */
export interface HeldRun extends ProgramRun {
  /** The node that it is about. */
  readonly path: string
  /** Longest wait, in milliseconds; 0 for none, no limit if undefined. */
  readonly waitMs: number | undefined
  /** The exit status if it is somebody else's. */
  readonly busyStatus: number
  /** The data of our node. */
  readonly data: string
}

/** The lease or the leadership that is held while the program runs. */
export interface Holding {
  /** Aborted when it is lost. */
  readonly signal: AbortSignal
  /** Variables that the program gets besides those of this process. */
  readonly variables: Readonly<Record<string, string>>
  /** Takes the standard output of the program, which is otherwise that of this process. */
  readonly onOutput?: (chunk: Buffer) => void
}

/** How long a program has to end after SIGTERM, in milliseconds, before SIGKILL. */
const KILL_GRACE_MS = 5_000
const TIME_MS_MAX = 2 ** 31 - 1

/** The greatest exit status of a process. */
const STATUS_MAX = 255

/** The flags of every command that runs a program. */
export const RUN_FLAGS: Readonly<Record<string, FlagKind>> = {
  wait: 'value',
  E: 'value',
  grace: 'value',
  data: 'value',
}

/** The help on statuses of every command that runs a program. */
export function statusHelp(what: string): string {
  return `exit status, where it is not that of the command:
  ${LOCK_STATUSES.usage}   not understood: wrong flags or arguments
  ${LOCK_STATUSES.unreachable}   no server answered; the command did not run
  ${LOCK_STATUSES.failure}   refused, such as for want of permission; the command did not run
  ${LOCK_STATUSES.lost}   ${what} was lost, and the command ended
  ${LOCK_STATUSES.busy}   ${what} was not to be had in time (-E names another status); the command did not run
  126, 127   the command cannot be run, or is not found
  128 + n    signal n ended the command, or the wait
`
}

/** The help on {@link RUN_FLAGS}. */
export function flagHelp(what: string, atOnce = ' 0: try once;'): string {
  return `  -wait ms      how long to wait for ${what}, in milliseconds;${atOnce} no limit by default
  -E status     the exit status if it was not to be had in time (default: ${LOCK_STATUSES.busy})
  -grace ms     when ${what} is lost, the time between SIGTERM and SIGKILL (default: ${KILL_GRACE_MS})
  -data text    what others are shown of this one; process, host and program by default
`
}

/**
 * Reads what every command that runs a program is given.
 *
 * @param isInteractive - whether lines are typed
 * @throws UsageError if there is no program, or no terminal for it
 */
export function heldRunOf(command: Command, given: Given, isInteractive: boolean): HeldRun {
  const [program, ...args] = given.rest ?? []
  const path = given.word(0)
  if (program === undefined) throw wrong(command, 'it needs a command after --')
  if (isInteractive) {
    const instead = `quorate ${command.name} ${path} -- ${program} ...`
    throw new UsageError(`${command.name} runs a command, which needs the terminal: ${instead}`)
  }
  return {
    path,
    program,
    args,
    waitMs: given.integer('wait', 0, TIME_MS_MAX),
    busyStatus: given.integer('E', 0, STATUS_MAX) ?? LOCK_STATUSES.busy,
    graceMs: given.integer('grace', 0, TIME_MS_MAX) ?? KILL_GRACE_MS,
    // Arguments may be secrets, and whoever reads the tree reads this.
    data: given.value('data') ?? `pid ${process.pid} on ${hostname()}: ${program}`,
  }
}

/** Exit statuses of a shell for a program that is not there, or cannot be run. */
const NOT_FOUND = 127
const NOT_RUNNABLE = 126

const PASSED_ON: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/** Those that a terminal sends by itself to everything in the foreground. */
const OF_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT'])

/**
 * Runs a program to its end, which a loss of what is held brings about.
 *
 * @returns its exit status, as a shell would tell it
 * @throws Failure if it cannot be run
 */
export async function runProgram(run: ProgramRun, holding: Holding, signals: PassedSignals): Promise<number> {
  const isGroup = !process.stdin.isTTY
  const { [PASSWORD_VARIABLE]: _password, ...inherited } = process.env
  const child = start(run, { ...inherited, ...holding.variables }, isGroup, holding.onOutput)
  const ended = endOf(child, run.program)
  const kill = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined) send(isGroup ? -child.pid : child.pid, name)
  }
  // A terminal sends its signals to the program too.
  const stopPassing = signals.listen((name) => {
    if (isGroup || !OF_TERMINAL.has(name)) kill(name)
  })
  let grace: NodeJS.Timeout | undefined
  const onLost = (): void => {
    kill('SIGTERM')
    grace = setTimeout(() => {
      kill('SIGKILL')
    }, run.graceMs)
  }
  // Should this program end by itself, the command must not go on without us.
  const onExit = (): void => kill('SIGTERM')
  process.once('exit', onExit)
  holding.signal.addEventListener('abort', onLost, { once: true })
  if (holding.signal.aborted) onLost()
  try {
    return await ended
  } finally {
    holding.signal.removeEventListener('abort', onLost)
    process.off('exit', onExit)
    clearTimeout(grace)
    stopPassing()
    // Processes that it has started and left behind must not go on after the loss.
    if (isGroup && holding.signal.aborted) kill('SIGKILL')
  }
}

function start(
  { program, args }: ProgramRun,
  env: NodeJS.ProcessEnv,
  isGroup: boolean,
  onOutput: Holding['onOutput'],
): ChildProcess {
  try {
    const output = onOutput === undefined ? 'inherit' : 'pipe'
    const child = spawn(program, [...args], { stdio: ['inherit', output, 'inherit'], env, detached: isGroup })
    if (onOutput !== undefined) child.stdout?.on('data', onOutput)
    return child
  } catch (error) {
    // An error of Node.js, or of the system before there is a process: too long a command line, for instance.
    throw new Failure(`cannot run ${program}: ${reasonOf(error)}`, NOT_RUNNABLE)
  }
}

function endOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT'
      reject(new Failure(`cannot run ${program}: ${reasonOf(error)}`, isMissing ? NOT_FOUND : NOT_RUNNABLE))
    })
    // With its output, which what it has started may still write to.
    child.once('close', (status, signal) => {
      resolve(signal === null ? (status ?? ExitStatus.failure) : ExitStatus.signal + constants.signals[signal])
    })
  })
}

/** Sends a signal to a process, or with a negative id to its group; it may be gone. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Signals to this process, which no longer end it. */
export class PassedSignals {
  /** The first one; null if there was none. */
  name: NodeJS.Signals | null = null
  readonly #first = new AbortController()
  readonly #listeners = new Set<(name: NodeJS.Signals) => void>()

  constructor() {
    for (const name of PASSED_ON) process.on(name, this.#on)
  }

  /** Aborted by the first one. */
  get first(): AbortSignal {
    return this.#first.signal
  }

  listen(listener: (name: NodeJS.Signals) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    for (const name of PASSED_ON) process.off(name, this.#on)
  }

  readonly #on = (name: NodeJS.Signals): void => {
    this.name ??= name
    for (const listener of this.#listeners) listener(name)
    this.#first.abort()
  }
}
