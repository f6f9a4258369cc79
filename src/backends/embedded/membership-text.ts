/**
 * The servers of an ensemble in the words of ZooKeeper's configuration: the data of /zookeeper/config.
 *
 * Peers     the servers of an ensemble in one process have no ports for each other: 0 stands in their place.
 * Source    QuorumServer.toString, QuorumMaj.toString of ZooKeeper 3.8.
 */

/** A member of an ensemble, as its configuration names it. */
export interface Member {
  readonly id: number
  readonly votes: boolean
  /** Where it serves clients; null if it does not. */
  readonly port: number | null
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
