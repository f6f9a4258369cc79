/**
 * The shell at a terminal: a line editor with history and completion, between whose lines events appear.
 *
 * Keys      Tab completes; Ctrl-C ends the command that runs, or drops the line; Ctrl-D on an empty line quits.
 * Events    are written above the line that is being typed, which is then drawn again as it was.
 */
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Interface } from 'node:readline'
import type { HistoryFile } from './history-file.ts'
import { complete } from './shell/completion.ts'
import type { Shell } from './shell/shell.ts'
import { jsonLine } from './output.ts'

/** What an interactive shell works with. */
export interface Terminal {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
}

/** How many lines the up arrow goes back. */
const HISTORY_MAX = 1_000

/**
 * Reads and runs lines until the end.
 *
 * @param shell - connected or not
 * @param json - whether events are JSON too
 */
export async function runInteractive(
  shell: Shell,
  { input, output }: Terminal,
  file: HistoryFile,
  json: boolean,
): Promise<void> {
  const editor = createInterface({
    input,
    output,
    terminal: true,
    history: [...file.lines].reverse(),
    historySize: HISTORY_MAX,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, completion: [string[], string]) => void) => {
      void complete(line, shell.client).then(([candidates, typed]) => done(null, [candidates, typed]))
    },
  })
  const session = new Session(shell, editor, output)
  shell.announce = (result) => {
    session.announce(json ? jsonLine(result.json) : result.text)
  }
  await session.run((line) => file.add(line))
}

/** Reads lines that were not typed, and runs them all. */
export async function runScript(shell: Shell, input: NodeJS.ReadableStream): Promise<number> {
  let status = 0
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    status = (await shell.runLine(line)) || status
    if (shell.isOver) break
  }
  return status
}

class Session {
  readonly #shell: Shell
  readonly #editor: Interface
  readonly #output: NodeJS.WriteStream
  /** The command that runs; null while a line is being typed. */
  #running: AbortController | null = null
  #isClosed = false

  constructor(shell: Shell, editor: Interface, output: NodeJS.WriteStream) {
    this.#shell = shell
    this.#editor = editor
    this.#output = output
  }

  /** Writes something without harm to the line that is being typed. */
  announce(text: string): void {
    if (this.#running !== null || this.#isClosed) {
      this.#output.write(text)
      return
    }
    // The line may be longer than the screen is wide: go to where it begins.
    moveCursor(this.#output, 0, -this.#editor.getCursorPos().rows)
    cursorTo(this.#output, 0)
    clearScreenDown(this.#output)
    this.#output.write(text)
    // The editor goes up by the rows that it has drawn last before it draws again; here there are none above.
    Object.assign(this.#editor, { prevRows: 0 })
    this.#drawPrompt(true)
  }

  async run(remember: (line: string) => void): Promise<void> {
    this.#editor.on('SIGINT', () => {
      this.#interrupt()
    })
    const ended = new Promise<void>((resolve) => this.#editor.once('close', resolve))
    this.#drawPrompt(false)
    // Lines that come while a command runs wait for it: pasted ones, say.
    let last = Promise.resolve()
    this.#editor.on('line', (line) => {
      last = last.then(() => this.#runLine(line, remember))
    })
    await ended
    this.#isClosed = true
    // Ctrl-D leaves the cursor behind the prompt.
    if (!this.#shell.isOver) this.#output.write('\n')
    this.#running?.abort()
    await last
  }

  async #runLine(line: string, remember: (line: string) => void): Promise<void> {
    if (this.#shell.isOver) return
    const running = new AbortController()
    this.#running = running
    remember(line)
    await this.#shell.runLine(line, running.signal)
    this.#running = null
    if (this.#shell.isOver) this.#editor.close()
    else if (!this.#isClosed) this.#drawPrompt(false)
  }

  #interrupt(): void {
    if (this.#running !== null) {
      this.#running.abort()
      return
    }
    this.#output.write('^C\n')
    this.#editor.write(null, { ctrl: true, name: 'e' })
    this.#editor.write(null, { ctrl: true, name: 'u' })
    this.#drawPrompt(false)
  }

  #drawPrompt(keepsCursor: boolean): void {
    this.#editor.setPrompt(`[quorate: ${this.#shell.place} ${this.#shell.lines.length}] `)
    this.#editor.prompt(keepsCursor)
  }
}
