/** A recording of the quickstart: its real output as a picture, on which each line comes when it happened. */

const COLUMN_PX = 7.25
const LINE_PX = 18
const MARGIN_PX = 16
const FONT_PX = 12
/** Between the lines that have no time of their own, in milliseconds. */
const STEP_MS = 60

/** A line, and when it comes. */
interface TimedLine {
  readonly text: string
  readonly atMs: number
}

/**
 * Draws a run. Where a reader wants little motion, all lines are there from the beginning.
 *
 * @param command - as it was typed
 * @param output - what it printed: what happened, by milliseconds, and whether its checks hold
 */
export function recordingOf(command: string, output: string): string {
  const lines = [{ text: `$ ${command}`, atMs: 0 }, ...timed(output)]
  const columns = Math.max(...lines.map(({ text }) => text.length))
  const width = Math.ceil(columns * COLUMN_PX) + 2 * MARGIN_PX
  const height = lines.length * LINE_PX + 2 * MARGIN_PX
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title>What ${escaped(command)} prints</title>`,
    '<style>',
    'rect { fill: #0e1012 }',
    `text { font: ${FONT_PX}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }`,
    'text { fill: #a9b0b7; white-space: pre }',
    '.ok { fill: #62cf96 } .bad { fill: #ff8f85 } .lead { fill: #8ea9ff } .head { fill: #e8eaec }',
    '.line { opacity: 0; animation: come 1ms forwards }',
    '@keyframes come { to { opacity: 1 } }',
    '@media (prefers-reduced-motion: reduce) { .line { opacity: 1; animation: none } }',
    '</style>',
    `<rect width="${width}" height="${height}" rx="8"/>`,
    ...lines.map(drawn),
    '</svg>\n',
  ].join('\n')
}

/** The table of what happened, and the checks, each without what was found. */
function timed(output: string): TimedLine[] {
  const [, happened = ''] = /^What happened\n\n(.*?)\n\n/ms.exec(output) ?? []
  const events = happened.split('\n').map((text) => ({ text, atMs: Number(/^ *(\d+) /.exec(text)?.[1] ?? 0) }))
  const endMs = Math.max(...events.map(({ atMs }) => atMs))
  const [, checked = ''] = /^Is it so\?\n\n(.*?)(?:\n\n|\s*$(?![^]))/ms.exec(output) ?? []
  const checks = checked.split('\n').filter((text) => /^ {2}\w/.test(text)).map((text, index) => {
    return { text, atMs: endMs + (index + 1) * STEP_MS }
  })
  return [{ text: '', atMs: 0 }, ...events, { text: '', atMs: endMs }, ...checks]
}

function drawn({ text, atMs }: TimedLine, index: number): string {
  const y = MARGIN_PX + (index + 1) * LINE_PX - LINE_PX / 3
  const place = `x="${MARGIN_PX}" y="${y}" style="animation-delay:${atMs}ms"`
  return `<text class="line ${kindOf(text)}" ${place}>${escaped(text)}</text>`
}

function kindOf(text: string): string {
  if (/^ {2}ok /.test(text)) return 'ok'
  if (/crashes|refuses|stands still|lost/.test(text)) return 'bad'
  if (/leads epoch/.test(text)) return 'lead'
  return /^\$|^ *ms |check, and/.test(text) ? 'head' : ''
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
