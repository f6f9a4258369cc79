/**
 * One server of an ensemble for development: a process that runs `quorate server`.
 *
 * Signals   it is in a process group of its own, so that Ctrl-C at the terminal reaches the command and not the
 *           servers, which the command then ends in order.
 * Orphans   it ends with its standard input, so also when the command is killed.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { deferred } from '../core/async.ts'
import type { Deferred } from '../core/async.ts'
import type { DevelopmentServer } from './ensemble-directory.ts'

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url))
/** A server that was asked to end and has not after this long is killed; above its drainMs. */
const END_MS_MAX = 10_000

/** The time and the level of a line of its log. */
const HEAD = /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:error|warn |info |debug) /

/** Lines of its end that repeat what the command says. */
const OF_THE_END = /^(?:stops: |has ended$)/

/** Lines of its start that repeat what its own line says. */
const OF_THE_START = new RegExp([
  '^has read its data: ',
  '^looks for a leader: ',
  '^server \\d+ \\(.*\\) is elected in round',
  '^has the leader\'s history',
  '^serves, ',
  '^serves clients on ',
  '^server \\d+ waits for the others',
].join('|'))

/** A server that was started. */
export class EnsembleProcess {
  readonly server: DevelopmentServer
  readonly pid: number | undefined
  /** Resolves when it serves; rejects with the reason if it ends before. */
  readonly serving: Promise<void>
  /** Resolves when it has ended, with how it did, such as `status 1` or `SIGKILL`. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #serving: Deferred<void> = deferred()
  readonly #tell: (line: string) => void
  #held: string[] = []
  #lastLine = ''
  #isHolding = true

  /**
   * Starts it.
   *
   * @param tell - gets the lines that it writes to standard error; those of a start are held until `tellAll`
   */
  constructor(server: DevelopmentServer, tell: (line: string) => void) {
    this.server = server
    this.#tell = tell
    this.serving = this.#serving.promise
    this.serving.catch(() => undefined)
    const args = [MAIN, 'server', server.configuration, '--end-with-input']
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    this.pid = this.#child.pid
    const { stdin, stdout, stderr } = this.#child
    stdin?.on('error', () => undefined)
    stdout?.once('data', () => this.#serving.resolve())
    let rest = ''
    stderr?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line.replace(HEAD, ''))
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message))
      this.#child.once('close', (code, signal) => resolve(signal ?? `status ${code}`))
    })
    void this.ended.then((how) => this.#serving.reject(new Error(this.#lastLine || `it ended with ${how}`)))
  }

  /** Tells from now on every line; of those held, all if `isAll`, or those that are not of a start that went well. */
  tellAll(isAll: boolean): void {
    this.#isHolding = false
    for (const line of this.#held.splice(0)) {
      if (isAll || !OF_THE_START.test(line)) this.#tell(line)
    }
  }

  /** Ends it. Resolves when it has ended. */
  async end(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_MS_MAX)
    await this.ended
    clearTimeout(timer)
  }

  #take(line: string): void {
    if (OF_THE_END.test(line)) return
    this.#lastLine = line
    if (this.#isHolding) this.#held.push(line)
    else this.#tell(line)
  }
}
