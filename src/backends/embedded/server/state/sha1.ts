/**
 * SHA-1: what ZooKeeper's digest scheme keeps of a password. A server has no modules of Node.js, and this is pure.
 *
 * Safety    it is what the wire and stored lists ask for, and no more than that: where a secret has to be hard to
 *           find from its hash, something else is needed.
 * Source    FIPS 180-4, section 6.1.
 */

const BLOCK_BYTES = 64
const LENGTH_BYTES = 8
const ROUNDS = 80
/** For each 20 rounds. */
const CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6]

/** The 20 bytes of a message's hash. */
export function sha1(message: Uint8Array): Uint8Array {
  const hash = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
  const padded = pad(message)
  const schedule = new Uint32Array(ROUNDS)
  for (let start = 0; start < padded.byteLength; start += BLOCK_BYTES) addBlock(hash, padded, start, schedule)
  const result = new Uint8Array(4 * hash.length)
  const view = new DataView(result.buffer)
  for (const [i, word] of hash.entries()) view.setUint32(4 * i, word)
  return result
}

/** A one bit, zeros, and the length in bits fill up the last block. */
function pad(message: Uint8Array): DataView {
  const blocks = Math.ceil((message.length + 1 + LENGTH_BYTES) / BLOCK_BYTES)
  const bytes = new Uint8Array(blocks * BLOCK_BYTES)
  bytes.set(message)
  bytes[message.length] = 0x80
  const view = new DataView(bytes.buffer)
  view.setBigUint64(bytes.length - LENGTH_BYTES, 8n * BigInt(message.length))
  return view
}

function addBlock(hash: Uint32Array, padded: DataView, start: number, schedule: Uint32Array): void {
  for (let i = 0; i < 16; i++) schedule[i] = padded.getUint32(start + 4 * i)
  for (let i = 16; i < ROUNDS; i++) {
    const word = at(schedule, i - 3) ^ at(schedule, i - 8) ^ at(schedule, i - 14) ^ at(schedule, i - 16)
    schedule[i] = rotated(word, 1)
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = hash
  for (let i = 0; i < ROUNDS; i++) {
    const quarter = Math.floor(i / 20)
    const added = (CONSTANTS[quarter] ?? 0) + at(schedule, i)
    const next = (rotated(a, 5) + (mixed(quarter, b, c, d) >>> 0) + e + added) >>> 0
    e = d
    d = c
    c = rotated(b, 30)
    b = a
    a = next
  }
  for (const [i, word] of [a, b, c, d, e].entries()) hash[i] = at(hash, i) + word
}

function mixed(quarter: number, b: number, c: number, d: number): number {
  if (quarter === 0) return (b & c) | (~b & d)
  return quarter === 2 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d
}

function rotated(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0
}

function at(words: Uint32Array, index: number): number {
  return words[index] ?? 0
}
