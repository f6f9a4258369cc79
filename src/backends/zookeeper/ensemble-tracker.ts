/**
 * The servers of an ensemble as they are reconfigured: its sessions follow `/zookeeper/config`.
 *
 * Model     each session reads the node with a watch. A newer version than any seen takes the place of the servers of
 *           the connection string, for this session, the others and those that are opened later; the chroot stays.
 * Moves     a session on a server that is not in the list leaves it once that has answered everything. One on a server
 *           that stays, stays; ZooKeeper's own client may move it, to spread the sessions.
 * Passed    over is a configuration that nobody has changed (version 0): the connection string holds. So is one that
 * over      names no port for clients, or too many of them, or cannot be read.
 * Source    Curator's EnsembleTracker; ZooKeeper.updateServerList.
 */
import { delay } from '../../core/async.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { ServerAddress } from '../client/server-address.ts'
import { readServers, versionOf } from '../wire/configuration.ts'
import { clientAddressOf } from '../wire/server-line.ts'

const CONFIG_PATH = '/zookeeper/config'

/** As many servers as a connection string may name: with more, no attempt would be given its share of the time. */
const SERVERS_MAX = 256

/** Pause after a read that failed, in milliseconds. */
const RETRY_MS = 1_000

/** A session, as far as it is used. */
interface Reader {
  get(path: string, watch: () => void): Promise<{ readonly data: Uint8Array }>
}

/** A dialer whose servers can be others from now on. */
interface Followed {
  replace(servers: readonly ServerAddress[]): void
}

/** The servers of one backend. */
export class EnsembleTracker {
  #servers: readonly ServerAddress[]
  #version = 0n

  /** @param servers - those of the connection string */
  constructor(servers: readonly ServerAddress[]) {
    this.#servers = servers
  }

  /** The servers, as far as they are known. */
  get servers(): readonly ServerAddress[] {
    return this.#servers
  }

  /**
   * Follows the configuration with a session until that is over.
   *
   * @param session - without a namespace
   * @param dialer - reaches the servers for it
   */
  follow(session: Reader, dialer: Followed): void {
    void this.#read(session, dialer)
  }

  async #read(session: Reader, dialer: Followed): Promise<void> {
    for (;;) {
      try {
        const { data } = await session.get(CONFIG_PATH, () => {
          void this.#read(session, dialer)
        })
        this.#learn(new TextDecoder().decode(data))
        dialer.replace(this.#servers)
        return
      } catch (error) {
        // Anything else is for good: there is no such node, it may not be read, or the session is over.
        if (!isCoordinationError(error, 'CONNECTION_LOSS', 'TIMEOUT', 'THROTTLED')) return
      }
      await delay(RETRY_MS)
    }
  }

  #learn(text: string): void {
    const version = versionOf(text)
    if (version <= this.#version) return
    const servers = clientAddressesIn(text)
    if (servers.length === 0 || servers.length > SERVERS_MAX) return
    this.#version = version
    this.#servers = servers
  }
}

/** Where clients reach the servers of a configuration; none if it cannot be read. */
function clientAddressesIn(text: string): ServerAddress[] {
  try {
    const lines = text.split('\n').filter((line) => line.startsWith('server.'))
    return [...readServers(lines).values()].flatMap((server) => clientAddressOf(server) ?? [])
  } catch {
    return []
  }
}
