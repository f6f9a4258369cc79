/**
 * A queue: what producers and consumers were told, held against the committed log.
 *
 * QU1  an item is removed by the process whose claim it has, in one transaction with that claim; and it is claimed only
 *      while it is there.
 * QU2  nobody believes to have an item whose claim is gone. The tokens of an item grow, and are those of its claims;
 *      its attempts are counted.
 * QU3  an item is confirmed as done to the one who removed it; to whom it was refused, it is not removed by that.
 * QU4  a put that was confirmed has made one item with its value, by the process that put it; one that was refused has
 *      made none; none makes two.
 * QU5  once there is service and everybody works, nothing is left of the queue that is due by anybody's wall clock.
 * QU6  no item is handed out before it is due by the wall clock of its consumer, if that has never jumped.
 */
import { joinPath, nameOf, parentOf } from '../../src/core/path.ts'
import type { QueueItem } from '../../src/recipes/queues/distributed-queue.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'

/** The part of an item that the check looks at. */
export type SeenItem = Pick<QueueItem<string>, 'id' | 'value' | 'attempt' | 'token' | 'throwIfLost'>

/** The parts of the run that the check looks at. */
export interface QueuesCheckOptions {
  /** Runs something on the clock of a node. */
  readonly clocks: Pick<Kernel, 'as'>
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOf' | 'isSameProcess'>
  /** The queue. */
  readonly path: string
}

/** An item that was handed out, and in which life of which process. */
interface Holding {
  readonly item: SeenItem
  readonly node: SimNode
  readonly incarnation: number
}

/** Everything that became of an item. */
interface Story {
  readonly value: string
  readonly putBy: bigint
  /** The tokens of its claims, in their order. */
  readonly tokens: bigint[]
  /** Who removed it, and by which claim; null while it is there. */
  end: { readonly sessionId: bigint; readonly token: bigint; readonly isDead: boolean } | null
  isConfirmed: boolean
}

const decoder = new TextDecoder()

export class QueuesCheck implements Check, LedgerListener {
  readonly name = 'queues'
  readonly covers = ['QU1', 'QU2', 'QU3', 'QU4', 'QU5', 'QU6']
  readonly #options: QueuesCheckOptions
  readonly #items: string
  readonly #claims: string
  readonly #dead: string
  /** By id, every item that there ever was. */
  readonly #stories = new Map<string, Story>()
  readonly #values = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #holdings = new Set<Holding>()

  /** Checks a queue of a world that has not run yet. */
  constructor(options: QueuesCheckOptions) {
    this.#options = options
    const folders = ['items', 'claims', 'dead'].map((folder) => joinPath(options.path, folder))
    ;[this.#items = '', this.#claims = '', this.#dead = ''] = folders
    options.ledger.listen(this)
  }

  committed({ transaction: { header: { zxid, clientId } }, changes }: Replayed): void {
    for (const change of changes) {
      if (change.path === '/') continue
      const parent = parentOf(change.path)
      if (parent === this.#items) this.#itemChanged(change, changes, zxid, clientId)
      else if (parent === this.#claims) this.#claimChanged(change, zxid)
    }
  }

  /** To be told, in the same event, of every item that a consumer was given. */
  taken(item: SeenItem, node: SimNode): void {
    const { id, value, attempt, token } = item
    const who = `${node.name} was given ${id} with token ${hex(token)}`
    const story = this.#stories.get(id)
    if (story === undefined || story.value !== value) return this.#fail(`QU4: ${who} and the value ${value}`)
    const place = story.tokens.indexOf(token)
    if (place === -1) this.#fail(`QU2: ${who}, and it was never claimed so`)
    const earlyMs = dueMsOf(id) - this.#options.clocks.as(node, () => Date.now())
    if (earlyMs > 0 && node.wallOffsetMs === 0) this.#fail(`QU6: ${who} ${earlyMs} ms before it is due`)
    if (attempt !== place + 1) this.#fail(`QU2: ${who} as attempt ${attempt}, and it is attempt ${place + 1}`)
    const holding = { item, node, incarnation: node.incarnation }
    if (!this.#believes(holding)) return
    const claim = this.#options.ledger.model.node(joinPath(this.#claims, id))
    if (claim?.czxid !== token) this.#fail(`QU2: ${who}, and its claim is ${hex(claim?.czxid ?? 0n)}`)
    this.#holdings.add(holding)
  }

  /** To be told before an item is settled: from then on its consumer believes nothing. */
  settling(item: SeenItem): void {
    for (const holding of this.#holdings) if (holding.item === item) this.#holdings.delete(holding)
  }

  /** To be told, in the same event, that a consumer was told that its item is done, or put away. */
  confirmed({ id, token }: SeenItem, isDead: boolean, node: SimNode): void {
    const what = `the end of ${id} with token ${hex(token)} was confirmed to ${node.name}`
    const story = this.#stories.get(id)
    const end = story?.end ?? null
    if (story === undefined || end === null) return this.#fail(`QU3: ${what}, and it is there`)
    if (end.token !== token || end.isDead !== isDead) this.#fail(`QU3: ${what}, and another made an end of it`)
    if (story.isConfirmed) this.#fail(`QU3: ${what} again`)
    story.isConfirmed = true
  }

  /** To be told that a consumer was told that it has not removed its item. */
  unsettled({ id, token }: SeenItem, node: SimNode): void {
    if (this.#stories.get(id)?.end?.token !== token) return
    this.#fail(`QU3: ${node.name} was told that it has not removed ${id} with token ${hex(token)}, and it has`)
  }

  /** To be told, in the same event, that a put was confirmed. */
  put(value: string, id: string, node: SimNode): void {
    const story = this.#stories.get(id)
    const { incarnation } = node
    const isOwn = story !== undefined && this.#options.owners.isOf(story.putBy, { node, incarnation })
    if (story?.value !== value || !isOwn) this.#fail(`QU4: ${node.name} was told that ${value} is ${id}, and it is not`)
  }

  /** To be told that a put was refused for sure. */
  refused(value: string): void {
    this.#refused.add(value)
  }

  /** Whether nothing is to do at an instant of a wall clock. One that had jumped may have put off an item by hours. */
  isEmptyAt(wallMs: number): boolean {
    return this.#dueAt(wallMs).length === 0
  }

  /** The items that are due then, and whose they are, for a message. */
  leftAt(wallMs: number): string {
    const { model } = this.#options.ledger
    return this.#dueAt(wallMs).map((id) => {
      const claim = model.node(joinPath(this.#claims, id))
      return claim === null ? `${id} is free` : `${id} is claimed by ${hex(claim.owner)} with ${hex(claim.czxid)}`
    }).join(', ')
  }

  #dueAt(wallMs: number): readonly string[] {
    return this.#options.ledger.model.names(this.#items).filter((id) => dueMsOf(id) <= wallMs)
  }

  atEnd(): void {
    for (const value of this.#refused) if (this.#values.has(value)) this.#fail(`QU4: ${value} was refused, and was put`)
    const [claim] = this.#options.ledger.model.names(this.#claims)
    if (claim !== undefined) this.#fail(`QU1: the claim of ${claim} is left`)
  }

  #itemChanged({ type, path }: ModelChange, all: readonly ModelChange[], zxid: bigint, clientId: bigint): void {
    const { ledger: { model }, owners } = this.#options
    const id = nameOf(path)
    if (type === 'created') {
      const value = JSON.parse(decoder.decode(model.node(path, zxid)?.data)) as string
      if (this.#values.has(value)) this.#fail(`QU4: ${value} was put twice`)
      this.#values.add(value)
      this.#stories.set(id, { value, putBy: clientId, tokens: [], end: null, isConfirmed: false })
    } else if (type === 'deleted') {
      const claim = model.node(joinPath(this.#claims, id), zxid - 1n)
      const isClaimGone = all.some((other) => other.type === 'deleted' && other.path === joinPath(this.#claims, id))
      if (claim === null || !isClaimGone || !owners.isSameProcess(claim.owner, clientId)) {
        return this.#fail(`QU1: ${id} was removed by a session that had not claimed it`)
      }
      const isDead = all.some((other) => other.type === 'created' && other.path === joinPath(this.#dead, id))
      const story = this.#stories.get(id)
      if (story !== undefined) story.end = { sessionId: clientId, token: claim.czxid, isDead }
    }
  }

  #claimChanged({ type, path }: ModelChange, zxid: bigint): void {
    const { model } = this.#options.ledger
    const id = nameOf(path)
    if (type === 'created') {
      const story = this.#stories.get(id)
      if (story === undefined || story.end !== null) return this.#fail(`QU1: ${id} was claimed, and is not there`)
      story.tokens.push(zxid)
    } else if (type === 'deleted') {
      const token = model.node(path, zxid - 1n)?.czxid
      for (const holding of this.#holdings) {
        if (holding.item.id !== id || holding.item.token !== token || !this.#believes(holding)) continue
        this.#fail(`QU2: the claim ${hex(token)} of ${id} is gone, and ${holding.node.name} still believes in it`)
      }
    }
  }

  /** Whether a consumer would say at this instant, by its own clock, that the item is its own. */
  #believes({ item, node, incarnation }: Holding): boolean {
    if (!node.isUp || node.incarnation !== incarnation) return false
    return this.#options.clocks.as(node, () => {
      try {
        item.throwIfLost()
        return true
      } catch {
        return false
      }
    })
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

/** The instant before which nobody may have an item, as its name says; 0 if it says none. */
function dueMsOf(id: string): number {
  return Number(/^\d+-[^-]+-(\d+)-/.exec(id)?.[1] ?? 0)
}
