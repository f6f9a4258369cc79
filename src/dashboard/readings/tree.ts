/** The tree: a node with its data, and the names below it. */
import type { Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { readEach } from '../../core/read-each.ts'
import type { Answer, Child, NodeStat, TreeNode } from '../api.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import { answer, hex, textOf } from './reading.ts'

/** The most data that are shown of a node. */
const DATA_BYTES_MAX = 262_144
/** UTF-8 that was cut within a character is text all the same. */
const CHARACTER_BYTES_MAX = 4

/** A window on the children of a node. */
export interface ChildrenWindow {
  /** Only names that begin with it. */
  readonly prefix: string
  /** Only names after it; null for all. */
  readonly after: string | null
  readonly limit: number
  /** Whether to read the stat of each: a round trip for each of the window. */
  readonly withStat: boolean
}

/**
 * Reads a node.
 *
 * @throws CoordinationError `NO_NODE`
 */
export async function readNode(client: Client, path: string, signal: AbortSignal): Promise<Answer<TreeNode>> {
  const { data, stat } = await client.get(path, { signal })
  const shown = data.subarray(0, DATA_BYTES_MAX)
  const cutAt = shown.length < data.length ? shown.length : null
  const text = secretText(shown) ?? textOf(shown) ?? (cutAt === null ? null : cutText(shown))
  const encoding = text === null ? 'base64' : 'utf8'
  return answer({ path, stat: statOf(stat), data: { encoding, text: text ?? base64(shown), cutAt } })
}

/**
 * Reads names of children, in the order of their code units.
 *
 * @throws CoordinationError `NO_NODE`
 */
export async function readChildren(
  client: Client,
  path: string,
  { prefix, after, limit, withStat }: ChildrenWindow,
  signal: AbortSignal,
): Promise<Answer<Child[]>> {
  const { names } = await client.children(path, { signal })
  const matching = prefix === '' ? names : names.filter((name) => name.startsWith(prefix))
  const start = after === null ? 0 : matching.findIndex((name) => name > after)
  const shown = start === -1 ? [] : matching.slice(start, start + limit)
  const children = await readEach(shown, async (name) => {
    const stat = withStat ? await client.exists(joinPath(path, name), { signal }) : null
    const isEphemeral = stat === null ? null : stat.ephemeralOwner !== 0n
    return { name, children: stat?.numChildren ?? null, isEphemeral }
  })
  const hasMore = start !== -1 && start + shown.length < matching.length
  return answer(children, { next: hasMore ? (shown.at(-1) ?? null) : null, total: matching.length })
}

/** A stat, as JSON has it. */
function statOf(stat: Stat): NodeStat {
  const { czxid, mzxid, pzxid, ephemeralOwner, ...numbers } = stat
  const owner = ephemeralOwner === 0n ? null : hex(ephemeralOwner)
  return { ...numbers, czxid: hex(czxid), mzxid: hex(mzxid), pzxid: hex(pzxid), ephemeralOwner: owner }
}

function cutText(bytes: Uint8Array): string | null {
  for (let less = 1; less < CHARACTER_BYTES_MAX; less += 1) {
    const text = textOf(bytes.subarray(0, bytes.length - less))
    if (text !== null) return text
  }
  return null
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
