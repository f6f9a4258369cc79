import { describe, expect, it } from 'vitest'
import { parentOf } from '../../../../../src/core/path.ts'
import { LogDigest, treeDigestOf } from '../../../../../src/backends/embedded/server/state/log-digest.ts'
import { ReplayDigest } from '../../../../../src/backends/embedded/server/state/replay-digest.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { StateReader } from '../../../../../src/backends/embedded/server/state/state-reader.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody } from '../../../../../src/backends/wire/transactions.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'
import { filesOf, scan } from '../../../wire/disk/golden.ts'

const SEEDS = 10
const STEPS = 150
const SESSIONS = [0x1000n, 0x2000n] as const
const PATHS = ['/a', '/b', '/a/c', '/a/d', '/b/c', '/a/c/e', '/zookeeper/quota/q']

/** A log that is ahead of the tree to which it is applied; a second tree shows what will be. */
class Run {
  readonly #random: SeededRandom
  readonly state = new State()
  readonly digest = new LogDigest(this.state, treeDigestOf(this.state))
  #future = new State()
  #log: Transaction[] = []
  readonly #applied: Transaction[] = []
  #zxid = 0n

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    for (const clientId of SESSIONS) this.#add(clientId, this.#session())
  }

  step(): void {
    const random = this.#random
    const owner = random.pick(SESSIONS)
    const kind = random.between(0, 9)
    if (kind === 0) this.#apply(random.between(1, this.#log.length))
    else if (kind === 1 && this.#log.length > 0) this.#cut(random.between(0, this.#log.length))
    else if (kind === 2) {
      const paths2Delete = [...this.#future.tree.ephemeralsOf(owner)]
      if (!this.#future.sessions.has(owner)) this.#add(owner, this.#session())
      else this.#add(owner, { type: OpCode.closeSession, body: { paths2Delete } })
    } else if (kind === 3) this.#addMulti(owner)
    else this.#add(owner, this.#change(owner, this.#future) ?? { type: OpCode.error, body: { err: -101 } })
  }

  end(): void {
    this.#apply(this.#log.length)
    expect(treeDigestOf(this.state)).toBe(treeDigestOf(this.#future))
  }

  /** Applies all that was applied once more, and reckons now and then. */
  replay(): void {
    const state = new State()
    const digest = new ReplayDigest(state, treeDigestOf(state))
    const due: bigint[] = []
    for (const transaction of this.#applied) {
      const isDue = digest.applied(state.apply(transaction))
      if (isDue) due.push(state.lastZxid)
      if (isDue || this.#random.chance(0.2)) expect(digest.reckon()).toBe(treeDigestOf(state))
    }
    const ended = digest.end()
    expect(ended.history).toEqual(this.digest.history)
    expect(due).toEqual(ended.history.map(({ zxid }) => zxid))
    const zxid = state.lastZxid + 1n
    const header = { clientId: 1n, cxid: 1, zxid, time: 1, type: OpCode.setData }
    const transaction: Transaction = { header, txn: { type: header.type, body: { path: '/', data: null, version: 1 } } }
    expect(ended.add(transaction)).toBe(this.digest.add(transaction))
  }

  #session(): TxnBody {
    return { type: OpCode.createSession, body: { timeOut: 4_000, passwd: new Uint8Array(16) } }
  }

  #add(clientId: bigint, txn: TxnBody): void {
    this.#zxid += 1n
    const header = { clientId, cxid: 1, zxid: this.#zxid, time: Number(this.#zxid) * 1_000, type: txn.type }
    const transaction: Transaction = { header, txn }
    this.#future.apply(transaction)
    this.#log.push(transaction)
    const kept = this.#random.chance(0.5) ? encodeTransaction(transaction) : transaction
    expect(this.digest.add(transaction, kept), `zxid ${this.#zxid}`).toBe(treeDigestOf(this.#future))
  }

  /** A multi of several parts, or one that was refused. */
  #addMulti(owner: bigint): void {
    const draft = State.restore(this.#future.snapshot())
    const parts: TxnBody[] = []
    const isRefused = this.#random.chance(0.2)
    for (let count = this.#random.between(0, 4); count > 0; count--) {
      const part = this.#change(owner, draft, true)
      if (part === null) continue
      const zxid = draft.lastZxid + 1n
      draft.apply({ header: { clientId: owner, cxid: 1, zxid, time: 1, type: part.type }, txn: part })
      parts.push(part)
    }
    if (isRefused) parts.push({ type: OpCode.error, body: { err: -101 } })
    this.#add(owner, { type: OpCode.multi, body: parts })
  }

  /** A change that fits a state, also as a part of a multi; null if the one that was drawn does not. */
  #change(owner: bigint, { tree, sessions }: State, isPart = false): TxnBody | null {
    const random = this.#random
    const path = random.pick(PATHS)
    const node = tree.get(path)
    const data = random.chance(0.2) ? null : new Uint8Array(random.between(0, 9)).fill(random.between(0, 255))
    if (node === undefined) {
      const parent = tree.get(parentOf(path))
      if (parent === undefined || parent.ownership.kind === 'ephemeral') return null
      const body = { path, data, acl: OPEN_ACL, parentCVersion: parent.childCreates + 1 }
      const ephemeral = random.chance(0.5) && sessions.has(owner)
      return random.pick<TxnBody>([
        { type: OpCode.create, body: { ...body, ephemeral } },
        { type: OpCode.create2, body: { ...body, ephemeral } },
        { type: OpCode.createContainer, body },
        { type: OpCode.createTTL, body: { ...body, ttl: 1_000n } },
      ])
    }
    return random.pick<TxnBody | null>([
      { type: OpCode.setData, body: { path, data, version: node.version + 1 } },
      isPart ? null : { type: OpCode.setAcl, body: { path, acl: OPEN_ACL, version: node.aversion + 1 } },
      node.numChildren > 0 ? null : { type: isPart ? OpCode.delete : OpCode.deleteContainer, body: { path } },
    ])
  }

  #apply(count: number): void {
    for (const transaction of this.#log.splice(0, count)) {
      expect(this.digest.take(transaction.header.zxid)).toEqual(transaction)
      this.state.apply(transaction)
      this.#applied.push(transaction)
    }
    this.digest.applied()
  }

  #cut(left: number): void {
    this.#log = this.#log.slice(0, left)
    const zxid = this.#log.at(-1)?.header.zxid ?? this.state.lastZxid
    this.digest.cut(zxid)
    this.#future = State.restore(this.state.snapshot())
    for (const transaction of this.#log) this.#future.apply(transaction)
    this.#zxid = zxid
  }
}

describe('digests of a log', () => {
  it('are those of the tree that will be, however much is applied or cut off meanwhile', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const run = new Run(seed)
      for (let step = 0; step < STEPS; step++) run.step()
      run.end()
      run.replay()
    }
  })

  it.each([
    ['standalone', [0xfn]],
    ['closeold', []],
    ['rolling', []],
    ['fuzzy', []],
  ] as const)('are those of a real ZooKeeper: %s', (name, different) => {
    const files = filesOf(name)
    const reader = new StateReader('snapshot.0', 0n)
    reader.write(files.find((file) => file.name === 'snapshot.0')?.bytes ?? new Uint8Array())
    const { digest } = reader
    const state = State.of(reader)
    const ahead = new LogDigest(state, digest)
    const found: bigint[] = []
    let compared = 0
    for (const { bytes } of files.filter(({ kind }) => kind === 'log')) {
      for (const { transaction, digest: written } of scan(bytes).records) {
        const value = ahead.add(transaction)
        if (written === null) continue
        compared += 1
        if (written.value !== value) found.push(transaction.header.zxid)
      }
    }
    expect(compared).toBeGreaterThan(5)
    expect(found).toEqual(different)
  })
})
