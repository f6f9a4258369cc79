/**
 * Work under a lease: acquire, run and release as one call, `lock.using(options?, work)`.
 *
 * Order     acquires, runs the work, waits for its end, releases. The release is waited for whatever the work came to.
 * Loss      a lease that was lost while the work ran makes the call reject with `LEASE_LOST`, although the work came to
 *           its end: somebody else may have worked at the same time. The clock is asked, not a timer. An error of the
 *           work goes first. A work that gives its lease back itself has lost nothing.
 */
import { requireFunction } from '../../core/options.ts'
import type { Lease } from './lease.ts'
import { runHolding } from './reentry.ts'
import type { LockPlace } from './reentry.ts'

/** The work that is done under a lease. It should stop when `lease.signal` is aborted. */
export type LeasedWork<T, L = Lease> = (lease: L) => T | PromiseLike<T>

/** The arguments of `using`: the options of `acquire`, which may be left out, and the work. */
export type UsingArguments<O, T, L = Lease> =
  | readonly [work: LeasedWork<T, L>]
  | readonly [options: O | undefined, work: LeasedWork<T, L>]

/**
 * Acquires, runs the work under the lease, and releases.
 *
 * @param place - the lock: the work is known to run under it
 * @param acquire - gets the lease
 * @param args - the arguments of `using`: options, if any, and the work
 * @returns the result of the work
 * @throws TypeError if the work is no function; nothing is acquired then
 * @throws CoordinationError the error of `acquire`; `LEASE_LOST` if the lease was lost before the work ended
 */
export async function runLeased<O, T, L extends Lease>(
  place: LockPlace,
  acquire: (options: O | undefined) => Promise<L>,
  args: UsingArguments<O, T, L>,
): Promise<T> {
  return runHeld(acquire, (lease, work) => runHolding(place, lease, work), args)
}

/** A lease as a work needs it. */
type WorkLease = Pick<Lease, 'signal' | 'throwIfLost' | 'release'>

/**
 * The same for a lease whose work is known to hold in a way of its own.
 *
 * @param hold - runs the work as the holder
 */
export async function runHeld<O, T, L extends WorkLease>(
  acquire: (options: O | undefined) => Promise<L>,
  hold: (lease: L, work: LeasedWork<T, L>) => T | PromiseLike<T>,
  args: UsingArguments<O, T, L>,
): Promise<T> {
  const [options, work] = args.length === 1 ? [undefined, args[0]] : args
  requireFunction('work', work)
  const lease = await acquire(options)
  try {
    const result = await hold(lease, work)
    throwIfLost(lease)
    return result
  } finally {
    await lease.release()
  }
}

/** Throws what a lease was lost by; a lease that was released throws nothing. */
function throwIfLost(lease: WorkLease): void {
  try {
    lease.throwIfLost()
  } catch (error) {
    if (lease.signal.aborted) throw error
  }
}
