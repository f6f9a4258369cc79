/**
 * Commands on whole trees: `tree`, and `export` and `import` as JSON lines.
 *
 * Format    a line per node: `{"path":"/a","data":"text"}`, with `"encoding":"base64"` where data are not UTF-8, and
 *           `"acl":["scheme:id:perms"]` where not everybody may do everything. Paths are relative to the node that is
 *           exported, `/` is this node itself; parents come before children.
 * Lists     are those of new nodes; import leaves the list of a node that is there as it is. Hashes that the servers
 *           hide from who may not administer a node cannot be carried over, nor lists to an engine that has none; how
 *           many were left out is said.
 * Limits    ephemeral nodes are left out. Versions are not carried along, and neither is whether a node is a container
 *           or has a time to live: no server of ZooKeeper's protocol tells that to a client.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { CreateFlag, Perm } from '../../backends/wire/codes.ts'
import type { Acl } from '../../backends/wire/records.ts'
import type { Client } from '../../core/client.ts'
import { abortable } from '../../core/async.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { isValidPath, parentOf } from '../../core/path.ts'
import { Failure, UsageError } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'
import { jsonData, jsonLine } from '../output.ts'
import { WorkProgress } from '../work-progress.ts'
import { oneLine } from '../visible.ts'
import { aclEntryText, readAclEntry } from './acl-text.ts'
import type { ZooKeeperOperations } from '../../backends/zookeeper/extension/operations.ts'
import type { Command, CommandContext, Given } from './command.ts'
import type { TreeNode } from '../../core/walk-tree.ts'
import { preOrder, readTree } from '../../core/walk-tree.ts'
import { readWholeTree } from './whole-tree.ts'

/** How many nodes are read or written at a time. */
const IN_FLIGHT_MAX = 128

/** The greatest depth that can be asked for. */
const DEPTH_MAX = 1_000_000

/** The node below which ZooKeeper keeps its own nodes. */
const RESERVED = '/zookeeper'

export const TREE_COMMANDS: readonly Command[] = [
  {
    name: 'tree',
    usage: '[-d depth] [path]',
    summary: 'draws what is below a node; -d only so many levels',
    flags: { d: 'value' },
    words: [0, 1],
    run: drawTree,
  },
  {
    name: 'export',
    usage: '[path]',
    summary: 'writes what is at and below a node as JSON lines',
    words: [0, 1],
    run: exportTree,
  },
  {
    name: 'import',
    usage: '[-f] path [file]',
    summary: 'makes what export has written, from a file or standard input; -f replaces data that differ',
    flags: { f: 'alone' },
    words: [1, 2],
    run: importTree,
  },
]

async function drawTree({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.words[0] ?? '/'
  const root = await readTree(client(), path, signal, given.integer('d', 0, DEPTH_MAX))
  print({ text: treeText(root), json: jsonTree(root) })
}

function treeText(root: TreeNode): string {
  const lines: string[] = [`${oneLine(root.path)}\n`]
  const draw = (node: TreeNode, indent: string): void => {
    node.children.forEach((child, index) => {
      const isLast = index === node.children.length - 1
      const kind = child.stat.ephemeralOwner === 0n ? '' : ' (ephemeral)'
      lines.push(`${indent}${isLast ? '└── ' : '├── '}${oneLine(child.name)}${kind}\n`)
      draw(child, `${indent}${isLast ? '    ' : '│   '}`)
    })
  }
  draw(root, '')
  return lines.join('')
}

function jsonTree({ path, name, stat, children }: TreeNode): object {
  return { path, name, ephemeral: stat.ephemeralOwner !== 0n, children: children.map(jsonTree) }
}

async function exportTree({ client, zookeeper, signal, print, note }: CommandContext, given: Given): Promise<void> {
  const root = given.words[0] ?? '/'
  const found = await readWholeTree(client(), root, signal)
  const all = [...preOrder(found)].filter(({ path }) => !isReserved(path))
  const nodes = all.filter(({ stat }) => stat.ephemeralOwner === 0n)
  const hidden: string[] = []
  const lists = client().capabilities.acl ? zookeeper() : null
  const isBesideResults = process.stdout.isTTY
  const progress = new WorkProgress({ what: 'nodes exported', total: nodes.length, isBesideResults })
  try {
    for (let start = 0; start < nodes.length; start += IN_FLIGHT_MAX) {
      const chunk = nodes.slice(start, start + IN_FLIGHT_MAX)
      const reading = chunk.map(({ path }) => exportNode(client(), lists, root, path))
      for (const exported of await abortable(Promise.all(reading), signal)) {
        if (exported === null) continue
        const { acl, ...line } = exported
        if (acl.some(isHidden)) hidden.push(line.path)
        const listed = acl.length === 0 || acl.some(isHidden) ? line : { ...line, acl: acl.map(aclEntryText) }
        print({ text: jsonLine(listed), json: listed })
      }
      progress.add(chunk.length)
    }
  } finally {
    progress.end()
  }
  const left = all.length - nodes.length
  if (left > 0) note(`${left} ephemeral ${left === 1 ? 'node is' : 'nodes are'} left out\n`)
  if (hidden.length === 0) return
  note(`without its access control list, which is hidden from you: ${hidden.map(oneLine).join(', ')}\n`)
}

/** A node as it is exported; the list of one that is open to everybody is empty. */
type Exported = ReturnType<typeof jsonData> & { readonly path: string; readonly acl: readonly Acl[] }

async function exportNode(
  client: Client,
  lists: ZooKeeperOperations | null,
  root: string,
  path: string,
): Promise<Exported | null> {
  try {
    const [{ data }, list] = await Promise.all([client.get(path), lists?.getAcl(path)])
    const relative = root === '/' ? path : path.slice(root.length)
    const acl = list === undefined || isOpen(list.acl) ? [] : list.acl
    return { path: relative === '' ? '/' : relative, ...jsonData(data), acl }
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return null
    throw error
  }
}

/** A line of an export. */
interface Entry {
  readonly path: string
  readonly data: Uint8Array
  /** Empty for the open one. */
  readonly acl: readonly Acl[]
}

/** Makes a node; fails if it exists. */
type MakeNode = (entry: Entry) => Promise<unknown>

async function importTree(context: CommandContext, given: Given): Promise<void> {
  const [root = '', file] = given.words
  if (!isValidPath(root)) throw new UsageError(`import needs the path of a node, got ${JSON.stringify(root)}`)
  if (file === undefined && context.isInteractive) throw new UsageError('import needs a file: import path file')
  const client = context.client()
  const lists = client.capabilities.acl ? context.zookeeper() : null
  const counts = { created: 0, changed: 0, unchanged: 0 }
  let withoutList = 0
  const make: MakeNode = ({ path, data, acl }) => {
    if (acl.length === 0 || lists === null) return client.create(path, data)
    return lists.create(path, data, { flags: CreateFlag.persistent, acl, ttlMs: undefined })
  }
  const progress = new WorkProgress({ what: 'nodes imported' })
  try {
    for await (const entry of entriesOf(file, root)) {
      context.signal.throwIfAborted()
      const became = await importNode(client, make, entry, given.has('f'))
      counts[became] += 1
      if (became === 'created' && lists === null && entry.acl.length > 0) withoutList += 1
      progress.add(1)
    }
  } finally {
    progress.end()
  }
  const { created, changed, unchanged } = counts
  if (withoutList > 0) context.note(`created without their access control lists, which are not here: ${withoutList}\n`)
  context.print({ text: `${created} created, ${changed} changed, ${unchanged} as they were\n`, json: counts })
}

async function* entriesOf(file: string | undefined, root: string): AsyncGenerator<Entry> {
  const name = file ?? 'standard input'
  const input = file === undefined ? process.stdin : createReadStream(file)
  let number = 0
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number += 1
      if (line.trim() !== '') yield entryOf(line, `${name}:${number}`, root)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new Failure(`cannot read ${name}: ${reasonOf(error)}`)
  }
}

function entryOf(line: string, where: string, root: string): Entry {
  const { path, data, encoding, acl = [] } = readLine(line, where)
  if (typeof path !== 'string' || !isValidPath(path)) {
    throw new Failure(`${where}: "path" must be a node's path, got ${JSON.stringify(path)}`)
  }
  if (typeof data !== 'string') throw new Failure(`${where}: "data" must be a string, got ${JSON.stringify(data)}`)
  if (encoding !== undefined && encoding !== 'base64') {
    throw new Failure(`${where}: "encoding" must be base64 or absent, got ${JSON.stringify(encoding)}`)
  }
  if (!Array.isArray(acl) || !acl.every((entry) => typeof entry === 'string')) {
    throw new Failure(`${where}: "acl" must be a list of scheme:id:perms, got ${JSON.stringify(acl)}`)
  }
  const whole = root === '/' ? path : root + (path === '/' ? '' : path)
  return { path: whole, data: Buffer.from(data, encoding ?? 'utf8'), acl: acl.map(readAclEntry) }
}

function readLine(line: string, where: string): Readonly<Record<keyof Entry | 'encoding', unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new Failure(`${where}: not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null) {
    throw new Failure(`${where}: not an object: ${JSON.stringify(value)}`)
  }
  return value as Readonly<Record<keyof Entry | 'encoding', unknown>>
}

async function importNode(
  client: Client,
  make: MakeNode,
  entry: Entry,
  replaces: boolean,
): Promise<'created' | 'changed' | 'unchanged'> {
  const { path, data } = entry
  try {
    await make(entry)
    return 'created'
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) {
      await client.makePath(parentOf(path), { mode: 'persistent' })
      return importNode(client, make, entry, replaces)
    }
    if (path !== '/' && !isCoordinationError(error, 'NODE_EXISTS')) throw error
  }
  const before = await client.get(path)
  if (Buffer.compare(before.data, data) === 0) return 'unchanged'
  if (!replaces) throw new Failure(`${path} is there with other data; -f replaces them`)
  await client.set(path, data, { version: before.stat.version })
  return 'changed'
}

function isOpen(acl: readonly Acl[]): boolean {
  return acl.length === 1 && acl.every(({ scheme, id, perms }) => {
    return scheme === 'world' && id === 'anyone' && perms === Perm.all
  })
}

/** Servers put an x in the place of a password's hash. */
function isHidden({ scheme, id }: Acl): boolean {
  return scheme === 'digest' && id.endsWith(':x')
}

function isReserved(path: string): boolean {
  return path === RESERVED || path.startsWith(`${RESERVED}/`)
}
