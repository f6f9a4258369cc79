/**
 * Membership in use: clients join a group under ids of their own and under one that all of them want, say something of
 * themselves, leave, and watch who is there.
 *
 * Callbacks  some of those who watch end the listening of others, or close the group, from within; some leave, or look
 *            where they stand, when they hear that they are lost.
 * Crowd      some runs are so quiet that the group is empty now and then, and is removed, and made again.
 * Closing    some clients are closed in the middle of it.
 * Ends       when the servers remove the empty group, some make it again at once, and all join. Many members wait until
 *            those who watch beside them know of them.
 * End        everybody leaves, and those who watch come to the last list, in time.
 */
import type { WatchEvent } from '../../src/core/backend.ts'
import type { Client } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import type { GroupChange } from '../../src/recipes/membership/group-membership.ts'
import type { Member } from '../../src/recipes/membership/member.ts'
import { Violation } from '../check.ts'
import { MembershipCheck } from '../checks/membership.ts'
import type { MemberData } from '../checks/membership.ts'
import type { RollReader } from '../checks/roll.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload, WorkloadSetup } from '../workload.ts'
import { abortedAfter, attempt, eventually, reported } from './attempt.ts'
import { ClosedSession } from './closed-session.ts'
import { Ear } from './ear.ts'

const PATH = '/groups/workers'
const WANTED_ID = 'captain'
/** Times are in ticks; the longest pause of a run is drawn, and in some the group is empty most of the time. */
const PAUSES_TICKS_MAX: readonly number[] = Object.freeze([10, 10, 60])
const STAY_TICKS_MAX = 10
const WAIT_TICKS_MAX = 75
/** How long clean-ups and the last list may take once there is service. */
const SETTLED_TICKS = 2_000
/** How often a listener does something that it had better not, and a client is closed while it is a member. */
const MISCHIEF_CHANCE = 0.03
const CLOSING_CHANCE = 0.03
/** How often a member waits until those who watch beside it know of it. */
const ROLL_CALL_CHANCE = 0.5
/** So many answers of the servers, one after the other, come before it misses the news for certain. */
const NEWS_ANSWERS_MAX = 200
/** Part of the programs that make the group again whenever it is gone. */
const KEEPER_CHANCE = 0.3

/** The parts that all users of the group share. */
interface Scene extends Pick<WorkloadSetup, 'operators' | 'probes'> {
  readonly kernel: Pick<Kernel, 'fail'>
  readonly check: MembershipCheck
  readonly pauseTicksMax: number
}

/** Makes the workload `membership`. */
export const makeMembership: MakeWorkload = ({ world, ledger, owners, operators, probes, random }) => {
  const check = new MembershipCheck({ clocks: world.kernel, ledger, owners, probes, path: PATH })
  const scene = { kernel: world.kernel, check, probes, operators, pauseTicksMax: random.pick(PAUSES_TICKS_MAX) }
  const program = (client: Client, life: ClientLife): Promise<void> => new GroupUser(client, life, scene).run()
  return { name: 'membership', checks: [check], hunted: PATH, program }
}

/** One life of one client that uses a group. */
class GroupUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #probes: Probes
  readonly #readers: RollReader[] = []
  readonly #ears: Ear<GroupChange<MemberData>>[] = []
  #group: GroupMembership<MemberData>
  readonly #isKeeper: boolean
  #isFollowing = false
  #isNeeded = false
  #handles = 0
  #isClosed = false

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    this.#probes = scene.probes
    this.#group = new GroupMembership(client, PATH)
    this.#isKeeper = life.random.chance(KEEPER_CHANCE)
  }

  async run(): Promise<void> {
    const { random } = this.#life
    const { check, pauseTicksMax } = this.#scene
    this.#watch()
    while (!this.#life.isEnding()) {
      this.#followEnds()
      const id = random.chance(0.3) ? WANTED_ID : `worker-${this.#life.slot}`
      const member = await this.#join(id)
      if (member !== null) await this.#belong(member)
      if (this.#isClosed) return
      this.#lookForGhosts()
      if (random.chance(0.1)) await this.#watchAnew()
      await this.#rest(random.unit() * pauseTicksMax)
    }
    const settledMs = SETTLED_TICKS * this.#life.tickMs
    await eventually(check.name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
    await attempt(() => this.#client.sync())
    this.#lookForGhosts()
    for (const reader of this.#readers) {
      const describe = (): string => `G1: ${reader.name} was not told of the last list`
      await eventually(check.name, settledMs, () => check.isUpToDate(reader), describe)
    }
  }

  /** Hears when the group is gone: some make it again at once, while others still read that it is gone, and join. */
  #followEnds(): void {
    if (this.#isFollowing) return
    this.#isFollowing = true
    const onEvent = async ({ type }: WatchEvent): Promise<void> => {
      this.#isNeeded = type === 'deleted'
      if (this.#isNeeded && this.#isKeeper) await attempt(() => this.#client.makePath(PATH))
      this.#isFollowing = false
      if (!this.#life.isEnding()) this.#followEnds()
    }
    void attempt(() => this.#client.exists(PATH, { watch: (event) => void onEvent(event) }))
  }

  /** Pauses until it is needed. */
  async #rest(forTicks: number): Promise<void> {
    for (let left = forTicks; left > 0 && !this.#isNeeded && !this.#life.isEnding(); left -= 1) {
      await this.#life.sleep(Math.min(left, 1))
    }
    this.#isNeeded = false
  }

  async #join(id: string): Promise<Member<MemberData> | null> {
    const { random, node, tickMs } = this.#life
    const { check } = this.#scene
    this.#handles += 1
    const data = { handle: `${node.name}-${this.#handles}`, update: 0 }
    const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
    const ways: (() => Promise<Member<MemberData>>)[] = [
      () => this.#group.join(id, { data }),
      () => this.#group.join(id, { data, waitMs: limitMs }),
      () => abortedAfter(random.unit() * STAY_TICKS_MAX * tickMs, (signal) => this.#group.join(id, { data, signal })),
    ]
    const { value: member } = await attempt(random.pick(ways))
    if (member === null) return null
    check.joined(member, node, this.#client.sessionId)
    this.#listen(member)
    return member
  }

  /** Hears of a member what there is to hear, and now and then leaves from within. */
  #listen(member: Member<MemberData>): void {
    const { random, node } = this.#life
    const obey = (signal: AbortSignal): void => {
      if (signal.aborted) return
      signal.addEventListener('abort', () => {
        // A registration that was made again meanwhile has a signal of its own.
        if (member.signal === signal) reported(this.#scene.kernel, () => this.#scene.check.lost(member))
        if (random.chance(MISCHIEF_CHANCE)) void member.leave()
      })
    }
    obey(member.signal)
    const ear = new Ear<{ readonly rejoined: boolean }>(`a listener of a member of ${node.name}`, ({ rejoined }) => {
      if (rejoined) {
        this.#probes.hit('member-rejoined')
        obey(member.signal)
      }
      if (random.chance(MISCHIEF_CHANCE)) void member.leave()
      if (!random.chance(MISCHIEF_CHANCE)) return
      unsubscribe()
      ear.over()
    })
    const unsubscribe = member.subscribe(ear.hear)
  }

  /** Is a member for a while. */
  async #belong(member: Member<MemberData>): Promise<void> {
    const { random, node, tickMs } = this.#life
    const { check, operators } = this.#scene
    if (random.chance(ROLL_CALL_CHANCE)) await this.#awaitNews(member)
    const updates = random.between(0, 4)
    const data = { handle: `${node.name}-${this.#handles}` }
    for (let update = 1; update <= updates; update++) {
      await this.#life.sleep(random.unit() * STAY_TICKS_MAX)
      await operators.atMoment(member.path, node, random)
      const { error } = await attempt(() => member.update({ ...data, update }, { waitMs: WAIT_TICKS_MAX * tickMs }))
      if (error === null) check.updated(member, update)
    }
    await this.#life.sleep(random.unit() * STAY_TICKS_MAX)
    await operators.atMoment(member.path, node, random)
    if (random.chance(CLOSING_CHANCE)) return this.#close(member)
    await member.leave()
    check.left(member, this.#client.sessionId)
  }

  /**
   * Stays until the readers beside it have been told of it. As long as a member is there, no end of the group makes
   * them look again, and who has missed its beginning stays blind until the connection breaks.
   */
  async #awaitNews(member: Member<MemberData>): Promise<void> {
    const { check } = this.#scene
    const isToldOf = (): boolean => {
      const isThere = member.state === 'joined' || member.state === 'suspect'
      return !isThere || this.#readers.every((reader) => check.knows(reader, member))
    }
    let answers = 0
    const unlisten = this.#client.onState(() => {
      answers = 0
    })
    while (!isToldOf() && answers < NEWS_ANSWERS_MAX) {
      await new Promise((resolve) => setTimeout(resolve, this.#life.tickMs))
      const { error } = await attempt(() => this.#client.sync())
      answers = error === null ? answers + 1 : 0
    }
    unlisten()
    if (isToldOf()) return
    throw new Violation(check.name, `G1: ${member.id} joined, and nobody beside it was told`, 'liveness')
  }

  /** Closes the client while it is a member, or while it leaves. */
  async #close(member: Member<MemberData>): Promise<void> {
    const session = new ClosedSession(this.#client)
    this.#isClosed = true
    this.#probes.hit('closed-in-tenure')
    const judge = (sessionId: bigint | null): void => {
      this.#scene.check.left(member, sessionId)
    }
    const isLeaving = this.#life.random.chance(0.5)
    const leaving = isLeaving ? session.judge(member.leave(), judge) : Promise.resolve()
    await this.#client.close()
    await leaving
    if (!isLeaving) judge(null)
  }

  #lookForGhosts(): void {
    const { sessionId } = this.#client
    if (sessionId !== null && pendingCleanups(this.#client) === 0) this.#scene.check.owesNothing(sessionId)
  }

  #watch(): void {
    const { random, node } = this.#life
    const reader = { name: `${node.name}'s reader`, moment: -1, members: new Map<string, string>() }
    this.#readers.push(reader)
    const told = new Ear<GroupChange<MemberData>>(reader.name, async (change) => {
      this.#scene.check.told(reader, change)
      // Some take so long that they miss what comes meanwhile.
      if (random.chance(0.1)) await this.#life.sleep(random.unit() * STAY_TICKS_MAX)
    })
    const mischievous = new Ear<GroupChange<MemberData>>(`the other reader of ${node.name}`, () => {
      if (!random.chance(MISCHIEF_CHANCE) || this.#life.isEnding()) return
      if (random.chance(0.5)) void this.#watchAnew()
      else this.#watchAgain(unsubscribe, told, reader)
    })
    const isFirst = random.chance(0.5)
    if (isFirst) this.#group.subscribe(mischievous.hear)
    const unsubscribe = this.#group.subscribe(told.hear)
    if (!isFirst) this.#group.subscribe(mischievous.hear)
    this.#ears.push(told, mischievous)
  }

  /** Ends one reader from within another, and begins again. */
  #watchAgain(unsubscribe: () => void, ear: Ear<GroupChange<MemberData>>, reader: RollReader): void {
    unsubscribe()
    ear.over()
    if (!this.#readers.includes(reader)) return
    this.#readers.splice(this.#readers.indexOf(reader), 1)
    this.#watch()
  }

  async #watchAnew(): Promise<void> {
    const closing = this.#group.close()
    for (const ear of this.#ears.splice(0)) ear.over()
    this.#readers.length = 0
    this.#group = new GroupMembership(this.#client, PATH)
    this.#watch()
    await closing
  }
}
