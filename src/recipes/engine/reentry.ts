/**
 * Re-entry: a work that runs under a lease by `using`, and asks for the same lock again, would wait for itself forever.
 *
 * Known     the leases that the current asynchronous context runs under: `using` notes its lease for the work and
 *           everything that it calls and awaits. `acquire` notes nothing: its caller keeps its context.
 * Unsure    a task that the work starts and does not await has the same context. It is refused too while the lease is
 *           held, although it would only wait until the work has ended; `onReentry: 'wait'` lets it wait.
 * Source    Redisson's locks belong to threads; pitfalls of that are why ownership here is a handle.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { Lease } from './lease.ts'

/** A way into a lock. */
export interface LockPlace {
  readonly client: Client
  readonly path: string
  /** The kind of claim there, such as `lock`, `read` or `write`. */
  readonly kind: string
}

/** A lease that a work runs under. */
interface Held extends LockPlace {
  readonly lease: Lease
  /** Those that the work around it runs under. */
  readonly outer: Held | undefined
}

const storage = new AsyncLocalStorage<Held>()

/** Runs a work under a lease, so that all that it awaits is known to run under it. */
export function runHolding<L extends Lease, T>(place: LockPlace, lease: L, work: (lease: L) => T): T {
  return storage.run({ ...place, lease, outer: storage.getStore() }, work, lease)
}

/**
 * Refuses to wait for a lock that the current context holds.
 *
 * @throws CoordinationError `ALREADY_HELD` with outcome `not-sent`
 */
export function refuseReentry(place: LockPlace): void {
  const held = heldHere(place)
  if (held !== null) throw alreadyHeld(place, held)
}

/** The innermost lease on a lock that the current context runs under; null for none. */
export function leaseHeldHere(place: LockPlace): Lease | null {
  return heldHere(place)?.lease ?? null
}

function heldHere({ client, path }: LockPlace): Held | null {
  for (let held = storage.getStore(); held !== undefined; held = held.outer) {
    const isThere = held.client === client && held.path === path
    // One that is lost or being released keeps nobody waiting.
    if (isThere && held.lease.leaseDeadlineMs > -Infinity) return held
  }
  return null
}

/** Advice for the message, by the kind that is held and the kind that is asked for. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['read write', 'a reader\'s lease cannot become a writer\'s: release it first, or take the writer\'s from the start'],
  ['write read', 'take the reader\'s lease by downgrade()'],
  ['read read', 'a writer may wait in between: use the lease that is held'],
])

function alreadyHeld({ path, kind }: LockPlace, held: Held): CoordinationError {
  const instead = INSTEAD.get(`${held.kind} ${kind}`) ?? 'use the lease that is held'
  const message = `this asynchronous context holds ${path} by using() (${held.kind}), and would wait for itself `
    + `(${kind}): ${instead}. A task that the work does not await can wait with onReentry: 'wait'`
  return new CoordinationError('ALREADY_HELD', message, { outcome: 'not-sent', path })
}
