/**
 * Commands on whole trees: `tree`, and `export` and `import` as JSON lines.
 *
 * Format    a line a node: `{"path":"/a","data":"text"}`, with `"encoding":"base64"` where the data are not UTF-8.
 *           Paths are relative to the node that is exported, `/` is this node itself; parents come before children.
 * Limits    ephemeral nodes are left out; access control lists, kinds of nodes and versions are not carried along.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Client } from '../../core/client.ts'
import { abortable } from '../../core/async.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { isValidPath, parentOf } from '../../core/path.ts'
import { Failure, UsageError } from '../exit-status.ts'
import { jsonData, jsonLine } from '../output.ts'
import type { Command, CommandContext, Given } from './command.ts'
import type { TreeNode } from './tree.ts'
import { DEPTH_MAX, preOrder, readTree } from './tree.ts'

/** How many nodes are read or written at a time. */
const IN_FLIGHT_MAX = 128

/** What ZooKeeper keeps for itself. */
const RESERVED = '/zookeeper'

/** See the head of this file. */
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
  const root = await readTree(client(), path, given.integer('d', 0, DEPTH_MAX) ?? DEPTH_MAX, signal)
  print({ text: treeText(root), json: jsonTree(root) })
}

function treeText(root: TreeNode): string {
  const lines: string[] = [`${root.path}\n`]
  const draw = (node: TreeNode, indent: string): void => {
    node.children.forEach((child, index) => {
      const isLast = index === node.children.length - 1
      const kind = child.stat.ephemeralOwner === 0n ? '' : ' (ephemeral)'
      lines.push(`${indent}${isLast ? '└── ' : '├── '}${child.name}${kind}\n`)
      draw(child, `${indent}${isLast ? '    ' : '│   '}`)
    })
  }
  draw(root, '')
  return lines.join('')
}

function jsonTree({ path, name, stat, children }: TreeNode): object {
  return { path, name, ephemeral: stat.ephemeralOwner !== 0n, children: children.map(jsonTree) }
}

async function exportTree({ client, signal, print, note }: CommandContext, given: Given): Promise<void> {
  const root = given.words[0] ?? '/'
  const found = await readTree(client(), root, DEPTH_MAX, signal)
  const all = [...preOrder(found)].filter(({ path }) => !isReserved(path))
  const nodes = all.filter(({ stat }) => stat.ephemeralOwner === 0n)
  for (let start = 0; start < nodes.length; start += IN_FLIGHT_MAX) {
    const reading = nodes.slice(start, start + IN_FLIGHT_MAX).map((node) => exportNode(client(), root, node))
    for (const line of await abortable(Promise.all(reading), signal)) {
      if (line !== null) print({ text: jsonLine(line), json: line })
    }
  }
  const left = all.length - nodes.length
  if (left > 0) note(`${left} ephemeral ${left === 1 ? 'node is' : 'nodes are'} left out\n`)
}

async function exportNode(client: Client, root: string, { path }: TreeNode): Promise<object | null> {
  try {
    const { data } = await client.get(path)
    const relative = root === '/' ? path : path.slice(root.length)
    return { path: relative === '' ? '/' : relative, ...jsonData(data) }
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return null
    throw error
  }
}

/** A line of an export. */
interface Entry {
  readonly path: string
  readonly data: Uint8Array
}

async function importTree(context: CommandContext, given: Given): Promise<void> {
  const [root = '', file] = given.words
  if (!isValidPath(root)) throw new UsageError(`import needs the path of a node, got ${JSON.stringify(root)}`)
  if (file === undefined && context.shell.isInteractive) throw new UsageError('import needs a file: import path file')
  const client = context.client()
  const counts = { created: 0, changed: 0, unchanged: 0 }
  for await (const { path, data } of entriesOf(file, root)) {
    context.signal.throwIfAborted()
    counts[await importNode(client, path, data, given.has('f'))] += 1
  }
  const { created, changed, unchanged } = counts
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
    throw new Failure(`cannot read ${name}: ${(error as Error).message}`)
  }
}

function entryOf(line: string, where: string, root: string): Entry {
  const { path, data, encoding } = readLine(line, where)
  if (typeof path !== 'string' || !isValidPath(path)) {
    throw new Failure(`${where}: "path" must be a node's path, got ${JSON.stringify(path)}`)
  }
  if (typeof data !== 'string') throw new Failure(`${where}: "data" must be a string, got ${JSON.stringify(data)}`)
  if (encoding !== undefined && encoding !== 'base64') {
    throw new Failure(`${where}: "encoding" must be base64 or absent, got ${JSON.stringify(encoding)}`)
  }
  const whole = root === '/' ? path : root + (path === '/' ? '' : path)
  return { path: whole, data: Buffer.from(data, encoding ?? 'utf8') }
}

function readLine(line: string, where: string): Readonly<Record<'path' | 'data' | 'encoding', unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new Failure(`${where}: not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null) throw new Failure(`${where}: not an object: ${line}`)
  return value as Readonly<Record<'path' | 'data' | 'encoding', unknown>>
}

async function importNode(
  client: Client,
  path: string,
  data: Uint8Array,
  replaces: boolean,
): Promise<'created' | 'changed' | 'unchanged'> {
  try {
    await client.create(path, data)
    return 'created'
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) {
      await client.makePath(parentOf(path), { mode: 'persistent' })
      return importNode(client, path, data, replaces)
    }
    if (path !== '/' && !isCoordinationError(error, 'NODE_EXISTS')) throw error
  }
  const before = await client.get(path)
  if (Buffer.compare(before.data, data) === 0) return 'unchanged'
  if (!replaces) throw new Failure(`${path} is there with other data; -f replaces them`)
  await client.set(path, data, { version: before.stat.version })
  return 'changed'
}

function isReserved(path: string): boolean {
  return path === RESERVED || path.startsWith(`${RESERVED}/`)
}
