/** How the figures are shown: a table for people. */
import type { Figure } from './measure.ts'

type Column = readonly [title: string, cell: (figure: Figure) => string]

const COLUMNS: readonly Column[] = [
  ['figure', ({ figure }) => figure],
  ['size', ({ size }) => String(size)],
  ['median', ({ value }) => round(value)],
  ['unit', ({ unit }) => unit],
  ['least', ({ min }) => round(min)],
  ['greatest', ({ max }) => round(max)],
  ['CPU us', ({ cpuUs }) => round(cpuUs)],
  ['p50 ms', ({ p50Ms }) => round(p50Ms)],
  ['p99 ms', ({ p99Ms }) => round(p99Ms)],
  ['requests', ({ requests }) => round(requests)],
  ['received', ({ received }) => round(received)],
  ['target', ({ target }) => target ?? ''],
]

/**
 * Makes the table, in Markdown that reads well as it is. A column that has nothing to say is left out.
 *
 * @param figures - in the order of their lines
 */
export function tableOf(figures: readonly Figure[]): string {
  const columns = COLUMNS.filter(([, cell]) => figures.some((figure) => cell(figure) !== ''))
  const rows = figures.map((figure) => columns.map(([, cell]) => cell(figure)))
  const titles = columns.map(([title]) => title)
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const isText = (column: number): boolean => ['figure', 'unit', 'target'].includes(titles[column] ?? '')
  const pad = (text: string, column: number): string =>
    isText(column) ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
  const rule = widths.map((width, column) => (isText(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [titles, rule, ...rows].map((row) => `| ${row.map(pad).join(' | ')} |`).join('\n')
}

/** Three digits that count, and thousands apart. */
function round(value: number | undefined): string {
  if (value === undefined) return ''
  if (value >= 1_000) return Math.round(value).toLocaleString('en')
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}
