/** The cost of many sessions: their memory, and the time until one change has been told to all of them. */
import { OpCode } from '../src/backends/wire/codes.ts'
import { spread } from './measure.ts'
import type { Effort } from './measure.ts'
import type { Measured } from './named.ts'
import { WireClient } from './wire-client.ts'
import { memoryMb } from './wire-engines.ts'
import type { MemoryPart, RunningEngine } from './wire-engines.ts'
import { BENCH_PATH } from './wire-load.ts'

/** Sessions that are opened at once. */
const OPENING_MAX = 100
const DATA = new Uint8Array(100).fill(7)

/** Measures the time from a write until each of many watching sessions has its event. */
export async function measureFanOut(effort: Effort, { port }: RunningEngine, watchers: number): Promise<Measured> {
  const clients = await openSessions(port, watchers)
  const [writer] = clients
  const rounds: number[] = []
  for (let i = 0; i < effort.events; i++) {
    await Promise.all(clients.map((client) => client.ask(OpCode.getData, { path: BENCH_PATH, watch: true })))
    const told = clients.map((client) => new Promise<void>((resolve) => (client.onEvent = resolve)))
    const beforeMs = performance.now()
    await Promise.all([writer?.ask(OpCode.setData, { path: BENCH_PATH, data: DATA, version: -1 }), ...told])
    rounds.push(performance.now() - beforeMs)
  }
  await Promise.all(clients.map((client) => client.close()))
  return { unit: 'ms', ...spread(rounds) }
}

/** Opens sessions; the returned function drops their connections. */
export async function holdSessions({ port }: RunningEngine, count: number): Promise<() => void> {
  const clients = await openSessions(port, count)
  return () => {
    for (const client of clients) client.drop()
  }
}

/** The memory of an engine's processes. */
export function measureMemory({ pids }: RunningEngine, part: MemoryPart): Measured {
  return { unit: 'MB', value: memoryMb(pids, part) }
}

async function openSessions(port: number, count: number): Promise<WireClient[]> {
  const clients: WireClient[] = []
  while (clients.length < count) {
    const opening = Array.from({ length: Math.min(OPENING_MAX, count - clients.length) }, () => WireClient.open(port))
    clients.push(...(await Promise.all(opening)))
  }
  return clients
}
