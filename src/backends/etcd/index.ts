/**
 * The etcd backend: the recipes on the etcd that you already run, by gRPC, its v3 API.
 *
 * @packageDocumentation
 */
import type { Backend } from '../../core/backend.ts'
import { EtcdBackend } from './backend.ts'
import { requireEndpoints, settingsOf } from './options.ts'
import type { EtcdOptions } from './options.ts'

export type { EtcdOptions, EtcdTlsOptions } from './options.ts'

/**
 * Makes a backend on an etcd cluster; hand it to `connect()`, which connects it.
 *
 * @param endpoints - client URLs of the members, such as `http://127.0.0.1:2379`, in one string with commas or in a
 * list; or all options in one object
 * @param options - the rest of the options
 * @returns the backend; it holds connections while it has sessions, and some seconds more
 * @throws TypeError or RangeError for a wrong option
 */
export function etcd(endpoints?: string | readonly string[] | EtcdOptions, options?: EtcdOptions): Backend
export function etcd(...given: [endpoints?: string | readonly string[] | EtcdOptions, options?: EtcdOptions]): Backend {
  const [endpoints = {}, options = {}] = given
  // No argument means the default; undefined means that the caller has lost an address.
  if (given.length > 0) requireEndpoints(given[0])
  const all = isEndpoints(endpoints) ? { ...options, endpoints } : { ...endpoints, ...options }
  return new EtcdBackend(settingsOf(all))
}

function isEndpoints(value: string | readonly string[] | EtcdOptions): value is string | readonly string[] {
  return typeof value === 'string' || Array.isArray(value)
}
