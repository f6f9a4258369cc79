/**
 * Reads snapshots of real ZooKeepers in one go.
 */
import { gunzipSync } from 'node:zlib'
import type { Compression } from '../../../../src/backends/wire/disk/file-names.ts'
import type { SnapshotContent } from '../../../../src/backends/wire/disk/snapshot-file.ts'
import { SnapshotReader } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import type { SnapshotItem } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import { SnappyUnpacker } from '../../../../src/backends/wire/disk/snappy.ts'
import { chunked } from './golden.ts'

/** Unpacks a snapshot. */
export function unpacked(bytes: Uint8Array, compression: Compression): Uint8Array {
  if (compression === 'none') return bytes
  if (compression === 'gz') return new Uint8Array(gunzipSync(bytes))
  const unpacker = new SnappyUnpacker('snapshot')
  const blocks = unpacker.push(bytes)
  unpacker.end()
  return new Uint8Array(Buffer.concat(blocks))
}

/** Reads a snapshot that is not compressed. */
export function readItems(bytes: Uint8Array, file = 'snapshot.1', chunkBytes = 0x1_0000): SnapshotItem[] {
  const reader = new SnapshotReader(file)
  const items: SnapshotItem[] = []
  for (const chunk of chunked(bytes, chunkBytes)) items.push(...reader.push(chunk))
  items.push(...reader.end())
  return items
}

/** The contents of a snapshot, to be written again. */
export function contentOf(items: readonly SnapshotItem[]): SnapshotContent {
  const digest = items.find((item) => item.kind === 'digest')?.digest ?? null
  const lastZxid = items.find((item) => item.kind === 'last-zxid')?.zxid ?? 0n
  const secrets = items.flatMap((item) => (item.kind === 'secret' ? [item.secret] : []))
  return {
    sessions: items.flatMap((item) => (item.kind === 'session' ? [item.session] : [])),
    acls: items.flatMap((item) => (item.kind === 'acl' ? [item.acl] : [])),
    nodes: items.flatMap((item) => (item.kind === 'node' ? [item.node] : [])),
    ending: () => ({ digest, lastZxid, secrets: secrets.length === 0 ? null : secrets }),
  }
}
