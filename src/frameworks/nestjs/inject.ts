/** Injection of the client and of locks. */
import { Inject } from '@nestjs/common'
import type { FactoryProvider } from '@nestjs/common'
import type { Client } from '../../core/client.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { ExclusiveLock } from '../../recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../recipes/locks/read-write-lock.ts'
import { ReentrantLock } from '../../recipes/locks/reentrant-lock.ts'
import { QUORATE_CLIENT } from './options.ts'

/** The locks that {@link InjectLock} can inject. */
export type LockKind = 'fair' | 'exclusive' | 'read-write' | 'reentrant'

const LOCKS = {
  fair: FairLock,
  exclusive: ExclusiveLock,
  'read-write': ReadWriteLock,
  reentrant: ReentrantLock,
} satisfies Record<LockKind, new (client: Client, path: string) => unknown>

/** Injects into a constructor's parameter or a property. */
export type Injection = PropertyDecorator & ParameterDecorator

/** The locks that decorators ask for, by their tokens. */
const asked = new Map<string, FactoryProvider>()

/** Injects the client that the application is connected with. */
export function InjectClient(): Injection {
  return Inject(QUORATE_CLIENT)
}

/**
 * Injects a lock of the application's client: one for each path and kind.
 *
 * @param path - of the lock
 * @param kind - its kind: `fair` (the default), `exclusive`, `read-write` or `reentrant`
 * @throws TypeError if the path is none, or for a wrong kind
 */
export function InjectLock(path: string, kind: LockKind = 'fair'): Injection {
  const token = lockToken(path, kind)
  const make = (client: Client): unknown => new LOCKS[kind](client, path)
  asked.set(token, { provide: token, inject: [QUORATE_CLIENT], useFactory: make })
  return Inject(token)
}

/**
 * The token under which a lock is provided, for tests that replace it.
 *
 * @throws TypeError if the path is none, or for a wrong kind
 */
export function lockToken(path: string, kind: LockKind = 'fair'): string {
  validatePath(path)
  if (!Object.hasOwn(LOCKS, kind)) {
    throw new TypeError(`kind of a lock must be one of ${Object.keys(LOCKS).join(', ')}, got ${textOf(kind)}`)
  }
  return `quorate ${kind} lock ${path}`
}

/** Providers of all locks that decorators have asked for so far. */
export function lockProviders(): FactoryProvider[] {
  return [...asked.values()]
}
