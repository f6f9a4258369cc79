/** The compared engines: Quorate in a process of its own, and Apache ZooKeeper with data on a memory file system. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startProcess } from '../test/engines/process.ts'
import { startZooKeeper } from '../test/engines/zookeeper.ts'
import type { ZooKeeperOptions } from '../test/engines/zookeeper.ts'

/** ZooKeeper's own default (zkEnv.sh). */
const HEAP_MB = 1_000
/** Sessions may last 20 ticks. */
const TICK_MS = 3_000
const MEMORY_FOLDER = '/dev/shm'
const SERVER_SCRIPT = fileURLToPath(new URL('./wire-server.js', import.meta.url))
const POLL_MS = 2
/** Linux's USER_HZ is 100 on every machine of today. */
const PROCESSOR_TICK_US = 10_000

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

/** Starts ZooKeeper with what serves it best here: the serial collector, and no wait for the disk. */
export function startReference(servers: 1 | 3): Promise<RunningEngine> {
  return startJvm('zookeeper', servers, { heapMb: HEAP_MB })
}

/** Starts ZooKeeper as Debian's package does: heap and collector are the JVM's own choice, and each write is synced. */
export function startPackaged(servers: 1 | 3): Promise<RunningEngine> {
  return startJvm('packaged', servers, { jvmDefaults: true, properties: { 'zookeeper.forceSync': 'yes' } })
}

async function startJvm(name: string, servers: 1 | 3, options: ZooKeeperOptions): Promise<RunningEngine> {
  const folder = existsSync(MEMORY_FOLDER) ? { folder: MEMORY_FOLDER } : {}
  const zooKeeper = await startZooKeeper({ servers, tickMs: TICK_MS, ...folder, ...options })
  const { port } = await zooKeeper.leader()
  const pids = zooKeeper.servers.flatMap((server) => server.process?.pid ?? [])
  return { name, port, pids, stop: () => zooKeeper.stop() }
}

/** Which part of a process's memory: all that is resident, or what is not a file that others may share. */
export type MemoryPart = 'VmRSS' | 'RssAnon'

/** Memory of some processes, in megabytes. */
export function memoryMb(pids: readonly number[], part: MemoryPart): number {
  return sumOf(pids, (pid) => {
    const line = new RegExp(`^${part}:\\s+(\\d+) kB$`, 'm')
    return Number(line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  })
}

/** Processor time that some processes have used, in microseconds; in steps of 10,000, as the kernel tells it. */
export function processorUs(pids: readonly number[]): number {
  return sumOf(pids, (pid) => {
    // Behind the name, which may hold anything: the 12th and 13th field are the ticks in user and in system mode.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * PROCESSOR_TICK_US
  })
}

function sumOf(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((sum, pid) => sum + of(pid), 0)
}
