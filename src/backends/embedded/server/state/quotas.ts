/**
 * Quotas: how many nodes and bytes a part of the tree may have, and has.
 *
 * Model     the quota of `/a` is two nodes that clients make: `/zookeeper/quota/a/zookeeper_limits` and
 *           `.../zookeeper_stats`. Servers keep the second: they replace its data, and nothing else of it, at each
 *           change below `/a`. A change counts for the deepest quota above it only.
 * Shapes    `count=4,bytes=5` and then, after `=`, `;name=value` for each further one; -1, or nothing, is no limit.
 * Limits    count and bytes are soft, countHardLimit and byteHardLimit hard. A hard one takes the place of a soft one.
 *           The judge sees what has been applied, not what is on its way, so a multi, or requests sent in a row, can
 *           pass a limit, as with the reference.
 * Safety    whatever clients write into these nodes, it is read as far as it makes sense. The reference ends over some
 *           of it. A snapshot holds the numbers as they are; the reference counts again, over inner quotas too.
 * Source    Quotas.java, StatsTrack.java, PathTrie.java, DataTree.updateQuotaStat, ZooKeeperServer.checkQuota.
 */
import { parentOf } from '../../../../core/path.ts'

/** Below it are the quotas, each under the path that it is about. */
const QUOTA_ROOT = '/zookeeper/quota'
const LIMITS_NAME = '/zookeeper_limits'
const STATS_NAME = '/zookeeper_stats'

/** A quota is a few numbers. Longer data is no quota, and is not looked at with every write below it. */
const QUOTA_BYTES_MAX = 1_024

/** Nodes and bytes. */
export interface Usage {
  readonly count: number
  readonly bytes: number
}

/** Where the quotas are. */
export class Quotas {
  readonly #limited = new Set<string>()

  /** The path whose quota a node counts for, or null. Costs nothing where there are none. */
  of(path: string): string | null {
    if (this.#limited.size === 0) return null
    for (let at = path; at !== '/'; at = parentOf(at)) if (this.#limited.has(at)) return at
    return null
  }

  /** A node was made. */
  created(path: string): void {
    const limited = limitedBy(path, LIMITS_NAME)
    if (limited !== null) this.#limited.add(limited)
  }

  /** A node was deleted. */
  deleted(path: string): void {
    const limited = limitedBy(path, LIMITS_NAME)
    if (limited !== null) this.#limited.delete(limited)
  }

  /** Forgets everything. */
  clear(): void {
    this.#limited.clear()
  }
}

/** The path whose quota's numbers a node holds; null if it is no such node. */
export function measuredBy(path: string): string | null {
  return limitedBy(path, STATS_NAME)
}

/** Where the limits of a path are. */
export function limitsPathOf(path: string): string {
  return QUOTA_ROOT + path + LIMITS_NAME
}

/** Where the numbers of a path are. */
export function statsPathOf(path: string): string {
  return QUOTA_ROOT + path + STATS_NAME
}

/** The data of the node that holds these numbers. */
export function usageText(usage: Usage): Uint8Array {
  return textOf(new Map([['count', usage.count], ['bytes', usage.bytes]]))
}

/** The data of a numbers' node after a change. */
export function changedUsage(data: Uint8Array | null, change: Usage): Uint8Array {
  const values = valuesOf(data)
  values.set('count', numberOf(values, 'count') + change.count)
  values.set('bytes', numberOf(values, 'bytes') + change.bytes)
  return textOf(values)
}

/**
 * Whether a change goes beyond a hard limit.
 *
 * @param limits - data of the node with the limits
 * @param stats - data of the node with the numbers
 */
export function exceedsHardLimit(limits: Uint8Array | null, stats: Uint8Array | null, change: Usage): boolean {
  const allowed = valuesOf(limits)
  const used = valuesOf(stats)
  const exceeds = (name: 'count' | 'bytes', hardName: string): boolean => {
    const limit = numberOf(allowed, hardName)
    return change[name] !== 0 && limit > -1 && numberOf(used, name) + change[name] > limit
  }
  return exceeds('count', 'countHardLimit') || exceeds('bytes', 'byteHardLimit')
}

/** The path that a quota's node is about; the root has no quota. */
function limitedBy(path: string, name: string): string | null {
  if (!path.endsWith(name) || !path.startsWith(`${QUOTA_ROOT}/`)) return null
  const limited = path.slice(QUOTA_ROOT.length, -name.length)
  return limited === '' ? null : limited
}

function valuesOf(data: Uint8Array | null): Map<string, number> {
  const values = new Map<string, number>()
  if (data === null || data.length > QUOTA_BYTES_MAX) return values
  for (const pair of Buffer.from(data).toString().split(/[,;]+/)) {
    const [name = '', text = ''] = pair.split('=')
    const value = Number(text)
    if (text !== '' && Number.isSafeInteger(value)) values.set(name, value)
  }
  return values
}

function numberOf(values: ReadonlyMap<string, number>, name: string): number {
  return values.get(name) ?? -1
}

function textOf(values: ReadonlyMap<string, number>): Uint8Array {
  const isOther = ([name]: readonly [string, number]): boolean => name !== 'count' && name !== 'bytes'
  const others = [...values].filter(isOther).sort(([a], [b]) => (a < b ? -1 : 1))
  const first = `count=${numberOf(values, 'count')},bytes=${numberOf(values, 'bytes')}`
  const rest = others.map(([name, value]) => `;${name}=${value}`).join('')
  return new Uint8Array(Buffer.from(others.length === 0 ? first : `${first}=${rest}`))
}
