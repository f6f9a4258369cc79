/**
 * The shell at a terminal: a line editor with history and completion, between whose lines events appear.
 *
 * Keys      Tab completes; Ctrl-C ends the command that runs, or drops the line; Ctrl-D on an empty line quits.
 * Events    are written above the line that is being typed, which is then drawn again as it was.
 * Secrets   a password is typed into the same editor, which draws nothing meanwhile and forgets the line.
 */
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Interface } from 'node:readline'
import { constants } from 'node:os'
import { Writable } from 'node:stream'
import { ExitStatus, Failure } from './exit-status.ts'
import { isKept } from './history-file.ts'
import type { HistoryFile } from './history-file.ts'
import { complete } from './shell/completion.ts'
import type { Shell } from './shell/shell.ts'
import { jsonLine } from './output.ts'
import { visibleLine } from './visible.ts'

/** The streams of an interactive shell. */
export interface Terminal {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  /** Makes text fit to be seen. */
  readonly shown: (text: string) => string
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
  { input, output, shown }: Terminal,
  file: HistoryFile,
  json: boolean,
): Promise<void> {
  const screen = new Screen(output)
  const editor = createInterface({
    input,
    output: screen,
    terminal: true,
    history: [...file.lines].reverse(),
    historySize: HISTORY_MAX,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, completion: [string[], string]) => void) => {
      if (screen.isMuted) done(null, [[], line])
      else void complete(line, shell.client).then(([candidates, typed]) => done(null, [candidates, typed]))
    },
  })
  const session = new Session(shell, editor, screen)
  let kept = [...file.lines].reverse()
  editor.on('history', (lines) => {
    // A line that is removed here can be recalled by no key.
    if (!screen.isMuted) kept = lines.filter(isKept)
    lines.splice(0, Infinity, ...kept)
  })
  shell.events.print = (result) => {
    session.announce(shown(json ? jsonLine(result.json) : result.text))
  }
  shell.ask = (question) => session.ask(shown(question))
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

/** A terminal as the editor sees it, which can be kept from drawing. */
class Screen extends Writable {
  readonly terminal: NodeJS.WriteStream
  isMuted = false

  constructor(terminal: NodeJS.WriteStream) {
    super({
      decodeStrings: false,
      write: (text: string, _encoding, done) => {
        if (!this.isMuted) terminal.write(text)
        done()
      },
    })
    this.terminal = terminal
    terminal.on('resize', () => this.emit('resize'))
  }

  get columns(): number {
    return this.terminal.columns
  }

  get rows(): number {
    return this.terminal.rows
  }
}

/** A question that waits for its answer. */
interface Question {
  readonly answer: (line: string) => void
  readonly give: (why: Failure) => void
}

class Session {
  readonly #shell: Shell
  readonly #editor: Interface
  readonly #screen: Screen
  readonly #output: NodeJS.WriteStream
  #question: Question | null = null
  /** The command that runs; null while a line is being typed. */
  #running: AbortController | null = null
  #isClosed = false

  constructor(shell: Shell, editor: Interface, screen: Screen) {
    this.#shell = shell
    this.#editor = editor
    this.#screen = screen
    this.#output = screen.terminal
  }

  /** Asks for what is not to be seen; only while a command runs. */
  async ask(question: string): Promise<string> {
    this.#output.write(question)
    this.#screen.isMuted = true
    // Input typed ahead is no part of the answer.
    this.#eraseLine()
    try {
      return await new Promise<string>((answer, give) => {
        this.#question = { answer, give }
        if (this.#isClosed) give(new Failure('no password was given'))
      })
    } finally {
      this.#question = null
      this.#screen.isMuted = false
      this.#output.write('\n')
    }
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
      if (this.#question !== null) {
        this.#question.answer(line)
        return
      }
      last = last.then(() => this.#runLine(line, remember))
    })
    await ended
    this.#isClosed = true
    this.#question?.give(new Failure('no password was given'))
    // Ctrl-D leaves the cursor after the prompt.
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
    if (this.#question !== null) {
      this.#eraseLine()
      this.#question.give(new Failure('interrupted', ExitStatus.signal + constants.signals.SIGINT))
      return
    }
    if (this.#running !== null) {
      this.#running.abort()
      return
    }
    this.#output.write('^C\n')
    this.#eraseLine()
    this.#drawPrompt(false)
  }

  #eraseLine(): void {
    this.#editor.write(null, { ctrl: true, name: 'e' })
    this.#editor.write(null, { ctrl: true, name: 'u' })
  }

  #drawPrompt(keepsCursor: boolean): void {
    this.#editor.setPrompt(`[quorate: ${visibleLine(this.#shell.place)} ${this.#shell.history.length}] `)
    this.#editor.prompt(keepsCursor)
  }
}
