/**
 * The files of real ZooKeepers in test/fixtures, and readers that take them in one go.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { parseDataFileName } from '../../../../src/backends/wire/disk/file-names.ts'
import type { DataFileName } from '../../../../src/backends/wire/disk/file-names.ts'
import { LogScanner } from '../../../../src/backends/wire/disk/log-scanner.ts'
import type { LogRecord, LogVerdict } from '../../../../src/backends/wire/disk/log-scanner.ts'

const ROOT = fileURLToPath(new URL('../../../fixtures/zookeeper-3.8.0', import.meta.url))

/** The directories. */
export const DIRECTORIES: readonly string[] = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort()

/** A log or snapshot as the server had it. */
export interface GoldenFile extends DataFileName {
  readonly directory: string
  /** Its name in version-2. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** Logs and snapshots of a directory, by zxid. */
export function filesOf(directory: string): readonly GoldenFile[] {
  return readdirSync(`${ROOT}/${directory}`)
    .flatMap((stored) => {
      const isPacked = stored.startsWith('log.') || stored.endsWith('.packed.gz')
      const name = isPacked ? stored.replace(/(\.packed)?\.gz$/, '') : stored
      const parsed = parseDataFileName(name)
      if (parsed === null) return []
      const bytes = readFileSync(`${ROOT}/${directory}/${stored}`)
      return [{ ...parsed, directory, name, bytes: new Uint8Array(isPacked ? gunzipSync(bytes) : bytes) }]
    })
    .sort((a, b) => (a.zxid < b.zxid ? -1 : 1))
}

const isLog = ({ kind }: DataFileName): boolean => kind === 'log'
const everyFile = DIRECTORIES.flatMap(filesOf)

/** Every log. */
export const LOGS: readonly GoldenFile[] = everyFile.filter(isLog)
/** Every snapshot. */
export const SNAPSHOTS: readonly GoldenFile[] = everyFile.filter((file) => !isLog(file))

/** One of them. */
export function golden(directory: string, name: string): GoldenFile {
  const found = everyFile.find((file) => file.directory === directory && file.name === name)
  if (found === undefined) throw new Error(`no ${directory}/${name}`)
  return found
}

/** A small file of a directory. */
export function goldenText(directory: string, name: string): Uint8Array {
  return readFileSync(`${ROOT}/${directory}/${name}`)
}

/** The output of ZooKeeper's own tool for a log. */
export function toolkitDump({ directory, name }: GoldenFile): string {
  return gunzipSync(readFileSync(`${ROOT}/${directory}/${name}.toolkit.txt.gz`)).toString()
}

/** The bytes in chunks of a length. The memory of each is overwritten when the next is taken, as a reused buffer is. */
export function* chunked(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  const chunk = new Uint8Array(Math.min(length, bytes.length))
  for (let at = 0; at < bytes.length; at += length) {
    const part = bytes.subarray(at, at + length)
    chunk.set(part)
    yield chunk.subarray(0, part.length)
    chunk.fill(0xa5)
  }
}

/** The records of a log, and how it ends. */
export interface Scan {
  readonly records: readonly LogRecord[]
  readonly verdict: LogVerdict
}

/** Reads a log. */
export function scan(bytes: Uint8Array, file = 'log.1', chunkBytes = 0x1_0000): Scan {
  const scanner = new LogScanner(file)
  const records: LogRecord[] = []
  for (const chunk of chunked(bytes, chunkBytes)) records.push(...scanner.push(chunk.slice()))
  return { records, verdict: scanner.end() }
}
