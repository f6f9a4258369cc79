/** A real ZooKeeper and its tools read files of ours, with session passwords in them. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OpCode } from '../../../../src/backends/wire/codes.ts'
import { LOG_HEADER, encodeLogRecord } from '../../../../src/backends/wire/disk/log-file.ts'
import { writeSnapshotFile } from '../../../../src/backends/wire/disk/snapshot-file.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import { encodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../../../src/backends/wire/transactions.ts'
import { classPath, reasonToSkipZooKeeper, startZooKeeper } from '../../../engines/zookeeper.ts'
import { golden } from './golden.ts'
import { contentOf, readItems } from './golden-snapshots.ts'
import { ReplayedTree } from './replay.ts'

const skip = reasonToSkipZooKeeper()
const START_MS_MAX = 120_000
const ROOM = new Uint8Array(0x1_0000)
const EMPTY = golden('rolling', 'snapshot.0').bytes
const [ONE, TWO] = [0x1000000000000001n, 0x1000000000000002n]
const SNAPSHOT_AT = 6n
const PASSWORD = new Uint8Array(16).fill(7)

const create = { data: null, acl: OPEN_ACL, ephemeral: false }
const TRANSACTIONS: readonly (readonly [bigint, TxnBody])[] = [
  [ONE, { type: OpCode.createSession, body: { timeOut: 30_000, passwd: PASSWORD } }],
  [ONE, { type: OpCode.create, body: { ...create, path: '/a', parentCVersion: 1 } }],
  [ONE, { type: OpCode.create2, body: { ...create, path: '/e', ephemeral: true, parentCVersion: 2 } }],
  [TWO, { type: OpCode.createSession, body: { timeOut: 20_000, passwd: PASSWORD } }],
  [
    TWO,
    {
      type: OpCode.multi,
      body: [
        { type: OpCode.create2, body: { ...create, path: '/a/b', parentCVersion: 1 } },
        { type: OpCode.setData, body: { path: '/a', data: Buffer.from('two'), version: 1 } },
      ],
    },
  ],
  [ONE, { type: OpCode.error, body: { err: -110 } }],
  [TWO, { type: OpCode.createContainer, body: { path: '/c', data: null, acl: OPEN_ACL, parentCVersion: 3 } }],
  [TWO, { type: OpCode.setData, body: { path: '/a', data: Buffer.from('three'), version: 2 } }],
]

/** A snapshot of the tree as it is. */
function snapshotOf(tree: ReplayedTree, zxid: bigint): Uint8Array {
  const digest = { zxid, value: tree.digest }
  const sessions = [...tree.sessions].map(([id, timeoutMs]) => ({ id, timeoutMs }))
  const nodes = [...tree.nodes].map(([path, { data, stat }]) => {
    return { path, data, aclKey: path === '/zookeeper/config' ? 1n : -1n, ...stat }
  })
  const { acls } = contentOf(readItems(EMPTY))
  const secrets = sessions.map(({ id }) => ({ id, passwd: PASSWORD }))
  const content = { sessions, acls, nodes, ending: () => ({ digest, lastZxid: zxid, secrets }) }
  return new Uint8Array(Buffer.concat([...writeSnapshotFile(content)]))
}

/** Writes a data directory. */
function writeFiles(folder: string): void {
  const tree = new ReplayedTree()
  for (const item of readItems(EMPTY)) tree.load(item)
  writeFileSync(join(folder, 'snapshot.0'), EMPTY)
  const records = TRANSACTIONS.map(([clientId, txn], index) => {
    const zxid = BigInt(index + 1)
    const header = { clientId, cxid: index, zxid, time: 1_700_000_000_000 + index, type: txn.type }
    tree.apply({ header, txn })
    if (zxid === SNAPSHOT_AT) writeFileSync(join(folder, 'snapshot.6'), snapshotOf(tree, zxid))
    // The second session has a password and no digest.
    return encodeLogRecord(encodeTransaction({ header, txn }), zxid === 4n ? null : tree.digest)
  })
  writeFileSync(join(folder, 'log.1'), Buffer.concat([LOG_HEADER, ...records, ROOM]))
}

describe.skipIf(skip !== null)(`files of ours, for a real ZooKeeper${skip === null ? '' : ` (${skip})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-files-'))
  const run = (program: string, file: string): string => {
    const jars = classPath('zookeeper zookeeper-jute slf4j-api slf4j-nop commons-cli snappy-java'.split(' ')) ?? ''
    const name = `org.apache.zookeeper.server.${program}`
    return execFileSync('java', ['-Dfile.encoding=UTF-8', '-cp', jars, name, join(folder, file)], { encoding: 'utf8' })
  }

  beforeAll(() => {
    writeFiles(folder)
  })

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('are listed by its tools, to the end', () => {
    const log = run('persistence.TxnLogToolkit', 'log.1')
    const names = [...log.matchAll(/ zxid 0x\w+ (\w+)/g)].map(([, name]) => name)
    const expected = 'createSession create create2 createSession multi error createContainer setData'
    expect(names.join(' ')).toBe(expected)
    expect(log).toContain('EOF reached after 8 txns.')
    const snapshot = run('SnapshotFormatter', 'snapshot.6')
    const paths = [...snapshot.matchAll(/^----\n(\/.*)$/gm)].map(([, path]) => path).sort()
    expect(paths).toEqual(['/', '/a', '/a/b', '/e', '/zookeeper', '/zookeeper/config', '/zookeeper/quota'])
    expect(snapshot).toContain('0x1000000000000001, 30000, 1\n0x1000000000000002, 20000, 0\n')
    expect(snapshot).toContain('Last zxid: 0x6')
  })

  it.each([
    ['with a snapshot', []],
    ['with the log alone', ['snapshot.6']],
  ])('start a server %s, with all sessions and nodes, and no digest that is wrong', async (_, without) => {
    const zooKeeper = await startZooKeeper()
    try {
      const server = await zooKeeper.leader()
      await server.kill()
      const data = join(server.dataDir, 'version-2')
      rmSync(data, { recursive: true })
      mkdirSync(data)
      writeFiles(data)
      for (const file of without) rmSync(join(data, file))
      await server.start()
      // ZooKeeper counts the root twice.
      expect(await server.ask('srvr')).toContain('Zxid: 0x8\nMode: standalone\nNode count: 9')
      const dump = await server.ask('dump')
      for (const id of [ONE, TWO]) expect(dump).toContain(`0x${id.toString(16)}`)
      expect(await server.ask('mntr')).toMatch(/zk_digest_mismatches_count\t0/)
    } finally {
      await zooKeeper.stop()
    }
  }, START_MS_MAX)
})
