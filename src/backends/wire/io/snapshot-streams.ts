/**
 * Compressed snapshots: reading what a ZooKeeper may have written, and writing gzip.
 *
 * Memory    a few chunks. The unpacked file is never held as a whole.
 */
import { Readable, pipeline } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import type { Gunzip, Gzip } from 'node:zlib'
import { DamageError } from '../disk/damage.ts'
import type { Compression } from '../disk/file-names.ts'
import { SnappyUnpacker } from '../disk/snappy.ts'

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Chunks are about as long as those that a snapshot is written in. */
const CHUNK_BYTES = 0x1_0000

/**
 * Unpacks a snapshot file.
 *
 * @param file - the name that errors say
 * @param compression - as the file's name says: see `parseDataFileName`
 * @returns its contents, for a `SnapshotReader`
 * @throws DamageError `header`, `compression`, `length` or `cut`; its offset is that of the compressed file
 */
export function unpackSnapshot(file: string, compression: Compression, chunks: Chunks): Chunks {
  switch (compression) {
    case 'none':
      return chunks
    case 'gz':
      return gunzip(file, chunks)
    case 'snappy':
      return unpackSnappy(file, chunks)
  }
}

/** Compresses a snapshot as ZooKeeper does for `.gz`. */
export function gzipSnapshot(chunks: Chunks): AsyncIterable<Uint8Array> {
  return through(chunks, createGzip({ chunkSize: CHUNK_BYTES }))
}

async function* gunzip(file: string, chunks: Chunks): AsyncGenerator<Uint8Array, void> {
  const stream = createGunzip({ chunkSize: CHUNK_BYTES })
  try {
    yield* through(chunks, stream)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!code.startsWith('Z_')) throw error
    const kind = code === 'Z_BUF_ERROR' ? 'cut' : 'compression'
    const what = kind === 'cut' ? 'the file ends too early' : 'bytes that gzip did not write'
    throw new DamageError(file, kind, stream.bytesWritten, `${what} (in the compressed stream)`, error)
  }
}

/** The chunks, through a stream. Whoever stops early ends the source too. */
async function* through(chunks: Chunks, stream: Gunzip | Gzip): AsyncGenerator<Uint8Array, void> {
  // An error of the source or of the stream is thrown by the iteration; the callback has nothing to add.
  pipeline(Readable.from(chunks), stream, () => undefined)
  for await (const chunk of stream) yield chunk as Uint8Array
}

async function* unpackSnappy(file: string, chunks: Chunks): AsyncGenerator<Uint8Array, void> {
  const unpacker = new SnappyUnpacker(file)
  for await (const chunk of chunks) yield* unpacker.push(chunk)
  unpacker.end()
}
