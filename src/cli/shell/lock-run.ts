/**
 * Runs a command while a lock or a leadership is held: `quorate lock PATH -- command...`, `quorate elect PATH -- ...`.
 *
 * Order     acquire, start, wait for its end, release. program-run.ts says what a loss does to the command.
 * Status    the command's own; LOCK_STATUSES of exit-status.ts where it was not held, or no longer.
 * Signals   those that are passed on to the command end a wait before it.
 */
import { constants } from 'node:os'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { FairLock } from '../../recipes/locks/fair-lock.ts'
import { LeaderElection } from '../../recipes/leader/leader-election.ts'
import { ExitStatus, Failure, LOCK_STATUSES } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { CommandContext } from './command.ts'
import { PassedSignals, runProgram } from './program-run.ts'
import type { HeldRun } from './program-run.ts'

/** A lease or a leadership that is held. */
interface Held {
  readonly token: bigint
  readonly signal: AbortSignal
  /** Gives it back. */
  readonly release: () => Promise<void>
}


/** A thing to hold at a path: a lock, or the leadership of an election. */
export interface Prize {
  /** Its name, for people and as the key of JSON. */
  readonly name: 'lock' | 'leadership'
  /** The beginning of the names of the command's variables. */
  readonly prefix: string
  /** Says that somebody else has it. */
  readonly taken: (path: string) => string
  /** Acquires it; null, or `TIMEOUT`, if it is taken for as long as there is time. */
  readonly acquire: (client: Client, run: HeldRun, signal: AbortSignal) => Promise<Held | null>
}

/** A fair lock. */
export const LOCK_PRIZE: Prize = {
  name: 'lock',
  prefix: 'QUORATE_LOCK',
  taken: (path) => `somebody else has ${path}`,
  acquire: async (client, { path, waitMs, data }, signal) => {
    const lock = new FairLock(client, path)
    const limit = waitMs === undefined ? {} : { waitMs }
    const lease = await (waitMs === 0 ? lock.tryAcquire({ data, signal }) : lock.acquire({ data, signal, ...limit }))
    return lease === null ? null : { token: lease.token, signal: lease.signal, release: () => lease.release() }
  },
}

/** A leadership. */
export const LEADER_PRIZE: Prize = {
  name: 'leadership',
  prefix: 'QUORATE_ELECTION',
  taken: (path) => `somebody else leads ${path}`,
  acquire: async (client, { path, waitMs, data }, signal) => {
    const election = new LeaderElection(client, path, { id: data })
    const leadership = await election.campaign(waitMs === undefined ? { signal } : { signal, waitMs })
    const { token, signal: lost } = leadership
    return { token, signal: lost, release: () => leadership.resign() }
  },
}

/** How long the end of this program is put off until the servers have confirmed a release, in milliseconds. */
const RELEASE_MS = 2_000

/**
 * Acquires, runs, releases.
 *
 * @throws Failure with the command's status if it is not 0, or with why it was not held, or no longer
 */
export async function runWhileHeld(context: CommandContext, prize: Prize, run: HeldRun): Promise<void> {
  const signals = new PassedSignals()
  try {
    const held = await acquire(context, prize, run, signals)
    let status: number
    let isLost: boolean
    try {
      const { name, prefix } = prize
      const variables = { [`${prefix}_PATH`]: run.path, [`${prefix}_TOKEN`]: held.token.toString() }
      if (name === 'leadership') context.note(`leads ${run.path}\n`)
      status = await runProgram(run, { signal: held.signal, variables }, signals)
    } finally {
      isLost = held.signal.aborted
      await release(context, run, held)
    }
    const result = { path: run.path, token: held.token, lost: isLost, status: isLost ? LOCK_STATUSES.lost : status }
    if (context.json) context.note(jsonLine({ [prize.name]: result }))
    if (isLost) throw lossOf(prize, run, held.signal)
    if (status !== ExitStatus.ok) throw new Failure('', status)
  } finally {
    signals.close()
  }
}

async function acquire(context: CommandContext, prize: Prize, run: HeldRun, signals: PassedSignals): Promise<Held> {
  const { path, waitMs, busyStatus } = run
  const signal = AbortSignal.any([context.signal, signals.first])
  const client = context.client()
  try {
    const held = await prize.acquire(client, run, signal)
    if (held === null) throw new Failure(prize.taken(path), busyStatus)
    return held
  } catch (error) {
    if (isCoordinationError(error, 'TIMEOUT')) {
      // Without a server nobody knows whether it is free.
      const status = client.state.status === 'connected' ? busyStatus : 'unreachable'
      throw new Failure(waitMs === 0 ? prize.taken(path) : `${path} was not free within ${waitMs ?? 0} ms`, status)
    }
    if (isCoordinationError(error, 'ABORTED') && signals.name !== null) throw interrupted(path, signals.name)
    throw error
  }
}

/** The end of a wait by a signal. */
export function interrupted(path: string, name: NodeJS.Signals): Failure {
  return new Failure(`no longer waiting for ${path}: ${name}`, ExitStatus.signal + constants.signals[name])
}

/** Releases; a server that does not answer in time removes our node when the session is over. */
async function release(context: CommandContext, { path }: HeldRun, held: Held): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), RELEASE_MS)
  })
  const outcome = await Promise.race([held.release(), late])
  clearTimeout(timer)
  if (outcome !== 'late') return
  context.note(`no server has confirmed the release of ${path}: it is free when the session ends\n`)
}

function lossOf({ name }: Prize, { path }: HeldRun, { reason }: AbortSignal): Failure {
  const why = reason instanceof CoordinationError ? reason.message : String(reason)
  return new Failure(`lost the ${name} ${path}, so the command was ended: ${why}`, LOCK_STATUSES.lost)
}
