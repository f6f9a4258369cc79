import { describe, expect, it } from 'vitest'
import type { Ownership } from '../../../../../src/backends/embedded/server/state/node.ts'
import { SessionTable } from '../../../../../src/backends/embedded/server/state/session-table.ts'
import { Tree } from '../../../../../src/backends/embedded/server/state/tree.ts'
import { Outstanding } from '../../../../../src/backends/embedded/server/writes/outstanding.ts'
import type { NodeFacts } from '../../../../../src/backends/embedded/server/writes/outstanding.ts'

const OWNER = 7n
const EPHEMERAL: Ownership = { kind: 'ephemeral', owner: OWNER }

/** A session with nodes that are applied, and the decisions after them. */
class Layer {
  readonly tree = new Tree()
  readonly sessions = new SessionTable()
  readonly outstanding = new Outstanding(this.tree, this.sessions)

  constructor(...paths: readonly string[]) {
    this.open()
    paths.forEach((path, i) => {
      this.create(path, i + 1)
    })
  }

  /** The session is open, as it is applied. */
  open(): void {
    this.sessions.add(OWNER, { timeoutMs: 1_000, passwd: new Uint8Array() })
  }

  /** A node of the session is there, as it is applied. */
  create(path: string, childCreates: number): void {
    this.tree.create(path, { data: null, acl: [], ownership: EPHEMERAL }, childCreates, { zxid: 1n, time: 0 })
  }

  /** The end of the session is applied, and so are all decisions up to there. */
  applyEnd(zxid: bigint): void {
    this.tree.deleteEphemeralsOf(OWNER, { zxid, time: 0 }, () => undefined)
    this.sessions.remove(OWNER)
    this.outstanding.applied(zxid)
  }

  decideNode(path: string, zxid: bigint): void {
    this.outstanding.setNode(path, facts(zxid), zxid)
  }

  decideSession(isOpen: boolean, zxid: bigint): void {
    this.outstanding.setSession(OWNER, isOpen, zxid)
  }

  /** Whether the session will be open, the nodes that it will own, and which of these will be there. */
  seen(...paths: readonly string[]): readonly [boolean, readonly string[], readonly string[]] {
    const there = paths.filter((path) => this.outstanding.node(path) !== undefined)
    return [this.outstanding.isOpen(OWNER), this.outstanding.ephemeralsOf(OWNER), there]
  }
}

function facts(czxid: bigint): NodeFacts {
  const counts = { version: 0, childCreates: 0, numChildren: 0, mtime: 0, dataLength: 0, aversion: 0 }
  return { czxid, ownership: EPHEMERAL, acl: [], ...counts }
}

describe('the end of a session that is decided and not applied', () => {
  it('takes what is applied and what is decided', () => {
    const layer = new Layer('/a')
    layer.decideNode('/b', 10n)
    expect(layer.seen('/a', '/b')).toEqual([true, ['/a', '/b'], ['/a', '/b']])
    layer.decideSession(false, 11n)
    expect(layer.seen('/a', '/b')).toEqual([false, [], []])
  })

  it('gives everything back when it is revoked', () => {
    const layer = new Layer('/a', '/c')
    layer.decideNode('/b', 10n)
    layer.outstanding.setNode('/c', null, 11n)
    layer.decideSession(false, 12n)
    layer.outstanding.revoke(12n)
    expect(layer.seen('/a', '/b', '/c')).toEqual([true, ['/a', '/b'], ['/a', '/b']])
    layer.outstanding.revoke(11n)
    layer.outstanding.revoke(10n)
    expect(layer.seen('/a', '/b', '/c')).toEqual([true, ['/a', '/c'], ['/a', '/c']])
    expect(layer.outstanding.count).toBe(0)
  })

  it('holds for the nodes before it, where the id is opened again and has others', () => {
    const layer = new Layer('/a')
    layer.decideSession(false, 10n)
    layer.decideSession(true, 11n)
    layer.decideNode('/new', 12n)
    expect(layer.seen('/a', '/new')).toEqual([true, ['/new'], ['/new']])
    layer.applyEnd(10n)
    layer.open()
    layer.outstanding.applied(11n)
    expect(layer.seen('/a', '/new')).toEqual([true, ['/new'], ['/new']])
    layer.create('/new', 2)
    layer.outstanding.applied(12n)
    expect(layer.seen('/a', '/new')).toEqual([true, ['/new'], ['/new']])
    expect(layer.outstanding.count).toBe(0)
  })

  it('still holds when the id that was opened again is revoked', () => {
    const layer = new Layer('/a')
    layer.decideSession(false, 10n)
    layer.decideSession(true, 11n)
    layer.outstanding.revoke(11n)
    expect(layer.seen('/a')).toEqual([false, [], []])
    layer.applyEnd(10n)
    expect(layer.outstanding.count).toBe(0)
  })

  it('is the first one again, when a second one of the same id is revoked', () => {
    const layer = new Layer('/a')
    layer.decideSession(false, 10n)
    layer.decideSession(true, 11n)
    layer.decideNode('/b', 12n)
    layer.decideSession(false, 13n)
    expect(layer.seen('/a', '/b')).toEqual([false, [], []])
    layer.outstanding.revoke(13n)
    expect(layer.seen('/a', '/b')).toEqual([true, ['/b'], ['/b']])
    layer.applyEnd(10n)
    expect(layer.seen('/a', '/b')).toEqual([true, ['/b'], ['/b']])
  })

  it('stays in force until the second one of the same id is applied', () => {
    const layer = new Layer('/a')
    layer.decideSession(false, 10n)
    layer.decideSession(true, 11n)
    layer.decideNode('/b', 12n)
    layer.decideSession(false, 13n)
    layer.applyEnd(10n)
    layer.open()
    layer.create('/b', 2)
    layer.outstanding.applied(12n)
    expect(layer.seen('/a', '/b')).toEqual([false, [], []])
    layer.applyEnd(13n)
    expect(layer.seen('/a', '/b')).toEqual([false, [], []])
    expect(layer.outstanding.count).toBe(0)
  })
})
