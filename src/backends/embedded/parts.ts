/**
 * The parts of an ensemble that stand on the platform it runs on.
 *
 * Model     servers, their hosts, and the network and the storages in memory need timers and nothing else. Chance, a
 *           hash, ports and files are handed to them: those of Node.js by node-parts.ts; for a browser, none but the
 *           first two (memory-parts.ts). See decision 0029.
 */
import type { OneServer } from './configuration-text.ts'
import type { EnsembleEvents } from './ensemble-events.ts'
import type { AdminServer } from './host/admin/admin-server.ts'
import type { Company } from './host/admin/server-view.ts'
import type { ClientPort } from './host/clients/tcp-port.ts'
import type { HostEvent } from './host/host.ts'
import type { SaslEvent, SaslSettings } from './host/sasl/sasl-settings.ts'
import type { ServerDirectories } from './host/storage/directory-size.ts'
import type { Storage } from './host/storage/storage.ts'
import type { ClientSettings, EmbeddedSettings, StorageSettings } from './options.ts'
import type { SaslAuthority, ServerPorts } from './server/ports.ts'

/** A server, for those who make its ports. */
export interface PortOptions {
  readonly id: number
  readonly clients: Omit<ClientSettings, 'ports' | 'securePorts' | 'adminPorts'>
  /** 0 for any that is free, null for none. */
  readonly clientPort: number | null
  /** The port that speaks TLS alone; 0 for any that is free, null for none. */
  readonly secureClientPort: number | null
  /** The AdminServer's; 0 for any that is free, null for none. It needs a port for clients. */
  readonly adminPort: number | null
  readonly company: Company
  readonly events: EnsembleEvents
  /** See {@link ClientPort}. */
  configuration(): string
  /** See {@link ClientPort}. */
  directories(): ServerDirectories | null
  /** Whether the client of this session reaches no server at present. */
  isIsolated(sessionId: bigint): boolean
}

/** The ports of one server for clients and for operators. */
export interface NetworkPorts {
  /** Where ZooKeeper's clients connect to it; null if it serves none. */
  readonly port: ClientPort | null
  /** Where operators look at it over HTTP; null if they cannot. */
  readonly admin: AdminServer | null
}

/** The storages of the servers of an ensemble that are in this process. */
export interface EnsembleStorages {
  /** The storage of a server. */
  of(id: number): Storage
  /** Where the files of a server are; null if it has none. */
  directoriesOf(id: number): ServerDirectories | null
  /** Deletes a server's data. */
  wipe(id: number): Promise<void>
  /**
   * Locks the directories and begins a new ensemble, if there is none yet.
   *
   * @param voters - their ids
   * @returns whether the voters have every right to vote that they ever had
   * @throws StorageError `LOCKED` if another process uses a directory; errors of the system
   */
  open(voters: readonly number[]): Promise<{ readonly isNew: boolean }>
  /**
   * Begins a new ensemble, if there is none yet.
   *
   * @param voters - their ids
   * @returns whether the voters have every right to vote that they ever had
   */
  begin(voters: readonly number[]): Promise<boolean>
  /**
   * Locks the directories of a server that is a process of its own; the file `myid`, as ZooKeeper has it, says whose
   * they are: another server's promises must not be kept under this name.
   *
   * @throws StorageError `LOCKED` if another process uses a directory; `MISPLACED` if it is another server's; errors of
   * the system
   */
  openFor(myid: number): Promise<void>
  /** Closes files and unlocks directories, once what was begun has ended. */
  close(): Promise<void>
}

/** See the top of this file. */
export interface EnsembleParts extends Omit<ServerPorts, 'sasl'> {
  /**
   * Reads the users of SASL.
   *
   * @throws Error that names the file
   */
  saslOf(settings: SaslSettings, onEvent: (event: SaslEvent) => void): SaslAuthority
  /** The share of the memory of the process that is in use, in percent; not where that cannot be told. */
  readonly memoryPercent?: () => number
  /** Makes the ports that a server is to have; they are closed. */
  portsOf(options: PortOptions): NetworkPorts
  /**
   * Makes storages that are not opened.
   *
   * @param isAlone - whether there is one server, and never another one
   * @param onEvent - told of a record that a crash tore, and that was cut off: it was never acknowledged; and of a disk
   * that gets full, or has room again
   */
  storagesOf(
    settings: StorageSettings,
    isAlone: boolean,
    onEvent: (id: number, event: HostEvent) => void,
  ): EnsembleStorages
  /** The answer of the four-letter word `conf`; see configuration-text.ts. */
  configurationText(
    one: OneServer,
    membership: string,
    settings: Pick<EmbeddedSettings, 'server' | 'clients'>,
  ): string
}
