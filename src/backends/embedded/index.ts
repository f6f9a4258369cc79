/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The embedded backend: an ensemble of servers in your own process.
 *
 * @packageDocumentation
 */
import { Ensemble } from './ensemble.ts'
import { EnsembleMember } from './member.ts'
import type { MemberOptions } from './member-options.ts'
import { NODE_PARTS } from './node-parts.ts'
import type { EmbeddedOptions } from './options.ts'

export type { Ensemble } from './ensemble.ts'
export type { EnsembleEvent, EnsembleServerStatus } from './ensemble-events.ts'
export type { EnsembleSession } from './session-list.ts'
export type { HostEvent } from './host/host.ts'
export type { TcpPeersEvent } from './host/peers/tcp/peer-events.ts'
export type { CertificatesEvent, TlsKeys } from './host/tls/tls-settings.ts'
export { StorageError } from './host/storage/storage-error.ts'
export type { StorageErrorCode } from './host/storage/storage-error.ts'
export { EnsembleMember } from './member.ts'
export type { MemberOptions } from './member-options.ts'
export type { ClientTlsOptions, PeerTlsOptions, TlsFileOptions } from './tls-options.ts'
export type { EmbeddedOptions } from './options.ts'
export type { AuditRecord, AuditedOperation } from './server/ports.ts'
export type { ServerEvent, ServerStatus } from './server/ready.ts'
export type { Vote } from '../wire/packets.ts'

/**
 * Makes one server of an ensemble whose servers are processes of their own; hand it to `connect()`, which starts it.
 *
 * @param options - which server this is, where all of them are, and where its data are kept
 * @returns the server, which is a backend: its clients use it in memory, and the others over TCP if it does not serve
 * @throws TypeError or RangeError for a wrong option
 */
export function embedded(options: MemberOptions): EnsembleMember
/**
 * Makes an ensemble in this process; hand it to `connect()`, which starts it.
 *
 * @param options - how many servers, and their times
 * @returns the ensemble, which is a backend and can be looked at, crashed, partitioned and closed
 * @throws TypeError or RangeError for a wrong option
 */
export function embedded(options?: EmbeddedOptions): Ensemble
export function embedded(options: EmbeddedOptions | MemberOptions = {}): Ensemble | EnsembleMember {
  return isMember(options) ? new EnsembleMember(options) : new Ensemble(options, NODE_PARTS)
}

function isMember(options: EmbeddedOptions | MemberOptions): options is MemberOptions {
  if (typeof options !== 'object' || options === null) return false
  return 'myid' in options || (typeof options.servers === 'object' && options.servers !== null)
}
