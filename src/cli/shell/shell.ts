/**
 * The shell: runs commands one after the other against one connection, and prints what they and its watches say.
 *
 * Use       `await shell.connect()`, then `await shell.run(['ls', '/'])`, which gives an exit status and never rejects.
 * Events    of watches and of the session are printed when they come, by `events`; an interactive line editor replaces
 *           its `print` by one that keeps the line that is being typed.
 * Commands  get what they work with (`CommandContext`), and never the shell.
 */
import type { Client, ClientState } from '../../core/client.ts'
import { engineOf } from '../connect-url.ts'
import { withLogin } from '../credentials.ts'
import type { Ask } from '../credentials.ts'
import type { Login } from '../login.ts'
import { ExitStatus, Failure, STATUSES } from '../exit-status.ts'
import type { Statuses } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { Output, Result } from '../output.ts'
import { shownUrl } from '../secrets.ts'
import { wordsOf } from '../words.ts'
import type { Command, CommandContext, Destination, Given, ShellControl } from './command.ts'
import { readCommand, statusesOf } from './commands.ts'
import { ShellConnection } from './connection.ts'
import { describeError } from './error-text.ts'
import { EventPrinter } from './event-printer.ts'
import { LineHistory } from './line-history.ts'
import { WatchList } from './watch-list.ts'

/** Options of a shell. */
export interface ShellOptions {
  /** Where to write. */
  readonly output: Output
  /** Where to connect to. */
  readonly url: string
  /** Who connects there; null if the URL says it, or nobody has to. */
  readonly login: Login | null
  /** Whether every result is a JSON value on a line. */
  readonly json: boolean
  /** The session time-out to ask for, in milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long to try to connect, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Whether lines are typed: then watches outlive a command, and no command takes the terminal. */
  readonly isInteractive: boolean
}

/** A shell, connected or not. */
export class Shell implements ShellControl {
  /** The watches that have not fired. */
  readonly watches = new WatchList()
  /** Prints what comes while nobody has asked. */
  readonly events: EventPrinter
  /** The lines that were run. */
  readonly history = new LineHistory()
  readonly #options: ShellOptions
  #url: string
  #login: Login | null
  #connection: ShellConnection | null = null
  #isOver = false
  /** Asks at the terminal for what is not to be seen; null without a terminal. */
  ask: Ask | null = null

  /**
   * Makes a shell that is not connected.
   *
   * @param options - all needed
   */
  constructor(options: ShellOptions) {
    this.#options = options
    this.#url = options.url
    this.#login = options.login
    this.events = new EventPrinter((result) => {
      this.#print(result, options.json)
    })
  }

  /** `host:port(CONNECTED)`, for a prompt. */
  get place(): string {
    const label = this.#connection?.label ?? shownUrl(this.#url)
    return `${label}(${this.#status()})`
  }

  /** Whether `quit` was typed. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The client, if one is connected. */
  get client(): Client | null {
    return this.#connection?.client ?? null
  }

  /**
   * Connects, after ending what there was.
   *
   * @param to - where, and who; to the last place again if absent
   * @param signal - ends the attempt
   */
  async connect(
    to: Destination = { url: this.#url, login: this.#login },
    signal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const { url, login } = to
    const engine = await engineOf(withLogin(url, login), login)
    await this.close()
    this.#url = url
    this.#login = login
    const { sessionTimeoutMs, connectTimeoutMs } = this.#options
    this.#connection = await ShellConnection.open(engine, {
      sessionTimeoutMs,
      connectTimeoutMs,
      login,
      signal,
      onState: (state) => {
        this.#onState(state)
      },
      onError: (error) => {
        this.events.print({ text: `${describeError(error).message}\n`, json: { error: describeError(error) } })
      },
    })
  }

  /** Ends the connection, if there is one. */
  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    this.watches.clear()
    await connection?.close()
  }

  /**
   * Runs a line, and remembers it for `history` and `redo`.
   *
   * @returns the exit status
   */
  async runLine(line: string, signal?: AbortSignal): Promise<number> {
    let words: string[]
    try {
      words = wordsOf(line)
    } catch (error) {
      return this.#fail(error, this.#options.json)
    }
    if (words.length === 0) return ExitStatus.ok
    this.history.add(line)
    return this.run(words, signal)
  }

  /**
   * Runs a command.
   *
   * @param words - its name and its arguments
   * @param signal - ends what takes long
   * @returns the exit status
   */
  async run(words: readonly string[], signal: AbortSignal = new AbortController().signal): Promise<number> {
    const { json, rest } = takeJson(words)
    const isJson = json || this.#options.json
    try {
      const { command, given } = readCommand(rest)
      await this.#execute(command, given, isJson, signal)
      return ExitStatus.ok
    } catch (error) {
      return this.#fail(error, isJson, statusesOf(rest))
    }
  }

  /** Has the shell end after the present command. */
  quit(): void {
    this.#isOver = true
  }

  async #execute(command: Command, given: Given, json: boolean, signal: AbortSignal): Promise<void> {
    const context: CommandContext = {
      json,
      signal,
      client: () => this.#needConnection().client,
      zookeeper: () => this.#needConnection().zookeeper(command.name),
      print: (result) => {
        this.#print(result, json)
      },
      note: (text) => {
        this.#options.output.err(text)
      },
      watches: this.watches,
      events: this.events,
      history: this.history,
      control: this,
      ask: this.ask,
      isInteractive: this.#options.isInteractive,
    }
    await command.run(context, given)
  }

  #needConnection(): ShellConnection {
    if (this.#connection !== null) return this.#connection
    throw new Failure('not connected: use connect [host:port | URL]')
  }

  #print({ text, json }: Result, isJson: boolean): void {
    this.#options.output.out(isJson ? jsonLine(json) : text)
  }

  #fail(error: unknown, isJson: boolean, statuses: Statuses = STATUSES): number {
    const { status, ...described } = describeError(error, statuses)
    if (described.message === '') return status
    this.#options.output.err(isJson ? jsonLine({ error: described }) : `${described.message}\n`)
    return status
  }

  #onState(state: ClientState): void {
    if (state.status === 'expired') this.watches.expire()
    // One command tells of its own troubles.
    if (this.#options.isInteractive) this.events.tellState(state)
  }

  #status(): string {
    const status = this.#connection?.client.state.status
    if (status === undefined || status === 'closed') return 'CLOSED'
    return status === 'connected' ? 'CONNECTED' : 'CONNECTING'
  }
}

/** `--json` may stand anywhere before `--`. */
function takeJson(words: readonly string[]): { readonly json: boolean; readonly rest: readonly string[] } {
  const end = words.indexOf('--')
  const before = end === -1 ? words : words.slice(0, end)
  const rest = before.filter((word) => word !== '--json')
  return { json: rest.length < before.length, rest: end === -1 ? rest : [...rest, ...words.slice(end)] }
}
