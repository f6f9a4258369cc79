/**
 * `quorate snapshot FILE`: prints and verifies a snapshot of ours or of a ZooKeeper, compressed or not.
 *
 * Output    a line per session and per node on standard output, as they are read; at the end, on standard error,
 *           whether they can be believed. With `--json` the last line is the verdict.
 * Digest    of the nodes, compared with the one in the file. A ZooKeeper goes on while it writes a snapshot: a digest
 *           of a later transaction than that of the file's name says nothing without the log.
 * Source    SnapshotFormatter of ZooKeeper 3.8.
 */
import { DamageError } from '../../backends/wire/disk/damage.ts'
import { parseDataFileName } from '../../backends/wire/disk/file-names.ts'
import { DIGEST_VERSION } from '../../backends/wire/disk/log-entries.ts'
import type { SnapshotDigest, SnapshotNode, SnapshotSession } from '../../backends/wire/disk/snapshot-file.ts'
import { SnapshotReader } from '../../backends/wire/disk/snapshot-reader.ts'
import type { SnapshotItem } from '../../backends/wire/disk/snapshot-reader.ts'
import { TreeDigest, contentDigest, isDigested, nodeDigest } from '../../backends/wire/disk/tree-digest.ts'
import { unpackSnapshot } from '../../backends/wire/io/snapshot-streams.ts'
import { takeOptions } from '../command-options.ts'
import { UsageError } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { Output, Result } from '../output.ts'
import { hex } from '../shell/node-text.ts'
import { oneLine } from '../visible.ts'
import { chunksOf, expectDataFile } from './data-file.ts'
import { FileStatus } from './file-statuses.ts'
import { dataText } from './record-text.ts'

const SNAPSHOT_USAGE = `usage: quorate snapshot FILE [options]
Prints a snapshot, a line per session and per node, and compares the digest of the nodes. Reads gzip and snappy.
options:
  --json      a JSON value on a line for each session and node, and one for the end
  --data      the data of nodes too
  --help
exit status: 0 sound, 1 cannot be read, 2 not understood, 4 damaged`

const OPTIONS = {
  json: { type: 'boolean' },
  data: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** The digest of a snapshot beside that of its nodes. */
type Comparison = 'equal' | 'different' | 'fuzzy' | 'none'

const DIGEST_WORDS: Readonly<Record<Exclude<Comparison, 'different'>, string>> = {
  equal: 'the digest is right',
  fuzzy: 'the digest is of a later transaction, and says nothing without the log',
  none: 'there is no digest to compare',
}

/**
 * Runs the command.
 *
 * @param args - after `snapshot`
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure if the file cannot be read
 */
export async function runSnapshot(args: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = takeOptions('snapshot', args, OPTIONS)
  if (values.help === true) {
    output.out(`${SNAPSHOT_USAGE}\n`)
    return FileStatus.sound
  }
  const [file] = positionals
  if (file === undefined || positionals.length > 1) {
    throw new UsageError('snapshot takes one file: quorate snapshot FILE')
  }
  await expectDataFile(file, 'snapshot')
  const { json = false, data = false } = values
  const listing = new Listing(file, data)
  const print = (items: readonly SnapshotItem[]): void => {
    const lines = items.flatMap((item) => listing.take(item) ?? [])
    if (lines.length > 0) output.out(lines.map(({ text, json: value }) => (json ? jsonLine(value) : text)).join(''))
  }
  const reader = new SnapshotReader(file)
  try {
    const { compression } = parseDataFileName(baseName(file)) ?? { compression: 'none' }
    for await (const chunk of unpackSnapshot(file, compression, chunksOf(file))) print(reader.push(chunk))
    print(reader.end())
  } catch (error) {
    if (!(error instanceof DamageError)) throw error
    if (json) output.out(jsonLine({ state: 'damaged', kind: error.kind, offset: error.offset, reason: error.message }))
    else output.err(`${error.message}; nothing above can be trusted\n`)
    return FileStatus.damaged
  }
  return listing.tellEnd(output, json)
}

/** The listing of a snapshot, as it is read. */
class Listing {
  readonly #file: string
  readonly #showsData: boolean
  readonly #digest = new TreeDigest()
  /** The last transaction that is certainly in it. */
  #zxid: bigint | null
  #claimed: SnapshotDigest | null = null
  #sessions = 0
  #nodes = 0

  constructor(file: string, showsData: boolean) {
    this.#file = file
    this.#showsData = showsData
    this.#zxid = parseDataFileName(baseName(file))?.zxid ?? null
  }

  /** The line for an item; null if there is none. */
  take(item: SnapshotItem): Result | null {
    switch (item.kind) {
      case 'session':
        this.#sessions += 1
        return sessionText(item.session)
      case 'node':
        this.#nodes += 1
        if (isDigested(item.node.path)) {
          this.#digest.add(nodeDigest(contentDigest(item.node.path, item.node.data), item.node))
        }
        return nodeText(item.node, this.#showsData)
      case 'digest':
        this.#claimed = item.digest
        return null
      case 'last-zxid':
        this.#zxid = item.zxid
        return null
      default:
        return null
    }
  }

  /** Says what the snapshot came to. */
  tellEnd(output: Output, json: boolean): number {
    const digest = this.#compared()
    const isSound = digest !== 'different'
    const zxid = this.#zxid === null ? null : hex(this.#zxid)
    const [sessions, nodes] = [this.#sessions, this.#nodes]
    if (json) {
      output.out(jsonLine({ state: isSound ? 'sound' : 'damaged', zxid, sessions, nodes, digest }))
    } else {
      const counts = `${sessions} sessions, ${nodes} nodes`
      const found = `the digest of its nodes is ${this.#digest.value}, and it says ${this.#claimed?.value ?? ''}`
      const words = digest === 'different' ? found : `sound; ${DIGEST_WORDS[digest]}`
      output.err(`${this.#file}: zxid ${zxid ?? 'unknown'}, ${counts}: ${words}\n`)
    }
    return isSound ? FileStatus.sound : FileStatus.damaged
  }

  #compared(): Comparison {
    const claimed = this.#claimed
    if (claimed === null || claimed.version !== DIGEST_VERSION || claimed.zxid === 0n) return 'none'
    if (claimed.value === this.#digest.value) return 'equal'
    return claimed.zxid === this.#zxid ? 'different' : 'fuzzy'
  }
}

function sessionText({ id, timeoutMs }: SnapshotSession): Result {
  const session = hex(id)
  return { text: `session  ${session}  time-out ${timeoutMs} ms\n`, json: { session, timeoutMs } }
}

function nodeText(node: SnapshotNode, showsData: boolean): Result {
  const data = dataText(node.data, showsData)
  const { path, version, cversion, aversion, ctime, mtime } = node
  const [czxid, mzxid, pzxid, owner] = [node.czxid, node.mzxid, node.pzxid, node.ephemeralOwner].map(hex)
  const isOwned = node.ephemeralOwner !== 0n
  const words = ['node', oneLine(path), `mzxid ${mzxid ?? ''}`, `version ${version}`]
  if (isOwned) words.push(`owner ${owner ?? ''}`)
  return {
    text: `${[...words, ...data.words].join('  ')}\n`,
    json: {
      ...{ path, czxid, mzxid, pzxid, ctime, mtime, version, childCreates: cversion, aclVersion: aversion },
      ...(isOwned ? { owner } : {}),
      ...data.fields,
    },
  }
}

function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1)
}
