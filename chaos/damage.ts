/** Damage to the files of a server that is down, as crashes and disks do it. */
import { openSync, closeSync, readFileSync, readdirSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseDataFileName } from '../src/backends/wire/disk/file-names.ts'
import type { DataFileName } from '../src/backends/wire/disk/file-names.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'

/** The header of a log has no checksum. */
const LOG_HEADER_BYTES = 16
const TORN_BYTES_MAX = 64
const BITS = 8

/** Cuts some bytes off the last record of the newest log, as if it had not been written whole. */
export function tear(dataDir: string, random: SeededRandom): void {
  const path = newest(dataDir, 'log')
  if (path === null) return
  const end = endOf(readFileSync(path))
  const cut = random.between(1, TORN_BYTES_MAX)
  truncateSync(path, Math.max(LOG_HEADER_BYTES, end - cut))
}

/** Flips a bit of the newest log or of the newest snapshot. */
export function flip(dataDir: string, random: SeededRandom): void {
  const path = newest(dataDir, random.pick(['log', 'snapshot'])) ?? newest(dataDir, 'log')
  if (path === null) return
  const bytes = readFileSync(path)
  const at = random.between(LOG_HEADER_BYTES, Math.max(LOG_HEADER_BYTES, endOf(bytes) - 1))
  const file = openSync(path, 'r+')
  writeSync(file, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.between(0, BITS - 1))), 0, 1, at)
  closeSync(file)
}

function newest(dataDir: string, kind: DataFileName['kind']): string | null {
  const folder = join(dataDir, 'version-2')
  const named = readdirSync(folder).flatMap((name) => {
    const parsed = parseDataFileName(name)
    return parsed?.kind === kind && !parsed.isTemporary ? [{ name, zxid: parsed.zxid }] : []
  })
  const [last] = named.sort((a, b) => Number(b.zxid - a.zxid))
  return last === undefined ? null : join(folder, last.name)
}

/** The end of the bytes before the room that was prepared for more. */
function endOf(bytes: Uint8Array): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1
}
