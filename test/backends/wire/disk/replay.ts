/**
 * Replays logs on a snapshot by ZooKeeper's own tolerant rules, and compares each digest on the way.
 */
import { OpCode } from '../../../../src/backends/wire/codes.ts'
import type { LogRecord } from '../../../../src/backends/wire/disk/log-scanner.ts'
import type { SnapshotItem } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import { TreeDigest, contentDigest, isDigested, nodeDigest } from '../../../../src/backends/wire/disk/tree-digest.ts'
import type { PersistedStat } from '../../../../src/backends/wire/disk/tree-digest.ts'
import type { Transaction } from '../../../../src/backends/wire/transactions.ts'
import { filesOf, scan } from './golden.ts'
import { readItems, unpacked } from './golden-snapshots.ts'

type Txn = Transaction['txn']
type Header = Transaction['header']

interface ReplayedNode {
  readonly data: Uint8Array | null
  readonly stat: PersistedStat
}

const CONTAINER_OWNER = -(2n ** 63n)
const TTL_OWNER = -(2n ** 56n)
const ZERO_STAT: PersistedStat = {
  czxid: 0n,
  mzxid: 0n,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  pzxid: 0n,
}

/** A tree of nodes that knows its digest. */
export class ReplayedTree {
  readonly nodes = new Map<string, ReplayedNode>()
  readonly sessions = new Map<bigint, number>()
  readonly #digest = new TreeDigest()

  get digest(): bigint {
    return this.#digest.value
  }

  load(item: SnapshotItem): void {
    if (item.kind === 'session') this.sessions.set(item.session.id, item.session.timeoutMs)
    if (item.kind !== 'node') return
    const { path, data, ...stat } = item.node
    if (path !== '/' && !this.nodes.has(parentOf(path))) throw new Error(`${path} before its parent`)
    this.put(path, { data, stat })
  }

  put(path: string, node: ReplayedNode | null): void {
    const before = this.nodes.get(path)
    if (before !== undefined && isDigested(path)) this.#digest.remove(numberOf(path, before))
    if (node === null) this.nodes.delete(path)
    else this.nodes.set(path, node)
    if (node !== null && isDigested(path)) this.#digest.add(numberOf(path, node))
  }

  apply({ header, txn }: Transaction): void {
    if (txn.type === OpCode.createSession) {
      this.sessions.set(header.clientId, txn.body.timeOut)
    } else if (txn.type === OpCode.closeSession) {
      this.sessions.delete(header.clientId)
      for (const path of txn.body.paths2Delete) this.#delete(path, header)
      const isOwn = ([, { stat }]: [string, ReplayedNode]): boolean => stat.ephemeralOwner === header.clientId
      for (const [path] of [...this.nodes].filter(isOwn)) this.#delete(path, header)
    } else if (txn.type === OpCode.multi) {
      const isRefused = txn.body.some(({ type }) => type === OpCode.error)
      if (!isRefused) for (const part of txn.body) this.#applyPart(part, header)
    } else {
      this.#applyPart(txn, header)
    }
  }

  #applyPart(txn: Txn, header: Header): void {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
        this.#create(txn.body, txn.body.ephemeral ? header.clientId : 0n, header, txn.type === OpCode.create)
        break
      case OpCode.createContainer:
        this.#create(txn.body, CONTAINER_OWNER, header, false)
        break
      case OpCode.createTTL:
        this.#create(txn.body, TTL_OWNER + txn.body.ttl, header, false)
        break
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#delete(txn.body.path, header)
        break
      case OpCode.setData:
      case OpCode.reconfig: {
        const { path, data, version } = txn.body
        const stat = { version, mzxid: header.zxid, mtime: header.time }
        this.#change(path, (node) => ({ data, stat: { ...node.stat, ...stat } }))
        break
      }
      case OpCode.setAcl: {
        const { path, version: aversion } = txn.body
        this.#change(path, ({ data, stat }) => ({ data, stat: { ...stat, aversion } }))
        break
      }
      default:
    }
  }

  #create(
    { path, data, parentCVersion }: { path: string; data: Uint8Array | null; parentCVersion: number },
    ephemeralOwner: bigint,
    { zxid, time }: Header,
    raisesAlways: boolean,
  ): void {
    const parent = parentOf(path)
    const isNew = !this.nodes.has(path)
    if (!this.nodes.has(parent)) return
    if (isNew || raisesAlways) {
      this.#change(parent, (node) => {
        const cversion = parentCVersion === -1 ? node.stat.cversion + 1 : parentCVersion
        return cversion > node.stat.cversion ? { data: node.data, stat: { ...node.stat, cversion, pzxid: zxid } } : node
      })
    }
    if (!isNew) return
    const stat = { ...ZERO_STAT, czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time, ephemeralOwner }
    this.put(path, { data, stat })
  }

  #delete(path: string, { zxid }: Header): void {
    this.#change(parentOf(path), ({ data, stat }) => {
      return { data, stat: { ...stat, pzxid: zxid > stat.pzxid ? zxid : stat.pzxid } }
    })
    if (this.nodes.has(parentOf(path))) this.put(path, null)
  }

  #change(path: string, change: (node: ReplayedNode) => ReplayedNode): void {
    const node = this.nodes.get(path)
    if (node !== undefined) this.put(path, change(node))
  }
}

function numberOf(path: string, { data, stat }: ReplayedNode): number {
  return nodeDigest(contentDigest(path, data), stat)
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === 0 ? '/' : path.slice(0, slash)
}

/** The result of a replay. */
export interface Replay {
  readonly tree: ReplayedTree
  readonly lastZxid: bigint
  readonly applied: number
  /** zxids at which a digest was compared and was equal, or was not. */
  readonly equal: readonly bigint[]
  readonly different: readonly bigint[]
  /** Whether the end of the fuzzy part was found. */
  readonly isSettled: boolean
}

/** Replays a directory from one of its snapshots; from the newest if none is named. */
export function replay(directory: string, from?: string): Replay {
  const files = filesOf(directory)
  const snapshots = files.filter(({ kind }) => kind === 'snapshot')
  const snapshot = from === undefined ? snapshots.at(-1) : snapshots.find(({ name }) => name === from)
  if (snapshot === undefined) throw new Error(`no snapshot in ${directory}`)
  const tree = new ReplayedTree()
  let settling: { zxid: bigint; value: bigint } | null = null
  for (const item of readItems(unpacked(snapshot.bytes, snapshot.compression))) {
    tree.load(item)
    if (item.kind === 'digest' && item.digest.zxid >= snapshot.zxid && item.digest.zxid > 0n) settling = item.digest
  }
  const records = files
    .filter(({ kind }) => kind === 'log')
    .flatMap((log): readonly LogRecord[] => scan(log.bytes, log.name).records)
    .filter(({ zxid }) => zxid > snapshot.zxid)
  const equal: bigint[] = []
  const different: bigint[] = []
  let lastZxid = snapshot.zxid
  const compare = (zxid: bigint, value: bigint): unknown => (tree.digest === value ? equal : different).push(zxid)
  const arrive = (zxid: bigint): void => {
    if (settling?.zxid !== zxid) return
    compare(zxid, settling.value)
    settling = null
  }
  arrive(lastZxid)
  for (const { transaction, zxid, digest } of records) {
    tree.apply(transaction)
    lastZxid = zxid
    arrive(zxid)
    if (settling === null && digest !== null) compare(zxid, digest.value)
  }
  return { tree, lastZxid, applied: records.length, equal, different, isSettled: settling === null }
}
