/**
 * Checks what somebody takes for a client or a backend, and says what it is instead.
 */
import type { Backend } from './backend.ts'
import type { Client } from './client.ts'
import { hasMethods } from './options.ts'
import { textOf } from './value-text.ts'

/**
 * Checks the client of a recipe.
 *
 * @param what - the recipe or call that takes it, for the message, such as `FairLock`
 * @throws TypeError with the given value
 */
export function validateClient(client: unknown, what: string): asserts client is Client {
  if (hasMethods(client, ['create', 'get', 'multi', 'onState', 'own'])) return
  const backendHint = isBackend(client) ? ': connect() to the backend first' : ''
  const hint = isPromise(client) ? ': await connect() first' : backendHint
  throw new TypeError(`${what} needs a client, which connect() resolves to, got ${textOf(client)}${hint}`)
}

/**
 * Checks the backend of `connect`.
 *
 * @throws TypeError with the given value, without its password
 */
export function validateBackend(backend: unknown): asserts backend is Backend {
  if (isBackend(backend)) return
  const example = 'connect needs a backend, such as embedded() of quorate/embedded'
  if (typeof backend === 'string') {
    throw new TypeError(`${example}, got ${textOf(backend)}: for a URL use connectUrl(url, options)`)
  }
  const hint = isPromise(backend) ? ': await it first' : typeof backend === 'function' ? ': call it first' : ''
  throw new TypeError(`${example}, got ${textOf(backend)}${hint}`)
}

function isBackend(value: unknown): boolean {
  return hasMethods(value, ['open']) && typeof (value as Partial<Backend>).capabilities === 'object'
}

function isPromise(value: unknown): boolean {
  return hasMethods(value, ['then'])
}
