/**
 * Unpacks Snappy, in the stream format of snappy-java, which some ZooKeepers compress their snapshots with.
 *
 * Stream    0x82 `SNAPPY` 0, int32 version, int32 least version that reads it; then chunks of int32 length (big endian)
 *           and a block. A further header may stand between chunks, where streams were joined.
 * Block     a varint of the unpacked length; then elements. The low two bits of the first byte tell: 0 literal, 1 a
 *           copy with an 11-bit offset, 2 with a 16-bit one, 3 with a 32-bit one (little endian).
 * Memory    one block, packed and unpacked; lengths are checked before anything is allocated for them.
 * Source    google/snappy format_description.txt; SnappyOutputStream, SnappyCodec of snappy-java.
 */
import { ByteWindow } from './byte-window.ts'
import { DamageError } from './damage.ts'
import type { DamageKind } from './damage.ts'

/** The first bytes of a stream, without the versions. */
const MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1')
const HEADER_BYTES = 16
/** The first four bytes of a header, as a length. */
const MAGIC_AS_LENGTH = MAGIC.readInt32BE(0)
const LENGTH_BYTES = 4
/** The longest unpacked block. snappy-java makes blocks of 32 KiB, unless it is told otherwise. */
const BLOCK_BYTES_MAX = 0x40_0000
/** The longest packed block: see snappy::MaxCompressedLength. */
const PACKED_BYTES_MAX = 32 + BLOCK_BYTES_MAX + Math.ceil(BLOCK_BYTES_MAX / 6)
const VARINT_BYTES_MAX = 5

/** Unpacks one stream. Push its chunks in order, then {@link SnappyUnpacker.end}. */
export class SnappyUnpacker {
  readonly #file: string
  readonly #window = new ByteWindow()
  #isHeaderRead = false

  /**
   * Makes an unpacker.
   *
   * @param file - the name that errors say
   */
  constructor(file: string) {
    this.#file = file
  }

  /**
   * Unpacks the next chunk.
   *
   * @returns the blocks that are complete with it
   * @throws DamageError `header`, `length` or `compression`; its offset is that of the packed stream
   */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const blocks: Uint8Array[] = []
    const window = this.#window
    window.push(chunk)
    if (!this.#isHeaderRead && window.length >= HEADER_BYTES) this.#readHeader()
    while (this.#isHeaderRead && window.length >= LENGTH_BYTES) {
      const length = window.int32(0)
      if (length === MAGIC_AS_LENGTH) {
        if (window.length < HEADER_BYTES) break
        this.#readHeader()
        continue
      }
      if (length <= 0 || length > PACKED_BYTES_MAX) throw this.#error('length', `a block of ${length} bytes`)
      if (window.length < LENGTH_BYTES + length) break
      blocks.push(this.#unpack(window.view(LENGTH_BYTES + length).subarray(LENGTH_BYTES)))
      window.consume(LENGTH_BYTES + length)
    }
    window.settle()
    return blocks
  }

  /**
   * There are no more chunks.
   *
   * @throws DamageError `cut` if the stream is incomplete
   */
  end(): void {
    if (!this.#isHeaderRead || this.#window.length > 0) throw this.#error('cut', 'the file ends within a block')
  }

  #readHeader(): void {
    if (MAGIC.compare(this.#window.view(MAGIC.length)) !== 0) {
      throw this.#error('header', 'a file compressed by snappy-java begins with its name')
    }
    this.#window.consume(HEADER_BYTES)
    this.#isHeaderRead = true
  }

  #unpack(packed: Uint8Array): Uint8Array {
    const block = unpackBlock(packed)
    if (block === null) throw this.#error('compression', 'a block that Snappy did not write')
    return block
  }

  #error(kind: DamageKind, what: string): DamageError {
    return new DamageError(this.#file, kind, this.#window.offset, `${what} (in the compressed stream)`)
  }
}

/** A block, unpacked; null if it is malformed. */
function unpackBlock(packed: Uint8Array): Uint8Array | null {
  const head = readVarint(packed)
  if (head === null || head.value > BLOCK_BYTES_MAX) return null
  const block = new Uint8Array(head.value)
  let to = 0
  let from = head.length
  while (from < packed.length) {
    const tag = packed[from] as number
    from += 1
    const kind = tag & 3
    const extra = kind === 0 ? literalBytes(tag) : kind === 3 ? 4 : kind
    if (from + extra > packed.length) return null
    const operand = littleEndian(packed, from, extra)
    from += extra
    if (kind === 0) {
      const length = 1 + (extra === 0 ? tag >>> 2 : operand)
      if (length > packed.length - from || length > block.length - to) return null
      block.set(packed.subarray(from, from + length), to)
      from += length
      to += length
    } else {
      const length = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2)
      const distance = kind === 1 ? ((tag >>> 5) << 8) | operand : operand
      if (distance === 0 || distance > to || length > block.length - to) return null
      // A copy may overlap itself: it repeats what it has just written.
      for (const end = to + length; to < end; to++) block[to] = block[to - distance] as number
    }
  }
  return to === block.length ? block : null
}

/** How many bytes hold the length of a literal, after its tag. */
function literalBytes(tag: number): number {
  return Math.max(0, (tag >>> 2) - 59)
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] as number)
  return value
}

function readVarint(bytes: Uint8Array): { readonly value: number; readonly length: number } | null {
  let value = 0
  for (let i = 0; i < Math.min(bytes.length, VARINT_BYTES_MAX); i++) {
    const byte = bytes[i] as number
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, length: i + 1 }
  }
  return null
}
