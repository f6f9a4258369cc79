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

/** An odd number of backslashes at the end: the line goes on. */
const GOES_ON = /(?:^|[^\\])(?:\\\\)*\\$/

/** A key, up to the first separator that no backslash stands before; then the separator. */
const ENTRY = /^((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s

/**
 * Reads the entries of a file, in order; a key that stands there twice is there twice.
 *
 * @param text - the whole file
 */
export function readProperties(text: string): Property[] {
  const properties: Property[] = []
  const lines = text.split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    let logical = (lines[index] ?? '').trimStart()
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue
    while (GOES_ON.test(logical) && index + 1 < lines.length) {
      index += 1
      logical = logical.slice(0, -1) + (lines[index] ?? '').trimStart()
    }
    const [, key = '', value = ''] = ENTRY.exec(logical) ?? []
    properties.push({ key: unescape(key), value: unescape(value).trim(), line })
  }
  return properties
}

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.?))/gs, (_all, hex: string | undefined, char: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    return ESCAPES[char ?? ''] ?? char ?? ''
  })
}
