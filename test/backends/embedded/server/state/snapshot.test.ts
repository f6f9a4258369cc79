import { describe, expect, it } from 'vitest'
import { PERSISTENT, TreeNode } from '../../../../../src/backends/embedded/server/state/node.ts'
import type { Ownership } from '../../../../../src/backends/embedded/server/state/node.ts'
import { SessionTable } from '../../../../../src/backends/embedded/server/state/session-table.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Tree } from '../../../../../src/backends/embedded/server/state/tree.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'

const SESSION = 0x100n
const TTL_OF_NOTHING: Ownership = { kind: 'ttl', ttlMs: 0 }
const EPHEMERAL: Ownership = { kind: 'ephemeral', owner: SESSION }

function node(ownership: Ownership = PERSISTENT): TreeNode {
  return new TreeNode(null, OPEN_ACL, ownership, 1n, 0)
}

/** The bytes of a state that the servers would never make; `change` does to it what they would not. */
function snapshotOf(change: (tree: Tree, sessions: SessionTable) => void): Uint8Array {
  const tree = new Tree()
  const sessions = new SessionTable()
  change(tree, sessions)
  return new State(tree, sessions, 7n).snapshot()
}

function openSession(sessions: SessionTable): void {
  sessions.add(SESSION, { timeoutMs: 4000, passwd: Uint8Array.of(1) })
}

describe('a snapshot of a state that cannot be', () => {
  it.each<[string, (tree: Tree, sessions: SessionTable) => void, string]>([
    ['an ephemeral without its session', (tree) => tree.insert('/e', node(EPHEMERAL)), 'node /e without its session'],
    [
      'a child of an ephemeral node',
      (tree, sessions) => {
        openSession(sessions)
        tree.insert('/e', node(EPHEMERAL))
        tree.insert('/e/c', node())
      },
      'node /e/c without a parent',
    ],
    ['a time to live of 0', (tree) => tree.insert('/t', node(TTL_OF_NOTHING)), 'node /t with an unknown owner'],
    ['a path that none may have', (tree) => tree.insert('/.', node()), 'node "/." in a snapshot'],
    [
      'no /zookeeper',
      (tree) => {
        tree.clear()
        tree.insert('/', node())
      },
      'a snapshot without /zookeeper',
    ],
  ])('is refused: %s', (_, change, message) => {
    const bytes = snapshotOf(change)
    expect(() => State.restore(bytes)).toThrow(message)
    expect(() => State.restore(bytes)).toThrow(
      expect.objectContaining({ name: 'CoordinationError', code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' }),
    )
  })

  it('is read if nothing is wrong with it', () => {
    const bytes = snapshotOf((tree, sessions) => {
      openSession(sessions)
      tree.insert('/e', node(EPHEMERAL))
      tree.insert('/t', node({ kind: 'ttl', ttlMs: 1 }))
    })
    const { tree, sessions, lastZxid } = State.restore(bytes)
    expect([...tree.ephemeralsOf(SESSION)]).toEqual(['/e'])
    expect(tree.get('/t')?.ownership).toEqual({ kind: 'ttl', ttlMs: 1 })
    expect([sessions.has(SESSION), lastZxid]).toEqual([true, 7n])
  })
})

describe('the nodes of a snapshot', () => {
  it('come in pre-order, names sorted, and end with /, as in the files of the reference', () => {
    const bytes = snapshotOf((tree) => {
      for (const path of ['/b', '/a', '/a/2', '/a/10', '/a/2/x']) tree.insert(path, node())
    })
    const text = Buffer.from(bytes).toString('latin1')
    const order = ['/a', '/a/10', '/a/2', '/a/2/x', '/b', '/zookeeper', '/zookeeper/config', '/zookeeper/quota', '/']
    const offsets = order.map((path) => text.indexOf(String.fromCharCode(0, 0, 0, path.length) + path))
    expect(offsets).not.toContain(-1)
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
    // The last seal ends with it as well, which is how the reference knows a whole file.
    expect(text.endsWith(String.fromCharCode(0, 0, 0, 1) + '/')).toBe(true)
  })
})

describe('the table of access control lists', () => {
  it('holds equal lists once', () => {
    const acl = { perms: 1, scheme: 'digest', id: 'somebody' }
    const bytes = snapshotOf((tree) => {
      for (const path of ['/a', '/b']) tree.insert(path, new TreeNode(null, [{ ...acl }], PERSISTENT, 1n, 0))
    })
    expect(Buffer.from(bytes).toString('latin1').split('somebody')).toHaveLength(2)
    expect(State.restore(bytes).tree.get('/b')?.acl).toEqual([acl])
  })

  it('does not hold the open list, which has a number of its own', () => {
    const bytes = snapshotOf((tree) => tree.insert('/a', node()))
    const lists = Buffer.from(bytes).toString('latin1').split('anyone').length - 1
    // /zookeeper/config alone has a list that names anyone: its own, of reading.
    expect(lists).toBe(1)
    expect(State.restore(bytes).tree.get('/a')?.acl).toBe(OPEN_ACL)
  })
})
