/** Where the command line writes: given, so that tests can read it. */
import { visible, visibleJson } from './visible.ts'

/** The two streams of a program, as whole texts. */
export interface Output {
  /** Writes what was asked for. */
  out(text: string): void
  /** Writes what people should know besides. */
  err(text: string): void
  /** The second, where whoever reads it may be slow and must not hold up the process. */
  readonly errStream?: NodeJS.WriteStream
  /** The process ends although lines wait that nobody takes. */
  giveUp?(): void
}

/** A result of a command in both of its forms. */
export interface Result {
  /** For people; one or more lines with their ends, or nothing. */
  readonly text: string
  /** For programs: what JSON can hold, and bigint, which becomes a string. */
  readonly json: unknown
}

/** The streams of this process. */
export interface StandardOutput extends Output {
  /** A text as it goes to a terminal. */
  readonly shown: (text: string) => string
}

let isGivenUp = false

/** Whether the process is to end although something waits to be written. */
export function isOutputGivenUp(): boolean {
  return isGivenUp
}

/** The streams of a program as they are for people: control characters of others are made visible on a terminal. */
export function standardOutput(isRaw: boolean): StandardOutput {
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    stream.write(stream.isTTY && !isRaw ? visible(text) : text)
  }
  return {
    out: (text) => write(process.stdout, text),
    err: (text) => write(process.stderr, text),
    ...(process.stderr.isTTY ? {} : { errStream: process.stderr }),
    giveUp: () => {
      isGivenUp = true
    },
    shown: (text) => (isRaw ? text : visible(text)),
  }
}

/** The line that stands for a value under `--json`; invisible characters in it are escaped. */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))
  return `${visibleJson(json)}\n`
}

/** Data as text; null if they are none, so that they must be written in base64. */
export function textOf(data: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return null
  }
}

/** Data for programs: `data` as text, or in base64 where `encoding` says so. */
export function jsonData(data: Uint8Array): { readonly data: string; readonly encoding?: 'base64' } {
  const text = textOf(data)
  return text === null ? { data: Buffer.from(data).toString('base64'), encoding: 'base64' } : { data: text }
}
