/** What is compared: Quorate in a process of its own, and Apache ZooKeeper with its data on a memory file system. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startProcess } from '../test/engines/process.ts'
import { startZooKeeper } from '../test/engines/zookeeper.ts'

/** ZooKeeper's own default (zkEnv.sh). */
const HEAP_MB = 1_000
/** Sessions may last 20 ticks. */
const TICK_MS = 3_000
const MEMORY_FOLDER = '/dev/shm'
const SERVER_SCRIPT = fileURLToPath(new URL('./wire-server.js', import.meta.url))
const POLL_MS = 2

/** Servers that run. */
export interface RunningEngine {
  readonly name: string
  /** Where clients connect: to the leader. */
  readonly port: number
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** Starts Quorate. */
export async function startQuorate(servers: 1 | 3): Promise<RunningEngine> {
  const child = startProcess(process.execPath, [SERVER_SCRIPT, String(servers)])
  while (!child.output().includes('\n')) {
    const later = new Promise<'later'>((resolve) => setTimeout(resolve, POLL_MS, 'later'))
    if ((await Promise.race([child.ended, later])) !== 'later') throw new Error(`the server ended: ${child.output()}`)
  }
  const { ports, leader } = JSON.parse(child.output()) as { ports: number[]; leader: number }
  return { name: 'quorate', port: ports[leader - 1] ?? 0, pids: [child.pid], stop: () => child.kill() }
}

/** Starts ZooKeeper. */
export async function startReference(servers: 1 | 3): Promise<RunningEngine> {
  const folder = existsSync(MEMORY_FOLDER) ? { folder: MEMORY_FOLDER } : {}
  const zooKeeper = await startZooKeeper({ servers, tickMs: TICK_MS, heapMb: HEAP_MB, ...folder })
  const { port } = await zooKeeper.leader()
  const pids = zooKeeper.servers.flatMap((server) => server.process?.pid ?? [])
  return { name: 'zookeeper', port, pids, stop: () => zooKeeper.stop() }
}

/** Resident memory of some processes, in megabytes. */
export function residentMb(pids: readonly number[]): number {
  const kb = pids.map((pid) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
  return kb.reduce((sum, its) => sum + its, 0) / 1024
}
