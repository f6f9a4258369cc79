/**
 * Runs a command while a lock is held: `quorate lock PATH -- command...`.
 *
 * Order     acquire, start, wait for its end, release. When the lock is lost first: SIGTERM, and after a grace SIGKILL;
 *           then the command's own status does not matter.
 * Status    the command's own; LOCK_STATUSES of exit-status.ts where there was no lock, or none any more.
 * Safety    the command is told about a loss, not fenced: what it writes should carry QUORATE_LOCK_TOKEN. Without a
 *           terminal it leads a process group of its own, and the signals go to all that it has started.
 * Signals   SIGINT, SIGTERM, SIGHUP and SIGQUIT of ours are passed on to it, and end a wait for the lock.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { FairLock } from '../../recipes/locks/fair-lock.ts'
import type { Lease } from '../../recipes/engine/lease.ts'
import { PASSWORD_VARIABLE } from '../credentials.ts'
import { ExitStatus, Failure, LOCK_STATUSES } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'
import { jsonLine } from '../output.ts'
import type { CommandContext } from './command.ts'

/** What to run, and how to wait. */
export interface LockedRun {
  /** The lock. */
  readonly path: string
  readonly program: string
  readonly args: readonly string[]
  /** Longest wait for the lock, in milliseconds; 0 for none, no limit if undefined. */
  readonly waitMs: number | undefined
  /** What to end with if somebody else has the lock. */
  readonly busyStatus: number
  /** Time between SIGTERM and SIGKILL when the lock is lost, in milliseconds. */
  readonly graceMs: number
  /** What our contender says of itself. */
  readonly data: string
}

/** Exit statuses of a shell for a program that is not there, or cannot be run. */
const NOT_FOUND = 127
const NOT_RUNNABLE = 126

const PASSED_ON: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/** Those that a terminal sends by itself to everything in the foreground. */
const OF_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT'])

/** How long the end of this program is put off until the servers have confirmed a release, in milliseconds. */
const RELEASE_MS = 2_000

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
      await release(context, run, lease)
    }
    const result = { path: run.path, token: lease.token, lost: isLost, status: isLost ? LOCK_STATUSES.lost : status }
    if (context.json) context.note(jsonLine({ lock: result }))
    if (isLost) throw lost(run, lease)
    if (status !== ExitStatus.ok) throw new Failure('', status)
  } finally {
    signals.close()
  }
}

async function acquire(context: CommandContext, run: LockedRun, signals: Signals): Promise<Lease> {
  const { path, waitMs, busyStatus, data } = run
  const signal = AbortSignal.any([context.signal, signals.first])
  const client = context.client()
  const lock = new FairLock(client, path)
  try {
    const lease = await (waitMs === 0
      ? lock.tryAcquire({ data, signal })
      : lock.acquire(waitMs === undefined ? { data, signal } : { data, signal, waitMs }))
    if (lease === null) throw new Failure(`somebody else has ${path}`, busyStatus)
    return lease
  } catch (error) {
    if (isCoordinationError(error, 'TIMEOUT')) {
      // Without a server nobody knows whether it is free.
      const status = client.state.status === 'connected' ? busyStatus : 'unreachable'
      throw new Failure(`${path} was not free within ${waitMs ?? 0} ms`, status)
    }
    if (isCoordinationError(error, 'ABORTED') && signals.name !== null) {
      const status = ExitStatus.signal + constants.signals[signals.name]
      throw new Failure(`no longer waiting for ${path}: ${signals.name}`, status)
    }
    throw error
  }
}

/** Releases; a server that does not answer in time removes our node when the session is over. */
async function release(context: CommandContext, { path }: LockedRun, lease: Lease): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), RELEASE_MS)
  })
  const outcome = await Promise.race([lease.release(), late])
  clearTimeout(timer)
  if (outcome !== 'late') return
  context.note(`no server has confirmed the release of ${path}: it is free when the session ends\n`)
}

/** Runs the program to its end, which a loss of the lease brings about. */
async function runProgram(run: LockedRun, lease: Lease, signals: Signals): Promise<number> {
  const isGroup = !process.stdin.isTTY
  const { [PASSWORD_VARIABLE]: _password, ...inherited } = process.env
  const env = { ...inherited, QUORATE_LOCK_PATH: run.path, QUORATE_LOCK_TOKEN: lease.token.toString() }
  const child = start(run, env, isGroup)
  const ended = endOf(child, run.program)
  const kill = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined) send(isGroup ? -child.pid : child.pid, name)
  }
  // What a terminal sends to us, it sends to the program too.
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
  lease.signal.addEventListener('abort', onLost, { once: true })
  if (lease.signal.aborted) onLost()
  try {
    return await ended
  } finally {
    lease.signal.removeEventListener('abort', onLost)
    process.off('exit', onExit)
    clearTimeout(grace)
    stopPassing()
    // What it has started and left behind must not go on without the lock.
    if (isGroup && lease.signal.aborted) kill('SIGKILL')
  }
}

function start({ program, args }: LockedRun, env: NodeJS.ProcessEnv, isGroup: boolean): ChildProcess {
  try {
    return spawn(program, [...args], { stdio: 'inherit', env, detached: isGroup })
  } catch (error) {
    // What Node.js finds wrong, or the system before there is a process: too long a command line, for instance.
    throw new Failure(`cannot run ${program}: ${reasonOf(error)}`, NOT_RUNNABLE)
  }
}

function endOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT'
      reject(new Failure(`cannot run ${program}: ${reasonOf(error)}`, isMissing ? NOT_FOUND : NOT_RUNNABLE))
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
  return new Failure(`lost the lock ${path}, so the command was ended: ${why}`, LOCK_STATUSES.lost)
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
