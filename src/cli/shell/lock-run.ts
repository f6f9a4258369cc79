/**
 * Runs a command while a lock is held: `quorate lock PATH -- command...`.
 *
 * Order     acquire, start, wait for its end, release. When the lock is lost first: SIGTERM, and after a grace SIGKILL;
 *           then the command's own status is of no matter, and the status is 1.
 * Safety    the command is told of a loss, not fenced: what it writes should carry QUORATE_LOCK_TOKEN. Without a
 *           terminal it leads a process group of its own, and the signals go to all that it has started.
 * Signals   SIGINT, SIGTERM and SIGHUP of ours are passed on to it, and end a wait for the lock.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { FairLock } from '../../recipes/fair-lock.ts'
import type { Lease } from '../../recipes/lease.ts'
import { ExitStatus, Failure } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { CommandContext } from './command.ts'

/** What to run, and how to wait. */
export interface LockedRun {
  /** The lock. */
  readonly path: string
  readonly program: string
  readonly args: readonly string[]
  /** Longest wait for the lock, in milliseconds; no limit if undefined. */
  readonly waitMs: number | undefined
  /** Time between SIGTERM and SIGKILL when the lock is lost, in milliseconds. */
  readonly graceMs: number
  /** What our contender says of itself. */
  readonly data: string
}

/** Exit statuses of a shell for a program that is not there, or cannot be run. */
const NOT_FOUND = 127
const NOT_RUNNABLE = 126

const PASSED_ON: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Acquires, runs, releases.
 *
 * @throws Failure with the command's status if it is not 0, or with why there was no lock, or none any more
 */
export async function runUnderLock(context: CommandContext, run: LockedRun): Promise<void> {
  const signals = new Signals()
  try {
    const lease = await acquire(context, run, signals)
    let status: number
    let isLost: boolean
    try {
      status = await runProgram(run, lease, signals)
    } finally {
      isLost = lease.signal.aborted
      await lease.release()
    }
    const result = { path: run.path, token: lease.token, lost: isLost, status: isLost ? ExitStatus.failure : status }
    if (context.json) context.note(jsonLine({ lock: result }))
    if (isLost) throw lost(run, lease)
    if (status !== ExitStatus.ok) throw new Failure('', status)
  } finally {
    signals.close()
  }
}

async function acquire(context: CommandContext, run: LockedRun, signals: Signals): Promise<Lease> {
  const { path, waitMs, data } = run
  const signal = AbortSignal.any([context.signal, signals.first])
  try {
    const options = waitMs === undefined ? { data, signal } : { data, signal, waitMs }
    return await new FairLock(context.client(), path).acquire(options)
  } catch (error) {
    if (isCoordinationError(error, 'TIMEOUT')) throw new Failure(`${path} was not free within ${waitMs ?? 0} ms`)
    if (isCoordinationError(error, 'ABORTED') && signals.name !== null) {
      const status = ExitStatus.signal + constants.signals[signals.name]
      throw new Failure(`no longer waiting for ${path}: ${signals.name}`, status)
    }
    throw error
  }
}

/** Runs the program to its end, which a loss of the lease brings about. */
async function runProgram(run: LockedRun, lease: Lease, signals: Signals): Promise<number> {
  const isGroup = !process.stdin.isTTY
  const env = { ...process.env, QUORATE_LOCK_PATH: run.path, QUORATE_LOCK_TOKEN: lease.token.toString() }
  const child = spawn(run.program, [...run.args], { stdio: 'inherit', env, detached: isGroup })
  const ended = endOf(child, run.program)
  const kill = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined) send(isGroup ? -child.pid : child.pid, name)
  }
  // Where a terminal sends SIGINT, it sends it to the program too.
  const stopPassing = signals.listen((name) => {
    if (isGroup || name !== 'SIGINT') kill(name)
  })
  let grace: NodeJS.Timeout | undefined
  const onLost = (): void => {
    kill('SIGTERM')
    grace = setTimeout(() => {
      kill('SIGKILL')
    }, run.graceMs)
  }
  lease.signal.addEventListener('abort', onLost, { once: true })
  if (lease.signal.aborted) onLost()
  try {
    return await ended
  } finally {
    lease.signal.removeEventListener('abort', onLost)
    clearTimeout(grace)
    stopPassing()
    // What it has started and left behind must not go on without the lock.
    if (isGroup && lease.signal.aborted) kill('SIGKILL')
  }
}

function endOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT'
      reject(new Failure(`cannot run ${program}: ${error.message}`, isMissing ? NOT_FOUND : NOT_RUNNABLE))
    })
    child.once('exit', (status, signal) => {
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

function lost({ path }: LockedRun, lease: Lease): Failure {
  const reason: unknown = lease.signal.reason
  const why = reason instanceof CoordinationError ? reason.message : String(reason)
  return new Failure(`lost the lock ${path}, so the command was ended: ${why}`)
}

/** Signals to this process, which no longer end it. */
class Signals {
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
