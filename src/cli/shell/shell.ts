/**
 * The shell: runs commands one after the other against one connection, and prints what they and its watches say.
 *
 * Use       `await shell.connect()`, then `await shell.run(['ls', '/'])`, which gives an exit status and never rejects.
 * Events    of watches and of the session are printed when they come, by `announce`, which an interactive line editor
 *           replaces by one that keeps the line that is being typed.
 */
import type { WatchEvent, Watcher } from '../../core/backend.ts'
import type { Client, ClientState, ReadOptions } from '../../core/client.ts'
import { engineOf } from '../connect-url.ts'
import { withLogin } from '../credentials.ts'
import type { Ask, Login } from '../credentials.ts'
import { ExitStatus, Failure, STATUSES } from '../exit-status.ts'
import type { Statuses } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { Output, Result } from '../output.ts'
import { shownLine, shownUrl } from '../secrets.ts'
import { wordsOf } from '../words.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { readCommand, statusesOf } from './commands.ts'
import { ShellConnection } from './connection.ts'
import { describeError } from './error-text.ts'
import { eventName, eventText } from './node-text.ts'
import { WatchList } from './watch-list.ts'
import type { Watch } from './watch-list.ts'

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

/** How many lines `history` shows. */
const HISTORY_SHOWN = 11

/** See the head of this file. */
export class Shell {
  /** Whether lines are typed. */
  readonly isInteractive: boolean
  /** The watches that have not fired. */
  readonly watches = new WatchList()
  /** Lines that were run, by their number. */
  readonly lines: string[] = []
  readonly #options: ShellOptions
  #url: string
  #login: Login | null
  #connection: ShellConnection | null = null
  /** Whether events of watches are printed. */
  printsWatches = true
  /** Whether `quit` was typed. */
  isOver = false
  /** Asks at the terminal for what is not to be seen; null without a terminal. */
  ask: Ask | null = null
  /** Prints what comes while nobody has asked: text, and its JSON. */
  announce: (result: Result) => void

  /**
   * Makes a shell that is not connected.
   *
   * @param options - all needed
   */
  constructor(options: ShellOptions) {
    this.#options = options
    this.#url = options.url
    this.#login = options.login
    this.isInteractive = options.isInteractive
    this.announce = (result) => {
      this.#print(result, options.json)
    }
  }

  /** `host:port(CONNECTED)`, for a prompt. */
  get place(): string {
    const label = this.#connection?.label ?? shownUrl(this.#url)
    return `${label}(${this.#status()})`
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
    to: { readonly url: string; readonly login: Login | null } = { url: this.#url, login: this.#login },
    signal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const { url, login } = to
    const engine = await engineOf(withLogin(url, login))
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
        this.announce({ text: `${describeError(error).message}\n`, json: { error: describeError(error) } })
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
    this.lines.push(line)
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

  /** The last lines, each with its number; without what may be a secret. */
  history(): readonly { readonly number: number; readonly line: string }[] {
    const first = Math.max(0, this.lines.length - HISTORY_SHOWN)
    return this.lines.slice(first).map((line, index) => ({ number: first + index, line: shownLine(line) }))
  }

  /**
   * Reads with a watch whose event is printed, or without.
   *
   * @param kind - what the read's watch looks at
   * @param read - gets the watch, if there is to be one
   */
  async watching<T>(
    isWatching: boolean,
    kind: 'children' | 'data',
    path: string,
    read: (options: ReadOptions) => Promise<T>,
  ): Promise<T> {
    if (!isWatching) return read({})
    const { client } = this.#needConnection()
    const watch: Watcher = (event) => {
      this.watches.remove(entry)
      if (!this.watches.hasLasting(event)) this.tell(event)
    }
    const entry: Watch = { kind, path, stop: () => client.unwatch(path, watch) }
    this.watches.add(entry)
    try {
      return await read({ watch })
    } catch (error) {
      this.watches.remove(entry)
      throw error
    }
  }

  /** Prints an event, if events are printed. */
  readonly tell = ({ type, path }: WatchEvent): void => {
    this.#announceEvent(eventName(type), 'SyncConnected', path)
  }

  /** Tells that a watch is gone, as zkCli does. */
  tellRemoved(type: string, path: string): void {
    this.#announceEvent(type, 'SyncConnected', path)
  }

  async #execute(command: Command, given: Given, json: boolean, signal: AbortSignal): Promise<void> {
    const context: CommandContext = {
      shell: this,
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

  #onState({ status }: ClientState): void {
    if (status === 'expired') this.watches.expire()
    // One command tells of its own troubles.
    if (!this.isInteractive) return
    if (status === 'connected') this.#announceEvent('None', 'SyncConnected', null)
    else if (status === 'suspended') this.#announceEvent('None', 'Disconnected', null)
    else if (status === 'expired') this.#announceEvent('None', 'Expired', null)
  }

  #announceEvent(type: string, state: string, path: string | null): void {
    if (!this.printsWatches) return
    this.announce({ text: eventText(type, state, path), json: { event: { type, state, path } } })
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
