/** Commands on nodes: ls, create, get, set, delete, deleteall, stat, sync, getEphemerals, getAllChildrenNumber. */
import type { CreateMode } from '../../core/backend.ts'
import { abortable } from '../../core/async.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { CreateFlag } from '../../backends/wire/codes.ts'
import { OPEN_ACL } from '../../backends/wire/records.ts'
import { parentOf } from '../../core/path.ts'
import { Failure, UsageError } from '../exit-status.ts'
import { jsonData, textOf } from '../output.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import { WorkProgress } from '../work-progress.ts'
import { oneLine } from '../visible.ts'
import { readAcl } from './acl-text.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { versionOf } from './command.ts'
import { hexDump } from './hex-dump.ts'
import { listText, statText } from './node-text.ts'
import { watchedRead } from './watched-read.ts'
import { preOrder, readTree } from '../../core/walk-tree.ts'
import { readWholeTree } from './whole-tree.ts'

/** How many deletes of `deleteall` are in flight at a time, unless `-b` says otherwise. */
const BATCH = 1_000
const BATCH_MAX = 10_000

const TTL_MS_MAX = 2 ** 40 - 1

export const NODE_COMMANDS: readonly Command[] = [
  {
    name: 'ls',
    usage: '[-s] [-w] [-R] path',
    summary: 'lists the children of a node; -s with its stat, -R all that is below, -w tells when that changes',
    flags: { s: 'alone', w: 'alone', R: 'alone' },
    words: [1, 1],
    run: (context, given) => (given.has('R') ? listRecursively(context, given) : list(context, given)),
  },
  {
    name: 'create',
    usage: '[-s] [-e] [-c] [-t ttl] [-p] path [data] [acl]',
    summary:
      'creates a node; -e ephemeral, -s sequential, -c container, -t with a time to live in milliseconds, ' +
      '-p also the nodes above it that are missing',
    flags: { s: 'alone', e: 'alone', c: 'alone', t: 'value', p: 'alone' },
    words: [1, 3],
    run: create,
  },
  {
    name: 'get',
    usage: '[-s] [-w] [-b] [-x] path',
    summary: 'prints the data of a node; -s with its stat, -b in base64, -x as a hex dump, -w tells when they change',
    flags: { s: 'alone', w: 'alone', b: 'alone', x: 'alone' },
    words: [1, 1],
    run: get,
  },
  {
    name: 'set',
    usage: '[-s] [-v version] [-b] path data',
    summary: 'replaces the data of a node; -v if it has this version, -s with its stat, -b: the data are base64',
    flags: { s: 'alone', v: 'value', b: 'alone' },
    words: [2, 2],
    run: set,
  },
  {
    name: 'delete',
    usage: '[-v version] path',
    summary: 'deletes a node without children; -v if it has this version',
    flags: { v: 'value' },
    words: [1, 1],
    run: async ({ client, signal, print }, given) => {
      const path = given.word(0)
      await client().delete(path, { version: versionOf(given), signal })
      print({ text: '', json: { deleted: path } })
    },
  },
  {
    name: 'deleteall',
    usage: '[-b batch] path',
    summary: 'deletes a node and all that is below it; -b so many at a time',
    flags: { b: 'value' },
    words: [1, 1],
    run: deleteAll,
  },
  {
    name: 'stat',
    usage: '[-w] path',
    summary: 'prints the stat of a node; -w tells when the node changes',
    flags: { w: 'alone' },
    words: [1, 1],
    run: stat,
  },
  {
    name: 'sync',
    usage: 'path',
    summary: 'makes later reads see every write that was acknowledged before',
    words: [1, 1],
    run: async ({ client, signal, print }, given) => {
      await client().sync(given.word(0), { signal })
      print({ text: 'Sync is OK\n', json: { synced: given.word(0) } })
    },
  },
  {
    name: 'getEphemerals',
    usage: '[path]',
    summary: 'lists the ephemeral nodes of this session, whose paths begin with path',
    words: [0, 1],
    run: async ({ zookeeper, print }, given) => {
      const ephemerals = [...(await zookeeper().ephemerals(given.words[0] ?? '/'))].sort()
      print({ text: listText(ephemerals), json: { ephemerals } })
    },
  },
  {
    name: 'getAllChildrenNumber',
    usage: 'path',
    summary: 'counts the nodes below a node',
    words: [1, 1],
    run: async ({ zookeeper, print }, given) => {
      const count = await zookeeper().allChildrenNumber(given.word(0))
      print({ text: `${count}\n`, json: { path: given.word(0), count } })
    },
  },
]

async function list(context: CommandContext, given: Given): Promise<void> {
  const { client, signal, print } = context
  const path = given.word(0)
  const read = await watchedRead(context, { isWatching: given.has('w'), kind: 'children', path }, (watch) =>
    client().children(path, { ...watch, signal }),
  )
  const isLong = given.has('s')
  print({
    text: listText(read.names) + (isLong ? statText(read.stat) : ''),
    json: { path, children: read.names, ...(isLong ? { stat: read.stat } : {}) },
  })
}

async function listRecursively(context: CommandContext, given: Given): Promise<void> {
  const { client, signal, print } = context
  const path = given.word(0)
  const nodes = [...preOrder(await readTree(client(), path, signal))]
  if (given.has('w')) {
    const arming = nodes.map((node) =>
      watchedRead(context, { isWatching: true, kind: 'children', path: node.path }, (watch) =>
        client().children(node.path, watch),
      ),
    )
    // One that is gone by now has nothing to watch.
    await Promise.allSettled(arming)
  }
  const isLong = given.has('s')
  print({
    text: nodes.map((node) => `${oneLine(node.path)}\n${isLong ? statText(node.stat) : ''}`).join(''),
    json: {
      path,
      nodes: isLong ? nodes.map((node) => ({ path: node.path, stat: node.stat })) : nodes.map((node) => node.path),
    },
  })
}

async function create({ client, zookeeper, signal, print }: CommandContext, given: Given): Promise<void> {
  const [path = '', data = '', aclText] = given.words
  const { mode, flags } = createModeOf(given)
  const ttlMs = given.integer('t', 1, TTL_MS_MAX)
  const acl = aclText === undefined ? OPEN_ACL : readAcl(aclText)
  const isPlain = aclText === undefined && mode !== null
  const make = async (): Promise<string> => {
    if (!isPlain) return zookeeper().create(path, new TextEncoder().encode(data), { flags, acl, ttlMs })
    return (await client().create(path, data, { mode, ...(ttlMs === undefined ? {} : { ttlMs }), signal })).path
  }
  const created = await make().catch(async (error: unknown) => {
    if (!given.has('p') || !isCoordinationError(error, 'NO_NODE')) throw error
    // A prefix of a sequential node may end in its parent's slash, so the last slash ends the parent's path either way.
    await client().makePath(parentOf(path), { mode: 'persistent', signal })
    return make()
  })
  print({ text: `Created ${oneLine(created)}\n`, json: { created } })
}

/** The mode that the flags ask for; null for one that only ZooKeeper has. */
function createModeOf(given: Given): { readonly mode: CreateMode | null; readonly flags: number } {
  const [e, s, c, t] = ['e', 's', 'c', 't'].map((flag) => given.has(flag))
  if (c === true && (e === true || s === true)) {
    throw new UsageError('-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.')
  }
  if (t === true && e === true) throw new UsageError('TTLs cannot be used with Ephemeral znodes')
  if (t === true && c === true) throw new UsageError('TTLs cannot be used with Container znodes')
  if (c === true) return { mode: 'container', flags: CreateFlag.container }
  if (e === true) {
    return s === true
      ? { mode: 'ephemeral-sequential', flags: CreateFlag.ephemeralSequential }
      : { mode: 'ephemeral', flags: CreateFlag.ephemeral }
  }
  if (t === true) {
    return s === true
      ? { mode: null, flags: CreateFlag.persistentSequentialWithTtl }
      : { mode: 'persistent-with-ttl', flags: CreateFlag.persistentWithTtl }
  }
  return s === true
    ? { mode: 'persistent-sequential', flags: CreateFlag.persistentSequential }
    : { mode: 'persistent', flags: CreateFlag.persistent }
}

async function get(context: CommandContext, given: Given): Promise<void> {
  const { client, signal, print } = context
  const path = given.word(0)
  const wanted = { isWatching: given.has('w'), kind: 'data', path } as const
  const { data, stat: itsStat } = await watchedRead(context, wanted, (watch) =>
    client().get(path, { ...watch, signal }),
  )
  const isLong = given.has('s')
  // Its bytes are for who asks for bytes.
  const secret = given.has('b') || given.has('x') ? null : secretText(data)
  let text = secret ?? textOf(data) ?? Buffer.from(data).toString('latin1')
  if (given.has('b')) text = Buffer.from(data).toString('base64')
  else if (given.has('x')) text = hexDump(data)
  const json = given.has('b') ? { data: text, encoding: 'base64' } : secret === null ? jsonData(data) : { secret }
  print({
    text: `${text}\n${isLong ? statText(itsStat) : ''}`,
    json: { path, ...json, version: itsStat.version, ...(isLong ? { stat: itsStat } : {}) },
  })
}

async function set({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [path = '', data = ''] = given.words
  const bytes = given.has('b') ? fromBase64(data) : data
  const after = await client().set(path, bytes, { version: versionOf(given), signal })
  const isLong = given.has('s')
  print({
    text: isLong ? statText(after) : '',
    json: { path, version: after.version, ...(isLong ? { stat: after } : {}) },
  })
}

async function stat(context: CommandContext, given: Given): Promise<void> {
  const { client, signal, print } = context
  const path = given.word(0)
  const found = await watchedRead(context, { isWatching: given.has('w'), kind: 'data', path }, (watch) =>
    client().exists(path, { ...watch, signal }),
  )
  if (found === null) throw new CoordinationError('NO_NODE', `there is no node ${path}`, { outcome: 'rejected', path })
  print({ text: statText(found), json: { path, stat: found } })
}

/** Deletes from the leaves on, so many at a time; nodes that another deletes meanwhile count as done. */
async function deleteAll({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  if (path === '/') throw new UsageError('deleteall / would delete everything: name the nodes one by one')
  const batch = given.integer('b', 1, BATCH_MAX) ?? BATCH
  const nodes = [...preOrder(await readWholeTree(client(), path, signal))].reverse()
  const progress = new WorkProgress({ what: 'nodes deleted', total: nodes.length })
  let failed = 0
  let first: unknown
  try {
    for (let start = 0; start < nodes.length; start += batch) {
      const deleting = nodes.slice(start, start + batch).map((node) => client().delete(node.path, { signal }))
      const settled = await abortable(Promise.allSettled(deleting), signal)
      progress.add(settled.length)
      for (const result of settled) {
        if (result.status === 'fulfilled' || isCoordinationError(result.reason, 'NO_NODE')) continue
        failed += 1
        first ??= result.reason
      }
    }
  } finally {
    progress.end()
  }
  if (failed > 0) {
    const reason = first instanceof Error ? first.message : String(first)
    const which = `${failed} of ${nodes.length}; the first: ${reason}`
    throw new Failure(`Failed to delete some node(s) in the subtree! ${which}`)
  }
  print({ text: '', json: { deleted: path, nodes: nodes.length } })
}

function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '')) return bytes
  throw new UsageError(`data must be base64 with -b, got ${JSON.stringify(text)}`)
}
