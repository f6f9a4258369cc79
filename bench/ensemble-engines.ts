/** Three servers of Quorate and three of Apache ZooKeeper, each a process of its own, on one disk and synced. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpCode } from '../src/backends/wire/codes.ts'
import { mixedEnsemble } from '../test/engines/mixed-ensemble.ts'
import type { MixedEnsemble } from '../test/engines/mixed-ensemble.ts'
import type { RunningEngine } from './wire-engines.ts'
import { WireClient } from './wire-client.ts'

/** ZooKeeper's own default (zkEnv.sh). */
const HEAP_MB = 1_000
const POLL_MS = 2
/** A server that has lost its leader closes its connections; one that says nothing is asked again after this. */
const ATTEMPT_MS_MAX = 5_000
const DATA = new Uint8Array(100).fill(3)

/** Three servers that can fail. */
export class EnsembleEngine {
  readonly name: string
  readonly #servers: MixedEnsemble
  readonly #folder: string

  private constructor(name: string, servers: MixedEnsemble, folder: string) {
    this.name = name
    this.#servers = servers
    this.#folder = folder
  }

  /**
   * Lays three servers out, which are not started.
   *
   * @param path - the folder of the package, with its compiled program
   */
  static async of(name: 'quorate' | 'zookeeper', path: string, tickTime: number): Promise<EnsembleEngine> {
    const folder = mkdtempSync(join(tmpdir(), `quorate-bench-${name}-`))
    const servers = await mixedEnsemble({ path }, {
      ours: name === 'quorate' ? [1, 2, 3] : [],
      config: { tickTime },
      // With the collector that serves it best on two cores, and a wait for the disk.
      reference: { heapMb: HEAP_MB, properties: { 'zookeeper.forceSync': 'yes' } },
      folder,
    })
    return new EnsembleEngine(name, servers, folder)
  }

  /** Starts all; resolves when all serve. */
  async start(): Promise<void> {
    await this.#servers.start(...this.#servers.ids)
  }

  /** The milliseconds from the start of the processes until a write is acknowledged; all of them serve then. */
  async startToWriteMs(): Promise<number> {
    const beforeMs = performance.now()
    const serving = this.start()
    await this.#nextWrite(this.#servers.ids)
    const tookMs = performance.now() - beforeMs
    await serving
    return tookMs
  }

  /** `kill -9` of all. */
  async killAll(): Promise<void> {
    await Promise.all(this.#servers.ids.map((id) => this.#servers.kill(id)))
  }

  /** The milliseconds from the end of the leader until another server has a write acknowledged; all serve then. */
  async failOverMs(end: 'kill' | 'freeze'): Promise<number> {
    const leader = await this.#servers.leader()
    const others = this.#servers.ids.filter((id) => id !== leader)
    const frozen = this.#servers.process(leader)
    const beforeMs = performance.now()
    if (end === 'kill') void this.#servers.kill(leader)
    else frozen.signal('SIGSTOP')
    await this.#nextWrite(others)
    const tookMs = performance.now() - beforeMs
    if (end === 'kill') {
      await frozen.ended
      await this.#servers.start(leader)
    } else {
      frozen.signal('SIGCONT')
      await this.#untilAllServe()
    }
    return tookMs
  }

  /** Its leader, for clients. */
  async atLeader(): Promise<RunningEngine> {
    const leader = await this.#servers.leader()
    const port = this.#port(leader)
    const pids = this.#servers.ids.map((id) => this.#servers.process(id).pid)
    return { name: this.name, port, pids, stop: () => this.#servers.kill(leader) }
  }

  /** Kills all, and removes their data. */
  async remove(): Promise<void> {
    await this.#servers.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** A frozen leader has to notice that it is none any more. */
  async #untilAllServe(): Promise<void> {
    for (;;) {
      const roles = await Promise.all(this.#servers.ids.map((id) => this.#servers.role(id)))
      if (roles.filter((role) => role === 'leader').length === 1 && roles.every((role) => role !== null)) return
      await later(POLL_MS)
    }
  }

  #port(id: number): number {
    return Number(this.#servers.address(id).split(':')[1])
  }

  /** Asks several servers at once, again and again, until one of them has a write acknowledged. */
  async #nextWrite(ids: readonly number[]): Promise<void> {
    let isDone = false
    await Promise.race(ids.map(async (id) => {
      while (!isDone) {
        if (await this.#tryWrite(this.#port(id))) isDone = true
        else await later(POLL_MS)
      }
    }))
  }

  async #tryWrite(port: number): Promise<boolean> {
    const client = await WireClient.open(port, ATTEMPT_MS_MAX).catch(() => null)
    if (client === null) return false
    const asked = client.ask(OpCode.setData, { path: '/', data: DATA, version: -1 }).then(() => true)
    const isWritten = await Promise.race([asked, client.closed.then(() => false)])
    client.drop()
    return isWritten
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
