/**
 * Values that JSON can hold without a change in silence, and how such values are kept from being changed.
 */
import { textOf } from '../../core/value-text.ts'

/**
 * Makes sure that JSON gives back what it was given.
 *
 * @throws TypeError which names the place in the value and what is there
 */
export function refuseUnfaithful(value: unknown): void {
  check(value, 'value', new Set())
}

/**
 * Freezes arrays and plain objects, and their contents. Anything else is left as it is, with its contents.
 *
 * @returns the same value
 */
export function deepFreeze<T>(value: T): T {
  if (isContainer(value) && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}

/** A frozen copy of the arrays and plain objects of a value: the caller's stays its own. */
export function frozenCopy<T>(value: T): T {
  return deepFreeze(copy(value, new Map()) as T)
}

function copy(value: unknown, known: Map<unknown, unknown>): unknown {
  if (!isContainer(value) || known.has(value)) return known.get(value) ?? value
  const made: Record<PropertyKey, unknown> | unknown[] = Array.isArray(value) ? [] : {}
  known.set(value, made)
  for (const [key, inner] of Object.entries(value)) {
    // Not by assignment, for which `__proto__` is no name like others.
    Object.defineProperty(made, key, { value: copy(inner, known), enumerable: true })
  }
  return made
}

function check(value: unknown, place: string, around: Set<unknown>): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (!isContainer(value)) throw new TypeError(`JSON cannot hold ${kindOf(value)} at ${place}`)
  if (around.has(value)) throw new TypeError(`JSON cannot hold what contains itself, at ${place}`)
  around.add(value)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) check(value[index], `${place}[${String(index)}]`, around)
  } else {
    for (const key of Reflect.ownKeys(value)) {
      const where = typeof key === 'string' && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${textOf(key)}]`
      if (typeof key === 'symbol') throw new TypeError(`JSON cannot hold a symbol as a name, at ${place}${where}`)
      check(Reflect.get(value, key), `${place}${where}`, around)
    }
  }
  around.delete(value)
}

function isContainer(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  // Of another realm it has another Object.prototype, which has no prototype either.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** The kind of a value that JSON cannot hold, and never its content. */
function kindOf(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value)
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  const { name } = (value as { readonly constructor?: { readonly name?: unknown } }).constructor ?? {}
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an object of a class'
}
