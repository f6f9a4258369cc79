/**
 * Membership: the lists that members and watchers of a group were told, held against the committed log.
 *
 * G1   each list that is told is one that was there at one moment, with data and incarnations, and moments never go
 *      back; `joined`, `left` and `updated` are the difference to the list before. In the end everyone has the
 *      last.
 * G2   who has joined is registered, by a node of its own and under the session of its client; of two handles that
 *      count as joined, none has the registration of another.
 * G3   a member's node is changed and deleted by the process whose mark it bears, by an operator, or with its session;
 *      data of one handle never replace those of another. Whoever has left or is lost, and owes no clean-up, has no
 *      node: there are no ghosts.
 * G4   a registration is lost before its signal says so.
 * L5   no member believes that it is registered when its node is gone, unless an operator took it, until it hears so.
 * R3   at the end nobody is left.
 */
import { OpCode } from '../../src/backends/wire/codes.ts'
import { joinPath, nameOf } from '../../src/core/path.ts'
import type { GroupChange, MemberInfo } from '../../src/recipes/membership/group-membership.ts'
import type { Member } from '../../src/recipes/membership/member.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { ModelChange, ModelNode, Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'
import { Roll } from './roll.ts'
import type { RollReader } from './roll.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'

/** The data of a member. */
export interface MemberData {
  /** Names the handle. */
  readonly handle: string
  /** Counts its updates. */
  readonly update: number
}

/** The part of a member's handle that the check looks at. */
type SeenMember = Pick<Member<MemberData>, 'id' | 'incarnation' | 'state'>

/** A member's handle, and in which life of which process. */
interface Handle {
  readonly member: SeenMember
  readonly node: SimNode
  readonly incarnation: number
}

/** The part of a change that the check looks at. */
type SeenChange = Pick<GroupChange<MemberData>, 'members' | 'joined' | 'left' | 'updated'>

/** The parts of the run that the check looks at. */
export interface MembershipCheckOptions {
  /** Runs something on the clock of a node. */
  readonly clocks: Pick<Kernel, 'as'>
  readonly ledger: Ledger
  readonly owners: Pick<Owners, 'isOperator' | 'isSameProcess'>
  readonly probes: Probes
  /** The group. */
  readonly path: string
}

/** The bytes before the data of a member: the mark of its handle, and a line feed. */
const MARK_BYTES = 37
const decoder = new TextDecoder()

export class MembershipCheck implements Check, LedgerListener {
  readonly name = 'membership'
  readonly covers = ['G1', 'G2', 'G3', 'G4', 'L5', 'R3']
  readonly #clocks: Pick<Kernel, 'as'>
  readonly #ledger: Ledger
  readonly #owners: MembershipCheckOptions['owners']
  readonly #probes: Probes
  readonly #path: string
  readonly #roll: Roll
  readonly #handles = new Set<Handle>()
  /** By the mark of a handle, the session that registered it first. */
  readonly #marks = new Map<string, bigint>()
  /** The registrations that operators have ended. */
  readonly #struck = new Set<bigint>()

  /** Checks a group of a world that has not run yet. */
  constructor({ clocks, ledger, owners, probes, path }: MembershipCheckOptions) {
    this.#clocks = clocks
    this.#ledger = ledger
    this.#owners = owners
    this.#probes = probes
    this.#path = path
    this.#roll = new Roll({
      ledger, path,
      words: { come: 'joined', gone: 'left', changed: 'updated' },
      looksOf: (id, node) => `${id} ${node.czxid} ${dataOf(node)}`,
    })
    ledger.listen(this)
  }

  committed({ transaction, changes }: Replayed): void {
    const { header: { zxid, clientId }, txn } = transaction
    const touched = this.#roll.of(changes)
    if (touched.length === 0) return
    for (const change of touched) this.#look(change, zxid, clientId, txn.type === OpCode.closeSession)
    this.#roll.enter(zxid)
  }

  /** To be told, in the same event, of every handle that a client was given. */
  joined(member: SeenMember, node: SimNode, sessionId: bigint | null): void {
    const handle = { member, node, incarnation: node.incarnation }
    const what = `${member.id} of ${node.name}`
    if (this.#stateOf(handle) === 'joined') {
      const found = this.#node(member.id)
      const isStruck = this.#struck.has(member.incarnation)
      if (found?.czxid !== member.incarnation && !isStruck) {
        this.#fail(`G2: ${what} has joined at ${hex(member.incarnation)}, and is not there`)
      }
      const owner = found?.owner ?? 0n
      if (!isStruck && owner !== sessionId) this.#fail(`G2: ${what} has joined by a node of session ${hex(owner)}`)
    }
    for (const other of this.#handles) {
      if (other.member.id !== member.id || other.member.incarnation !== member.incarnation) continue
      if (this.#stateOf(other) === 'joined') this.#fail(`G2: ${what} has the registration of ${other.node.name}`)
    }
    this.#handles.add(handle)
  }

  /** To be told when an update has resolved. */
  updated({ id, incarnation, state }: SeenMember, update: number): void {
    const found = this.#node(id)
    if (state !== 'joined' || found?.czxid !== incarnation) return
    const stored = JSON.parse(dataOf(found)) as MemberData
    if (stored.update < update) this.#fail(`G2: update ${update} of ${id} was confirmed, and ${stored.update} is there`)
  }

  /** To be told when a leave has resolved; `sessionId` is the session that is live then. */
  left(member: SeenMember, sessionId: bigint | null): void {
    for (const handle of this.#handles) if (handle.member === member) this.#handles.delete(handle)
    const found = this.#node(member.id)
    const isOurs = found?.czxid === member.incarnation && found.owner === sessionId
    if (isOurs && member.state === 'left') this.#fail(`G2: ${member.id} counts as left, and is still there`)
    if (this.#struck.has(member.incarnation)) this.#probes.hit('member-struck')
  }

  /** To be told, from within its signal, of a registration that is lost. */
  lost({ id, state }: Pick<SeenMember, 'id' | 'state'>): void {
    if (state === 'joined' || state === 'suspect') this.#fail(`G4: ${id} hears that it is lost, and is ${state}`)
  }

  /** To be told when a client has no member, tries to have none and owes no clean-up. */
  owesNothing(sessionId: bigint): void {
    const ghost = this.#ledger.model.names(this.#path).find((id) => this.#node(id)?.owner === sessionId)
    if (ghost !== undefined) this.#fail(`G3: ${ghost} is a ghost of session ${hex(sessionId)}, which owes nothing`)
  }

  /** To be called for each change that a reader is told. */
  told(reader: RollReader, { members, joined, left, updated }: SeenChange): void {
    const looks = new Map(members.map((info) => [info.id, describe(info)]))
    const difference = { come: joined.map(idOf), gone: left.map(idOf), changed: updated.map(idOf) }
    const wrong = this.#roll.told(reader, looks, difference)
    if (wrong !== null) this.#fail(`G1: ${wrong}`)
  }

  /** Whether a reader was told of the list that is there now. */
  isUpToDate(reader: RollReader): boolean {
    return this.#roll.isUpToDate(reader)
  }

  /** Whether a reader was told of the registration that a member has now. */
  knows({ members }: RollReader, { id, incarnation }: SeenMember): boolean {
    return members.get(id)?.startsWith(`${id} ${incarnation} `) === true
  }

  atEnd(): void {
    if (this.#roll.latest !== '') this.#fail(`R3: of the group are left: ${this.#roll.latest}`)
  }

  #look({ type, path }: ModelChange, zxid: bigint, sessionId: bigint, isSessionEnd: boolean): void {
    const id = nameOf(path)
    const [before, now] = [this.#node(id, zxid - 1n), this.#node(id, zxid)]
    const isStruck = this.#owners.isOperator(sessionId)
    if (now !== null && !isStruck && !this.#marks.has(markOf(now))) this.#marks.set(markOf(now), sessionId)
    if (isStruck && before !== null) this.#struck.add(before.czxid)
    if (before === null || isStruck) return
    if (!isSessionEnd) this.#expectOwn(id, before, now, sessionId)
    if (type === 'deleted' || before.czxid !== now?.czxid) this.#expectNoBelief(id, zxid)
  }

  #expectOwn(id: string, before: ModelNode, now: ModelNode | null, sessionId: bigint): void {
    const owner = this.#marks.get(markOf(before)) ?? before.owner
    const what = `${id} of session ${hex(owner)}`
    if (!this.#owners.isSameProcess(owner, sessionId)) {
      this.#fail(`G3: ${what} was ${now === null ? 'deleted' : 'changed'} by session ${hex(sessionId)}`)
    }
    if (now !== null && markOf(now) !== markOf(before)) this.#fail(`G3: ${what} got the data of another handle`)
  }

  #expectNoBelief(id: string, zxid: bigint): void {
    const gone = this.#node(id, zxid - 1n)
    for (const handle of this.#handles) {
      if (handle.member.id !== id || handle.member.incarnation !== gone?.czxid) continue
      if (this.#stateOf(handle) === 'joined') {
        this.#fail(`L5: ${id} of ${handle.node.name} is gone at ${hex(zxid)}, and still believes that it is registered`)
      }
    }
  }

  /** The state that a member would tell, by its own clock; null if its process is gone. */
  #stateOf({ member, node, incarnation }: Handle): string | null {
    if (!node.isUp || node.incarnation !== incarnation) return null
    return this.#clocks.as(node, () => member.state)
  }

  #node(id: string, zxid?: bigint): ModelNode | null {
    return this.#ledger.model.node(joinPath(this.#path, id), zxid)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

function idOf({ id }: { readonly id: string }): string {
  return id
}

function describe({ id, incarnation, data }: MemberInfo<MemberData>): string {
  return `${id} ${incarnation} ${JSON.stringify(data)}`
}

function dataOf({ data }: ModelNode): string {
  return decoder.decode(data.subarray(MARK_BYTES))
}

function markOf({ data }: ModelNode): string {
  return decoder.decode(data.subarray(0, MARK_BYTES))
}
