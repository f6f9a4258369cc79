/**
 * Real engines for tests: processes on loopback, on ports of their own, in folders of their own, ended by their pid.
 *
 * Missing   an engine that is not installed makes its suites skip with the reason in their names; where
 *           QUORATE_REQUIRE_ENGINES is 1, as in CI, it makes them fail instead.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Longest time that an engine has to answer on its port, in milliseconds: a JVM on a busy machine takes its time. */
const START_MS_MAX = 60_000
const POLL_MS = 20
/** How much of what it says is kept for the message of a failure. */
const OUTPUT_CHARS_MAX = 20_000

/** Ports for engines begin here; those that Linux hands out by itself begin at 32,768, elsewhere higher. */
const FIRST_PORT = 12_000
const LANES = 4
const LANE_PORTS = 5_000

/** The next port of this worker's own, counted on and on from anywhere: what ran before may have left connections. */
let nextInLane = randomInt(LANE_PORTS)

/** A process under test. */
export interface EngineProcess {
  readonly pid: number
  /** The last of what it has written, for messages. */
  output(): string
  /** Sends a signal to it: SIGSTOP freezes it, SIGCONT thaws it, SIGKILL is a crash. */
  signal(signal: NodeJS.Signals): void
  /** Resolves with its exit status once it has ended; null if a signal ended it. */
  readonly ended: Promise<number | null>
  /** Kills it and waits for its end. Idempotent. */
  kill(): Promise<void>
}

/**
 * A loopback port on which nobody listens: one below those that the system hands out by itself, of which each worker of
 * the test runner has its own. Nobody takes it meanwhile, nor while the engine on it is down.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < LANE_PORTS; tried++) {
    const port = FIRST_PORT + (lane() % LANES) * LANE_PORTS + (nextInLane++ % LANE_PORTS)
    if (await canListen(port)) return port
  }
  throw new Error(`no free port among ${LANE_PORTS}`)
}

/** So many loopback ports; see {@link freePort}. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

/** An empty folder; the returned function removes it. */
export function scratchFolder(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `quorate-${name}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Where a program is, or null if it is not installed. */
export function findProgram(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).concat('/usr/sbin', '/usr/local/sbin')
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}

/**
 * Why suites of an engine are skipped, or null if they run.
 *
 * @param isFound - whether it is installed
 * @throws Error if it is missing where QUORATE_REQUIRE_ENGINES says that it must not be
 */
export function reasonToSkip(engine: string, isFound: boolean): string | null {
  if (isFound) return null
  if (process.env['QUORATE_REQUIRE_ENGINES'] === '1') throw new Error(`${engine} is not installed`)
  return `${engine} is not installed`
}

/** Starts a process. */
export function startProcess(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): EngineProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-OUTPUT_CHARS_MAX)
    })
  }
  const ended = endOf(child)
  return {
    pid: child.pid ?? 0,
    output: () => text,
    signal: (signal) => void child.kill(signal),
    ended,
    kill: async () => {
      child.kill('SIGKILL')
      await ended.catch(() => null)
    },
  }
}

/**
 * Waits until a question about a process is answered.
 *
 * @param isReady - asks; it may reject while the answer is no
 * @throws Error with what the process has said, if it ends or the time is over before
 */
export async function untilReady(process: EngineProcess, isReady: () => Promise<boolean>): Promise<void> {
  let isOver = false
  void process.ended.then(() => (isOver = true), () => (isOver = true))
  const deadlineMs = performance.now() + START_MS_MAX
  while (!(await isReady().catch(() => false))) {
    if (isOver) throw new Error(`the process ended before it served: ${process.output()}`)
    if (performance.now() > deadlineMs) throw new Error(`no service within ${START_MS_MAX} ms: ${process.output()}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Whether somebody listens on a loopback port. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

/** Which worker of the test runner this is; without it, the last lane. */
function lane(): number {
  return Number(process.env['VITEST_POOL_ID'] ?? LANES - 1)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () => server.close(() => {
      resolve(true)
    }))
  })
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}
