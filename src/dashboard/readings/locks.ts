/**
 * Locks and their queues, as their nodes tell.
 *
 * Model     a lock is a node with contenders of this package, of Curator or of kazoo below it; a semaphore has a line
 *           in `locks` and a node per permit in `leases`; an exclusive lock is an ephemeral node itself.
 * Cost      one list of names per node below the roots; of a queue, only those who are shown are read.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { compareSequence, joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import type { Met } from '../../core/walk-tree.ts'
import type { Contender as QueuedName } from '../../recipes/engine/contender.ts'
import { LOCK } from '../../recipes/engine/lock-names.ts'
import { contenderOf } from '../../recipes/locks/contender-names.ts'
import { admitReadWrite } from '../../recipes/locks/read-write-lock.ts'
import type { Answer, Contender, Lock, LockQueue } from '../api.ts'
import { answer, hex, says } from './reading.ts'
import { untoldOf, walk } from './walk.ts'

const HOLDERS_SHOWN_MAX = 5
const LEASES = 'leases'
const LINE = 'locks'
const CANDIDATE = 'latch'

/** A node by its path and the names of its children. */
type Named = Pick<Met, 'path' | 'names' | 'isRoot'>

/** A queue by its names alone, first come first. */
interface Line {
  readonly path: string
  readonly kind: Lock['kind']
  readonly holders: readonly Place[]
  readonly waiters: readonly Place[]
}

interface Place {
  readonly path: string
  readonly position: number
  readonly kind: string
  readonly state: Contender['state']
}

/** Reads the locks below the roots that somebody holds or waits for, most waited for first. */
export async function readLocks(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Answer<Lock[]>> {
  const walked = await walk(client, roots, signal, (met) => !isQueue(met) && !isSemaphore(met))
  const found = await readEach(walked.met, async (met) => {
    const line = await lineOf(client, met, signal)
    return line === null ? null : describe(client, line, signal)
  })
  const locks = found.filter((lock) => lock !== null && lock.held + lock.waiting > 0) as Lock[]
  locks.sort((a, b) => b.waiting - a.waiting || (a.path < b.path ? -1 : 1))
  return answer(locks, { total: walked.left === null ? locks.length : null, untold: untoldOf(walked) })
}

/**
 * Reads a lock and the first of its queue.
 *
 * @throws CoordinationError `NO_NODE` if nobody is at it
 */
export async function readQueue(
  client: Client,
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<Answer<LockQueue>> {
  const { names } = await client.children(path, { signal })
  const line = await lineOf(client, { path, names, isRoot: false }, signal)
  const lock = line === null ? null : await describe(client, line, signal)
  if (line === null || lock === null) {
    throw new CoordinationError('NO_NODE', `nobody is at ${path}`, { outcome: 'rejected', path })
  }
  const places = [...line.holders, ...line.waiters]
  const queue = await readPlaces(client, places.slice(0, limit), signal)
  return answer({ ...lock, queue }, { total: places.length })
}

function isQueue({ names }: Named): boolean {
  return names.some((name) => isLockName(contenderOf(name)))
}

function isSemaphore({ names }: Named): boolean {
  return names.includes(LEASES) && names.includes(LINE)
}

function isLockName(contender: QueuedName | null): boolean {
  return contender !== null && contender.kind !== CANDIDATE
}

/** The queue at a node; null if it is no lock. */
async function lineOf(client: Client, met: Named, signal: AbortSignal): Promise<Line | null> {
  const { path, names, isRoot } = met
  if (isSemaphore(met)) return semaphoreLine(client, path, signal)
  if (isQueue(met)) {
    const order = orderOf(names)
    const places = order.map((contender, position): Place => {
      const isHeld = admitReadWrite(order, position).granted
      return { path: joinPath(path, contender.name), position, kind: contender.kind, state: isHeld ? 'held' : 'waits' }
    })
    const kind = order.every((contender) => contender.kind === LOCK) ? 'fair' : 'read-write'
    return { path, kind, ...parted(places) }
  }
  if (names.length > 0 || isRoot) return null
  return { path, kind: 'exclusive', holders: [{ path, position: 0, kind: LOCK, state: 'held' }], waiters: [] }
}

async function semaphoreLine(client: Client, path: string, signal: AbortSignal): Promise<Line> {
  const [held, waiting] = await Promise.all([LEASES, LINE].map(async (name) => {
    const parent = joinPath(path, name)
    const children = await unlessGone(client.children(parent, { signal }))
    return orderOf(children?.names ?? []).map((contender) => joinPath(parent, contender.name))
  }))
  const place = (state: Place['state'], from: number) => (one: string, index: number): Place => {
    return { path: one, position: from + index, kind: 'permit', state }
  }
  const holders = (held ?? []).map(place('held', 0))
  return { path, kind: 'semaphore', holders, waiters: (waiting ?? []).map(place('waits', holders.length)) }
}

function orderOf(names: readonly string[]): QueuedName[] {
  const found = names.map(contenderOf).filter((contender) => contender !== null)
  return found.sort((a, b) => compareSequence(a.sequence, b.sequence))
}

function parted(places: readonly Place[]): Pick<Line, 'holders' | 'waiters'> {
  const isHeld = ({ state }: Place): boolean => state === 'held'
  return { holders: places.filter(isHeld), waiters: places.filter((place) => !isHeld(place)) }
}

/** A lock as the list shows it; null if it is none after all. */
async function describe(client: Client, line: Line, signal: AbortSignal): Promise<Lock | null> {
  const { path, kind } = line
  const [holders, first] = await Promise.all([
    readPlaces(client, line.holders.slice(0, HOLDERS_SHOWN_MAX), signal),
    readPlaces(client, line.waiters.slice(0, 1), signal),
  ])
  if (kind === 'exclusive' && holders.length === 0) return null
  const counts = { held: line.holders.length, waiting: line.waiters.length }
  return { path, kind, holders, ...counts, waitsSinceMs: first[0]?.sinceMs ?? null }
}

/** Those of the places who are still there, and who belong to a session. */
async function readPlaces(client: Client, places: readonly Place[], signal: AbortSignal): Promise<Contender[]> {
  const read = await readEach(places, async (place): Promise<Contender | null> => {
    const node = await unlessGone(client.get(place.path, { signal }))
    if (node === null || node.stat.ephemeralOwner === 0n) return null
    const { ctime: sinceMs, czxid, ephemeralOwner } = node.stat
    return { ...place, session: hex(ephemeralOwner), says: says(node.data), sinceMs, token: String(czxid) }
  })
  return read.filter((one) => one !== null)
}
