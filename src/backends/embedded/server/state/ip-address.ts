/**
 * Addresses of clients, and the ranges of them that access control lists name.
 *
 * Shapes    an address is four bytes (IPv4) or sixteen (IPv6); a range is an address and the number of leading bits
 *           that count, written `address/bits`. An IPv4 address inside IPv6 (`::ffff:127.0.0.1`) is the IPv4 address.
 * Source    IPAuthenticationProvider.java of ZooKeeper 3.8, which knows IPv4 only.
 */

const V4_BYTES = 4
const V6_GROUPS = 8
/** The part of an IPv6 address that one customer has. */
const NETWORK_BYTES = 8
/** The beginning of an IPv4 address inside IPv6. */
const MAPPED_BYTES = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
/** Longer than any address, with the interface and the bits after it. */
const TEXT_CHARS_MAX = 128
const MAPPED_PREFIX = /^::ffff:(?=[\d.]+$)/i

/**
 * An address in the form in which servers compare and show it: that of Java's InetAddress.
 *
 * @returns the text itself if it is no address
 */
export function canonicalAddress(text: string): string {
  const bytes = bytesOf(text)
  if (bytes === null) return text
  if (bytes.length === V4_BYTES) return bytes.join('.')
  return groupsOf(bytes).join(':')
}

function groupsOf(bytes: readonly number[]): string[] {
  return Array.from({ length: bytes.length / 2 }, (_, i) => {
    return (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16)
  })
}

/**
 * The network that an address counts as, where clients are counted by where they come from: an IPv4 address by itself,
 * also one inside IPv6, and an IPv6 address by its first 64 bits, of which one customer has all the rest.
 *
 * @returns the text itself if it is no address
 */
export function networkOf(text: string): string {
  const bytes = bytesOf(text)
  if (bytes === null) return text
  if (bytes.length === V4_BYTES) return bytes.join('.')
  if (MAPPED_BYTES.every((byte, place) => bytes[place] === byte)) return bytes.slice(MAPPED_BYTES.length).join('.')
  return `${groupsOf(bytes.slice(0, NETWORK_BYTES)).join(':')}::`
}

/** Whether a text names a range of addresses. */
export function isAddressRange(text: string): boolean {
  return rangeOf(text) !== null
}

/** Whether an address lies in a range; false if either is malformed. */
export function isInRange(address: string, range: string): boolean {
  const wanted = rangeOf(range)
  const actual = bytesOf(address)
  if (wanted === null || actual?.length !== wanted.bytes.length) return false
  for (let bit = 0; bit < wanted.bits; bit += 8) {
    const mask = (0xff << Math.max(0, 8 - (wanted.bits - bit))) & 0xff
    if ((((actual[bit >> 3] ?? 0) ^ (wanted.bytes[bit >> 3] ?? 0)) & mask) !== 0) return false
  }
  return true
}

interface AddressRange {
  readonly bytes: readonly number[]
  readonly bits: number
}

function rangeOf(text: string): AddressRange | null {
  if (text.length > TEXT_CHARS_MAX) return null
  const slash = text.indexOf('/')
  const bytes = bytesOf(slash === -1 ? text : text.slice(0, slash))
  if (bytes === null) return null
  const bitsMax = 8 * bytes.length
  const bits = slash === -1 ? bitsMax : integerOf(text.slice(slash + 1), bitsMax)
  return bits === null ? null : { bytes, bits }
}

function bytesOf(text: string): readonly number[] | null {
  if (text.length > TEXT_CHARS_MAX) return null
  const address = text.replace(MAPPED_PREFIX, '')
  return address.includes(':') ? v6BytesOf(address) : v4BytesOf(address)
}

function v4BytesOf(text: string): readonly number[] | null {
  const bytes = text.split('.').map((part) => integerOf(part, 0xff))
  return bytes.length === V4_BYTES && bytes.every((byte) => byte !== null) ? bytes : null
}

function v6BytesOf(text: string): readonly number[] | null {
  // The text after % names an interface of this machine.
  const halves = text.replace(/%.*$/, '').split('::')
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')))
  if (head === undefined || halves.length > 2) return null
  const missing = V6_GROUPS - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array.from<string>({ length: missing }).fill('0'), ...(tail ?? [])]
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return null
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])
}

/** The numbers that Java's Integer.parseInt takes, within bounds. */
function integerOf(text: string, max: number): number | null {
  if (!/^[+-]?\d+$/.test(text)) return null
  const value = Number(text)
  return value >= 0 && value <= max ? value : null
}
