/**
 * Service instance: where one process of a service is to be reached, and the JSON that says so on the tree.
 *
 * Format    that of Curator's x-discovery, to the byte: UTF-8, no spaces, this order of members, nulls written.
 *           `enabled` is written only for an instance that is not, since older readers do not know it.
 * Reading   as Curator reads: every member may be missing, unknown ones are passed over, numbers may be strings. The
 *           payload of a Java class is an object with its name as `@class`; that is kept.
 */
import { textOf } from '../../core/value-text.ts'
import { refuseUnfaithful } from '../engine/json-values.ts'

/** How long an instance stays, as Curator has it: `DYNAMIC` goes with its session. */
export type ServiceType = 'DYNAMIC' | 'STATIC' | 'PERMANENT' | 'DYNAMIC_SEQUENTIAL'

/** How a URI of an instance is made, in Curator's parts. */
export interface UriSpec {
  /** Texts, and names of variables such as `address`. */
  readonly parts: readonly { readonly value: string; readonly variable: boolean }[]
}

/** One instance of a service. */
export interface ServiceInstance {
  /** Of the service. */
  readonly name: string
  /** Of the instance, within its service. */
  readonly id: string
  /** Host name or IP address. */
  readonly address: string | null
  /** Where it listens, 0 to 65,535. */
  readonly port: number | null
  /** Where it listens with TLS. */
  readonly sslPort: number | null
  /** Further data of the instance: a string, number, boolean, null or object; no array, which Curator cannot read. */
  readonly payload: unknown
  /** When it registered, in milliseconds since 1970 by its own clock. */
  readonly registrationTimeUTC: number
  /** How long it stays. */
  readonly serviceType: ServiceType
  /** How its URI is made; null if it does not say. */
  readonly uriSpec: UriSpec | null
  /** Whether providers hand it out. */
  readonly enabled: boolean
}

/** The class that Curator makes of an object without another one. */
const MAP_CLASS = 'java.util.LinkedHashMap'
const PORT_MAX = 65_535
const TYPES: readonly unknown[] = ['DYNAMIC', 'STATIC', 'PERMANENT', 'DYNAMIC_SEQUENTIAL']

/**
 * Makes what is stored of an instance.
 *
 * @throws TypeError for a payload that Curator or JSON cannot hold
 */
export function encodeInstance(instance: ServiceInstance): Uint8Array {
  const { name, id, address, port, sslPort, registrationTimeUTC, serviceType, uriSpec, enabled } = instance
  const payload = payloadOf(instance.payload)
  const fields = { name, id, address, port, sslPort, payload, registrationTimeUTC, serviceType, uriSpec }
  refuseUnfaithful(fields)
  return new TextEncoder().encode(JSON.stringify(enabled ? fields : { ...fields, enabled }))
}

/**
 * Reads an instance.
 *
 * @param bytes - the data of a node
 * @throws Error that names the fault
 */
export function decodeInstance(bytes: Uint8Array): ServiceInstance {
  const stored: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  if (!isObject(stored)) throw new TypeError(`an instance is an object, got ${textOf(stored)}`)
  const { payload = null, serviceType, uriSpec } = stored
  if (Array.isArray(payload)) throw new TypeError('payload is an array')
  if (serviceType !== null && serviceType !== undefined && !TYPES.includes(serviceType)) {
    throw new TypeError(`serviceType is ${textOf(serviceType)}`)
  }
  return {
    name: textIn(stored, 'name') ?? '',
    id: textIn(stored, 'id') ?? '',
    address: textIn(stored, 'address'),
    port: numberIn(stored, 'port', PORT_MAX),
    sslPort: numberIn(stored, 'sslPort', PORT_MAX),
    payload,
    registrationTimeUTC: numberIn(stored, 'registrationTimeUTC', Number.MAX_SAFE_INTEGER) ?? 0,
    // One of these by the check above.
    serviceType: (serviceType ?? 'DYNAMIC') as ServiceType,
    uriSpec: uriSpecOf(uriSpec),
    enabled: stored['enabled'] !== false,
  }
}

function payloadOf(payload: unknown): unknown {
  if (Array.isArray(payload)) throw new TypeError('payload must not be an array, which Curator cannot read')
  if (!isObject(payload) || '@class' in payload) return payload ?? null
  return { '@class': MAP_CLASS, ...payload }
}

function uriSpecOf(spec: unknown): UriSpec | null {
  if (spec === null || spec === undefined) return null
  const parts: unknown = isObject(spec) ? spec['parts'] : undefined
  if (!Array.isArray(parts)) throw new TypeError(`uriSpec is ${textOf(spec)}`)
  return {
    parts: parts.map((part: unknown) => {
      if (!isObject(part)) throw new TypeError(`a part of uriSpec is ${textOf(part)}`)
      return { value: textIn(part, 'value') ?? '', variable: part['variable'] === true }
    }),
  }
}

function textIn(stored: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = stored[name] ?? null
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new TypeError(`${name} is ${textOf(value)}`)
}

function numberIn(stored: Readonly<Record<string, unknown>>, name: string, max: number): number | null {
  const value = stored[name] ?? null
  if (value === null) return null
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= -1 && number <= max) return number
  throw new TypeError(`${name} is ${textOf(value)}`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
