/**
 * Partitioner: items shared out among the members of a group, so that each has exactly one owner.
 *
 * Model     each member joins a group, and says there which items it knows. It finds by rendezvous hashing which of
 *           them are to be its own, and claims those. The owner of an item is who has made the item's node.
 * Safety    one lease per item, not an epoch of the whole group with a barrier. Members never see the same list at the
 *           same moment, so agreement on a list could not keep two of them off one item; a node that only one can make
 *           does. And where a barrier stops all items at each change and one slow member holds up everybody, here only
 *           the items that move stand still, and each waits for its own old owner alone. The price is a node per item,
 *           and one delete and one create for each that moves.
 * Liveness  when the group rests, every item is owned by the member that it belongs to: whoever wants an item watches
 *           its node, and claims it when the old owner has let go or its session is over.
 * Moves     a member that comes or goes moves its own share only.
 * Cost      a change of the group: 1 event + 2 reads per member; an item that moves: 1 delete, 1 event, 1 create.
 * Source    kazoo SetPartitioner; Thaler and Ravishankar (rendezvous.ts).
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown, validateFunction, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validateText } from '../../core/options.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { Feed } from '../engine/feed.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { namedListener } from '../engine/listener.ts'
import { checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import { clientClosed } from '../engine/wait.ts'
import { GroupMembership } from './group-membership.ts'
import type { MemberInfo } from './group-membership.ts'
import type { JoinOptions, Member, MemberState } from './member.ts'
import { Share } from './partition-share.ts'
import type { Assignment } from './partition-share.ts'
import { hashOf, scoreOf } from './rendezvous.ts'

/** Options of a {@link Partitioner}. */
export interface PartitionerOptions {
  /** The member's name: one segment of a path, nobody else's. */
  readonly id: string
  /** The items, each one segment of a path. Give this or `count`. */
  readonly items?: readonly string[]
  /** How many items there are, named `0` and so on. Give this or `items`. */
  readonly count?: number
  /** Called before an item is let go of or after it was lost, and waited for; the work on it must be over then. */
  readonly onRevoke?: (assignment: Assignment) => void | Promise<void>
}

/** A change of this member's assignments. */
export interface PartitionChange {
  /** All that it owns, by item, in the order of the items. */
  readonly assignments: ReadonlyMap<string, Assignment>
  /** The items that it did not own before. */
  readonly assigned: readonly Assignment[]
  /** The items that it no longer owns; `state` tells whether each was given away or lost. */
  readonly revoked: readonly Assignment[]
}

/** The data of a member in the group: the items that it knows. */
export type Known = Pick<PartitionerOptions, 'items' | 'count'>

/** How many items there may be: each is a node, a watch and a timer. */
export const ITEMS_MAX = 10_000
/** The parent of the members' nodes. */
export const MEMBERS = 'members'
/** The parent of the items' nodes. */
export const ITEMS = 'items'
const OPTIONS = optionNames<PartitionerOptions>({ id: true, items: true, count: true, onRevoke: true })

/** One member of those that share out items. */
export class Partitioner implements AsyncDisposable {
  /** The parent of the nodes of members and items. */
  readonly path: string
  /** This member's name. */
  readonly id: string
  readonly #client: Client
  readonly #known: Known
  readonly #items: readonly string[]
  readonly #onRevoke: NonNullable<PartitionerOptions['onRevoke']>
  readonly #group: GroupMembership<Known>
  readonly #feed: Feed<ReadonlyMap<string, Assignment>>
  readonly #shares = new Map<string, Share>()
  #members: readonly MemberInfo<Known>[] = []
  #member: Member<Known> | null = null
  #starting: Promise<void> | null = null
  #disown: (() => void) | null = null
  #stopping: Promise<void> | null = null

  /**
   * Makes a member's side; nothing is sent.
   *
   * @param client - on whose session the member and what it owns live
   * @param path - has `members` and `items` below it
   * @param options - its id, and the items to share out
   * @throws TypeError or RangeError for a wrong path, id or item, or a wrong option
   */
  constructor(client: Client, path: string, options: PartitionerOptions) {
    validateClient(client, 'Partitioner')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'Partitioner')
    const { id, items, count, onRevoke = () => undefined } = options
    validateSegment('id', id)
    validateFunction('onRevoke', onRevoke)
    this.path = path
    this.id = id
    this.#client = client
    this.#items = itemsOf(items, count)
    this.#known = items === undefined ? { count: this.#items.length } : { items: this.#items }
    this.#onRevoke = onRevoke
    this.#group = new GroupMembership(client, joinPath(path, MEMBERS))
    this.#feed = new Feed((error) => client.report(error))
  }

  /** Where it stands as a member; null before it has started. */
  get state(): MemberState | null {
    return this.#member?.state ?? null
  }

  /** The assignments that this member owns at this instant, by item, in the order of the items. */
  get assignments(): ReadonlyMap<string, Assignment> {
    const owned = new Map<string, Assignment>()
    for (const [item, share] of this.#shares) if (share.current !== null) owned.set(item, share.current)
    return owned
  }

  /**
   * Joins, and owns its share from then on. Idempotent.
   *
   * @param options - the limits of the join; with `waitMs` it waits for the node of an older session of its id
   * @returns resolves when it has joined; items are assigned after that
   * @throws CoordinationError as {@link GroupMembership.join}
   */
  start(options: Omit<JoinOptions<unknown>, 'data'> = {}): Promise<void> {
    this.#starting ??= this.#start(options).catch((error: unknown) => {
      this.#starting = null
      throw error
    })
    return this.#starting
  }

  /**
   * Lets go of everything, each item after its `onRevoke`, and leaves. Idempotent; never rejects. Resolves when the
   * servers have confirmed it, or the session is over.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Stops. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * Listens to this member's assignments; the latest state wins.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present assignments; true by default
   * @returns ends the listening
   */
  subscribe(listener: (change: PartitionChange) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    return this.#feed.subscribe(this.path, describe, namedListener('Partitioner', this.path, listener), options)
  }

  /**
   * Iterates over changes of this member's assignments. Ends when it has stopped or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<PartitionChange> {
    checkIterate(options)
    return this.#feed.iterate(this.path, describe, options)
  }

  async #start(options: Omit<JoinOptions<unknown>, 'data'>): Promise<void> {
    if (this.#stopping !== null) throw clientClosed(this.path)
    const member = await this.#group.join(this.id, { ...options, data: this.#known })
    if (this.#stopping !== null) {
      await member.leave()
      throw clientClosed(this.path)
    }
    this.#member = member
    const owner = new TextEncoder().encode(this.id)
    const onChange = (): void => this.#feed.publish(this.assignments, false)
    for (const item of this.#items) {
      const path = joinPath(joinPath(this.path, ITEMS), item)
      const share = { client: this.#client, item, path, owner, onRevoke: this.#onRevoke, onChange }
      this.#shares.set(item, new Share(share))
    }
    this.#disown = this.#client.own({ close: () => Promise.resolve(this.#feed.close()) })
    member.subscribe(() => this.#shareOut())
    this.#group.subscribe(({ members }) => {
      this.#members = members
      this.#shareOut()
    })
  }

  async #stop(): Promise<void> {
    // Others hear of it at once, and wait for each item that it has not let go of yet.
    await Promise.all([this.#group.close(), ...[...this.#shares.values()].map((share) => share.end())])
    this.#disown?.()
    this.#feed.close()
  }

  /** Finds what is to be this member's, as each of the others finds it too. */
  #shareOut(): void {
    const incarnation = this.#member?.incarnation
    const isMember = this.#members.some((member) => member.id === this.id && member.incarnation === incarnation)
    const rivals = this.#members.filter(({ id }) => id !== this.id).map(({ id, data }) => {
      return { id, hash: hashOf(id), knows: knowledgeOf(data) }
    })
    const own = hashOf(this.id)
    for (const [item, share] of this.#shares) {
      const hash = hashOf(item)
      const score = scoreOf(own, hash)
      const isBetter = ({ id, hash: rival }: { readonly id: string; readonly hash: number }): boolean => {
        const theirs = scoreOf(rival, hash)
        return theirs > score || (theirs === score && id > this.id)
      }
      share.want(isMember && !rivals.some((rival) => isBetter(rival) && rival.knows(item)))
    }
  }
}

function describe({ previous, current }: Delivery<ReadonlyMap<string, Assignment>>): PartitionChange | null {
  const assigned = [...current.values()].filter((one) => previous?.get(one.item) !== one)
  const revoked = [...(previous?.values() ?? [])].filter((one) => current.get(one.item) !== one)
  return assigned.length + revoked.length === 0 ? null : { assignments: current, assigned, revoked }
}

/** Which items a member knows. The data come from outside: a member whose data are not clear knows none. */
function knowledgeOf(data: Partial<Known> | null | undefined): (item: string) => boolean {
  const { items, count } = data ?? {}
  const names = new Set<unknown>(Array.isArray(items) ? items : [])
  if (typeof count !== 'number') return (item) => names.has(item)
  return (item) => /^(0|[1-9]\d*)$/.test(item) && Number(item) < count
}

function itemsOf(items: unknown, count: unknown): readonly string[] {
  if ((items === undefined) === (count === undefined)) throw new TypeError('Partitioner takes either items or count')
  if (items === undefined) {
    validateInteger('count', count, 1, ITEMS_MAX)
    return Array.from({ length: count }, (_, index) => String(index))
  }
  if (!Array.isArray(items)) throw new TypeError(`items must be an array of strings, got ${textOf(items)}`)
  if (items.length > ITEMS_MAX) throw new RangeError(`items must be at most ${ITEMS_MAX}, got ${items.length}`)
  for (const item of items) validateSegment('item', item)
  const names = [...new Set(items as readonly string[])]
  if (names.length < items.length) throw new TypeError('items must differ from each other')
  return Object.freeze(names)
}

function validateSegment(name: string, value: unknown): asserts value is string {
  validateText(name, value)
  validatePath(`/${value}`, name)
  if (value.includes('/')) throw new TypeError(`${name} must be one segment of a path, got ${JSON.stringify(value)}`)
}
