/**
 * The directory of an ensemble for development: for each server a folder `server-N` with its `zoo.cfg`, its `myid` and
 * its data, so that `quorate server DIR/server-N/zoo.cfg` starts one of them alone.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { clientAddressOf, parseServerLine } from '../backends/wire/server-line.ts'
import type { ServerAddress } from '../backends/client/server-address.ts'
import { Failure } from './exit-status.ts'
import { reasonOf } from './file-reason.ts'
import { escapedValue } from './java-properties.ts'
import { readZooCfg } from './zoo-cfg.ts'
import type { ZooCfg } from './zoo-cfg.ts'

/** The first client port of a new ensemble. */
export const CLIENT_PORT = 2181

/** The ports for other servers, above the client port of the same server. */
const PEER_PORT_ABOVE = 700
const ELECTION_PORT_ABOVE = 1_700
const PORT_MAX = 65_535
/** The greatest client port of a server: its election port is one too. */
export const CLIENT_PORT_MAX = PORT_MAX - ELECTION_PORT_ABOVE

const HOST = '127.0.0.1'
const TICK_TIME_MS = 2_000
const INIT_LIMIT_TICKS = 10
const SYNC_LIMIT_TICKS = 5

/** One server of the directory. */
export interface DevelopmentServer {
  readonly id: number
  /** The path of its `zoo.cfg`. */
  readonly configuration: string
  readonly dataDir: string
  /** Where it serves clients. */
  readonly address: ServerAddress
}

/** The parts of a new ensemble that can be chosen; of one that is there, they must be so already. */
interface Wanted {
  readonly servers: number | null
  /** Of the first server, the others' follow; 0 for any ports that are free. */
  readonly clientPort: number | null
}

interface Ports {
  readonly client: number
  readonly peer: number
  readonly election: number
}

/**
 * Reads the ensemble of a directory; writes one if the directory is empty or missing.
 *
 * @param folder - an absolute path
 * @param count - the number of servers of a new ensemble, unless `wanted` says it
 * @returns its servers, by id
 * @throws Failure if the directory holds something else, another ensemble than wanted, or cannot be used
 */
export async function openDirectory(folder: string, count: number, wanted: Wanted): Promise<DevelopmentServer[]> {
  const names = namesIn(folder)
  if (!names.includes('server-1')) {
    if (names.length > 0) throw new Failure(`${folder} is not empty, and holds no ensemble: give another directory`)
    writeEnsemble(folder, await portsFor(wanted.servers ?? count, wanted.clientPort ?? CLIENT_PORT))
  }
  const servers = serversIn(folder)
  const found = `${folder} holds an ensemble of ${servers.length} servers from client port ${servers[0]?.address.port}`
  const isOther = wanted.servers !== null && wanted.servers !== servers.length
  const isElsewhere = (wanted.clientPort ?? 0) !== 0 && wanted.clientPort !== servers[0]?.address.port
  if (isOther || isElsewhere) throw new Failure(`${found} on: start it as it is, remove it, or give another directory`)
  return servers
}

function namesIn(folder: string): string[] {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return readdirSync(folder)
  } catch (error) {
    throw new Failure(`cannot use ${folder}: ${reasonOf(error)}`)
  }
}

async function portsFor(servers: number, first: number): Promise<Ports[]> {
  if (first === 0) {
    const free = await freePorts(servers * 3)
    return Array.from({ length: servers }, (_, index) => {
      const [client = 0, peer = 0, election = 0] = free.slice(index * 3)
      return { client, peer, election }
    })
  }
  const ports = Array.from({ length: servers }, (_, index) => {
    const client = first + index
    return { client, peer: client + PEER_PORT_ABOVE, election: client + ELECTION_PORT_ABOVE }
  })
  await refuseTaken(ports.flatMap(({ client, peer, election }) => [client, peer, election]))
  return ports
}

/** Ports that are taken are found before anything is written, and not when the servers start; all of them are named. */
async function refuseTaken(ports: readonly number[]): Promise<void> {
  const taken: string[] = []
  for (const port of ports) {
    try {
      await closed(await listening(port))
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'it is taken' : reasonOf(error)
      taken.push(`cannot use port ${port} of ${HOST}: ${reason}`)
    }
  }
  if (taken.length > 0) throw new Failure(`${taken.join('; ')}; give another --client-port, or 0 for any`)
}

/** Ports on which nobody listens; all are taken at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(Array.from({ length: count }, () => listening(0)))
  const ports = listeners.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(listeners.map(closed))
  return ports
}

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, HOST, () => resolve(server))
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** The first server's configuration is written last: where it is, the others are complete. */
function writeEnsemble(folder: string, ports: readonly Ports[]): void {
  const lines = ports.map(({ client, peer, election }, index) => {
    return `server.${index + 1}=${HOST}:${peer}:${election};${HOST}:${client}`
  })
  try {
    for (let id = ports.length; id >= 1; id--) {
      const own = folderOf(folder, id)
      mkdirSync(own, { mode: 0o700 })
      writeFileSync(join(own, 'myid'), `${id}\n`)
      const head = [`tickTime=${TICK_TIME_MS}`, `initLimit=${INIT_LIMIT_TICKS}`, `syncLimit=${SYNC_LIMIT_TICKS}`]
      const text = [...head, `dataDir=${escapedValue(own)}`, '4lw.commands.whitelist=*', ...lines].join('\n')
      writeFileSync(join(own, 'zoo.cfg'), `${text}\n`)
    }
  } catch (error) {
    throw new Failure(`cannot write the ensemble into ${folder}: ${reasonOf(error)}`)
  }
}

function folderOf(folder: string, id: number): string {
  return join(folder, `server-${id}`)
}

function serversIn(folder: string): DevelopmentServer[] {
  const first = configurationIn(folderOf(folder, 1))
  const ids = Object.keys(first.servers).map(Number)
  if (ids.length === 0) throw new Failure(`${folder}/server-1/zoo.cfg has no server.N lines of several servers`)
  return ids.sort((a, b) => a - b).map((id) => {
    const dataDir = folderOf(folder, id)
    const configuration = join(dataDir, 'zoo.cfg')
    const cfg = configurationIn(dataDir)
    if (cfg.dataDir !== dataDir) {
      const what = `dataDir is ${cfg.dataDir ?? 'missing'}, and must be ${dataDir}`
      throw new Failure(`${configuration}: ${what}: correct it if the directory was moved`)
    }
    const address = clientAddressOf(parseServerLine(cfg.servers[id], `server.${id}`))
    if (address === null) throw new Failure(`${configuration}: server.${id} has no client port: end it with ;port`)
    return { id, configuration, dataDir, address }
  })
}

function configurationIn(folder: string): ZooCfg {
  const file = join(folder, 'zoo.cfg')
  try {
    return readZooCfg(readFileSync(file, 'utf8'), file)
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure(`cannot read the configuration ${file}: ${reasonOf(error)}`)
  }
}
