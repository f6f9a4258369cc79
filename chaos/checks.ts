/**
 * The judgement after the faults have ended: of each server's tree, and of the answers that clients were told.
 */
import { zookeeper } from '../src/backends/zookeeper/index.ts'
import { connect } from '../src/index.ts'
import type { Client } from '../src/index.ts'
import { ROOT } from './load.ts'
import type { Told } from './load.ts'

/** Reads that are on their way at a time. */
const READS_AT_A_TIME = 64

/** A server's nodes below the root of the load: by path, all that is known of each. */
export type Dump = ReadonlyMap<string, string>

/** Reads a server's tree, after a sync. */
export async function dumpOf(address: string): Promise<Dump> {
  await using client = await connect(zookeeper(address), { onError: () => undefined })
  await client.sync('/')
  const dump = new Map<string, string>()
  let paths = [ROOT]
  while (paths.length > 0) {
    const next: string[] = []
    for (let at = 0; at < paths.length; at += READS_AT_A_TIME) {
      const found = await Promise.all(paths.slice(at, at + READS_AT_A_TIME).map((path) => nodeOf(client, path)))
      for (const { path, text, children } of found) {
        dump.set(path, text)
        next.push(...children)
      }
    }
    paths = next
  }
  return dump
}

async function nodeOf(
  client: Client,
  path: string,
): Promise<{ readonly path: string; readonly text: string; readonly children: readonly string[] }> {
  const { data, stat } = await client.get(path)
  const children = stat.numChildren === 0 ? [] : (await client.children(path)).names
  const text = JSON.stringify([Buffer.from(data).toString('base64'), stat, [...children].sort()], (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value)
  return { path, text, children: children.map((name) => `${path}/${name}`) }
}

/** The parts of {@link complaintsOf} that differ from run to run. */
export interface Circumstances {
  /** The ephemeral nodes of sessions that go on, and their sessions; by default none goes on. */
  readonly present?: ReadonlyMap<string, string>
  /** Whether registers are not judged: a leader of ZooKeeper asks no majority before it answers a `sync`. */
  readonly areSyncsWeak?: boolean
}

/**
 * Compares the servers with each other, and with what clients were told.
 *
 * @returns the complaints; none if all is as it must be
 */
export function complaintsOf(
  dumps: readonly Dump[],
  told: Told,
  { present = new Map(), areSyncsWeak = false }: Circumstances = {},
): string[] {
  const complaints: string[] = []
  const [first = new Map<string, string>(), ...others] = dumps
  for (const [index, other] of others.entries()) {
    const paths = new Set([...first.keys(), ...other.keys()])
    const different = [...paths].filter((path) => first.get(path) !== other.get(path))
    const [path] = different
    if (path === undefined) continue
    const texts = [first, other].map((dump) => dump.get(path) ?? 'nothing')
    complaints.push(`servers 1 and ${index + 2} differ in ${different.length} nodes: ${path}: ${texts.join(' | ')}`)
  }
  const lost = told.created.filter((path) => !first.has(path))
  if (lost.length > 0) complaints.push(`${lost.length} acknowledged nodes are lost, such as ${lost[0]}`)
  const done = told.refused.filter((path) => first.has(path))
  if (done.length > 0) complaints.push(`${done.length} nodes are there that were refused, such as ${done[0]}`)
  const owners = new Map([...first].map(([path, text]) => [path, /"ephemeralOwner":"(\d+)"/.exec(text)?.[1] ?? '0']))
  const gone = [...present].filter(([path, session]) => owners.get(path) !== session).map(([path]) => path)
  if (gone.length > 0) complaints.push(`${gone.length} ephemerals of living sessions are gone, such as ${gone[0]}`)
  const living = new Set(['0', ...present.values()])
  const kept = [...owners].filter(([, owner]) => !living.has(owner)).map(([path]) => path)
  if (kept.length > 0) complaints.push(`${kept.length} ephemerals outlive all sessions, such as ${kept[0]}`)
  if (!areSyncsWeak) complaints.push(...complaintsOfRegisters(told))
  return complaints
}

function complaintsOfRegisters({ registers }: Told): string[] {
  try {
    registers.atEnd()
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
