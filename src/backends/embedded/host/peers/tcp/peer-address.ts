/** Where the servers are, and the text in which they tell each other of it. */
import { addressText } from '../../../../wire/initiation.ts'

/** Where one server is reached by the others. */
export interface PeerAddress {
  /** IP address or name; a name is looked up at each dial. */
  readonly host: string
  /** The quorum port, where its learners connect while it leads. */
  readonly peerPort: number
  readonly electionPort: number
}

/**
 * The configuration as ZooKeeper writes it: a line per server, ascending, then the version of an ensemble that was
 * never reconfigured.
 */
export function serversText(servers: ReadonlyMap<number, PeerAddress>, observers: ReadonlySet<number>): string {
  const ids = [...servers.keys()].sort((a, b) => a - b)
  const lines = ids.map((id) => {
    const { host = '', peerPort = 0, electionPort = 0 } = servers.get(id) ?? {}
    const role = observers.has(id) ? 'observer' : 'participant'
    return `server.${id}=${addressText({ host, port: peerPort })}:${electionPort}:${role}`
  })
  return [...lines, 'version=0'].join('\n')
}
