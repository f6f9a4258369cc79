/** Shells for tests: against one server in this process, over TCP, with their output in strings. */
import { embedded } from '../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../src/backends/embedded/index.ts'
import { Shell } from '../../src/cli/shell/shell.ts'
import { wordsOf } from '../../src/cli/words.ts'

/** The exit status and the output of a line. */
export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** A shell and what it has written. */
export class TestShell {
  readonly shell: Shell
  #out = ''
  #err = ''

  constructor(url: string, options: { readonly json?: boolean; readonly isInteractive?: boolean } = {}) {
    this.shell = new Shell({
      url,
      login: null,
      json: options.json ?? false,
      isInteractive: options.isInteractive ?? true,
      sessionTimeoutMs: 10_000,
      connectTimeoutMs: 10_000,
      output: {
        out: (text) => (this.#out += text),
        err: (text) => (this.#err += text),
      },
    })
  }

  /** Runs a line, and gives what was written since the last one. */
  async run(line: string): Promise<Ran> {
    const status = await this.shell.runLine(line)
    const ran = { status, out: this.#out, err: this.#err }
    this.#out = ''
    this.#err = ''
    return ran
  }

  /** Runs a line that must work, and gives what it printed. */
  async ok(line: string): Promise<string> {
    const { status, out, err } = await this.run(line)
    if (status !== 0) throw new Error(`${line}: status ${status}: ${err}`)
    return out + err
  }

  /** Runs a line and reads the JSON that it printed on one line. */
  async json(line: string): Promise<unknown> {
    return JSON.parse(await this.ok(`${wordsOf(line)[0] ?? ''} --json ${line.slice(line.indexOf(' ') + 1)}`)) as unknown
  }

  /** Waits until something is written that nobody has asked for; two syncs have shown that events are slower. */
  async written(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#out)) await new Promise((resolve) => setTimeout(resolve, 5))
    const out = this.#out
    this.#out = ''
    return out
  }
}

/** A server and its shells; close it when all is done. */
export class ShellRig {
  readonly ensemble: Ensemble = embedded({ servers: 1, clientPorts: [0] })
  readonly #shells: TestShell[] = []

  /** Starts the server. */
  async start(): Promise<void> {
    await this.ensemble.start()
  }

  /** Where it serves. */
  get address(): string {
    return `127.0.0.1:${this.ensemble.clientPorts[0] ?? 0}`
  }

  /** A connected shell. */
  async shell(options: { readonly json?: boolean; readonly chroot?: string } = {}): Promise<TestShell> {
    const shell = new TestShell(`zookeeper://${this.address}${options.chroot ?? ''}`, options)
    this.#shells.push(shell)
    await shell.shell.connect()
    return shell
  }

  /** Ends the shells, then the server. */
  async close(): Promise<void> {
    for (const { shell } of this.#shells) await shell.close()
    await this.ensemble.close()
  }
}
