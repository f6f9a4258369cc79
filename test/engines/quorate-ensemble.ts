/**
 * Three servers as processes of their own, each with a configuration and a data directory, joined over TCP.
 *
 * Use       const ensemble = await startQuorateEnsemble(compiled)   // connect to zookeeper(ensemble.addresses)
 *           ensemble.server(2).process.signal('SIGKILL')
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'
import type { CompiledPackage } from './quorate-server.ts'

const TICK_TIME_MS = 200
const IDS = [1, 2, 3]

/** An ensemble under test. */
export class QuorateEnsemble {
  /** Where clients connect, as `host:port,host:port,host:port`. */
  readonly addresses: string
  readonly ids: readonly number[] = IDS
  readonly #compiled: CompiledPackage
  readonly #folder: string
  readonly #processes = new Map<number, EngineProcess>()

  /** @param ports - three for each server: peers, election, clients */
  constructor(compiled: CompiledPackage, ports: readonly number[], tickTimeMs: number) {
    this.#compiled = compiled
    this.#folder = join(compiled.path, `ensemble-${ports[0]}`)
    const clients = IDS.map((id) => ports[3 * id - 1] ?? 0)
    this.addresses = clients.map((port) => `127.0.0.1:${port}`).join(',')
    const lines = IDS.map((id) => {
      const [peer, election, client] = ports.slice(3 * id - 3)
      return `server.${id}=127.0.0.1:${peer}:${election};${client}`
    })
    for (const id of IDS) {
      mkdirSync(this.dataDir(id), { recursive: true })
      writeFileSync(join(this.dataDir(id), 'myid'), `${id}\n`)
      const limits = [`tickTime=${tickTimeMs}`, 'initLimit=10', 'syncLimit=5', `dataDir=${this.dataDir(id)}`]
      const more = ['4lw.commands.whitelist=*', 'maxClientCnxns=0', 'minSessionTimeout=400', 'maxSessionTimeout=60000']
      writeFileSync(join(this.#folder, `zoo-${id}.cfg`), `${[...limits, ...more, ...lines].join('\n')}\n`)
    }
  }

  /** The directory of a server's data. */
  dataDir(id: number): string {
    return join(this.#folder, `data-${id}`)
  }

  /** The process of a server that was started. */
  process(id: number): EngineProcess {
    const process = this.#processes.get(id)
    if (process === undefined) throw new Error(`server ${id} was never started`)
    return process
  }

  /** Starts some servers; {@link QuorateEnsemble.untilServing} waits for them. */
  start(ids: readonly number[] = IDS): void {
    const program = join(this.#compiled.path, 'dist/cli/main.js')
    for (const id of ids) {
      const file = join(this.#folder, `zoo-${id}.cfg`)
      this.#processes.set(id, startProcess(globalThis.process.execPath, [program, 'server', file]))
    }
  }

  /** Waits until some servers serve. */
  async untilServing(ids: readonly number[] = IDS): Promise<void> {
    await Promise.all(ids.map((id) => {
      const process = this.process(id)
      return untilReady(process, () => Promise.resolve(process.output().includes('serves on')))
    }))
  }

  /** The server that said last that it leads. */
  get leader(): number {
    const epochs = IDS.map((id) => {
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

/** Starts three servers; resolves when all of them serve. */
export async function startQuorateEnsemble(
  compiled: CompiledPackage,
  tickTimeMs: number = TICK_TIME_MS,
): Promise<QuorateEnsemble> {
  const ensemble = new QuorateEnsemble(compiled, await freePorts(9), tickTimeMs)
  ensemble.start()
  await ensemble.untilServing()
  return ensemble
}
