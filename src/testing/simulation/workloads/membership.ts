/**
 * Membership in use: clients join a group under ids of their own and under one that all of them want, say something of
 * themselves, leave, and watch who is there.
 *
 * End        everybody leaves, and those who watch come to the last list, in time.
 */
import type { Client } from '../../../core/client.ts'
import { pendingCleanups } from '../../../recipes/cleanups.ts'
import { GroupMembership } from '../../../recipes/group-membership.ts'
import type { Member } from '../../../recipes/member.ts'
import { MembershipCheck } from '../checks/membership.ts'
import type { GroupReader, MemberData } from '../checks/membership.ts'
import type { Probes } from '../probes.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { abortedAfter, attempt, eventually } from './attempt.ts'

const PATH = '/groups/workers'
const WANTED_ID = 'captain'
/** Times are in ticks. */
const PAUSE_TICKS_MAX = 10
const WAIT_TICKS_MAX = 75
/** How long clean-ups and the last list may take once there is service. */
const SETTLED_TICKS = 2_000

/** Makes the workload `membership`. */
export const makeMembership: MakeWorkload = ({ world, ledger, probes }) => {
  const check = new MembershipCheck(world.kernel, ledger, PATH)
  const scene = { check, probes }
  return { name: 'membership', checks: [check], program: (client, life) => new GroupUser(client, life, scene).run() }
}

/** What all users of the group share. */
interface Scene {
  readonly check: MembershipCheck
  readonly probes: Probes
}

/** One life of one client that uses a group. */
class GroupUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #readers: GroupReader[] = []
  #group: GroupMembership<MemberData>
  #handles = 0

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    this.#group = new GroupMembership(client, PATH)
  }

  async run(): Promise<void> {
    const { random } = this.#life
    this.#watch()
    while (!this.#life.isEnding()) {
      const id = random.chance(0.3) ? WANTED_ID : `worker-${this.#life.slot}`
      const member = await this.#join(id)
      if (member !== null) await this.#belong(member)
      if (random.chance(0.1)) await this.#watchAnew()
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
    const { check } = this.#scene
    const settledMs = SETTLED_TICKS * this.#life.tickMs
    await eventually(check.name, settledMs, () => pendingCleanups(this.#client) === 0, () => 'clean-ups are owed')
    for (const reader of this.#readers) {
      const describe = (): string => `G1: ${reader.name} was not told of the last list`
      await eventually(check.name, settledMs, () => check.isUpToDate(reader), describe)
    }
  }

  async #join(id: string): Promise<Member<MemberData> | null> {
    const { random, node, tickMs } = this.#life
    const { check, probes } = this.#scene
    this.#handles += 1
    const data = { handle: `${node.name}-${this.#handles}`, update: 0 }
    const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
    const ways: (() => Promise<Member<MemberData>>)[] = [
      () => this.#group.join(id, { data }),
      () => this.#group.join(id, { data, waitMs: limitMs }),
      () => abortedAfter(random.unit() * PAUSE_TICKS_MAX * tickMs, (signal) => this.#group.join(id, { data, signal })),
    ]
    const { value: member } = await attempt(random.pick(ways))
    if (member === null) return null
    check.joined(member, node, this.#client.sessionId)
    member.subscribe(({ rejoined }) => {
      if (rejoined) probes.hit('member-rejoined')
    })
    return member
  }

  /** Is a member for a while. */
  async #belong(member: Member<MemberData>): Promise<void> {
    const { random, node, tickMs } = this.#life
    const updates = random.between(0, 4)
    const data = { handle: `${node.name}-${this.#handles}` }
    for (let update = 1; update <= updates; update++) {
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
      const { error } = await attempt(() => member.update({ ...data, update }, { waitMs: WAIT_TICKS_MAX * tickMs }))
      if (error === null) this.#scene.check.updated(member, update)
    }
    await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    await member.leave()
    this.#scene.check.left(member, this.#client.sessionId)
  }

  #watch(): void {
    const reader = { name: `${this.#life.node.name}'s reader`, moment: -1, members: new Map<string, string>() }
    this.#readers.push(reader)
    this.#group.subscribe(async (change) => {
      this.#scene.check.told(reader, change)
      // Some take so long that they miss what comes meanwhile.
      if (this.#life.random.chance(0.1)) await this.#life.sleep(this.#life.random.unit() * PAUSE_TICKS_MAX)
    })
  }

  async #watchAnew(): Promise<void> {
    await this.#group.close()
    this.#readers.length = 0
    this.#group = new GroupMembership(this.#client, PATH)
    this.#watch()
  }
}
