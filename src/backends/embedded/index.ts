/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The embedded backend: an ensemble of servers in your own process.
 *
 * @packageDocumentation
 */
import { Ensemble } from './ensemble.ts'
import type { EmbeddedOptions } from './options.ts'

export { Ensemble } from './ensemble.ts'
export type { EnsembleEvent, EnsembleServerStatus } from './ensemble-events.ts'
export type { HostEvent } from './host/host.ts'
export { StorageError } from './host/storage/storage-error.ts'
export type { StorageErrorCode } from './host/storage/storage-error.ts'
export type { EmbeddedOptions } from './options.ts'
export type { ServerEvent, ServerStatus } from './server/ready.ts'
export type { Vote } from '../wire/packets.ts'

/**
 * Makes an ensemble in this process; hand it to `connect()`, which starts it.
 *
 * @param options - how many servers, and their times
 * @returns the ensemble, which is a backend and can be looked at, crashed, partitioned and closed
 * @throws TypeError or RangeError for a wrong option
 */
export function embedded(options: EmbeddedOptions = {}): Ensemble {
  return new Ensemble(options)
}
