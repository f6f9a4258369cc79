/** Where the command line writes: given, so that tests can read it. */

/** The two streams of a program, as whole texts. */
export interface Output {
  /** Writes what was asked for. */
  out(text: string): void
  /** Writes what people should know besides. */
  err(text: string): void
}

/** A result of a command in both of its forms. */
export interface Result {
  /** For people; one or more lines with their ends, or nothing. */
  readonly text: string
  /** For programs: what JSON can hold, and bigint, which becomes a string. */
  readonly json: unknown
}

/** The line that stands for a value under `--json`. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))}\n`
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
