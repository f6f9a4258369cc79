/** Tables in plain text. */

const INDENT = '  '
const GAP = '  '

/**
 * Makes a table: a line of titles, a rule, a line for each row.
 *
 * @param titles - one a column; a `>` before it puts the column's cells to the right
 * @param rows - the cells; missing ones are empty
 */
export function textTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const isRight = titles.map((title) => title.startsWith('>'))
  const heads = titles.map((title) => title.replace(/^>/, ''))
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const rule = widths.map((width) => '-'.repeat(width))
  const lineOf = (row: readonly string[]): string => {
    const cells = widths.map((width, column) => {
      const cell = row[column] ?? ''
      return isRight[column] === true ? cell.padStart(width) : cell.padEnd(width)
    })
    return `${INDENT}${cells.join(GAP)}`.trimEnd()
  }
  return [heads, rule, ...rows].map(lineOf).join('\n')
}
