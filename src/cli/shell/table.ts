/** Rows of text in columns. */

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
