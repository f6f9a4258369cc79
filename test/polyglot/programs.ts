/**
 * Clients in other languages: programs beside these tests, run against servers under test.
 *
 * Protocol  a program writes `ok <what>` for each thing that works, and `ask <request> <argument>` for what it cannot
 *           do itself, such as to cut its own connection; the answer, when it is done, is a line of its input. It ends
 *           with status 0 if everything works.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../engines/process.ts'
import { classPath } from '../engines/zookeeper.ts'

/** How much of what a program says is kept for the message of a failure. */
const OUTPUT_CHARS_MAX = 8_000
/** Longest run of a program, in milliseconds. */
const RUN_MS_MAX = 110_000

/** Longest time that a test with a program may take, in milliseconds: a little more than the program itself. */
export const PROGRAM_TEST_MS_MAX = 120_000

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const PYTHON = '/usr/bin/python3'
const KAZOO = '/usr/lib/python3/dist-packages/kazoo'
const PURE_SASL = '/usr/lib/python3/dist-packages/puresasl'
const JARS = ['zookeeper', 'zookeeper-jute', 'slf4j-api', 'slf4j-nop', 'snappy-java', 'metrics-core', 'netty-all']
const CURATOR_JARS = ['curator-client', 'curator-framework', 'curator-recipes', 'guava']

export const hasKazoo = existsSync(PYTHON) && existsSync(KAZOO)
export const hasPureSasl = existsSync(PURE_SASL)
export const hasJavaClient = findProgram('javac') !== null && classPath(JARS) !== null
export const hasCurator = hasJavaClient && classPath(CURATOR_JARS) !== null

/** Requests that a program may make, by their first word; it gets a line when they are done. */
export type Asks = Readonly<Record<string, (argument: string) => void | Promise<void>>>

/** How a program is run. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
}

/** A Python program of this folder, or at an absolute path. */
export function python(file: string): Command {
  return { program: PYTHON, args: [resolve(FOLDER, file)] }
}

/** Makes a JVM start soon, which a test wants. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-Xmx256m']

/** A Java program of this folder, or at an absolute path, in one file, which is compiled as it starts. */
export function java(file: string, flags: readonly string[] = QUICK_START): Command {
  const jars = classPath(basename(file).startsWith('Curator') ? [...JARS, ...CURATOR_JARS] : JARS) ?? ''
  return { program: 'java', args: [...flags, '-cp', jars, resolve(FOLDER, file)] }
}

/**
 * Runs a program to its end.
 *
 * @param args - its arguments: most often the addresses of the servers
 * @returns the features that it reports to work, in order
 * @throws Error with its output, if it fails
 */
export async function run(command: Command, args: readonly string[], asks: Asks = {}): Promise<string[]> {
  const child = spawn(command.program, [...command.args, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX)
  const works: string[] = []
  let output = ''
  const say = (text: string): void => {
    output = (output + text).slice(-OUTPUT_CHARS_MAX)
  }
  child.stderr.on('data', (chunk: Buffer) => {
    say(chunk.toString())
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    say(`${line}\n`)
    const [word, what = '', argument = ''] = line.split(' ')
    if (word === 'ok') works.push(line.slice('ok '.length))
    else if (word === 'ask') void answer(what, argument)
  })
  const answer = async (what: string, argument: string): Promise<void> => {
    try {
      if (asks[what] === undefined) throw new TypeError(`nobody does "${what}"`)
      await asks[what](argument)
      child.stdin.write('done\n')
    } catch (error) {
      say(`not done: ${String(error)}\n`)
      child.kill()
    }
  }
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (status !== 0) throw new Error(`it ended with ${status ?? 'a signal'} after "${works.at(-1) ?? ''}":\n${output}`)
    return works
  } finally {
    clearTimeout(timer)
  }
}
