/**
 * Java's properties files, the form of zoo.cfg.
 *
 * Format    `key=value`, `key: value` or `key value`; `#` and `!` begin comment lines; a backslash at the end of a line
 *           goes on with the next one; `\t \n \r \f \uXXXX`; any other character after a backslash stands for itself.
 * Source    java.util.Properties.load.
 */

/** One entry. */
export interface Property {
  /** Its key, without escapes. */
  readonly key: string
  /** Its value, without escapes. */
  readonly value: string
  /** The line on which it begins, counted from 1. */
  readonly line: number
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

const LINE_END = /\r\n|\r|\n/

/** An odd number of backslashes at the end: the line goes on. */
const GOES_ON = /(?:^|[^\\])(?:\\\\)*\\$/

/** A key, up to the first separator that no backslash stands before; then the separator. */
const ENTRY = /^((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s

/** An entry, and the last line of it. */
interface Span {
  readonly property: Property
  readonly lastLine: number
}

/**
 * Reads the entries of a file, in order; a key that stands there twice is there twice.
 *
 * @param text - the whole file
 */
export function readProperties(text: string): Property[] {
  return spansOf(text.split(LINE_END)).map(({ property }) => property)
}

/** A file without the entries of some keys; all other lines, comments too, are as they were. */
export function withoutEntries(text: string, isLeftOut: (key: string) => boolean): string {
  // Every second one is an end of line.
  const parts = text.split(/(\r\n|\r|\n)/)
  const lines = parts.filter((_, index) => index % 2 === 0)
  const leftOut = new Set<number>()
  for (const { property: { key, line }, lastLine } of spansOf(lines)) {
    if (isLeftOut(key)) for (let each = line; each <= lastLine; each++) leftOut.add(each)
  }
  return parts.filter((_, index) => !leftOut.has(Math.floor(index / 2) + 1)).join('')
}

/** A value as it has to be written so that it is read as it is. */
export function escapedValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
}

function spansOf(lines: readonly string[]): Span[] {
  const spans: Span[] = []
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    let logical = (lines[index] ?? '').trimStart()
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue
    while (GOES_ON.test(logical) && index + 1 < lines.length) {
      index += 1
      logical = logical.slice(0, -1) + (lines[index] ?? '').trimStart()
    }
    const [, key = '', value = ''] = ENTRY.exec(logical) ?? []
    spans.push({ property: { key: unescape(key), value: unescape(value).trim(), line }, lastLine: index + 1 })
  }
  return spans
}

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.?))/gs, (_all, hex: string | undefined, char: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    return ESCAPES[char ?? ''] ?? char ?? ''
  })
}
