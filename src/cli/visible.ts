/**
 * Text that others have written, made safe to look at: whoever writes a node must not be able to move the cursor of who
 * reads it, to change the terminal, to hide text or to show it in another order.
 *
 * Model     control characters (also ESC and C1), format characters (bidirectional overrides and isolates, zero width,
 *           tags), separators of lines and paragraphs, fillers that show nothing, and halves of surrogate pairs become
 *           `\n`, `\x1b` or `\u{202e}`. A backslash stays as it is: this is for eyes, and `--json` is for programs.
 */

/** Characters that show nothing, or do something else than show. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu

/** Line ends and control characters. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/gu

const SHORT: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/** Text in which only line breaks and tabs do what they do; everything else that is hidden can be seen. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (char) => (char === '\n' || char === '\t' ? char : escaped(char)))
}

/** Text on one line in which everything that is hidden can be seen. */
export function visibleLine(text: string): string {
  return text.replace(HIDDEN, escaped)
}

/** Text on one line; all but line ends and control characters stays as it is. For names, on any output. */
export function oneLine(text: string): string {
  return text.replace(CONTROL, escaped)
}

/** Whether {@link visibleLine} would change it. */
export function isVisible(text: string): boolean {
  return visibleLine(text) === text
}

/** JSON in which everything that is hidden is escaped; it has the same meaning. */
export function visibleJson(json: string): string {
  return json.replace(HIDDEN, (char) => {
    const units = Array.from({ length: char.length }, (_, index) => char.charCodeAt(index))
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
  })
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0
  return SHORT.get(char) ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
}
