/**
 * Servers as processes of their own, each with a configuration and a data directory: three that are joined over TCP, or
 * one alone.
 *
 * Use       const ensemble = await startQuorateEnsemble(compiled)   // connect to zookeeper(ensemble.addresses)
 *           ensemble.process(2).signal('SIGKILL')
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'
import type { CompiledPackage } from './quorate-server.ts'

const TICK_TIME_MS = 200
const PORTS_EACH = 3

interface Settings {
  /** The folder of all data directories; one beside the package by default. */
  readonly disk?: string
  /** In milliseconds; 200 by default. */
  readonly tickTimeMs?: number
  /** More lines of every configuration. */
  readonly config?: readonly string[]
  /** How many of the servers make the ensemble at first; each of the others names those and itself. All by default. */
  readonly first?: number
}

/** An ensemble under test. */
export class QuorateEnsemble {
  /** Where clients connect, as `host:port,host:port,host:port`. */
  readonly addresses: string
  readonly ids: readonly number[]
  /** The line of a server in a configuration, with its role if that is given. */
  readonly line: (id: number, role?: 'participant' | 'observer') => string
  readonly #compiled: CompiledPackage
  readonly #folder: string
  readonly #disk: string
  readonly #processes = new Map<number, EngineProcess>()
  readonly #lines: (id: number) => readonly string[]

  /** @param ports - three for each server: peers, election, clients */
  constructor(compiled: CompiledPackage, ports: readonly number[], settings: Settings = {}) {
    const { disk, tickTimeMs = TICK_TIME_MS, config = [], first = ports.length / PORTS_EACH } = settings
    this.#compiled = compiled
    this.#folder = join(compiled.path, `ensemble-${ports[0]}`)
    this.#disk = disk ?? this.#folder
    mkdirSync(this.#folder, { recursive: true })
    this.ids = Array.from({ length: ports.length / PORTS_EACH }, (_, index) => index + 1)
    const clients = this.ids.map((id) => ports[PORTS_EACH * id - 1] ?? 0)
    this.addresses = clients.map((port) => `127.0.0.1:${port}`).join(',')
    const isAlone = this.ids.length === 1
    this.line = (id, role) => {
      const [peer, election, client] = ports.slice(PORTS_EACH * (id - 1))
      return `server.${id}=127.0.0.1:${peer}:${election}${role === undefined ? '' : `:${role}`};${client}`
    }
    const lines = (own: number): string[] => {
      if (isAlone) return [`clientPort=${clients[0]}`]
      return this.ids.filter((id) => id <= first || id === own).map((id) => this.line(id))
    }
    const limits = [`tickTime=${tickTimeMs}`, 'initLimit=10', 'syncLimit=5', 'clientPortAddress=127.0.0.1']
    const more = ['4lw.commands.whitelist=*', 'maxClientCnxns=0', 'minSessionTimeout=400', 'maxSessionTimeout=60000']
    this.#lines = (id) => [...limits, `dataDir=${this.dataDir(id)}`, ...more, ...lines(id)]
    for (const id of this.ids) {
      mkdirSync(this.dataDir(id), { recursive: true })
      writeFileSync(join(this.dataDir(id), 'myid'), `${id}\n`)
      this.configure(id, config)
    }
  }

  /** Writes the configuration of a server, with more lines than each has. */
  configure(id: number, config: readonly string[]): void {
    writeFileSync(this.configuration(id), `${[...this.#lines(id), ...config].join('\n')}\n`)
  }

  /** The path of a server's configuration. */
  configuration(id: number): string {
    return join(this.#folder, `zoo-${id}.cfg`)
  }

  /** Where clients reach one server. */
  address(id: number): string {
    return this.addresses.split(',')[id - 1] ?? ''
  }

  /** The directory of a server's data. */
  dataDir(id: number): string {
    return join(this.#disk, `data-${id}`)
  }

  /** The process of a server that was started. */
  process(id: number): EngineProcess {
    const process = this.#processes.get(id)
    if (process === undefined) throw new Error(`server ${id} was never started`)
    return process
  }

  /** Starts some servers; {@link QuorateEnsemble.untilServing} waits for them. */
  start(ids: readonly number[] = this.ids): void {
    const program = join(this.#compiled.path, 'dist/cli/main.js')
    for (const id of ids) {
      const args = [program, 'server', this.configuration(id)]
      this.#processes.set(id, startProcess(globalThis.process.execPath, args))
    }
  }

  /** Waits until some servers serve. */
  async untilServing(ids: readonly number[] = this.ids): Promise<void> {
    try {
      await Promise.all(ids.map((id) => {
        const process = this.process(id)
        return untilReady(process, () => Promise.resolve(process.output().includes('serves on')))
      }))
    } catch (cause) {
      const outputs = this.ids.map((id) => `server ${id}: ${this.#processes.get(id)?.output()}`)
      throw new Error(outputs.join('\n'), { cause })
    }
  }

  /** The server that said last that it leads. */
  get leader(): number {
    const epochs = this.ids.map((id) => {
      const found = [...(this.#processes.get(id)?.output() ?? '').matchAll(/serves, LEADING, epoch (\d+)/g)].at(-1)
      return { id, epoch: Number(found?.[1] ?? -1) }
    })
    return epochs.reduce((best, each) => (each.epoch > best.epoch ? each : best)).id
  }

  /** Kills all of them, and removes their data. */
  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.kill()))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Starts servers, three by default; resolves when all of them serve. */
export async function startQuorateEnsemble(
  compiled: CompiledPackage,
  { servers = 3, ...settings }: Settings & { readonly servers?: 1 | 3 } = {},
): Promise<QuorateEnsemble> {
  const ensemble = new QuorateEnsemble(compiled, await freePorts(PORTS_EACH * servers), settings)
  ensemble.start()
  await ensemble.untilServing()
  return ensemble
}
