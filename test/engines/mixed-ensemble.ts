/**
 * An ensemble of three in which some servers are Apache ZooKeeper's and the others are ours, each a process of its own.
 *
 * Use       const mixed = await mixedEnsemble(compiled, { ours: [1] })   // 2 and 3 are ZooKeeper's
 *           await mixed.start(2, 3); await mixed.start(1)
 *           await mixed.stop()
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'
import type { CompiledPackage } from './quorate-server.ts'
import { askPort, zooKeeperMember } from './zookeeper.ts'
import type { ZooKeeperOptions, ZooKeeperServer } from './zookeeper.ts'

const IDS = [1, 2, 3]
const TICK_MS = 200
const LIMITS = { initLimit: 30, syncLimit: 10 }
const SESSION_TIMEOUT_MS_MAX = 60_000
const WAIT_MS_MAX = 60_000
const POLL_MS = 50

/** How an ensemble is mixed. */
export interface MixedOptions {
  /** The servers that are ours. */
  readonly ours: readonly number[]
  /** More of every configuration. */
  readonly config?: Readonly<Record<string, string | number>>
  /** How the servers of ZooKeeper are run. */
  readonly reference?: Pick<ZooKeeperOptions, 'properties' | 'heapMb' | 'jvmDefaults'>
  /** Where its folder is made; that of the package by default. */
  readonly folder?: string
  /** The program of our servers; that of the package by default. */
  readonly program?: string
}

/** One server of either kind. */
interface Member {
  readonly port: number
  readonly dataDir: string
  readonly process: EngineProcess | null
  /** Starts it, and does not wait. */
  launch(): void
  kill(): Promise<void>
}

/** An ensemble under test. */
export class MixedEnsemble {
  readonly ids: readonly number[] = IDS
  readonly #program: string
  readonly #places: ReadonlyMap<number, Place>
  readonly #voters: readonly string[]
  readonly #members = new Map<number, Member>()
  readonly #folder: string
  readonly #options: Pick<Layout, 'config' | 'reference'>

  constructor(compiled: Pick<CompiledPackage, 'path'>, ports: readonly number[], options: MixedOptions) {
    const { ours, config = {}, reference = {}, folder = compiled.path } = options
    this.#program = options.program ?? join(compiled.path, 'dist/cli/main.js')
    this.#options = { config: { ...LIMITS, ...config }, reference }
    this.#folder = join(folder, `mixed-${ports[0]}`)
    this.#voters = IDS.map((id) => {
      const [peer, election] = ports.slice(3 * id - 3)
      return `server.${id}=127.0.0.1:${peer}:${election}`
    })
    this.#places = new Map(IDS.map((id) => {
      return [id, { id, port: ports[3 * id - 1] ?? 0, folder: join(this.#folder, `${id}`) }]
    }))
    for (const id of IDS) this.become(id, ours.includes(id) ? 'ours' : 'theirs')
  }

  /** Lets a server that is down be the other kind, on the data that it has. */
  become(id: number, kind: 'ours' | 'theirs'): void {
    const place = this.#places.get(id)
    if (place === undefined) throw new Error(`no server ${id}`)
    const layout = { ...place, ...this.#options, voters: this.#voters }
    this.#members.set(id, kind === 'ours' ? new OurMember(this.#program, layout) : new TheirMember(layout))
  }

  /** `127.0.0.1:port` of a server, for clients. */
  address(id: number): string {
    return `127.0.0.1:${this.#member(id).port}`
  }

  /** The directory of a server's data. */
  dataDir(id: number): string {
    return this.#member(id).dataDir
  }

  /** Removes everything that a server has stored, which is down. */
  wipe(id: number): void {
    for (const name of readdirSync(this.dataDir(id))) {
      if (name !== 'myid') rmSync(join(this.dataDir(id), name), { recursive: true })
    }
  }

  /** The answer of a server to a four-letter word. */
  ask(id: number, word: string): Promise<string> {
    return askPort(this.#member(id).port, word)
  }

  /** The process of a server that is up. */
  process(id: number): EngineProcess {
    const { process } = this.#member(id)
    if (process === null) throw new Error(`server ${id} is down`)
    return process
  }

  /** Starts servers and waits until each of them serves. */
  async start(...ids: readonly number[]): Promise<void> {
    for (const id of ids) this.#member(id).launch()
    await Promise.all(ids.map((id) => this.untilServing(id)))
  }

  /** Waits until a server serves. */
  async untilServing(id: number): Promise<void> {
    await untilReady(this.process(id), async () => (await this.role(id)) !== null)
  }

  /** `kill -9`, and waits for the end. */
  async kill(id: number): Promise<void> {
    await this.#member(id).kill()
  }

  /** Ends a server as an operator does, with SIGTERM, and waits for the end. */
  async end(id: number): Promise<void> {
    const process = this.process(id)
    process.signal('SIGTERM')
    await process.ended
    await this.kill(id)
  }

  /** The role that a server reports: `leader`, `follower`; null if it does not serve. */
  async role(id: number): Promise<string | null> {
    const answer = await askPort(this.#member(id).port, 'srvr').catch(() => '')
    return /^Mode: (\w+)$/m.exec(answer)?.[1] ?? null
  }

  /** The id of the server that leads; waits until there is one. */
  async leader(): Promise<number> {
    const deadlineMs = performance.now() + WAIT_MS_MAX
    for (;;) {
      for (const id of IDS) {
        if (this.#member(id).process !== null && (await this.role(id)) === 'leader') return id
      }
      if (performance.now() > deadlineMs) throw new Error(`no leader within ${WAIT_MS_MAX} ms`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** Kills all of them, and removes their data. */
  async stop(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.kill()))
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #member(id: number): Member {
    const member = this.#members.get(id)
    if (member === undefined) throw new Error(`no server ${id}`)
    return member
  }
}

interface Place {
  readonly id: number
  readonly port: number
  readonly folder: string
}

interface Layout extends Place {
  readonly config: Readonly<Record<string, string | number>>
  readonly reference: NonNullable<MixedOptions['reference']>
  readonly voters: readonly string[]
}

class TheirMember implements Member {
  readonly #server: ZooKeeperServer

  constructor({ id, port, folder, config, reference, voters }: Layout) {
    this.#server = zooKeeperMember({ id, port }, folder, { tickMs: TICK_MS, config, ...reference }, voters)
  }

  get port(): number {
    return this.#server.port
  }

  get dataDir(): string {
    return this.#server.dataDir
  }

  get process(): EngineProcess | null {
    return this.#server.process
  }

  launch(): void {
    this.#server.launch()
  }

  kill(): Promise<void> {
    return this.#server.kill()
  }
}

class OurMember implements Member {
  readonly port: number
  readonly dataDir: string
  readonly #args: readonly string[]
  #process: EngineProcess | null = null

  constructor(program: string, { id, port, folder, config, voters }: Layout) {
    this.port = port
    this.dataDir = join(folder, 'data')
    mkdirSync(this.dataDir, { recursive: true })
    writeFileSync(join(this.dataDir, 'myid'), `${id}\n`)
    const settings = {
      tickTime: TICK_MS,
      ...config,
      dataDir: this.dataDir,
      clientPort: port,
      clientPortAddress: '127.0.0.1',
      maxClientCnxns: 0,
      maxSessionTimeout: SESSION_TIMEOUT_MS_MAX,
      extendedTypesEnabled: true,
      '4lw.commands.whitelist': '*',
    }
    const file = join(folder, 'zoo.cfg')
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
    writeFileSync(file, [...lines, ...voters, ''].join('\n'))
    this.#args = [program, 'server', file]
  }

  get process(): EngineProcess | null {
    return this.#process
  }

  launch(): void {
    this.#process = startProcess(globalThis.process.execPath, this.#args)
  }

  async kill(): Promise<void> {
    const process = this.#process
    this.#process = null
    await process?.kill()
  }
}

/** Lays out an ensemble, none of whose servers is started. */
export async function mixedEnsemble(
  compiled: Pick<CompiledPackage, 'path'>,
  options: MixedOptions,
): Promise<MixedEnsemble> {
  return new MixedEnsemble(compiled, await freePorts(3 * IDS.length), options)
}
