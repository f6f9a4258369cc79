/**
 * The replicated state in bytes, written in chunks while the state changes.
 *
 * Format    that of ZooKeeper's snapshot files (wire/disk/snapshot-file.ts): sessions by id, lists numbered in the
 *           order in which nodes name them, nodes in pre-order with sorted children; and the passwords at the end.
 * Model     the state as it was when the snapshot was opened: its nodes are a TreeImage, and a session that ends is
 *           shown to it first. Two walks: the first numbers the lists, which are written before the nodes.
 * Digest    of the tree at its zxid, summed up as the nodes are written: nothing is kept for it between snapshots.
 * Safety    equal states give equal chunks, whatever is written meanwhile and however fast they are read.
 * Cost      a step is a chunk, or bounded work without bytes. Its opener reads a snapshot to its end or closes
 *           it.
 * Source    SerializeUtils.serializeSnapshot, DataTree.serializeNode, ReferenceCountedACLCache.java; decision 0013.
 */
import { assert } from '../../../../core/assert.ts'
import { writeSnapshotFile } from '../../../wire/disk/snapshot-file.ts'
import type { SnapshotNode } from '../../../wire/disk/snapshot-file.ts'
import { TreeDigest, contentDigest, isDigested, nodeDigest } from '../../../wire/disk/tree-digest.ts'
import { OPEN_ACL } from '../../../wire/records.ts'
import type { Acl } from '../../../wire/records.ts'
import { ownerNumberOf } from './node.ts'
import type { SessionTable } from './session-table.ts'
import type { Tree } from './tree.ts'
import type { TreeImage } from './tree-image.ts'

/** The contents of a snapshot. */
export interface SnapshotContent {
  readonly tree: Tree
  readonly sessions: SessionTable
  /** zxid of the last transaction that is in it. */
  readonly lastZxid: bigint
}

/** Stands for {@link OPEN_ACL}, which is not in the table. */
export const OPEN_ACL_NUMBER: bigint = -1n

/** How much is done in a step. */
export interface SnapshotSteps {
  /** About the length of a chunk, unless it is the data of one node. */
  readonly chunkBytes: number
  /** Ids that are sorted in a step that writes nothing. */
  readonly sorted: number
  /** Nodes and entries of lists that are looked at in a step that writes nothing. */
  readonly looks: number
}

/** Steps of one or two milliseconds. */
export const SNAPSHOT_STEPS: SnapshotSteps = Object.freeze({ chunkBytes: 65_536, sorted: 16_384, looks: 1_024 })

/** A step that wrote nothing. */
const NO_BYTES = new Uint8Array()

type Session = NonNullable<ReturnType<SessionTable['get']>>

/** A state as it was when this was opened. */
export class Snapshot {
  /** zxid of the last transaction that is in it. */
  readonly zxid: bigint
  readonly #tree: Tree
  readonly #sessions: SessionTable
  readonly #image: TreeImage
  readonly #sessionIds: BigInt64Array
  /** Sessions that have ended since. */
  readonly #ended = new Map<bigint, Session>()
  readonly #limits: SnapshotSteps
  readonly #onClose: (snapshot: Snapshot) => void
  readonly #steps: Iterator<Uint8Array, void>
  #isOpen = true
  #isComplete = false

  /**
   * Opens a snapshot of a state as it is now.
   *
   * @param onClose - called once, when it was read to its end or closed
   */
  constructor(
    { tree, sessions, lastZxid }: SnapshotContent,
    limits: SnapshotSteps,
    onClose: (snapshot: Snapshot) => void,
  ) {
    this.zxid = lastZxid
    this.#tree = tree
    this.#sessions = sessions
    this.#image = tree.openImage(lastZxid)
    this.#sessionIds = new BigInt64Array(sessions.size)
    let at = 0
    for (const id of sessions.ids()) {
      this.#sessionIds[at] = id
      at += 1
    }
    this.#limits = limits
    this.#onClose = onClose
    this.#steps = this.#write()
  }

  /** Whether there is more to read. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The next chunk; it is empty where there was work without bytes, and null at the end. */
  next(): Uint8Array | null {
    // The end of one that was given up must not look like the end of the state.
    assert(this.#isOpen || this.#isComplete, 'a snapshot is read that was closed before its end')
    if (this.#isComplete) return null
    const step = this.#steps.next()
    if (step.done !== true) return step.value
    this.#isComplete = true
    this.close()
    return null
  }

  /** All that is left of it. */
  *chunks(): Generator<Uint8Array, void> {
    for (let chunk = this.next(); chunk !== null; chunk = this.next()) yield chunk
  }

  /** Gives up what has not been read. Idempotent. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#tree.removeWitness(this.#image)
    this.#onClose(this)
  }

  /** A session is about to end. */
  keepSession(id: bigint, session: Session): void {
    this.#ended.set(id, session)
  }

  *#write(): Generator<Uint8Array, void> {
    const sessions: { readonly id: bigint; readonly timeoutMs: number; readonly passwd: Uint8Array }[] = []
    for (const id of sorted(this.#sessionIds, this.#limits.sorted)) {
      if (id === null) {
        yield NO_BYTES
        continue
      }
      const session = this.#ended.get(id) ?? this.#sessions.get(id)
      assert(session !== undefined, () => `session ${id} is no longer as it was`)
      sessions.push({ id, timeoutMs: session.timeoutMs, passwd: session.passwd })
    }
    const acls = new AclNumbers()
    let looks = 0
    for (const { node } of this.#image.walk()) {
      acls.add(node.acl)
      looks += 1 + node.acl.length
      if (looks < this.#limits.looks) continue
      looks = 0
      yield NO_BYTES
    }
    const digest = new TreeDigest()
    yield* writeSnapshotFile({
      sessions,
      acls: acls.lists.map((acl, i) => ({ key: BigInt(i + 1), acl })),
      nodes: nodesOf(this.#image, acls, digest),
      // At zxid 0 there is none, as in ZooKeeper's.
      ending: () => ({
        digest: { zxid: this.zxid, value: this.zxid === 0n ? 0n : digest.value },
        lastZxid: this.zxid,
        secrets: sessions,
      }),
    }, this.#limits.chunkBytes)
  }
}

function* nodesOf(image: TreeImage, acls: AclNumbers, digest: TreeDigest): Generator<SnapshotNode, void> {
  for (const { path, node } of image.lastWalk()) {
    const { data, acl, czxid, mzxid, pzxid, ctime, mtime, version, aversion, childCreates, ownership } = node
    const [aclKey, ephemeralOwner] = [acls.numberOf(acl), ownerNumberOf(ownership)]
    const stat = { czxid, mzxid, pzxid, ctime, mtime, version, aversion, cversion: childCreates, ephemeralOwner }
    if (isDigested(path)) digest.add(nodeDigest(contentDigest(path, data), stat))
    yield { path, data, aclKey, ...stat }
  }
}

/** Numbers of lists, from 1 in the order in which the nodes come: no history in them. */
class AclNumbers {
  readonly lists: (readonly Acl[])[] = []
  readonly #byText = new Map<string, bigint>()
  /** Each list that a node has, so that its text is made only once. */
  readonly #byList = new Map<readonly Acl[], bigint>([[OPEN_ACL, OPEN_ACL_NUMBER]])

  add(acl: readonly Acl[]): void {
    if (this.#byList.has(acl)) return
    const text = JSON.stringify(acl.map(({ perms, scheme, id }) => [perms, scheme, id]))
    let number = this.#byText.get(text)
    if (number === undefined) {
      this.lists.push(acl)
      number = BigInt(this.lists.length)
      this.#byText.set(text, number)
    }
    this.#byList.set(acl, number)
  }

  numberOf(acl: readonly Acl[]): bigint {
    const number = this.#byList.get(acl)
    assert(number !== undefined, 'a list that no node had when the lists were numbered')
    return number
  }
}

/** Ids in order, with null after each step of work. Sorts the array in parts, in place, and merges those. */
function* sorted(ids: BigInt64Array, perStep: number): Generator<bigint | null, void> {
  const parts: { readonly ids: BigInt64Array; next: number }[] = []
  for (let from = 0; from < ids.length; from += perStep) {
    parts.push({ ids: ids.subarray(from, from + perStep).sort(), next: 0 })
    yield null
  }
  for (let left = ids.length; left > 0; left--) {
    let least: bigint | undefined
    let from: (typeof parts)[number] | undefined
    for (const part of parts) {
      const id = part.ids[part.next]
      if (id === undefined || (least !== undefined && id >= least)) continue
      least = id
      from = part
    }
    assert(from !== undefined && least !== undefined, 'as many ids as were counted')
    from.next += 1
    yield least
  }
}
