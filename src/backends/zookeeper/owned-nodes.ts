/**
 * Nodes that only this session may write, so that ZooKeeper itself keeps it from the nodes of other sessions.
 *
 * Model     ZooKeeper compares the version of a node and nothing else, but asks each node's own list who may write it.
 *           A node that is to be owned is made with a list on which this session alone has the right to write: an
 *           identity (scheme digest) with a secret that nobody else has. A multi that begins with a write is refused if
 *           the node that is there now is owned by another session.
 * Blind     for a node that lets everybody write: it was not made to be owned. So this is for where a look has just
 *           shown our node, and the count of its parent cannot be read (zookeeper/creation-guard.ts).
 * Same path one session may make one path twice. It hears its answers in the order of its requests, so it knows which
 *           of its creations is the latest; while a create of that path is under way, or its answer was lost, it does
 *           not, and says so.
 * List      a session without other identities leaves it to the servers what its identity is called (scheme auth). One
 *           that has others would let them in by that: there the identity is named, if the servers digest as we do.
 * Trust     the servers may check no list (`skipACL`, a super user), digest in another way, or refuse the scheme. Ahead
 *           of the first of these nodes goes a trial, which has to be refused by its last operation; unless it is, no
 *           node is owned. A refused scheme costs the connection; the backend's next sessions do not try it.
 * Source    PrepRequestProcessor.pRequest2Txn, ZooKeeperServer.checkACL and processPacket, DataTree.addConfigNode of
 *           ZooKeeper 3.8; decision 0012.
 */
import type { Created, Operation } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { joinPath, parentOf } from '../../core/path.ts'
import { Perm } from '../wire/codes.ts'
import type { PlainRequests } from '../client/dialect.ts'
import type { Acl, AuthRequest } from '../wire/records.ts'
import { CheckedMulti } from './checked-multi.ts'
import { ChildCounts } from './child-counts.ts'
import { digestOf } from './io/digest.ts'

const NO_BYTES = new Uint8Array()

/** Everybody may read it, and nobody but a super user write it. It is there since ZooKeeper 3.5. */
const NOBODY_WRITES = '/zookeeper/config'
const ANY_VERSION = -1
/** A version that no node has: whoever may write it is refused too. */
const NO_VERSION = 2 ** 31 - 1

/**
 * - `untried`: no node was asked for yet, or the answer to the trial was lost.
 * - `trying`: the trial is under way, ahead of the nodes that were asked for.
 * - `trusted`: the servers check lists.
 * - `none`: they do not, or not as we count on.
 */
type Trust = 'untried' | 'trying' | 'trusted' | 'none'

/** A creation of ours. */
interface Creation {
  readonly czxid: bigint
  /** The parent's count of children ever created, right after it; null if it is not known. */
  readonly count: number | null
}

/** Shared by the sessions of one backend. */
export interface OwnershipSupport {
  /** The servers have refused an identity of ours. */
  isRefused: boolean
}

/** The nodes of one session that it alone may write. */
export class OwnedNodes {
  readonly #requests: PlainRequests
  readonly #identity: AuthRequest
  readonly #ownAcl: readonly Acl[]
  /** For each path, the creation of ours that is the latest. */
  readonly #creations = new Map<string, Creation>()
  readonly #counts = new ChildCounts()
  /** For each path, how many creates of it are under way. */
  readonly #underWay = new Map<string, number>()
  #trust: Trust

  /** @param support - the experience that sessions of this backend have had with the servers */
  constructor(requests: PlainRequests, support: OwnershipSupport) {
    const { acl, isAnonymous } = requests
    const credentials = `quorate-session:${crypto.randomUUID()}`
    this.#requests = requests
    this.#identity = { type: 0, scheme: 'digest', auth: new TextEncoder().encode(credentials) }
    const own = isAnonymous ? { scheme: 'auth', id: '' } : { scheme: 'digest', id: digestOf(credentials) }
    const others = acl.map((entry) => ({ ...entry, perms: entry.perms & ~Perm.write }))
    this.#ownAcl = [{ perms: Perm.all, ...own }, ...others.filter(({ perms }) => perms !== 0)]
    // The servers would put our identity on every list that says "whoever creates it", and those outlive the session.
    const isLeaked = acl.some(({ scheme }) => scheme === 'auth')
    this.#trust = isLeaked || support.isRefused ? 'none' : 'untried'
  }

  /** Identities that each server has to be told. */
  get auth(): readonly AuthRequest[] {
    return this.#trust === 'trying' || this.#trust === 'trusted' ? [this.#identity] : []
  }

  /** The list of a node that is made now. */
  aclFor(isOwned: boolean): readonly Acl[] {
    return isOwned && this.#mayOwn ? this.#ownAcl : this.#requests.acl
  }

  /** From now on checks are made in the other way. */
  distrust(): void {
    this.#trust = 'none'
  }

  /**
   * Makes nodes that are to be owned.
   *
   * @param paths - the nodes' paths; for a sequential create, the beginning of the path
   * @param create - makes them
   * @param createdOf - the nodes that its answer tells of, in the order of the paths
   */
  async creating<T>(
    paths: readonly string[],
    create: () => Promise<T>,
    createdOf: (answer: T) => readonly Pick<Created, 'path' | 'stat'>[],
  ): Promise<T> {
    if (this.#trust === 'untried') void this.#try(paths[0] ?? '/')
    const isOwned = this.#mayOwn
    for (const path of paths) this.#underWay.set(path, (this.#underWay.get(path) ?? 0) + 1)
    try {
      const answer = await create()
      for (const [index, { path, stat }] of createdOf(answer).entries()) {
        const count = this.#counts.created(paths[index] ?? path, path)
        if (isOwned) this.#creations.set(path, { czxid: stat.czxid, count })
      }
      return answer
    } catch (error) {
      // It may have been made, in the place of the latest that we know.
      const isKnown = isCoordinationError(error) && error.outcome !== 'unknown'
      if (!isKnown) for (const path of paths) this.#creations.delete(path)
      throw error
    } finally {
      for (const path of paths) this.#left(path)
    }
  }

  /**
   * How to do a multi that checks creations, if each of them is the latest that this session has made there, to be
   * owned. It is refused by any node that another session owns.
   */
  plan(operations: readonly Operation[]): CheckedMulti | null {
    const multi = this.#trust === 'trusted' ? CheckedMulti.of(operations) : null
    for (const { path, czxid } of multi?.checks ?? []) {
      if (this.#creations.get(path)?.czxid !== czxid || this.#underWay.has(path)) return null
    }
    return multi
  }

  /** See `known` of the guard's requests; the plan was just made. */
  known({ checks }: CheckedMulti, isCrowded: (parent: string) => boolean): ReadonlyMap<string, number> | null {
    const counts = new Map<string, number>()
    for (const { path, czxid } of checks) {
      const parent = parentOf(path)
      const since = this.#creations.get(path)?.count ?? null
      const count = since === null || isCrowded(parent) ? null : this.#counts.latestSince(parent, since)
      const watch = this.#requests.watchOn(path, czxid)
      if (count !== null && watch !== 'none') counts.set(parent, count)
      else if (watch !== 'stands' || (since === null && !isCrowded(parent))) return null
    }
    return counts
  }

  /** See `counted` of the guard's requests. */
  counted(parent: string, count: number | null): void {
    if (count === null) this.#counts.forget(parent)
    else this.#counts.guarded(parent, count)
  }

  /** A multi was done or refused: nodes of ours that are gone by it are remembered no longer. */
  forget(operations: readonly Operation[], isDone: boolean): void {
    for (const operation of operations) {
      if (operation.type !== 'check' || this.#creations.get(operation.path)?.czxid !== operation.czxid) continue
      const isDeleted = operations.some(({ type, path }) => type === 'delete' && path === operation.path)
      if (isDeleted || !isDone) this.#creations.delete(operation.path)
    }
  }

  /** A node that is named after an identity which the servers call otherwise could be written by nobody. */
  get #mayOwn(): boolean {
    return this.#trust === 'trusted' || (this.#trust === 'trying' && this.#requests.isAnonymous)
  }

  /** The whole is always refused, and tells by which of its operations. */
  async #try(path: string): Promise<void> {
    this.#trust = 'trying'
    this.#requests.introduce(this.#identity)
    const node = joinPath(parentOf(path), `quorate-trial-${crypto.randomUUID()}`)
    const trial: Operation[] = [
      { type: 'create', path: node, data: NO_BYTES, mode: 'ephemeral' },
      { type: 'set', path: node, data: NO_BYTES, version: ANY_VERSION },
      { type: 'delete', path: node, version: ANY_VERSION },
      { type: 'set', path: NOBODY_WRITES, data: NO_BYTES, version: NO_VERSION },
    ]
    try {
      await this.#requests.multi(trial, () => this.#ownAcl)
    } catch (error) {
      if (this.#trust === 'trying') this.#trust = trustAfter(error)
    }
  }

  #left(path: string): void {
    const count = this.#underWay.get(path) ?? 0
    if (count > 1) this.#underWay.set(path, count - 1)
    else this.#underWay.delete(path)
  }
}

/** Whether an operation makes a node that is to be owned. */
export function isOwnedCreate(operation: Operation | undefined): operation is Operation & { readonly type: 'create' } {
  return operation?.type === 'create' && operation.owned === true
}

/** The trust that the refusal of a trial leaves. */
function trustAfter(error: unknown): Trust {
  if (!isCoordinationError(error)) return 'none'
  const { code, index, outcome } = error
  if (code === 'NO_AUTH' && index === 3) return 'trusted'
  // The parent is missing, or the answer.
  return outcome !== 'rejected' || (code === 'NO_NODE' && index === 0) ? 'untried' : 'none'
}
