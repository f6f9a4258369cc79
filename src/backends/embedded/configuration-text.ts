/**
 * The settings of servers in the words of ZooKeeper's configuration: the text of `conf`, and the data of
 * /zookeeper/config.
 *
 * Peers     the servers of an ensemble in one process have no ports for each other: 0 stands in their place.
 * Source    ZooKeeperServerConf.java, QuorumPeer.java, QuorumServer.toString, QuorumMaj.toString of ZooKeeper 3.8.
 */
import { sizesOf } from './host/storage/directory-size.ts'
import type { ServerDirectories } from './host/storage/directory-size.ts'
import type { EmbeddedSettings } from './options.ts'

/** A member of an ensemble, as its configuration names it. */
export interface Member {
  readonly id: number
  readonly votes: boolean
  /** Where it serves clients; null if it does not. */
  readonly port: number | null
}

/** A server, as `conf` tells of it. */
export interface OneServer {
  readonly id: number
  readonly votes: boolean
  /** Its ports for other servers; null in a process of many servers. */
  readonly ports: { readonly electionPort: number; readonly peerPort: number } | null
  readonly directories: ServerDirectories | null
}

/** In a process of many servers every one of them is at home. */
const PEER_ADDRESS = '127.0.0.1:0:0'

/**
 * The members of an ensemble, one per line, and the version of that configuration: the first.
 *
 * @param members - by id
 * @param address - on which they serve clients
 */
export function membershipText(members: readonly Member[], address: string): string {
  const lines = members.map(({ id, votes, port }) => {
    const client = port === null ? '' : `;${address.includes(':') ? `[${address}]` : address}:${port}`
    return `server.${id}=${PEER_ADDRESS}:${votes ? 'participant' : 'observer'}${client}`
  })
  return [...lines, 'version=0'].join('\n')
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
    `maxClientCnxns=${clients.maxClientCnxns}`,
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
