/**
 * The ZooKeeper backend: the ensemble that you run already, or `quorate server`.
 *
 * @packageDocumentation
 */
import type { Backend } from '../../core/backend.ts'
import { ZooKeeperBackend } from './backend.ts'
import { destinationOf } from './connection-string.ts'
import { settingsOf } from './options.ts'
import type { ZooKeeperOptions } from './options.ts'

export type { Lookup, TlsOptions } from '../client/io/socket-dialer.ts'
export type { SaslLogin } from '../client/sasl-options.ts'
export type { SaslMechanism } from '../sasl/mechanism.ts'
export type { ZooKeeperAcl, ZooKeeperAuth, ZooKeeperOptions } from './options.ts'

/**
 * Makes a backend that reaches ZooKeeper servers; hand it to `connect()`. Nothing is connected yet.
 *
 * @param servers - `host1:2181,host2:2181/chroot`; the port is 2181 if it is left out, an IPv6 address goes into
 * brackets, and the node of the chroot is made if it is missing
 * @param options - all optional
 * @throws TypeError or RangeError for a wrong string or option
 */
export function zookeeper(servers: string, options: ZooKeeperOptions = {}): Backend {
  return new ZooKeeperBackend(destinationOf(servers), settingsOf(options))
}
