/**
 * The settings of servers in the words of ZooKeeper's configuration: the text of `conf`.
 *
 * Source    ZooKeeperServerConf.java, QuorumPeer.java of ZooKeeper 3.8.
 */
import { sizesOf } from './host/storage/directory-size.ts'
import type { ServerDirectories } from './host/storage/directory-size.ts'
import type { EmbeddedSettings } from './options.ts'

/** A server, as `conf` tells of it. */
export interface OneServer {
  readonly id: number
  readonly votes: boolean
  /** Its ports for other servers; null in a process of many servers. */
  readonly ports: { readonly electionPort: number; readonly peerPort: number } | null
  readonly directories: ServerDirectories | null
}

/**
 * The answer of the four-letter word `conf` for a server, after the line of its port.
 *
 * @param member - the server
 * @param membership - the members of its ensemble; empty for a server on its own
 */
export function configurationText(
  { id, votes, ports, directories }: OneServer,
  membership: string,
  { server, clients }: Pick<EmbeddedSettings, 'server' | 'clients'>,
): string {
  const isAlone = membership === ''
  const sizes = sizesOf(directories)
  const own = [
    `dataDir=${directories?.data ?? ''}`,
    `dataDirSize=${sizes.data}`,
    `dataLogDir=${directories?.log ?? ''}`,
    `dataLogSize=${sizes.log}`,
    `tickTime=${clients.tickTimeMs}`,
    `maxClientCnxns=${clients.limits.maxClientCnxns}`,
    `minSessionTimeout=${server.minSessionTimeoutMs}`,
    `maxSessionTimeout=${server.maxSessionTimeoutMs}`,
    'clientPortListenBacklog=-1',
    `serverId=${isAlone ? 0 : id}`,
  ]
  const ofEnsemble = [
    `initLimit=${server.initLimitTicks}`,
    `syncLimit=${server.syncLimitTicks}`,
    'electionAlg=3',
    `electionPort=${ports?.electionPort ?? 0}`,
    `quorumPort=${ports?.peerPort ?? 0}`,
    `peerType=${votes ? 0 : 1}`,
    'membership: ',
  ]
  // The membership has no end of line.
  return [...own, ...(isAlone ? [] : ofEnsemble)].map((line) => `${line}\n`).join('') + membership
}
