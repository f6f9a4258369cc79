/**
 * Services: the instances that are registered, and the lists that watchers were told, held against the committed log.
 *
 * SD1  each list that a watcher is told is one that was there at one moment, and moments never go back; what was added,
 *      removed and updated is the difference to the list before. In the end everyone has the last.
 * SD2  what was registered is there, by a node of its own process, until it goes with its session; what is stored of an
 *      instance is all that it was told to say of itself, one update on top of the other; a confirmed one is there.
 * SD3  an instance's node is changed and deleted by its own process, or with its session. Nobody believes that it is
 *      registered when its node is gone, and what was unregistered is not there.
 * SD4  at the end no instance is left.
 */
import { OpCode } from '../../src/backends/wire/codes.ts'
import { joinPath, nameOf } from '../../src/core/path.ts'
import type { ServiceRegistration } from '../../src/recipes/services/service-registry.ts'
import type { DiscoveredInstance } from '../../src/recipes/services/service-watcher.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, ModelNode, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'
import { Roll } from './roll.ts'
import type { RollReader } from './roll.ts'

/** All that an instance of a workload says of itself. */
export interface InstanceWords {
  readonly port: number | null
  readonly enabled: boolean
  /** `handle` names the registration; `update` counts its updates. */
  readonly payload: { readonly handle: string; readonly update: number }
}

/** The part of a registration that the check looks at. */
type SeenRegistration = Pick<ServiceRegistration, 'path' | 'state'>

/** The part of an instance, as watchers are told of it, that the check looks at. */
type SeenInstance = Pick<DiscoveredInstance, 'id' | 'incarnation' | 'port' | 'enabled' | 'payload'>

/** The same of a change. */
type SeenChange = Readonly<Record<'instances' | 'added' | 'removed' | 'updated', readonly SeenInstance[]>>

/** A registration, and in which life of which process. */
interface Handle {
  readonly registration: SeenRegistration
  readonly name: string
  readonly node: SimNode
  readonly incarnation: number
}

/** The parts of the run that the check looks at. */
export interface ServicesCheckOptions {
  /** Runs something on the clock of a node. */
  readonly clocks: Pick<Kernel, 'as'>
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOf' | 'isSameProcess'>
  /** The service. */
  readonly path: string
}

const decoder = new TextDecoder()

export class ServicesCheck implements Check, LedgerListener {
  readonly name = 'services'
  readonly covers = ['SD1', 'SD2', 'SD3', 'SD4']
  readonly #options: ServicesCheckOptions
  readonly #roll: Roll
  /** By handle and update, all that the instance says of itself by then. */
  readonly #words = new Map<string, string>()
  readonly #handles = new Set<Handle>()

  /** Checks a service of a world that has not run yet. */
  constructor(options: ServicesCheckOptions) {
    this.#options = options
    const { ledger, path } = options
    this.#roll = new Roll({
      ledger, path,
      words: { come: 'was added', gone: 'was removed', changed: 'was updated' },
      looksOf: (id, node) => looksOf({ id, incarnation: node.czxid, ...wordsOf(node) }),
    })
    ledger.listen(this)
  }

  /** To be told, before it is asked for, of everything that an instance is about to say of itself. */
  says(words: InstanceWords): void {
    this.#words.set(keyOf(words), wordsText(words))
  }

  /** To be told, in the same event, of every registration that a client was given. */
  registered(registration: SeenRegistration, handle: string, node: SimNode): void {
    const { incarnation } = node
    const held = { registration, name: handle, node, incarnation }
    this.#handles.add(held)
    if (registration.state !== 'registered') return
    const found = this.#node(registration.path)
    if (found === null || wordsOf(found).payload.handle !== handle) {
      return this.#fail(`SD2: ${handle} counts as registered, and ${registration.path} is not its own`)
    }
    if (!this.#options.owners.isOf(found.owner, { node, incarnation })) {
      this.#fail(`SD2: ${handle} is registered by session ${hex(found.owner)} of another`)
    }
  }

  /** To be told, in the same event, of an update that was confirmed. */
  updated({ path, state }: SeenRegistration, { payload }: InstanceWords): void {
    const found = this.#node(path)
    if (state !== 'registered' || found === null) return
    const stored = wordsOf(found).payload
    if (stored.handle === payload.handle && stored.update >= payload.update) return
    this.#fail(`SD2: update ${payload.update} of ${payload.handle} was confirmed, and ${stored.update} is there`)
  }

  /** To be told when an unregistering has resolved; `sessionId` is the session that is live then. */
  unregistered(registration: SeenRegistration, handle: string, sessionId: bigint | null): void {
    for (const held of this.#handles) if (held.registration === registration) this.#handles.delete(held)
    const found = this.#node(registration.path)
    const isOwn = found !== null && found.owner === sessionId && wordsOf(found).payload.handle === handle
    if (isOwn && registration.state === 'withdrawn') this.#fail(`SD3: ${handle} was unregistered, and is still there`)
  }

  /** To be called for each change that a reader is told. */
  told(reader: RollReader, { instances, added, removed, updated }: SeenChange): void {
    const looks = new Map(instances.map((one) => [one.id, looksOf(one)]))
    const idsOf = (list: SeenChange['added']): string[] => list.map(({ id }) => id)
    const difference = { come: idsOf(added), gone: idsOf(removed), changed: idsOf(updated) }
    const wrong = this.#roll.told(reader, looks, difference)
    if (wrong !== null) this.#fail(`SD1: ${wrong}`)
  }

  /** Whether a reader was told of the list that is there now. */
  isUpToDate(reader: RollReader): boolean {
    return this.#roll.isUpToDate(reader)
  }

  committed({ transaction: { header: { zxid, clientId }, txn }, changes }: Replayed): void {
    const touched = this.#roll.of(changes)
    if (touched.length === 0) return
    for (const change of touched) this.#look(change, zxid, clientId, txn.type === OpCode.closeSession)
    this.#roll.enter(zxid)
  }

  atEnd(): void {
    if (this.#roll.latest !== '') this.#fail(`SD4: of the service are left: ${this.#roll.latest}`)
  }

  #look({ type, path }: ModelChange, zxid: bigint, sessionId: bigint, isSessionEnd: boolean): void {
    const [before, now] = [this.#node(path, zxid - 1n), this.#node(path, zxid)]
    const id = nameOf(path)
    if (before !== null && !isSessionEnd && !this.#options.owners.isSameProcess(before.owner, sessionId)) {
      this.#fail(`SD3: ${id} of session ${hex(before.owner)} was ${type} by session ${hex(sessionId)}`)
    }
    if (now !== null) {
      const words = wordsOf(now)
      const said = this.#words.get(keyOf(words))
      if (said !== wordsText(words)) this.#fail(`SD2: ${id} says ${wordsText(words)}, and was told to say ${said}`)
    }
    if (before !== null && before.czxid !== now?.czxid) this.#expectNoBelief(path, wordsOf(before).payload.handle)
  }

  #expectNoBelief(path: string, handle: string): void {
    for (const { registration, name, node, incarnation } of this.#handles) {
      if (name !== handle || registration.path !== path || !node.isUp || node.incarnation !== incarnation) continue
      const state = this.#options.clocks.as(node, () => registration.state)
      if (state === 'registered') this.#fail(`SD3: ${handle} is gone, and still believes that it is registered`)
    }
  }

  #node(path: string, zxid?: bigint): ModelNode | null {
    return this.#options.ledger.model.node(joinPath(this.#options.path, nameOf(path)), zxid)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

function wordsOf({ data }: ModelNode): InstanceWords {
  type Stored = Omit<InstanceWords, 'enabled'> & Partial<InstanceWords>
  return { enabled: true, ...(JSON.parse(decoder.decode(data)) as Stored) }
}

function keyOf({ payload }: InstanceWords): string {
  return `${payload.handle} ${payload.update}`
}

function wordsText({ port, enabled, payload }: InstanceWords): string {
  return `${payload.handle} ${payload.update} ${port} ${enabled}`
}

function looksOf({ id, incarnation, ...words }: SeenInstance): string {
  return `${id} ${incarnation} ${wordsText(words as InstanceWords)}`
}
