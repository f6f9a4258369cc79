/**
 * Checks of options that several recipes take; see core/options.ts.
 */
import { optionNames, refuseUnknown, requireFunction, validateBoolean, validateSignal } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import type { IterateOptions, SubscribeOptions } from './feed.ts'

const SUBSCRIBE_OPTIONS = optionNames<SubscribeOptions>({ emitInitial: true })
const ITERATE_OPTIONS = optionNames<IterateOptions>({ emitInitial: true, signal: true })

/**
 * Checks what a `subscribe` is given.
 *
 * @throws TypeError that names the fault
 */
export function checkSubscribe(listener: unknown, options: SubscribeOptions): void {
  requireFunction('listener', listener)
  refuseUnknown(options, SUBSCRIBE_OPTIONS, 'subscribe')
  if (options.emitInitial !== undefined) validateBoolean('emitInitial', options.emitInitial)
}

/**
 * Checks what a `watch` is given.
 *
 * @throws TypeError that names the fault
 */
export function checkIterate(options: IterateOptions): void {
  refuseUnknown(options, ITERATE_OPTIONS, 'watch')
  if (options.emitInitial !== undefined) validateBoolean('emitInitial', options.emitInitial)
  validateSignal(options.signal)
}

/**
 * Checks a codec.
 *
 * @throws TypeError with the given value; undefined stands for JSON
 */
export function checkCodec(codec: unknown): void {
  if (codec === undefined || (hasFunction(codec, 'encode') && hasFunction(codec, 'decode'))) return
  throw new TypeError(`codec must have the functions encode and decode, got ${textOf(codec)}`)
}

/**
 * Checks a schema.
 *
 * @throws TypeError with the given value; undefined stands for none
 */
export function checkSchema(schema: unknown): void {
  if (schema === undefined) return
  const isObject = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  if (isObject && '~standard' in schema && hasFunction(schema['~standard'], 'validate')) return
  throw new TypeError(`schema must follow Standard Schema (have ~standard.validate), got ${textOf(schema)}`)
}

function hasFunction(value: unknown, name: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  return typeof (value as Record<string, unknown>)[name] === 'function'
}
