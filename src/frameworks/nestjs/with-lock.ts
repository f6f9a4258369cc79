/**
 * `@WithLock(path)`: a method that runs under a lock, as by `lock.using()`.
 *
 * The method's caller waits until the lock is free, and gets `LEASE_LOST` if it was lost while the method ran. The
 * method, and what it calls and awaits, asks {@link currentLease} for the signal and the token.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Inject } from '@nestjs/common'
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validatePath } from '../../core/path.ts'
import type { ContendOptions } from '../../recipes/engine/acquire-options.ts'
import type { Lease } from '../../recipes/engine/lease.ts'
import { FairLock } from '../../recipes/locks/fair-lock.ts'
import { injectedInto, wrapMethod } from './decorated-methods.ts'
import type { AsyncMethod, DecoratorFor } from './decorated-methods.ts'
import { QUORATE_CLIENT } from './options.ts'

/** Options of {@link WithLock}: those of `acquire`, but for its signal. */
export type WithLockOptions = Pick<ContendOptions, 'waitMs' | 'data' | 'onSessionLoss' | 'onReentry'>

/** Says which lock a call needs, by its arguments. */
export type LockPath<A extends readonly unknown[]> = (...args: A) => string

const OPTIONS = optionNames<WithLockOptions>({ waitMs: true, data: true, onSessionLoss: true, onReentry: true })
const CLIENT = Symbol('client for @WithLock')
const leases = new AsyncLocalStorage<Lease>()

/**
 * Runs the method under a fair lock: one call at a time, of all processes.
 *
 * @param path - of the lock, or a function that makes it from the arguments of the call
 * @param options - as for `FairLock.acquire`
 * @throws TypeError for a path that is neither, or a wrong option. The method rejects as `FairLock.using` does, and
 * with a TypeError if Nest has not made its class
 */
export function WithLock(path: string, options?: WithLockOptions): DecoratorFor<AsyncMethod>
export function WithLock<A extends unknown[]>(
  path: LockPath<A>,
  options?: WithLockOptions,
): DecoratorFor<(...args: A) => Promise<unknown>>
export function WithLock(path: string | LockPath<unknown[]>, options: WithLockOptions = {}): DecoratorFor<AsyncMethod> {
  const pathOf = typeof path === 'function' ? path : fixedPath(path)
  refuseUnknown(options, OPTIONS, '@WithLock')
  return (target, _name, descriptor) => {
    Inject(QUORATE_CLIENT)(target, CLIENT)
    wrapMethod(descriptor, (method) => async function (...args) {
      const lock = new FairLock(injectedInto(this, CLIENT, '@WithLock') as Client, pathOf(...args))
      return lock.using(options, (lease) => leases.run(lease, () => method.apply(this, args)))
    })
  }
}

function fixedPath(path: string): LockPath<unknown[]> {
  validatePath(path)
  return () => path
}

/** The lease of the innermost method with {@link WithLock} that the caller runs in; undefined outside of one. */
export function currentLease(): Lease | undefined {
  return leases.getStore()
}
