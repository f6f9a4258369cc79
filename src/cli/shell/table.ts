/** Rows of text in columns. */
import { visibleLine } from '../visible.ts'

/** The longest text in a cell. */
const CELL_CHARS_MAX = 60

/** Text of others, for a cell: on one line, and cut where it is long. */
export function cellText(text: string): string {
  const line = visibleLine(text)
  return line.length <= CELL_CHARS_MAX ? line : `${line.slice(0, CELL_CHARS_MAX - 3)}...`
}

/**
 * Sets a table.
 *
 * @param rows - the first one is the head; cells must not have line breaks
 * @returns the lines, cells two spaces apart
 */
export function tableText(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, column) => {
    return rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0)
  })
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
  return `${lines.join('\n')}\n`
}
