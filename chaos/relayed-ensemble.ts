/**
 * Three servers as processes, with their data on disks. Each reaches the others through relays of its own, so that the
 * way between any two of them can be made as bad as wanted, also in one direction.
 *
 * Disks      are small file systems in memory, where those can be mounted, so that they can get full.
 * Clocks     of ours can be set (shifted-clock.ts).
 * Mixed      one of them may be of ZooKeeper; where it has a greater id than another one, its election messages may
 *            pass by the relays, since it calls back to where that one listens.
 * Ends       a server of ours ends with this process, whatever becomes of it: `quorate server --end-with-input`.
 * Output     of each server goes to `server-N.log` in the folder, over all of its starts.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { reasonToSkipSmallDisks, startSmallDisk } from '../test/engines/small-disk.ts'
import type { SmallDisk } from '../test/engines/small-disk.ts'
import { askPort, zooKeeperArguments } from '../test/engines/zookeeper.ts'
import { Relay } from './relay.ts'
import type { Way } from './relay.ts'

const IDS = [1, 2, 3] as const
/** The program of the servers, which is compiled with this. */
export const PROGRAM = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const CLOCK = new URL('shifted-clock.js', import.meta.url).href
/** Of each server's disk: far more than it needs. */
const DISK_BYTES = 0x2000_0000
const POLL_MS = 50
const START_MS_MAX = 60_000
const LISTEN_MS_MAX = 1_000
const SETTINGS = [
  'tickTime=200',
  'initLimit=10',
  'syncLimit=5',
  'minSessionTimeout=400',
  'maxSessionTimeout=60000',
  'maxClientCnxns=0',
  // Snapshots are due all the time, and servers that are behind need them.
  'snapCount=500',
  '4lw.commands.whitelist=*',
]

/** How an ensemble is made. */
export interface RelayedOptions {
  /** The program of our servers. */
  readonly program: string
  /** The server that becomes one of ZooKeeper; null if all stay ours. */
  readonly theirs: number | null
}

interface ServerPorts {
  readonly client: number
  readonly peer: number
  readonly election: number
}

/** The servers and what is between them. */
export class RelayedEnsemble {
  /** Where clients connect: `host:port,...`. */
  readonly addresses: readonly string[]
  readonly ids: readonly number[] = IDS
  /** Those of ours. */
  readonly ours: readonly number[]
  /** Why disks cannot get full; null if they can. */
  readonly whyNoDisks: string | null
  readonly #folder: string
  readonly #options: RelayedOptions
  readonly #disks: readonly SmallDisk[]
  readonly #relays: ReadonlyMap<string, readonly Relay[]>
  readonly #logs = new Map<number, WriteStream>()
  readonly #said = new Map<number, string>()
  #isMixed = false
  readonly #processes = new Map<number, ChildProcess>()

  private constructor(
    folder: string,
    options: RelayedOptions,
    ports: readonly ServerPorts[],
    relays: ReadonlyMap<string, readonly Relay[]>,
    disks: readonly SmallDisk[],
  ) {
    this.#folder = folder
    this.#options = options
    this.#relays = relays
    this.#disks = disks
    this.whyNoDisks = disks.length > 0 ? null : 'none can be mounted'
    this.ours = IDS.filter((id) => id !== options.theirs)
    this.addresses = ports.map(({ client }) => `127.0.0.1:${client}`)
    for (const id of IDS) this.#logs.set(id, createWriteStream(join(folder, `server-${id}.log`)))
  }

  /** Makes the disks, the relays, and the configurations in an empty folder; no server is started. */
  static async make(folder: string, options: RelayedOptions): Promise<RelayedEnsemble> {
    const pairs = IDS.flatMap((from) => IDS.filter((to) => to !== from).map((to) => [from, to] as const))
    const free = await freePorts(3 * IDS.length + 2 * pairs.length)
    const take = (): number => free.pop() ?? 0
    const ports = IDS.map(() => ({ client: take(), peer: take(), election: take() }))
    const relays = new Map<string, readonly Relay[]>()
    const ways = new Map<string, readonly number[]>()
    for (const [from, to] of pairs) {
      const target = ports[to - 1] ?? { peer: 0, election: 0 }
      const [peer, election] = [take(), take()]
      ways.set(`${from}-${to}`, [peer, election])
      // A server of ZooKeeper listens at its quorum port from when it knows that it leads, and not before.
      const waitMs = to === options.theirs ? LISTEN_MS_MAX : 0
      relays.set(`${from}-${to}`, await Promise.all([
        Relay.start(peer, target.peer, waitMs),
        Relay.start(election, target.election),
      ]))
    }
    const isSmall = reasonToSkipSmallDisks() === null
    const disks = isSmall ? await Promise.all(IDS.map(() => startSmallDisk(DISK_BYTES))) : []
    for (const id of IDS) {
      const lines = ports.map(({ client, peer, election }, index) => {
        const [toPeer = peer, toElection = election] = ways.get(`${id}-${index + 1}`) ?? []
        return `server.${index + 1}=127.0.0.1:${toPeer}:${toElection};127.0.0.1:${client}`
      })
      const dataDir = join(disks[id - 1]?.path ?? folder, `data-${id}`)
      mkdirSync(dataDir, { recursive: true })
      writeFileSync(join(dataDir, 'myid'), `${id}\n`)
      const text = [...SETTINGS, `dataDir=${dataDir}`, ...lines].join('\n')
      writeFileSync(join(folder, `zoo-${id}.cfg`), `${text}\n`)
      writeFileSync(join(folder, `clock-${id}`), '0')
    }
    return new RelayedEnsemble(folder, options, ports, relays, disks)
  }

  /** Starts a server. */
  start(id: number): void {
    const file = join(this.#folder, `zoo-${id}.cfg`)
    const { program } = this.#options
    const args = ['--import', CLOCK, program, 'server', file, '--end-with-input']
    const env = { ...process.env, QUORATE_CHAOS_CLOCK: join(this.#folder, `clock-${id}`) }
    const child = this.#isTheirs(id)
      ? spawn('java', zooKeeperArguments(file), { stdio: ['pipe', 'pipe', 'pipe'] })
      : spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    child.stdin.on('error', () => undefined)
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#logs.get(id)?.write(chunk)
        this.#said.set(id, `${this.#said.get(id) ?? ''}${chunk.toString()}`)
      })
    }
    this.#processes.set(id, child)
  }

  /** Starts the servers; resolves when all serve, one of them as a server of ZooKeeper if that is wanted. */
  async begin(): Promise<void> {
    for (const id of IDS) this.start(id)
    await this.#untilAllServe()
    const { theirs } = this.#options
    if (theirs === null) return
    // Three of ours begin: an empty one of ours would wait for others of ours.
    await this.terminate(theirs)
    this.#isMixed = true
    this.start(theirs)
    await this.#untilAllServe()
  }

  /** Kills a server, wherever it is in its work; resolves when it has ended. */
  async kill(id: number): Promise<void> {
    const child = this.#process(id)
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /**
   * Ends a server as an operator does; resolves when it has ended.
   *
   * @throws Error if it did not end in order
   */
  async terminate(id: number): Promise<void> {
    const child = this.#process(id)
    child.kill('SIGTERM')
    const [code, signal] = await once(child, 'exit') as [number | null, string | null]
    // A JVM has no other end.
    if (code === 0 || this.#isTheirs(id)) return
    throw new Error(`server ${id} ended with ${signal ?? `status ${code}`} on SIGTERM`)
  }

  /** Has a server stand still until `thaw`. */
  freeze(id: number): void {
    this.#process(id).kill('SIGSTOP')
  }

  /** Has it go on. */
  thaw(id: number): void {
    this.#process(id).kill('SIGCONT')
  }

  /** How often a server has said something, over all of its starts. */
  saidCount(id: number, what: RegExp): number {
    return [...(this.#said.get(id) ?? '').matchAll(new RegExp(what, 'g'))].length
  }

  /** Sets the wall clock of a server so far ahead of the machine's; below 0 it goes after that. */
  setClock(id: number, shiftMs: number): void {
    writeFileSync(join(this.#folder, `clock-${id}`), `${shiftMs}`)
    this.#process(id).kill('SIGUSR2')
  }

  /** The directory of a server's data. */
  dataDir(id: number): string {
    return join(this.#disks[id - 1]?.path ?? this.#folder, `data-${id}`)
  }

  /** The disk of a server. */
  disk(id: number): SmallDisk {
    const disk = this.#disks[id - 1]
    if (disk === undefined) throw new Error(`server ${id} has no disk that can get full`)
    return disk
  }

  /**
   * Waits until a server serves.
   *
   * @returns whether it does within this time
   */
  async untilServing(id: number, limitMs: number): Promise<boolean> {
    const port = Number(this.addresses[id - 1]?.split(':')[1])
    const deadlineMs = performance.now() + limitMs
    while (!/^Mode: (leader|follower)$/m.test(await askPort(port, 'srvr').catch(() => ''))) {
      if (performance.now() > deadlineMs) return false
      await delay(POLL_MS)
    }
    return true
  }

  /** Why a server is not running; null if it is. */
  endOf(id: number): string | null {
    const { exitCode, signalCode } = this.#process(id)
    return exitCode === null && signalCode === null ? null : (signalCode ?? `status ${exitCode}`)
  }

  /** Makes the way from one server to another so: connections that the first one opens. */
  way(from: number, to: number, way: Way): void {
    for (const relay of this.#relays.get(`${from}-${to}`) ?? []) relay.set(way)
  }

  /** Opens all ways. */
  heal(): void {
    for (const relays of this.#relays.values()) for (const relay of relays) relay.set({ is: 'open' })
  }

  /** Kills all servers, ends the relays, and keeps the data in the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((id) => this.kill(id)))
    for (const [index, disk] of this.#disks.entries()) {
      cpSync(this.dataDir(index + 1), join(this.#folder, `data-${index + 1}`), { recursive: true })
      await disk.stop()
    }
    await Promise.all([...this.#relays.values()].flat().map((relay) => relay.close()))
    for (const log of this.#logs.values()) log.end()
  }

  #isTheirs(id: number): boolean {
    return this.#isMixed && id === this.#options.theirs
  }

  async #untilAllServe(): Promise<void> {
    for (const id of IDS) {
      if (!(await this.untilServing(id, START_MS_MAX))) throw new Error(`server ${id} does not serve`)
    }
  }

  #process(id: number): ChildProcess {
    const child = this.#processes.get(id)
    if (child === undefined) throw new Error(`server ${id} was never started`)
    return child
  }
}

/** Ports on which nobody listens; all are taken at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(Array.from({ length: count }, async () => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return listener
  }))
  const ports = listeners.map((listener) => (listener.address() as AddressInfo).port)
  await Promise.all(listeners.map((listener) => once(listener.close(), 'close')))
  return ports
}
