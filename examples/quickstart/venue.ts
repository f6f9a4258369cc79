/**
 * Where the story takes place: an engine, and what is done to it. The recipes never see which one it is.
 *
 *     embedded:                     three servers in this process; their leader is crashed
 *     zookeeper://host:port,...     an engine that somebody else runs, which is not harmed: the connections to it lead
 *     etcd://host:port,...          through relays of this process, and those are cut
 *     redis://host:port
 */
import type { Backend, Client, ConnectOptions, GroupMembership } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { EnsembleServerStatus } from 'quorate/embedded'
import type { Chronicle } from './chronicle.ts'
import { remoteVenue } from './remote-venue.ts'

/** An engine with two levers. */
export interface Venue extends AsyncDisposable {
  /** The engine that everyone works on. */
  readonly backend: Backend
  /** The same engine, for the worker that is to lose its session. */
  readonly victimBackend: Backend
  /** The same engine, for the pulse. */
  readonly pulseBackend: () => Backend
  /** The options that everyone connects with. */
  readonly options: ConnectOptions
  /** Why rows about elections and servers are left out; null if they are not. */
  readonly leftOut: string | null
  /** Has the chronicle take down what the servers tell of themselves and of sessions, from the start. */
  readonly watch: (chronicle: Chronicle) => void
  /** Has it take down by the group which sessions end, if the servers tell nothing. */
  readonly watchGroup: (chronicle: Chronicle, group: GroupMembership) => void
  /** Ends the victim's session, or begins to. */
  readonly endSession: (victim: Client) => void
  /**
   * Makes the engine fail for everyone.
   *
   * @param recover - when it may recover
   * @returns the server that failed, if it is known
   */
  readonly fail: (chronicle: Chronicle, recover: () => Promise<void>) => Promise<number | null>
  /** Where each server stands; none if that is not known. */
  readonly servers: () => EnsembleServerStatus[]
}

const SERVERS = 3

/**
 * Opens the engine that a URL means.
 *
 * @param dataDir - where servers of its own keep their data; in memory if absent
 * @throws TypeError if it means none, or has no data of its own to keep
 */
export async function openVenue(url: string, dataDir?: string): Promise<Venue> {
  if (url === 'embedded:') return embeddedVenue(dataDir)
  if (dataDir !== undefined) throw new TypeError(`a data directory is for servers of the quickstart's own, not ${url}`)
  return remoteVenue(url)
}

function embeddedVenue(dataDir?: string): Venue {
  const ensemble = embedded({ servers: SERVERS, ...(dataDir === undefined ? {} : { dataDir }) })
  return {
    backend: ensemble,
    victimBackend: ensemble,
    // A crash is worst for the pulse: its server is the leader, so it has to find another one as well.
    pulseBackend: () => ensemble.at(ensemble.leader ?? 1),
    options: {},
    leftOut: null,
    watch: (chronicle) => chronicle.watchEnsemble(ensemble),
    watchGroup: () => undefined,
    endSession: ({ sessionId }) => ensemble.expireSession(sessionId ?? 0n),
    fail: async (chronicle, recover) => {
      const server = ensemble.leader ?? 1
      chronicle.note(`server ${server}, which leads, crashes`)
      ensemble.crash(server)
      await recover()
      chronicle.note(`server ${server} starts again`)
      ensemble.restart(server)
      return server
    },
    servers: () => ensemble.status(),
    [Symbol.asyncDispose]: () => ensemble.close(),
  }
}
