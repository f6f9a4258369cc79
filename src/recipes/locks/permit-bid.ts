/**
 * One taking of permits, by whoever is first in the line of a semaphore.
 *
 * Order     make a node per permit, then count: as long as there are more nodes than permits, wait for a change of
 *           either. Whoever has counted last has seen all others, so no more hold than there are permits, also where
 *           two take at a time because somebody deleted the node of the first in line.
 */
import type { Created } from '../../core/backend.ts'
import { abortable, deferred, whenAborted } from '../../core/async.ts'
import type { Client, Data } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { nameOf } from '../../core/path.ts'
import { Cleanups } from '../engine/cleanups.ts'
import type { Lease } from '../engine/lease.ts'
import { NodeLease } from '../engine/lease.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { newMark } from '../engine/marked-data.ts'
import { NodeWatch } from '../engine/ownership.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import { deletion, ownedNode, protectedCreate } from '../engine/protected-writes.ts'
import { Revocation } from '../engine/revocation.ts'
import type { Wait } from '../engine/wait.ts'
import { sessionOver } from '../engine/wait.ts'
import { PermitLeases } from './permit-lease.ts'
import type { PermitLease } from './permit-lease.ts'
import type { PermitLimit } from './permit-limit.ts'

/** The word for what a semaphore gives out. */
export const PERMIT = 'permit'

/** The permits to be taken, and where. */
export interface PermitRequest {
  /** The semaphore. */
  readonly path: string
  /** The parent of the nodes that stand for permits. */
  readonly leases: string
  readonly limit: PermitLimit
  readonly permits: number
  readonly data: Data
  /** Whether others may ask for the permits. */
  readonly revocable: boolean
}

/**
 * Takes permits, and gives the place in the line back when it has them.
 *
 * @param place - the lease on the first place in the line; stays with the caller if there are no permits
 * @param wait - ends it; nodes that were made are removed, or handed to the clean-ups, before this rejects
 * @returns null if there were not enough and the wait is impatient, or if it has to be begun again
 */
export async function takePermits(
  client: Client,
  request: PermitRequest,
  place: Lease,
  wait: Wait,
): Promise<PermitLease | null> {
  const first = new PermitRound(client, place)
  // Both are sent at once. A create that had to be repeated comes after the count, which is made again then.
  const creating = createAll(client, request, wait)
  const looking = first.look(request, wait)
  looking.catch(() => undefined)
  const { nodes, failed } = await creating
  let lease: PermitLease | null = null
  try {
    if (failed !== undefined) throw failed.reason as unknown
    if (await untilEnough(client, request, { nodes, place, wait, first, looking })) {
      await abortable(place.release(), wait.signal)
      // Nothing is waited for after the proof: a lease that is handed out is one that lasts.
      lease = await leaseOf(client, request, nodes, wait)
    }
    return lease
  } finally {
    first.end()
    if (lease === null) await removeAll(client, nodes)
  }
}

type Look = readonly [names: readonly string[], limit: number]

interface Taking {
  readonly nodes: readonly OwnedNode[]
  readonly place: Lease
  readonly wait: Wait
  readonly first: PermitRound
  readonly looking: Promise<Look>
}

async function createAll(
  client: Client,
  { leases, permits, data, revocable }: PermitRequest,
  wait: Wait,
): Promise<{ readonly nodes: readonly OwnedNode[]; readonly failed: PromiseRejectedResult | undefined }> {
  const creates = Array.from({ length: permits }, (): Promise<Created> => {
    const request = { parent: leases, mark: `_c_${newMark()}-`, rest: 'lease-', data }
    return protectedCreate(client, revocable ? { ...request, isWritable: true } : request, wait)
  })
  const settled = await Promise.allSettled(creates)
  const made = settled.filter((one) => one.status === 'fulfilled')
  const failed = settled.find((one) => one.status === 'rejected')
  return { nodes: made.map(({ value }) => ownedNode(value.path, value.stat)), failed }
}

/** False: a node is gone, the place in the line is lost, or there is no patience to wait. */
async function untilEnough(client: Client, request: PermitRequest, taking: Taking): Promise<boolean> {
  const { nodes, place, wait, first, looking } = taking
  for (let round = first; ; round = new PermitRound(client, place)) {
    try {
      const [names, limit] = await (round === first ? looking : round.look(request, wait))
      wait.check()
      if (place.signal.aborted) return false
      if (request.permits > limit) throw tooMany(request, limit)
      const present = new Set(names)
      if (nodes.every(({ path }) => present.has(nameOf(path)))) {
        if (names.length <= limit) return true
        if (!wait.isPatient) return false
        await round.wait(wait)
      } else if (round !== first) return false
    } finally {
      round.end()
    }
  }
}

/** Hands the nodes out, if their session lives. */
async function leaseOf(
  client: Client,
  { path, revocable }: PermitRequest,
  nodes: readonly OwnedNode[],
  wait: Wait,
): Promise<PermitLease> {
  for (const node of nodes) {
    if (node.sessionId !== client.sessionId || !(await proveLease(client, node, wait))) throw sessionOver(node.path)
  }
  wait.check()
  const leases = nodes.map((node) => {
    const revocation = revocable ? new Revocation(client, node.path) : null
    return new NodeLease(client, node, new NodeWatch(), { kind: PERMIT, isArmed: false, revocation })
  })
  return new PermitLeases(path, leases)
}

async function removeAll(client: Client, nodes: readonly OwnedNode[]): Promise<void> {
  const cleanups = Cleanups.of(client)
  await Promise.all(nodes.map((node) => cleanups.confirmOrHandOver(deletion(client, node))))
}

/** One round of counting: a bell that a change of the permits, their number, the place in line or a reconnect ring. */
class PermitRound {
  readonly #client: Client
  readonly #bell = deferred<undefined>()
  readonly #ends: (() => void)[]

  constructor(client: Client, place: Lease) {
    this.#client = client
    this.#ends = [
      client.onState(({ status }) => {
        if (status === 'connected') this.#ring()
      }),
      whenAborted(place.signal, () => this.#ring()),
    ]
  }

  /** Counts the nodes, and reads how many there may be; whatever changes in either rings. */
  look({ leases, limit }: PermitRequest, wait: Wait): Promise<Look> {
    const ring = (): void => this.#ring()
    this.#ends.push(() => this.#client.unwatch(leases, ring), () => this.#client.unwatch(limit.path, ring))
    return Promise.all([this.#names(leases, ring, wait), limit.read(wait, ring)])
  }

  async wait(wait: Wait): Promise<void> {
    await abortable(this.#bell.promise, wait.signal)
  }

  end(): void {
    for (const end of this.#ends.splice(0)) end()
  }

  async #names(leases: string, watch: () => void, wait: Wait): Promise<readonly string[]> {
    try {
      const read = wait.insist(() => this.#client.children(leases, { watch, signal: wait.signal }))
      return (await read).names
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return []
      throw error
    }
  }

  #ring(): void {
    this.#bell.resolve(undefined)
  }
}

function tooMany({ path, permits }: PermitRequest, limit: number): CoordinationError {
  const message = `${String(permits)} permits of ${path} can never be had: it has ${String(limit)}`
  return new CoordinationError('INVALID_VALUE', message, { outcome: 'rejected', path })
}
