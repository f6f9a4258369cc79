/**
 * The subject of a certificate, written as ZooKeeper's servers write it: RFC 2253 as Java has it, the last part first.
 *
 * Types     nine have names; others are written as numbers, and their values as the hexadecimal of their encoding.
 * Source    X509AuthenticationProvider.getClientId; javax.security.auth.x500.X500Principal.getName of Java 17.
 */
const SEQUENCE = 0x30
const VERSION = 0xa0
const UTF8 = 0x0c
const BMP = 0x1e
/** PrintableString, T61String, IA5String, GeneralString, UniversalString: a character a byte, as Java takes them. */
const BYTE_STRINGS: ReadonlySet<number> = new Set([0x13, 0x14, 0x16, 0x1b])
const ESCAPED = /[,+"\\<>;=#]/g

const NAMES: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
])

interface Element {
  readonly tag: number
  readonly content: Buffer
  /** With its tag and length. */
  readonly whole: Buffer
}

/**
 * The subject of a certificate.
 *
 * @param certificate - its DER, which was parsed and verified by others before
 */
export function subjectOf(certificate: Buffer): string {
  const [body] = elementsOf(contentOf(certificate))
  const fields = elementsOf(body?.content ?? Buffer.alloc(0))
  // Version, number, algorithm, issuer, validity, subject; the first may be left out.
  const subject = fields[fields[0]?.tag === VERSION ? 5 : 4]
  const sets = elementsOf(subject?.content ?? Buffer.alloc(0))
  return sets.map((set) => elementsOf(set.content).map(pairOf).join('+')).reverse().join(',')
}

function contentOf(bytes: Buffer): Buffer {
  const [only] = elementsOf(bytes)
  return only?.tag === SEQUENCE ? only.content : Buffer.alloc(0)
}

function elementsOf(bytes: Buffer): Element[] {
  const elements: Element[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const first = bytes.readUInt8(at + 1)
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f
    const start = at + 2 + lengthBytes
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes)
    elements.push({
      tag: bytes.readUInt8(at),
      content: bytes.subarray(start, start + length),
      whole: bytes.subarray(at, start + length),
    })
    at = start + length
  }
  return elements
}

function pairOf({ content }: Element): string {
  const [type, value] = elementsOf(content)
  if (type === undefined || value === undefined) return ''
  const oid = oidOf(type.content)
  const name = NAMES.get(oid)
  const text = name === undefined ? null : textOf(value)
  return text === null ? `${name ?? oid}=#${value.whole.toString('hex')}` : `${name}=${escaped(text)}`
}

function oidOf(bytes: Buffer): string {
  const parts: number[] = []
  let value = 0
  for (const byte of bytes) {
    value = value * 0x80 + (byte & 0x7f)
    if (byte >= 0x80) continue
    parts.push(value)
    value = 0
  }
  const [head = 0, ...rest] = parts
  const first = Math.min(2, Math.floor(head / 40))
  return [first, head - 40 * first, ...rest].join('.')
}

function textOf({ tag, content }: Element): string | null {
  if (tag === UTF8) return content.toString('utf8')
  if (tag === BMP) return Buffer.from(content).swap16().toString('utf16le')
  return BYTE_STRINGS.has(tag) ? content.toString('latin1') : null
}

/** Spaces at either end count too. */
function escaped(text: string): string {
  const plain = text.replaceAll(ESCAPED, '\\$&').replaceAll('\0', '\\00')
  const head = /^ +/.exec(plain)?.[0].length ?? 0
  const tail = head === plain.length ? 0 : (/ +$/.exec(plain)?.[0].length ?? 0)
  const middle = plain.slice(head, plain.length - tail)
  return `${'\\ '.repeat(head)}${middle}${'\\ '.repeat(tail)}`
}
