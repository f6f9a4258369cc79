/**
 * Changes of single nodes, and of configurations.
 *
 * Safety    a change names the version and the zxid that its author saw: a page that is stale changes nothing. The
 *           version is compared by the engine in the step that writes; the zxid just before.
 * Bounds    the root and what ZooKeeper keeps for itself are never changed; a node with children is not deleted.
 */
import type { Client } from '../core/client.ts'
import { validatePath } from '../core/path.ts'
import type { Changes, Done, Seen } from './api.ts'
import { recordedTexts } from './readings/config.ts'
import { hex } from './readings/reading.ts'
import { Refusal } from './refusal.ts'

const KEPT = /^\/(?:$|zookeeper(?:\/|$))/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const MODES: ReadonlySet<unknown> = new Set(['persistent', 'container'])

/** A request's body, of which nothing is known yet. */
type Body = Readonly<Record<string, unknown>>

/** Makes a change, by the method and the body of its request. */
type Change = (client: Client, method: string, body: Body, signal: AbortSignal) => Promise<Done>

/** The changes, by the name in their URL. */
export const CHANGES: ReadonlyMap<string, Change> = new Map([['node', changeNode], ['rollback', rollBack]])

/**
 * Changes a node.
 *
 * @param method - PUT replaces data, POST makes a node, DELETE removes one
 * @throws Refusal for a wrong request, or for a node that is another one than was seen; CoordinationError
 */
async function changeNode(client: Client, method: string, body: Body, signal: AbortSignal): Promise<Done> {
  const path = pathOf(body)
  switch (method) {
    case 'PUT': {
      const data = dataOf(body)
      const { version } = await checkSeen(client, path, seenOf(body), signal)
      const stat = await client.set(path, data, { version, signal })
      return { path, version: stat.version, zxid: hex(stat.mzxid) }
    }
    case 'POST': {
      const { stat } = await client.create(path, dataOf(body), { mode: modeOf(body), signal })
      return { path, version: stat.version, zxid: hex(stat.czxid) }
    }
    case 'DELETE': {
      const { version } = await checkSeen(client, path, seenOf(body), signal)
      await client.delete(path, { version, signal })
      return { path, version: null, zxid: null }
    }
    default:
      throw new Refusal(405, 'USAGE', `a node is changed by PUT, POST or DELETE, got ${method}`)
  }
}

/**
 * Writes an older value of a configuration again.
 *
 * @throws Refusal for a wrong request, or for a node that is another one than was seen; CoordinationError `NO_NODE` if
 * the version is not kept, `VALUE_STAGED` while a value is staged
 */
async function rollBack(client: Client, method: string, body: Body, signal: AbortSignal): Promise<Done> {
  if (method !== 'POST') throw new Refusal(405, 'USAGE', `a value is rolled back by POST, got ${method}`)
  const path = pathOf(body)
  const note = { ...textIn(body, 'author'), ...textIn(body, 'comment') }
  const seen = await checkSeen(client, path, seenOf(body), signal)
  const center = recordedTexts(client, path)
  try {
    const { version, zxid } = await center.rollback(body['version'] as number, {
      ...note,
      ifVersion: seen.version,
      signal,
    })
    return { path, version, zxid: hex(zxid) }
  } finally {
    await center.close()
  }
}

function textIn(body: Body, name: 'author' | 'comment'): Record<string, string> {
  const text = body[name] ?? ''
  if (typeof text !== 'string') throw new Refusal(400, 'USAGE', `${name} must be a string`)
  return text === '' ? {} : { [name]: text }
}

async function checkSeen(client: Client, path: string, seen: Seen, signal: AbortSignal): Promise<Seen> {
  const { stat } = await client.get(path, { signal })
  if (stat.version === seen.version && hex(stat.mzxid) === seen.mzxid) return seen
  const there = `it has version ${stat.version} of ${hex(stat.mzxid)} now`
  const message = `${path} is not what was seen, version ${seen.version} of ${seen.mzxid}: ${there}`
  throw new Refusal(409, 'BAD_VERSION', message, { path, version: stat.version })
}

function pathOf({ path }: Body): string {
  validatePath(path as Changes['PUT node']['path'])
  if (!KEPT.test(path as string)) return path as string
  throw new Refusal(403, 'NO_AUTH', `${String(path)} is never changed from here`, { path: String(path) })
}

function seenOf({ seen }: Body): Seen {
  const { version, mzxid } = (seen ?? {}) as Partial<Seen>
  if (Number.isSafeInteger(version) && typeof mzxid === 'string') return { version: version as number, mzxid }
  throw new Refusal(428, 'USAGE', 'a change must name what was seen, as seen: { version, mzxid }')
}

function dataOf({ data, encoding }: Body): Uint8Array {
  if (typeof data !== 'string') throw new Refusal(400, 'USAGE', 'data must be a string')
  if (encoding === 'utf8') return new TextEncoder().encode(data)
  if (encoding === 'base64' && BASE64.test(data)) return Buffer.from(data, 'base64')
  throw new Refusal(400, 'USAGE', 'encoding must be utf8, or base64 with data to match')
}

function modeOf({ mode = 'persistent' }: Body): Changes['POST node']['mode'] {
  if (MODES.has(mode)) return mode as Changes['POST node']['mode']
  throw new Refusal(400, 'USAGE', `mode must be persistent or container, got ${JSON.stringify(mode)}`)
}
