/** Data as a hex dump, in the form of `get -x` of zkCli (Netty's `prettyHexDump`). */

const ROW_BYTES = 16
const RULE = `+--------+${'-'.repeat(49)}+${'-'.repeat(ROW_BYTES)}+`

/** The dump of all bytes; nothing for none. */
export function hexDump(data: Uint8Array): string {
  if (data.length === 0) return ''
  const columns = Array.from({ length: ROW_BYTES }, (_, index) => `  ${index.toString(16)}`).join('')
  const lines = [`         +${'-'.repeat(49)}+`, `         |${columns} |`, RULE]
  for (let start = 0; start < data.length; start += ROW_BYTES) {
    const row = [...data.subarray(start, start + ROW_BYTES)]
    const hex = row.map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('').padEnd(ROW_BYTES * 3)
    const text = row.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`|${start.toString(16).padStart(8, '0')}|${hex} |${text.padEnd(ROW_BYTES)}|`)
  }
  return [...lines, RULE].join('\n')
}
