/**
 * Three servers as processes, with their data on disk. Each reaches the others through relays of its own, so that the
 * way between any two of them can be made as bad as wanted, also in one direction.
 *
 * Ends       a server ends with this process, whatever becomes of it: `quorate server --end-with-input`.
 * Output     of each server goes to `server-N.log` in the folder, over all of its starts.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Relay } from './relay.ts'
import type { Way } from './relay.ts'

const IDS = [1, 2, 3] as const
/** The program of the servers, which is compiled with this. */
export const PROGRAM = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
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
  readonly #folder: string
  readonly #program: string
  readonly #relays: ReadonlyMap<string, readonly Relay[]>
  readonly #logs = new Map<number, WriteStream>()
  readonly #processes = new Map<number, ChildProcess>()

  private constructor(
    folder: string,
    program: string,
    ports: readonly ServerPorts[],
    relays: ReadonlyMap<string, readonly Relay[]>,
  ) {
    this.#folder = folder
    this.#program = program
    this.#relays = relays
    this.addresses = ports.map(({ client }) => `127.0.0.1:${client}`)
    for (const id of IDS) this.#logs.set(id, createWriteStream(join(folder, `server-${id}.log`)))
  }

  /**
   * Makes the relays and the configurations in an empty folder; no server is started.
   *
   * @param program - of the servers
   */
  static async make(folder: string, program: string): Promise<RelayedEnsemble> {
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
      relays.set(`${from}-${to}`, await Promise.all([
        Relay.start(peer, target.peer),
        Relay.start(election, target.election),
      ]))
    }
    for (const id of IDS) {
      const lines = ports.map(({ client, peer, election }, index) => {
        const [toPeer = peer, toElection = election] = ways.get(`${id}-${index + 1}`) ?? []
        return `server.${index + 1}=127.0.0.1:${toPeer}:${toElection};127.0.0.1:${client}`
      })
      const dataDir = join(folder, `data-${id}`)
      mkdirSync(dataDir, { recursive: true })
      writeFileSync(join(dataDir, 'myid'), `${id}\n`)
      const text = [...SETTINGS, `dataDir=${dataDir}`, ...lines].join('\n')
      writeFileSync(join(folder, `zoo-${id}.cfg`), `${text}\n`)
    }
    return new RelayedEnsemble(folder, program, ports, relays)
  }

  /** Starts a server. */
  start(id: number): void {
    const args = [this.#program, 'server', join(this.#folder, `zoo-${id}.cfg`), '--end-with-input']
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => undefined)
    const log = this.#logs.get(id)
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => log?.write(chunk))
    this.#processes.set(id, child)
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
    if (code !== 0) throw new Error(`server ${id} ended with ${signal ?? `status ${code}`} on SIGTERM`)
  }

  /** Has a server stand still until `thaw`. */
  freeze(id: number): void {
    this.#process(id).kill('SIGSTOP')
  }

  /** Has it go on. */
  thaw(id: number): void {
    this.#process(id).kill('SIGCONT')
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

  /** Kills all servers and ends the relays. */
  async close(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((id) => this.kill(id)))
    await Promise.all([...this.#relays.values()].flat().map((relay) => relay.close()))
    for (const log of this.#logs.values()) log.end()
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
