/**
 * A program in another language that does what a test tells it, one call at a time or many at once.
 *
 * Protocol  the test writes `<number> <actor> <verb> <arguments>`; the program answers each line by
 *           `answer <number> <text>` or `failure <number> <text>`. Calls of one actor are done in their order, those of
 *           different actors at once. It ends when its input does.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Command } from './programs.ts'

const OUTPUT_CHARS_MAX = 8_000

/** Someone in the program, with a thread and objects of its own. */
export type Actor = (verb: string, ...args: readonly (string | number)[]) => Promise<string>

/** A program that runs. */
export interface Partner extends AsyncDisposable {
  /** One of those in it, made when it is first called. */
  readonly actor: (name: string) => Actor
}

interface Call {
  readonly line: string
  readonly resolve: (text: string) => void
  readonly reject: (error: Error) => void
}

/**
 * Starts a program; calls wait until it is ready.
 *
 * @param args - its arguments: the addresses of the servers
 */
export function startPartner({ program, args: first }: Command, args: readonly string[]): Partner {
  const child = spawn(program, [...first, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  const calls = new Map<string, Call>()
  let output = ''
  let isOver = false
  const say = (text: string): void => {
    output = (output + text).slice(-OUTPUT_CHARS_MAX)
  }
  child.stderr.on('data', (chunk: Buffer) => {
    say(chunk.toString())
  })
  // Its end is told by the event of it.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word, number = '', ...rest] = line.split(' ')
    const call = calls.get(number)
    calls.delete(number)
    if (word === 'answer') call?.resolve(rest.join(' '))
    else call?.reject(new Error(`"${call.line}" failed: ${rest.join(' ')}\n${output}`))
  })
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true
      for (const { line, reject } of calls.values()) reject(new Error(`the program ended before "${line}":\n${output}`))
      resolve()
    }
    child.once('error', (error) => {
      say(String(error))
      end()
    })
    child.once('close', end)
  })
  let made = 0
  const call = (line: string): Promise<string> => new Promise((resolve, reject) => {
    if (isOver) throw new Error(`the program ended before "${line}":\n${output}`)
    made += 1
    calls.set(String(made), { line, resolve, reject })
    child.stdin.write(`${made} ${line}\n`)
  })
  return {
    actor: (name) => (verb, ...args) => call([name, verb, ...args].join(' ')),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
