/** Where the servers are, and the text in which they tell each other of it. */
import { addressText } from '../../../../wire/initiation.ts'

/** The highest id of a server: a session id has one byte for it. */
const SERVER_ID_MAX = 254

/** Whether a server can have this id. */
export function isServerId(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= SERVER_ID_MAX
}

/** Where one server is reached by the others. */
export interface PeerAddress {
  /** IP address or name; a name is looked up at each dial. */
  readonly host: string
  /** The quorum port, where its learners connect while it leads. */
  readonly peerPort: number
  readonly electionPort: number
}

/**
 * Takes a server in that is not known, where servers can be added at run time. It gets the place of that server's
 * election port, as that server says.
 */
export type Meet = (sid: number, place: Pick<PeerAddress, 'host' | 'electionPort'>) => void

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
