/**
 * The promises of a session whose keys strangers have written: each call ends, with a result that a node can have or
 * with an error of ours; what is reported are errors of ours, and few.
 */
import type { Session, Stat } from '../../src/core/backend.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { promise } from '../target.ts'

const SETTLED_MS_MAX = 10_000
const REPORTS_MAX = 10
const EMPTY = new Uint8Array()

/** The stats in the answer of a call. */
export function statsIn(value: unknown): Stat[] {
  if (typeof value !== 'object' || value === null) return []
  if ('czxid' in value) return [value as Stat]
  return 'stat' in value ? [value.stat as Stat] : []
}

/** Fields of a stat that no node can have. */
export function oddities(stat: Stat): string[] {
  return Object.entries(stat).filter(([, value]) => {
    return typeof value === 'bigint' ? value < 0n || value >= 1n << 63n : !Number.isSafeInteger(value)
  }).map(([name]) => name)
}

/** The nodes that each session begins with, before strangers come. */
export async function prepare(session: Session): Promise<void> {
  await session.create('/a', EMPTY, { mode: 'persistent' })
  await session.create('/a/b', EMPTY, { mode: 'ephemeral' })
  await session.children('/a', () => undefined)
}

/** One call of each kind, all at once. */
export function callsOf(session: Session): Promise<unknown>[] {
  return [
    session.get('/a'), session.exists('/a/b'), session.children('/a'), session.set('/a', EMPTY, -1),
    session.sync('/'), session.create('/a/c', EMPTY, { mode: 'persistent' }), session.delete('/a/b', -1),
    session.create('/d-', EMPTY, { mode: 'ephemeral-sequential' }),
    session.multi([{ type: 'check', path: '/a', version: -1, czxid: 1n }]),
  ]
}

/** Waits for calls, and judges them. @throws BrokenPromise */
export async function judgeCalls(calls: readonly Promise<unknown>[], reported: readonly unknown[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), SETTLED_MS_MAX)
  })
  const outcomes = await Promise.race([Promise.allSettled(calls), late])
  clearTimeout(timer)
  promise(outcomes !== null, `a call has not ended after ${SETTLED_MS_MAX} ms`)
  for (const outcome of outcomes ?? []) {
    if (outcome.status === 'fulfilled') {
      for (const stat of statsIn(outcome.value)) {
        promise(oddities(stat).length === 0, `a stat with ${oddities(stat).join()} that no node has`)
      }
    } else if (!(outcome.reason instanceof CoordinationError)) throw outcome.reason
  }
  for (const error of reported) if (!(error instanceof CoordinationError)) throw error
  promise(reported.length < REPORTS_MAX, `${reported.length} errors are reported`)
}
