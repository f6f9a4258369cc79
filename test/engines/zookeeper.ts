/**
 * Apache ZooKeeper for tests: Debian's 3.8.0, one server or an ensemble, on loopback ports and folders of its own.
 *
 * Use       const zooKeeper = await startZooKeeper({ servers: 3 })
 *           const leader = await zooKeeper.leader()
 *           await leader.kill(); await leader.start()
 *           await zooKeeper.stop()
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, freePorts, reasonToSkip, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'

const JARS = '/usr/share/java'
/** The jars that a server needs: the whole folder takes a JVM a second longer to look through. */
const SERVER_JARS = 'zookeeper zookeeper-jute slf4j-api slf4j-nop snappy-java metrics-core netty-all'.split(' ')
/** And what one with TLS needs besides. */
const NETTY_JARS = 'buffer codec common handler resolver transport'.split(' ').map((part) => `netty-${part}`)
const STANDALONE = 'org.apache.zookeeper.server.ZooKeeperServerMain'
const ENSEMBLE = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
const HEAP_MB = 128
const TICK_MS = 200
const SESSION_TIMEOUT_MS_MAX = 60_000
const WORD_MS_MAX = 5_000
const LEADER_MS_MAX = 60_000
const POLL_MS = 50

/** Options of {@link startZooKeeper}. */
export interface ZooKeeperOptions {
  /** How many servers: 1 stands alone, 3 make an ensemble. Default 1. */
  readonly servers?: 1 | 3
  /** Length of a tick in milliseconds; default 200. */
  readonly tickMs?: number
  /** More lines of zoo.cfg. */
  readonly config?: Readonly<Record<string, string | number>>
  /** More Java system properties, by their full names. */
  readonly properties?: Readonly<Record<string, string | number>>
  /** Where its data folders are made; the system's folder for such things by default. */
  readonly folder?: string
  /** Heap of each JVM in megabytes; default 128. */
  readonly heapMb?: number
  /** Whether heap and garbage collector are the JVM's own choice, as Debian's package starts it; default false. */
  readonly jvmDefaults?: boolean
}

/** One server, which may be up or not. */
export interface ZooKeeperServer {
  /** Its myid, from 1. */
  readonly id: number
  /** Its port for clients on 127.0.0.1. */
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly address: string
  /** Its data directory. */
  readonly dataDir: string
  /** Its process, while it is up. */
  readonly process: EngineProcess | null
  /** Starts it, with the data it had, and does not wait. */
  launch(): void
  /** Starts it, with the data it had; resolves when it answers on its port, which needs a quorum of an ensemble. */
  start(): Promise<void>
  /** `kill -9`, and waits for its end. */
  kill(): Promise<void>
  /** SIGSTOP: it keeps its connections and says nothing. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** Its answer to a four-letter word; rejects while it is down. */
  ask(word: string): Promise<string>
}

/** The servers that {@link startZooKeeper} has started. */
export interface ZooKeeper {
  /** All servers, by id. */
  readonly servers: readonly ZooKeeperServer[]
  /** `host:port,...` of all servers. */
  readonly connectString: string
  /** The server that leads (of one, that one); waits until there is one. */
  leader(): Promise<ZooKeeperServer>
  /** Ends all servers and removes their data. */
  stop(): Promise<void>
}

/** The jars with these names, as a class path; null if one is not installed. */
export function classPath(names: readonly string[]): string | null {
  const files = names.map((name) => join(JARS, `${name}.jar`))
  return files.every((file) => existsSync(file)) ? files.join(':') : null
}

/** Why suites on ZooKeeper are skipped, or null if they run. */
export function reasonToSkipZooKeeper(): string | null {
  return reasonToSkip('ZooKeeper', findProgram('java') !== null && classPath(SERVER_JARS) !== null)
}

/** Starts servers and waits until each of them serves. */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeper> {
  const count = options.servers ?? 1
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'quorate-zookeeper-'))
  const ports = await freePorts(3 * count)
  const members = Array.from({ length: count }, (_, index) => ports.slice(3 * index, 3 * index + 3))
  const voters = members.map(([, peer, election], index) => `server.${index + 1}=127.0.0.1:${peer}:${election}`)
  const servers = members.map(([port = 0], index) => {
    return new Server(index + 1, port, join(folder, `${index + 1}`), options, count === 1 ? [] : voters)
  })
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.kill()))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(servers.map((server) => server.start()))
  } catch (error) {
    await stop()
    throw error
  }
  const connectString = servers.map(({ address }) => address).join(',')
  return { servers, connectString, leader: () => leaderOf(servers), stop }
}

/**
 * A server of an ensemble that the caller puts together, not yet started.
 *
 * @param folder - gets its configuration and its data
 * @param voters - the lines `server.N=...` of the whole ensemble
 */
export function zooKeeperMember(
  { id, port }: Pick<ZooKeeperServer, 'id' | 'port'>,
  folder: string,
  options: ZooKeeperOptions,
  voters: readonly string[],
): ZooKeeperServer {
  return new Server(id, port, folder, options, voters)
}

/**
 * The arguments of `java` that run a server.
 *
 * @param file - its configuration
 */
export function zooKeeperArguments(file: string, options: ZooKeeperOptions = {}, program = ENSEMBLE): string[] {
  const properties = {
    'zookeeper.extendedTypesEnabled': 'true',
    'zookeeper.admin.enableServer': 'false',
    // A killed process loses nothing that it has written; only a lost machine would.
    'zookeeper.forceSync': 'no',
    ...options.properties,
  }
  const isTls = Object.keys(options.config ?? {}).some((key) => key.startsWith('ssl.'))
  return [
    ...(options.jvmDefaults === true ? [] : [`-Xmx${options.heapMb ?? HEAP_MB}m`, '-XX:+UseSerialGC']),
    ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
    '-cp',
    classPath(isTls ? [...SERVER_JARS, ...NETTY_JARS] : SERVER_JARS) ?? '',
    program,
    file,
  ]
}

class Server implements ZooKeeperServer {
  readonly id: number
  readonly port: number
  readonly dataDir: string
  readonly #args: readonly string[]
  #process: EngineProcess | null = null

  constructor(id: number, port: number, folder: string, options: ZooKeeperOptions, voters: readonly string[]) {
    this.id = id
    this.port = port
    this.dataDir = join(folder, 'data')
    mkdirSync(this.dataDir, { recursive: true })
    writeFileSync(join(this.dataDir, 'myid'), `${id}\n`)
    const file = join(folder, 'zoo.cfg')
    writeFileSync(file, configOf(this, options, voters))
    this.#args = zooKeeperArguments(file, options, voters.length === 0 ? STANDALONE : ENSEMBLE)
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get process(): EngineProcess | null {
    return this.#process
  }

  launch(): void {
    this.#process = startProcess('java', this.#args)
  }

  async start(): Promise<void> {
    this.launch()
    if (this.#process !== null) await untilReady(this.#process, async () => (await this.ask('srvr')).includes('Mode:'))
  }

  async kill(): Promise<void> {
    const process = this.#process
    this.#process = null
    await process?.kill()
  }

  freeze(): void {
    this.#process?.signal('SIGSTOP')
  }

  thaw(): void {
    this.#process?.signal('SIGCONT')
  }

  ask(word: string): Promise<string> {
    return askPort(this.port, word)
  }
}

/** The answer of the server on a port of 127.0.0.1 to a four-letter word. */
export function askPort(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    let answer = ''
    socket.setTimeout(WORD_MS_MAX, () => socket.destroy(new Error(`no answer to ${word} on port ${port}`)))
    socket.on('connect', () => void socket.write(word))
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(answer)
    })
  })
}

function configOf(server: ZooKeeperServer, options: ZooKeeperOptions, voters: readonly string[]): string {
  const settings = {
    tickTime: options.tickMs ?? TICK_MS,
    initLimit: 50,
    syncLimit: 10,
    dataDir: server.dataDir,
    clientPort: server.port,
    clientPortAddress: '127.0.0.1',
    maxClientCnxns: 0,
    // A JVM that is started again on a busy machine takes longer than 20 short ticks.
    maxSessionTimeout: SESSION_TIMEOUT_MS_MAX,
    '4lw.commands.whitelist': '*',
    'admin.enableServer': 'false',
    ...options.config,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return [...lines, ...voters, ''].join('\n')
}

async function leaderOf(servers: readonly ZooKeeperServer[]): Promise<ZooKeeperServer> {
  const deadlineMs = performance.now() + LEADER_MS_MAX
  for (;;) {
    for (const server of servers) {
      if (server.process === null) continue
      const answer = await server.ask('srvr').catch(() => '')
      if (/^Mode: (leader|standalone)$/m.test(answer)) return server
    }
    if (performance.now() > deadlineMs) throw new Error(`no leader within ${LEADER_MS_MAX} ms`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
