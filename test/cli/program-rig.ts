/** The compiled program as people and scripts start it, with a server that it serves itself. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildPackageInto, scratchFolder } from '../support/compiled.ts'

/** Longest time to compile the program and to start a server on a busy machine, in milliseconds. */
export const START_MS_MAX = 180_000

/** The exit status and the output of a command. */
export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** A run of the program. */
export class Program {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  out = ''
  err = ''

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, ...env } })
    this.child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()))
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', resolve)
    })
  }

  type(text: string): void {
    this.child.stdin?.write(text)
  }

  /** Waits until it has printed something; on standard output, after the first `from` characters. */
  async printed(pattern: RegExp, from = 0): Promise<void> {
    let isOver = false
    void this.ended.then(() => (isOver = true))
    while (!pattern.test(this.out.slice(from) + this.err)) {
      if (isOver) throw new Error(`it ended without ${String(pattern)}:\n${this.out}\n${this.err}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** A folder with the program in it, a server, and what runs against that. */
export class ProgramRig {
  readonly folder = scratchFolder()
  readonly main = join(this.folder, 'dist/cli/main.js')
  readonly #running = new Set<Program>()
  #server: Program | null = null
  #address = ''

  /** Builds the package, and starts the server. */
  async start(): Promise<void> {
    buildPackageInto(join(this.folder, 'dist'))
    copyFileSync('package.json', join(this.folder, 'package.json'))
    chmodSync(this.main, 0o755)
    this.#server = await this.serve()
    this.#running.delete(this.#server)
    this.#address = addressOf(this.#server)
  }

  /** Where the server serves. */
  get address(): string {
    return this.#address
  }

  get server(): Program {
    if (this.#server === null) throw new Error('not started')
    return this.#server
  }

  /** Another server. */
  async serve(): Promise<Program> {
    const server = this.quorate({}, 'server', '--client-port', '0')
    await server.printed(/serves clients on .*\n/)
    return server
  }

  /** Starts the program; what is left of it after a test is killed. */
  quorate(env: NodeJS.ProcessEnv, ...args: string[]): Program {
    return this.take(new Program(process.execPath, [this.main, ...args], { XDG_STATE_HOME: this.folder, ...env }))
  }

  /** Sees to the end of a program. */
  take(program: Program): Program {
    this.#running.add(program)
    return program
  }

  /** Runs one command against the server to its end. */
  run(...args: string[]): Promise<Ended> {
    return this.runWith({}, '--connect', this.address, ...args)
  }

  /** Runs the program to its end. */
  async runWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
    const program = this.quorate(env, ...args)
    program.child.stdin?.end()
    const status = await program.ended
    return { status, out: program.out, err: program.err }
  }

  /** The program in a pseudo terminal of its own. */
  terminal(env: NodeJS.ProcessEnv, ...args: string[]): Program {
    const command = [process.execPath, this.main, ...args].map((word) => `'${word}'`).join(' ')
    const all = { XDG_STATE_HOME: this.folder, TERM: 'xterm', COLUMNS: '80', LINES: '24', ...env }
    return this.take(new Program('script', ['-qefc', command, '/dev/null'], all))
  }

  /** Kills what a test has left. */
  async clear(): Promise<void> {
    for (const program of this.#running) program.child.kill('SIGKILL')
    await Promise.all([...this.#running].map(({ ended }) => ended))
    this.#running.clear()
  }

  /** Ends the server, and gives its status. */
  async close(): Promise<number | null> {
    this.server.child.kill('SIGTERM')
    const status = await this.server.ended
    rmSync(this.folder, { recursive: true })
    return status
  }
}

/** The lines of a server's log, without their times. */
export function messagesOf(server: Program): string[] {
  return server.err.trimEnd().split('\n').map((line) => line.replace(/^\d{4}-\S+Z /, ''))
}

/** Where a server says that it serves. */
export function addressOf(server: Program): string {
  return /serves on (\S+)/.exec(server.out)?.[1] ?? ''
}
