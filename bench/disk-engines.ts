/** The two that are compared on disk: a server of Quorate and one of Apache ZooKeeper, which sync each write. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, startProcess, untilReady } from '../test/engines/process.ts'
import type { EngineProcess } from '../test/engines/process.ts'
import { zooKeeperMember } from '../test/engines/zookeeper.ts'
import type { ZooKeeperServer } from '../test/engines/zookeeper.ts'
import type { RunningEngine } from './wire-engines.ts'

/** ZooKeeper's own default (zkEnv.sh). */
const HEAP_MB = 1_000
const TICK_MS = 3_000
const BLOCK_BYTES = 512

/** A server that is started again and again on one directory. */
export interface DiskEngine {
  readonly name: string
  /**
   * Starts it on its data; resolves when it serves. `stop` kills it.
   *
   * @param snapCount - transactions after which a snapshot is due; null for the server's own default
   */
  start(snapCount: number | null): Promise<RunningEngine>
  /** Bytes that its files take on the disk. */
  bytes(): number
  /** Removes its data. */
  remove(): void
}

/**
 * Makes a server of Quorate.
 *
 * @param program - the compiled program
 */
export async function quorateOnDisk(program: string): Promise<DiskEngine> {
  const name = 'quorate'
  const { folder, dataDir, port, rest } = await placeOf(name)
  return {
    ...{ name, ...rest },
    start: async (snapCount) => {
      const settings = { tickTime: TICK_MS, dataDir, clientPort: port, clientPortAddress: '127.0.0.1' }
      const lines = Object.entries({ ...settings, ...limitOf(snapCount) }).map(([key, value]) => `${key}=${value}\n`)
      const file = join(folder, 'zoo.cfg')
      writeFileSync(file, lines.join(''))
      const process = startProcess(globalThis.process.execPath, [program, 'server', file])
      await untilReady(process, () => Promise.resolve(process.output().includes('serves on')))
      return running(name, port, process)
    },
  }
}

/** Makes a server of ZooKeeper, with the collector that serves it best on two cores. */
export async function zooKeeperOnDisk(): Promise<DiskEngine> {
  const name = 'zookeeper'
  const { folder, port, rest } = await placeOf(name)
  const properties = { 'zookeeper.forceSync': 'yes' }
  return {
    ...{ name, ...rest },
    start: async (snapCount) => {
      const options = { tickMs: TICK_MS, heapMb: HEAP_MB, properties, config: limitOf(snapCount) }
      const server: ZooKeeperServer = zooKeeperMember({ id: 1, port }, folder, options, [])
      await server.start()
      return running(name, port, server.process as EngineProcess)
    },
  }
}

function limitOf(snapCount: number | null): Record<string, number> {
  return snapCount === null ? {} : { snapCount }
}

function running(name: string, port: number, process: EngineProcess): RunningEngine {
  return { name, port, pids: [process.pid], stop: () => process.kill() }
}

interface Place {
  readonly folder: string
  readonly dataDir: string
  readonly port: number
  readonly rest: Pick<DiskEngine, 'bytes' | 'remove'>
}

/** Both are in the system's folder for such things, and so on the same disk. */
async function placeOf(name: string): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), `quorate-bench-${name}-`))
  const dataDir = join(folder, 'data')
  mkdirSync(dataDir)
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  return { folder, dataDir, port: await freePort(), rest: { bytes: () => bytesOf(dataDir), remove } }
}

/** Counts allocated bytes: logs are prepared far beyond their end. */
function bytesOf(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.reduce((sum, name) => sum + lstatSync(join(folder, name)).blocks * BLOCK_BYTES, 0)
}
