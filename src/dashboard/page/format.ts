/** Numbers and times as people read them. */
const NUMBERS = new Intl.NumberFormat('en-US')
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY_MS = 24 * HOUR

/** `104,218` */
export function count(value: number): string {
  return NUMBERS.format(value)
}

/** `3 locks`, `1 lock` */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** `23.1 MiB` */
export function bytes(value: number): string {
  if (value < 1_024) return `${value} B`
  const isLarge = value >= 1_048_576
  return `${(value / (isLarge ? 1_048_576 : 1_024)).toFixed(1)} ${isLarge ? 'MiB' : 'KiB'}`
}

/** `340 ms`, `4.9 s`, `3 min 12 s`, `2 h 17 min`, `7 d 2 h` */
export function duration(ms: number): string {
  const time = Math.max(0, ms)
  const part = (whole: number, unit: number): number => Math.floor((time % whole) / unit)
  if (time < SECOND) return `${Math.round(time)} ms`
  if (time < MINUTE) return `${(time / SECOND).toFixed(time < 10 * SECOND ? 1 : 0)} s`
  if (time < HOUR) return `${part(HOUR, MINUTE)} min ${part(MINUTE, SECOND)} s`
  if (time < DAY_MS) return `${part(DAY_MS, HOUR)} h ${part(HOUR, MINUTE)} min`
  return `${Math.floor(time / DAY_MS)} d ${part(DAY_MS, HOUR)} h`
}

/** `31 s ago`, and a date after a day */
export function ago(ms: number, nowMs: number): string {
  const age = nowMs - ms
  return age < DAY_MS ? (age < SECOND ? 'just now' : `${duration(age)} ago`) : DAY.format(ms)
}

/** `02:54:58` */
export function clock(ms: number): string {
  return CLOCK.format(ms)
}

/** The day and the time. */
export function moment(ms: number): string {
  return `${DAY.format(ms)}, ${CLOCK.format(ms)}`
}

/** Whether text is of JSON, and how it is written for the eye. */
export function pretty(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text)
    return JSON.stringify(value, null, 2)
  } catch {
    return null
  }
}

/** A text as lines to show. */
export function linesOf(text: string): { readonly text: string }[] {
  return text.split('\n').map((line) => ({ text: line }))
}

/** Bytes as `0000  7b 22 ...  {"...`. */
export function hexDump(data: Uint8Array): string[] {
  const lines: string[] = []
  for (let start = 0; start < data.length; start += 16) {
    const part = [...data.subarray(start, start + 16)]
    const digits = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${start.toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${text}`)
  }
  return lines
}

/** A line of a comparison. */
export interface DiffLine {
  readonly is: 'same' | 'add' | 'del'
  readonly text: string
}

/** The most lines of a text that are compared; above it the whole text counts as changed. */
const LINES_MAX = 600

/** Compares two texts by their lines: the longest common part is the same. */
export function diff(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split('\n'), after.split('\n')]
  if (a.length > LINES_MAX || b.length > LINES_MAX) {
    return [...a.map((text) => ({ is: 'del', text }) as const), ...b.map((text) => ({ is: 'add', text }) as const)]
  }
  const common = a.map(() => new Array<number>(b.length + 1).fill(0)).concat([new Array<number>(b.length + 1).fill(0)])
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [row, next] = [common[i] ?? [], common[i + 1] ?? []]
      row[j] = a[i] === b[j] ? (next[j + 1] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0)
    }
  }
  const lines: DiffLine[] = []
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ is: 'same', text: a[i] ?? '' })
      i += 1
      j += 1
    } else if (j >= b.length || (i < a.length && (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      lines.push({ is: 'del', text: a[i++] ?? '' })
    } else lines.push({ is: 'add', text: b[j++] ?? '' })
  }
  return lines
}
