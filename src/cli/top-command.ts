/**
 * `quorate top`: the ensemble, the busiest locks and who waits, live in the terminal; or once, for scripts.
 *
 * Screen    the terminal's other one, which leaves what was there as it was; q and Ctrl-C end it.
 * Pipes     without a terminal each picture follows the last one, after an empty line.
 */
import { delay } from '../core/async.ts'
import { validatePath } from '../core/path.ts'
import { Chronicle } from '../dashboard/servers/chronicle.ts'
import { takeOptions } from './command-options.ts'
import { ExitStatus, UsageError } from './exit-status.ts'
import { jsonLine } from './output.ts'
import type { Output } from './output.ts'
import { CONNECTION_HELP, CONNECTION_OPTIONS, engineAt, openSession, placeOf } from './program-connection.ts'
import type { Place } from './program-connection.ts'
import { picturesLines, takePicture } from './top-frame.ts'
import type { TopPicture, TopSource } from './top-frame.ts'

const SECONDS = 2
const SECONDS_MAX = 3_600
const MS_PER_SECOND = 1_000
const ROWS = 24
const COLUMNS = 80
const LOCK_ROOTS = ['/locks']

const USAGE = `usage: quorate top [--connect URL] [options]
The ensemble, the locks with the longest queues and who holds them, live. q or Ctrl-C ends it.
options:
${CONNECTION_HELP}
  --locks PATH,PATH...     below which nodes locks are (default: ${LOCK_ROOTS.join(',')})
  --every SECONDS          how often (default: ${SECONDS})
  --once                   one picture
  --json                   a line of JSON for each picture
  --help
exit status: 0 if the last picture is of servers that serve, 1 if not, 2 not understood`

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  locks: { type: 'string' },
  every: { type: 'string' },
  once: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Where pictures go, and where keys come from. */
export interface TopTerminal {
  readonly output: Output
  readonly screen: NodeJS.WriteStream
  readonly keys: NodeJS.ReadStream
}

interface TopArguments extends Place {
  readonly lockRoots: readonly string[]
  readonly pauseMs: number
  readonly isOnce: boolean
  readonly json: boolean
}

/**
 * Shows it until a signal or a key ends it.
 *
 * @param args - after `top`
 * @param env - of the process
 * @param stop - aborted by a signal
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure if there is no session
 */
export async function runTop(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  terminal: TopTerminal,
  stop: AbortSignal,
): Promise<number> {
  const { output, screen } = terminal
  const given = readArguments(args)
  if (given === null) {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const connection = await openSession(await engineAt(given, env), () => undefined, stop)
  try {
    const source = { ...connection, lockRoots: given.lockRoots }
    const isLive = screen.isTTY && !given.json && !given.isOnce
    return isLive ? await showLive(source, given, terminal, stop) : await print(source, given, output, stop)
  } finally {
    await connection.close()
  }
}

async function print(
  source: TopSource,
  { pauseMs, isOnce, json }: TopArguments,
  output: Output,
  stop: AbortSignal,
): Promise<number> {
  const chronicle = new Chronicle()
  for (let round = 0; ; round += 1) {
    const picture = await takePicture(source, chronicle, stop)
    const status = statusOf(picture)
    if (stop.aborted) return status
    const text = `${round === 0 ? '' : '\n'}${picturesLines(picture).join('\n')}\n`
    output.out(json ? jsonLine(picture) : text)
    if (isOnce) return status
    await delay(pauseMs, stop).catch(() => undefined)
    if (stop.aborted) return status
  }
}

async function showLive(
  source: TopSource,
  { pauseMs }: TopArguments,
  { screen, keys }: TopTerminal,
  stop: AbortSignal,
): Promise<number> {
  const chronicle = new Chronicle()
  const view = new TopScreen(screen, keys)
  const end = AbortSignal.any([stop, view.ended])
  let status: number = ExitStatus.failure
  try {
    while (!end.aborted) {
      const picture = await takePicture(source, chronicle, end)
      if (end.aborted) break
      status = statusOf(picture)
      view.draw(picturesLines(picture))
      await delay(pauseMs, end).catch(() => undefined)
    }
    return status
  } finally {
    view.close()
  }
}

function statusOf({ ensemble }: TopPicture): number {
  return ensemble.serving ? ExitStatus.ok : ExitStatus.failure
}

/** The terminal's other screen. */
class TopScreen {
  readonly #screen: NodeJS.WriteStream
  readonly #keys: NodeJS.ReadStream
  readonly #end = new AbortController()
  #lines: readonly string[] = ['...']

  constructor(screen: NodeJS.WriteStream, keys: NodeJS.ReadStream) {
    this.#screen = screen
    this.#keys = keys
    screen.write('\u001b[?1049h\u001b[?25l')
    screen.on('resize', this.#redraw)
    if (keys.isTTY) keys.setRawMode(true).on('data', this.#onKey)
    this.#redraw()
  }

  /** Aborted by the key that ends it. */
  get ended(): AbortSignal {
    return this.#end.signal
  }

  draw(lines: readonly string[]): void {
    this.#lines = lines
    this.#redraw()
  }

  close(): void {
    this.#screen.off('resize', this.#redraw)
    if (this.#keys.isTTY) this.#keys.off('data', this.#onKey).setRawMode(false).pause()
    this.#screen.write('\u001b[?25h\u001b[?1049l')
  }

  readonly #redraw = (): void => {
    // A terminal that does not know its size says 0.
    const [rows, columns] = [this.#screen.rows || ROWS, this.#screen.columns || COLUMNS]
    const fitting = this.#lines
      .slice(0, Math.max(1, rows - 1))
      .map((line) => Array.from(line).slice(0, columns).join(''))
    this.#screen.write(`\u001b[H${fitting.map((line) => `${line}\u001b[K\r\n`).join('')}\u001b[J`)
  }

  readonly #onKey = (bytes: Buffer): void => {
    if (/[qQ\u0003]/.test(bytes.toString())) this.#end.abort()
  }
}

function readArguments(args: readonly string[]): TopArguments | null {
  const { values, positionals } = takeOptions('top', args, OPTIONS)
  if (values.help === true) return null
  if (positionals.length > 0) throw new UsageError(`top takes options only, got ${positionals.join(' ')}`)
  const lockRoots = values.locks?.split(',') ?? LOCK_ROOTS
  for (const root of lockRoots) validatePath(root, '--locks')
  return {
    ...placeOf(values),
    lockRoots,
    pauseMs: secondsOf(values.every) * MS_PER_SECOND,
    isOnce: values.once === true,
    json: values.json === true,
  }
}

function secondsOf(text = String(SECONDS)): number {
  const seconds = Number(text)
  if (/^\d+(?:\.\d+)?$/.test(text) && seconds >= 0.1 && seconds <= SECONDS_MAX) return seconds
  throw new UsageError(`--every must be seconds from 0.1 to ${SECONDS_MAX}, got ${JSON.stringify(text)}`)
}
