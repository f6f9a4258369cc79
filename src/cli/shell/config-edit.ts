/**
 * `config edit`: opens a value of a config center in an editor, shows what has changed, asks, and publishes.
 *
 * Version   it is written only over the version that was read; otherwise nothing is written.
 * Kept      the text is in a file for its owner alone, which stays if it was not published, and its name is said.
 * Editor    $VISUAL or $EDITOR, as a command line of `sh`; vi without them.
 * Schema    a JavaScript module whose default export is a Standard Schema, such as one of zod.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { pathToFileURL } from 'node:url'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { ConfigCenter } from '../../recipes/config/config-center.ts'
import { differences } from '../../recipes/config/json-diff.ts'
import type { ValueChange } from '../../recipes/config/json-diff.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import type { StandardSchema } from '../../recipes/engine/standard-schema.ts'
import { Failure, UsageError } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { CommandContext, Given } from './command.ts'
import { historyOf, noteOf } from './config-notes.ts'
import { PassedSignals, runProgram } from './program-run.ts'

/** A value as it is stored. */
interface Stored {
  /** Undefined if there is none. */
  readonly value: unknown
  /** Null if there is none. */
  readonly version: number | null
}

type Context = Pick<CommandContext, 'client' | 'signal' | 'print' | 'note'>

const FILE = 'value.json'
const FILE_MODE = 0o600
const GRACE_MS = 5_000
const INDENT = 2

/**
 * Edits the value at a path until it is published, is as it was, or is given up.
 *
 * @param isInteractive - whether lines are typed: then the shell has the terminal, and no editor can
 * @throws UsageError without a terminal to ask at, unless `-y` is given; Failure if nothing was published
 */
export async function editConfig(context: Context, given: Given, isInteractive: boolean): Promise<void> {
  const path = given.word(1)
  if (isInteractive) {
    throw new UsageError(`config edit opens an editor, which needs the terminal: quorate config edit ${path}`)
  }
  const asks = !given.has('y')
  if (asks && !process.stdin.isTTY) {
    throw new UsageError('config edit asks before it publishes, which needs a terminal; -y publishes without')
  }
  const schema = await schemaOf(given.value('schema'))
  const note = noteOf(given)
  const client = context.client()
  const before = await readStored(client, path, context.signal)
  const file = join(await mkdtemp(join(tmpdir(), 'quorate-')), FILE)
  await writeFile(file, `${JSON.stringify(before.value ?? {}, null, INDENT)}\n`, { mode: FILE_MODE })
  const options = { ...(await historyOf(client, path, context.signal)), ...(schema === null ? {} : { schema }) }
  const center = new ConfigCenter<unknown>(client, path, options)
  try {
    const publish = async (value: unknown): Promise<number> => {
      return (await center.publish(value, { ifVersion: before.version, ...note, signal: context.signal })).version
    }
    const version = await editUntilDone(context, publish, before, file, asks)
    await rm(dirname(file), { recursive: true })
    if (version === null) context.note(`${oneLine(path)} is as it was\n`)
    context.print({ text: '', json: { path, version: version ?? before.version, changed: version !== null } })
  } finally {
    await center.close()
  }
}

/** @returns the version that was published; null if there was nothing to publish */
async function editUntilDone(
  { note }: Context,
  publish: (value: unknown) => Promise<number>,
  before: Stored,
  file: string,
  asks: boolean,
): Promise<number | null> {
  for (;;) {
    await openEditor(file)
    let problem: string
    try {
      const value = JSON.parse(await readFile(file, 'utf8')) as unknown
      const changes = differences(before.value, value)
      if (changes.length === 0) return null
      note(changes.map(changeText).join(''))
      if (asks && !(await confirms('Publish? [y/N] ', /^y(es)?$/i))) throw kept('it was not published', file)
      return await publish(value)
    } catch (error) {
      if (isCoordinationError(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) {
        throw kept('somebody else has changed it meanwhile, and nothing was written', file)
      }
      if (error instanceof Failure) throw error
      const isMendable = error instanceof SyntaxError || isCoordinationError(error, 'INVALID_VALUE')
      if (!isMendable) throw kept(reasonOf(error), file)
      problem = error.message
    }
    note(`${oneLine(problem)}\n`)
    if (!asks || !(await confirms('Edit again? [Y/n] ', /^(y(es)?)?$/i))) throw kept('it was not published', file)
  }
}

function kept(why: string, file: string): Failure {
  return new Failure(`${why}; your text is kept in ${file}`)
}

async function readStored(client: Client, path: string, signal: AbortSignal): Promise<Stored> {
  try {
    const { data, stat } = await client.get(path, { signal })
    const secret = secretText(data)
    if (secret !== null) throw new Failure(`${path} holds ${secret}, which cannot be edited here`)
    try {
      return { value: JSON.parse(new TextDecoder().decode(data)) as unknown, version: stat.version }
    } catch {
      throw new Failure(`${path} holds no JSON: set or import can replace it`)
    }
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return { value: undefined, version: null }
    throw error
  }
}

async function schemaOf(file: string | undefined): Promise<StandardSchema<unknown> | null> {
  if (file === undefined) return null
  let module: { readonly default?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as { readonly default?: unknown }
  } catch (error) {
    throw new Failure(`cannot load the schema ${file}: ${reasonOf(error)}`)
  }
  if (isSchema(module.default)) return module.default
  throw new Failure(`${file} must have a Standard Schema as its default export, such as one of zod`)
}

function isSchema(value: unknown): value is StandardSchema<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}

/** Runs the editor to its end. */
async function openEditor(file: string): Promise<void> {
  const { VISUAL, EDITOR } = process.env
  const editor = [VISUAL, EDITOR].find((name) => name !== undefined && name !== '') ?? 'vi'
  const signals = new PassedSignals()
  try {
    const run = { program: 'sh', args: ['-c', `${editor} "$1"`, 'quorate', file], graceMs: GRACE_MS }
    const status = await runProgram(run, { signal: new AbortController().signal, variables: {} }, signals)
    if (status !== 0) throw kept(`${editor} ended with status ${status}, and nothing was published`, file)
  } finally {
    signals.close()
  }
}

/** A change on one line, with its end. */
export function changeText({ place, type, before, after }: ValueChange): string {
  const where = place === '' ? 'the value' : visibleLine(place)
  const [old, next] = [before, after].map((value) => visibleLine(JSON.stringify(value) ?? ''))
  if (type === 'added' || before === undefined) return `+ ${where}: ${next ?? ''}\n`
  return type === 'removed' ? `- ${where}: ${old ?? ''}\n` : `~ ${where}: ${old ?? ''} -> ${next ?? ''}\n`
}

async function confirms(question: string, yes: RegExp): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return yes.test((await terminal.question(question)).trim())
  } finally {
    terminal.close()
  }
}
