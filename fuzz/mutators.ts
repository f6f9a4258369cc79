/**
 * Mutators: other inputs from one that is valid, or was. They know how formats are made, not which one it is: lengths
 * and counts before what they count, words of a text, lines.
 */
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { Mutator } from './target.ts'

/** Numbers at the borders of what fits, or of what somebody may add to. */
const BORDERS: readonly bigint[] = [
  ...[-1n, 0n, 1n, 2n, 7n, 8n, 16n, 27n, 28n, 63n, 64n, 127n, 128n, 255n, 256n, 1_023n, 1_024n, 4_095n, 4_096n],
  ...[0x7fffn, 0x8000n, 0xffffn, 0x1_0000n, 0xf_ffffn, 0x10_0000n, 0x1000_0000n, 0x7fff_ffffn, 0x8000_0000n],
  ...[0xffff_ffffn, 0x1_0000_0000n, 0x1f_ffff_ffff_ffffn, 0x20_0000_0000_0000n],
  ...[0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n, -2n, -4n, -8n, -10n, -11n],
]
const INT_BYTES = 4
const LONG_BYTES = 8
const STRETCH_BYTES_MAX = 64
const LONG_STRETCH_BYTES_MAX = 2_048
/** Where lengths are looked for in a long input, in bytes. */
const LENGTHS_WINDOW_BYTES = 1_024

function copyOf(input: Uint8Array): Uint8Array {
  return Uint8Array.from(input)
}

/** Replaces `removed` bytes at `at`; lengths before it that count them are put right, as most of them are lengths. */
function replaced(input: Uint8Array, at: number, removed: number, by: Uint8Array, mends = true): Uint8Array {
  const bytes = new Uint8Array(input.length - removed + by.length)
  bytes.set(input.subarray(0, at))
  bytes.set(by, at)
  bytes.set(input.subarray(at + removed), at + by.length)
  if (!mends) return bytes
  const view = new DataView(bytes.buffer)
  const before = new DataView(input.buffer, input.byteOffset, input.length)
  for (let offset = 0; offset + INT_BYTES <= at; offset++) {
    const length = before.getInt32(offset)
    const end = offset + INT_BYTES + length
    if (length > 0 && end >= at + removed && end <= input.length) view.setInt32(offset, length - removed + by.length)
  }
  return bytes
}

/** Where an int32 stands that could be the length of what follows it. */
function lengthsIn(input: Uint8Array, random: SeededRandom): number[] {
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const from = input.length <= LENGTHS_WINDOW_BYTES ? 0 : random.between(0, input.length - LENGTHS_WINDOW_BYTES)
  const found: number[] = []
  for (let at = from; at + INT_BYTES <= Math.min(input.length, from + LENGTHS_WINDOW_BYTES); at++) {
    const length = view.getInt32(at)
    if (length >= -1 && at + INT_BYTES + length <= input.length) found.push(at)
  }
  return found
}

function place(input: Uint8Array, random: SeededRandom): number {
  return random.between(0, Math.max(0, input.length - 1))
}

function stretch(input: Uint8Array, random: SeededRandom): readonly [at: number, length: number] {
  const at = place(input, random)
  const most = random.chance(0.1) ? LONG_STRETCH_BYTES_MAX : STRETCH_BYTES_MAX
  return [at, random.between(0, Math.min(input.length - at, random.between(1, most)))]
}

const flipBit: Mutator = (input, random) => {
  const bytes = copyOf(input)
  const at = place(bytes, random)
  if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7))
  return bytes
}

const setByte: Mutator = (input, random) => {
  const bytes = copyOf(input)
  const at = place(bytes, random)
  if (at < bytes.length) bytes[at] = random.between(0, 255)
  return bytes
}

const setNumber: Mutator = (input, random) => {
  const bytes = copyOf(input)
  const view = new DataView(bytes.buffer)
  const value = random.pick(BORDERS) + (random.chance(0.2) ? BigInt(random.between(-2, 2)) : 0n)
  const at = place(bytes, random)
  if (random.chance(0.3) && at + LONG_BYTES <= bytes.length) view.setBigInt64(at, value)
  else if (at + INT_BYTES <= bytes.length) view.setInt32(at, Number(BigInt.asIntN(32, value)))
  return bytes
}

const addToNumber: Mutator = (input, random) => {
  const bytes = copyOf(input)
  const view = new DataView(bytes.buffer)
  const at = place(bytes, random)
  if (at + INT_BYTES <= bytes.length) view.setInt32(at, view.getInt32(at) + random.between(-16, 16))
  return bytes
}

/** A length or a count that is not that of what follows. */
const setLength: Mutator = (input, random) => {
  const lengths = lengthsIn(input, random)
  if (lengths.length === 0) return setNumber(input, random, input)
  const bytes = copyOf(input)
  const view = new DataView(bytes.buffer)
  const at = random.pick(lengths)
  const value = view.getInt32(at)
  const near = random.pick([value + 1, value - 1, value * 2, -value, value + 256, bytes.length - at - INT_BYTES])
  view.setInt32(at, random.chance(0.5) ? near : Number(BigInt.asIntN(32, random.pick(BORDERS))))
  return bytes
}

/** The content of a length is another one, and its length is right. */
const setContent: Mutator = (input, random, other) => {
  const lengths = lengthsIn(input, random)
  if (lengths.length === 0) return insertBytes(input, random, other)
  const at = random.pick(lengths)
  const length = Math.max(0, new DataView(input.buffer, input.byteOffset, input.length).getInt32(at))
  const bytes = copyOf(input)
  const [from, count] = stretch(other, random)
  const content = random.chance(0.3) ? new Uint8Array() : other.subarray(from, from + count)
  const whole = replaced(bytes, at + INT_BYTES, length, content)
  new DataView(whole.buffer).setInt32(at, content.length)
  return whole
}

const removeBytes: Mutator = (input, random) => {
  const [at, length] = stretch(input, random)
  return replaced(input, at, length, new Uint8Array(), random.chance(0.7))
}

const repeatBytes: Mutator = (input, random) => {
  const [at, length] = stretch(input, random)
  const piece = input.subarray(at, at + length)
  const times = random.chance(0.1) ? random.between(2, 40) : 1
  const pieces = new Uint8Array(piece.length * times)
  for (let i = 0; i < times; i++) pieces.set(piece, i * piece.length)
  return replaced(input, at + length, 0, pieces, random.chance(0.7))
}

const insertBytes: Mutator = (input, random) => {
  const count = random.between(1, random.chance(0.1) ? STRETCH_BYTES_MAX : 8)
  const bytes = random.chance(0.5) ? new Uint8Array(count).fill(random.between(0, 255)) : random.bytes(count)
  return replaced(input, random.between(0, input.length), 0, bytes, random.chance(0.7))
}

const truncate: Mutator = (input, random) => copyOf(input.subarray(0, random.between(0, input.length)))

/** The beginning of one and the end of another. */
const cross: Mutator = (input, random, other) => {
  const head = input.subarray(0, random.between(0, input.length))
  const tail = other.subarray(random.chance(0.5) ? Math.min(head.length, other.length) : place(other, random))
  const bytes = new Uint8Array(head.length + tail.length)
  bytes.set(head)
  bytes.set(tail, head.length)
  return bytes
}

const transplant: Mutator = (input, random, other) => {
  const [from, count] = stretch(other, random)
  const at = random.between(0, input.length)
  const removed = random.chance(0.5) ? Math.min(count, input.length - at) : 0
  return replaced(input, at, removed, other.subarray(from, from + count), random.chance(0.7))
}

/** For formats of bytes with lengths before what they count. */
export const BYTE_MUTATORS: readonly Mutator[] = [
  ...[flipBit, setByte, setNumber, setNumber, addToNumber, setLength, setLength, setContent, setContent],
  ...[removeBytes, repeatBytes, insertBytes, truncate, cross, transplant],
]

/** Pieces of text that some reader may take for something else. */
const WORDS: readonly string[] = [
  ...['', ' ', '\t', '\n', '\r\n', '\0', '\u00a0', '\u2028', '\ufeff', '\ud800', '\u{1f4a5}', '"', "'", '\\', '/'],
  ...['//', '..', '.', ':', ';', ',', '=', '#', '!', '@', '%', '%2F', '%ff', '%', '?', '&', '[', ']', '[::1]', '|'],
  ...['{', '}', '$', '*', '-', '--', '0', '-0', '-1', '1e9', '1e999', 'NaN', 'Infinity', '0x10', '00', '2147483648'],
  ...['-2147483649', '9007199254740993', '99999999999999999999', 'null', 'undefined', 'true', 'false', '1.5', '+1'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf', '__defineGetter__'],
  ...['server.1', 'server.0', 'server.-1', 'localhost', '127.0.0.1', '0.0.0.0', '::', 'participant', 'observer'],
]
const TEXT_REPEATS_MAX = 200

/** A mutator of text: what is not text becomes it. */
function ofText(change: (text: string, random: SeededRandom, other: string) => string): Mutator {
  return (input, random, other) => Buffer.from(change(textOf(input), random, textOf(other)))
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/** Mutators of texts, with words of the target's own. */
export function textMutators(own: readonly string[]): readonly Mutator[] {
  const pick = (random: SeededRandom): string => random.pick(random.chance(0.5) && own.length > 0 ? own : WORDS)
  const insert = ofText((text, random) => {
    const at = random.between(0, text.length)
    return text.slice(0, at) + pick(random) + text.slice(at)
  })
  const swapWord = ofText((text, random) => {
    const words = text.split(/(\b)/)
    words[random.between(0, words.length - 1)] = pick(random)
    return words.join('')
  })
  const swapNumber = ofText((text, random) => text.replace(/\d+/, () => random.pick(BORDERS).toString()))
  const lines = ofText((text, random, other) => {
    const [mine, theirs] = [text.split('\n'), other.split('\n')]
    const [from, to] = [random.between(0, mine.length), random.between(0, mine.length)]
    const line = random.chance(0.5) ? (mine[from] ?? '') : random.pick(theirs)
    mine.splice(to, random.between(0, 1), line)
    return mine.join('\n')
  })
  const repeat = ofText((text, random) => {
    const at = random.between(0, text.length)
    const piece = random.chance(0.5) ? pick(random) : text.slice(at, at + random.between(1, 8))
    return text.slice(0, at) + piece.repeat(random.between(2, TEXT_REPEATS_MAX)) + text.slice(at)
  })
  const drop = ofText((text, random) => {
    const at = random.between(0, text.length)
    return text.slice(0, at) + text.slice(at + random.between(1, 12))
  })
  const texts = [insert, insert, swapWord, swapWord, swapNumber, lines, lines, repeat, drop]
  return [...texts, flipBit, setByte, cross, truncate]
}
