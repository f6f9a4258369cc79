import { describe, expect, it } from 'vitest'
import { Election, NOBODY, isBetter } from '../../../../../src/backends/embedded/server/zab/election.ts'
import type { Elected } from '../../../../../src/backends/embedded/server/zab/election.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { Outbox } from '../../../../../src/backends/embedded/server/zab/outbox.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import type { Notification, PeerState, Vote } from '../../../../../src/backends/wire/packets.ts'
import { Cluster } from '../cluster.ts'
import { fixedMembership } from '../fixed-membership.ts'

const VOTERS = [1, 2, 3]

function vote(leader: number, zxid = 0n, peerEpoch = 0): Vote {
  return { leader, zxid, peerEpoch }
}

function notification(of: Vote, electionEpoch: number, state: PeerState = 'LOOKING'): Notification {
  return { type: 'NOTIFICATION', ...of, electionEpoch, state }
}

/** The election of one server alone; what it says is in the outbox. */
function lonely(myid: number, voters: readonly number[] = VOTERS): { election: Election; outbox: Outbox } {
  const outbox = new Outbox()
  const config = { ...SERVER_DEFAULTS, myid, voters, bootstrap: true }
  const election = new Election(config, fixedMembership(voters), outbox)
  return { election, outbox }
}

function tick(election: Election, count: number): Elected | null {
  for (let i = 0; i < count; i++) {
    election.tick()
    const elected = election.takeElected()
    if (elected !== null) return elected
  }
  return null
}

describe('votes', () => {
  it('are compared by epoch, then by zxid, then by id', () => {
    const ascending = [vote(3, 9n, 1), vote(1, 2n, 2), vote(2, 2n, 2), vote(1, 3n, 2), vote(1, 0n, 3)]
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) expect(isBetter(a, b)).toBe(i > j)
    }
  })

  it('of an earlier round are not counted, and their voter is told of the present one', () => {
    const { election, outbox } = lonely(1)
    election.look({ zxid: 0n, peerEpoch: 0 })
    election.look({ zxid: 0n, peerEpoch: 0 })
    outbox.sendAfterPersist = []
    for (const id of [2, 3]) election.receiveVote(id, notification(vote(1), 1))
    expect(tick(election, 1)).toBeNull()
    expect(outbox.sendAfterPersist.slice(0, 2)).toEqual([2, 3].map((to) => ({ to, message: notification(vote(1), 2) })))
    expect(tick(election, 20)).toBeNull()
  })

  it('of a later round make a server join that round, with its own vote if that is better', () => {
    const { election } = lonely(3)
    election.look({ zxid: 5n, peerEpoch: 0 })
    election.receiveVote(1, notification(vote(2, 4n), 7))
    expect([election.logicalClock, election.vote]).toEqual([7, vote(3, 5n)])
    election.receiveVote(2, notification(vote(2, 6n), 8))
    expect([election.logicalClock, election.vote]).toEqual([8, vote(2, 6n)])
  })

  it('that were heard in an earlier round do not elect anybody in the next', () => {
    const { election } = lonely(1)
    election.look({ zxid: 0n, peerEpoch: 0 })
    election.receiveVote(2, notification(vote(3), 1))
    election.receiveVote(2, notification(vote(3, 0n, 1), 1, 'FOLLOWING'))
    election.look({ zxid: 0n, peerEpoch: 0 })
    election.receiveVote(3, notification(vote(3, 0n, 1), 1, 'LEADING'))
    expect(tick(election, 20)).toBeNull()
  })

  it('decide at once when they are unanimous, and otherwise after a wait in which a better one still counts', () => {
    const { election } = lonely(2)
    election.look({ zxid: 0n, peerEpoch: 0 })
    election.receiveVote(1, notification(vote(2), 1))
    expect(election.takeElected()).toBeNull()
    election.tick()
    election.receiveVote(3, notification(vote(3), 1))
    expect(tick(election, 1)).toBeNull()
    election.receiveVote(1, notification(vote(3), 1))
    expect(election.takeElected()).toEqual({ vote: vote(3), supporters: [1, 2, 3] })
  })

  it('are repeated at ever longer intervals while nobody answers', () => {
    const { election, outbox } = lonely(1)
    election.look({ zxid: 0n, peerEpoch: 0 })
    const gaps: number[] = []
    for (let ticks = 1, last = 0; ticks <= 200; ticks++) {
      outbox.sendAfterPersist = []
      election.tick()
      if (outbox.sendAfterPersist.length === 0) continue
      gaps.push(ticks - last)
      last = ticks
    }
    const { notificationTicksMin, notificationTicksMax } = SERVER_DEFAULTS
    expect(gaps.slice(0, 4)).toEqual([1, 2, 4, 8].map((factor) => factor * notificationTicksMin))
    expect(Math.max(...gaps)).toBe(notificationTicksMax)
  })

  it('for or by a server that is no voter are not counted', () => {
    const { election } = lonely(1)
    election.look({ zxid: 0n, peerEpoch: 0 })
    election.receiveVote(9, notification(vote(1), 1))
    election.receiveVote(2, notification(vote(9, 7n), 1))
    expect(election.vote).toEqual(vote(1))
    expect(tick(election, 20)).toBeNull()
  })
})

describe('a server that comes to a running ensemble', () => {
  it('follows the leader that a majority follows, even if its own vote is better', () => {
    const { election } = lonely(1)
    election.look({ zxid: 9n, peerEpoch: 5 })
    election.receiveVote(2, notification(vote(3, 0n, 1), 4, 'FOLLOWING'))
    expect(election.takeElected()).toBeNull()
    election.receiveVote(3, notification(vote(3, 0n, 1), 4, 'LEADING'))
    expect(election.takeElected()).toEqual({ vote: vote(3, 0n, 1), supporters: [2, 3] })
    expect(election.logicalClock).toBe(4)
  })

  it('follows nobody who does not say himself that he leads', () => {
    const { election } = lonely(1, [1, 2, 3, 4, 5])
    election.look({ zxid: 0n, peerEpoch: 0 })
    for (const id of [2, 3, 4]) election.receiveVote(id, notification(vote(5, 0n, 1), 4, 'FOLLOWING'))
    expect(tick(election, 20)).toBeNull()
  })

  it('does not lead because others still follow what it was before it restarted', () => {
    const { election } = lonely(3)
    election.look({ zxid: 0n, peerEpoch: 1 })
    for (const id of [1, 2]) election.receiveVote(id, notification(vote(3, 0n, 1), 4, 'FOLLOWING'))
    expect(tick(election, 20)).toBeNull()
  })

  it('is no leader any more after a restart, although its vote would be the best', () => {
    const cluster = new Cluster(VOTERS)
    cluster.startAll(VOTERS)
    const before = cluster.leader()
    cluster.crash(3)
    cluster.start(3)
    expect(before).toBe(3)
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    expect(cluster.leader()).toBe(2)
    expect(cluster.server(3).status().epoch).toBe(2)
  })
})

describe('an observer', () => {
  it('does not help one of two voters to a majority', () => {
    const cluster = new Cluster([1, 2])
    cluster.start(2)
    cluster.start(9)
    cluster.tick(200)
    expect(cluster.status().every((line) => line.includes('LOOKING'))).toBe(true)
    cluster.startAll([1])
    cluster.tickUntil(() => cluster.server(9).status().serving)
    expect(cluster.server(9).status().role).toBe('OBSERVING')
  })

  it('asks until it is told, and never answers another that asks', () => {
    const { election, outbox } = lonely(9)
    election.look(null)
    const asked = notification(vote(NOBODY), 1)
    expect(outbox.sendAfterPersist.map(({ message }) => message)).toEqual([asked, asked, asked])
    outbox.sendAfterPersist = []
    election.receiveVote(1, notification(vote(NOBODY), 1))
    election.receiveVote(8, notification(vote(NOBODY), 1))
    expect(outbox.sendAfterPersist).toEqual([])
  })

  it('and a server without memory do not answer each other forever while nobody leads', () => {
    const cluster = new Cluster(VOTERS)
    cluster.wipe(1)
    for (const id of [1, 9]) cluster.start(id)
    cluster.tick(200)
    expect(cluster.trace.filter((line) => line.includes('NOTIFICATION')).length).toBeLessThan(60)
  })
})

describe('a partition', () => {
  it('leaves a leader on the side of the majority, and none on the other', () => {
    const cluster = new Cluster([1, 2, 3, 4, 5])
    cluster.startAll([1, 2, 3, 4, 5])
    cluster.network.partition([[1, 2, 3], [4, 5]])
    cluster.tick(120)
    expect(cluster.leader()).toBe(3)
    expect([4, 5].map((id) => cluster.server(id).status().role)).toEqual(['LOOKING', 'LOOKING'])
    cluster.network.heal()
    cluster.tickUntil(() => [1, 2, 3, 4, 5].every((id) => cluster.server(id).status().serving))
    expect(cluster.leader()).toBe(3)
  })
})

/** Elections of three servers whose messages are delivered as a script says. */
class Ballot {
  readonly #elections = new Map<number, { election: Election; outbox: Outbox }>()
  readonly #queues = new Map<string, { from: number; to: number; messages: Notification[] }>()
  readonly #heard = new Map<string, string>()
  readonly leaders = new Map<number, Elected>()

  constructor() {
    for (const id of VOTERS) this.#elections.set(id, lonely(id))
    for (const id of VOTERS) this.#look(id)
  }

  get alive(): number[] {
    return [...this.#elections.keys()]
  }

  /**
   * Equal for two scripts from which everything goes on alike: within one round, an election knows the last word of
   * each.
   */
  get key(): string {
    const servers = this.alive.map((id) => {
      const proposal = this.#elections.get(id)?.election.vote.leader
      const heard = VOTERS.map((from) => this.#heard.get(`${from} > ${id}`))
      return `${id} ${proposal ?? NOBODY} ${this.leaders.has(id)} ${heard.join()}`
    })
    const pairs = VOTERS.flatMap((from) => VOTERS.map((to) => `${from} > ${to}`))
    const queues = pairs.map((name) => this.#queues.get(name)?.messages.map(word).join())
    return [...servers, ...queues].join('; ')
  }

  /** Every next step: one message of each queue that holds any, and the crash of each server if none has crashed. */
  steps(crashable: readonly number[]): string[] {
    const deliveries = [...this.#queues].filter(([, { messages }]) => messages.length > 0).map(([name]) => name)
    const crashes = this.alive.length === VOTERS.length ? crashable.map((id) => `crash ${id}`) : []
    return [...deliveries, ...crashes]
  }

  take(step: string): void {
    const queue = this.#queues.get(step)
    if (queue !== undefined) this.#deliver(queue)
    else this.#crash(Number(step.split(' ')[1]))
  }

  /** Delivers the rest and lets time pass; who follows a server that does not lead looks again. */
  finish(): void {
    for (let ticks = 0; ticks < 60 && !this.isSettled; ticks++) {
      for (const id of this.alive) {
        const leader = this.leaders.get(id)?.vote.leader
        if (leader !== undefined && this.leaders.get(leader)?.vote.leader !== leader) this.#look(id)
        else this.#elections.get(id)?.election.tick()
        this.#after(id)
      }
      for (let more = true; more; ) {
        const queue = [...this.#queues.values()].find(({ messages }) => messages.length > 0)
        more = queue !== undefined
        if (queue !== undefined) this.#deliver(queue)
      }
    }
  }

  get isSettled(): boolean {
    const leader = this.leaders.get(this.alive[0] ?? 0)?.vote.leader
    return leader !== undefined && this.alive.includes(leader)
      && this.alive.every((id) => this.leaders.get(id)?.vote.leader === leader)
  }

  #look(id: number): void {
    this.leaders.delete(id)
    this.#elections.get(id)?.election.look({ zxid: zxidOf(0, 0), peerEpoch: 0 })
    this.#after(id)
  }

  #deliver({ from, to, messages }: { from: number; to: number; messages: Notification[] }): void {
    const message = messages.shift()
    const receiver = this.#elections.get(to)
    if (message === undefined || receiver === undefined) return
    this.#heard.set(`${from} > ${to}`, word(message))
    receiver.election.receiveVote(from, message)
    this.#after(to)
  }

  /** Sends what it has to say, and settles it if it has decided. */
  #after(id: number): void {
    const server = this.#elections.get(id)
    if (server === undefined) return
    const { election, outbox } = server
    const elected = election.takeElected()
    if (elected !== null) {
      this.leaders.set(id, elected)
      election.settle(elected.vote.leader === id ? 'LEADING' : 'FOLLOWING')
    }
    for (const { to, message } of outbox.sendAfterPersist.splice(0)) {
      if (message.type !== 'NOTIFICATION') continue
      const name = `${id} > ${to}`
      const queue = this.#queues.get(name) ?? { from: id, to, messages: [] }
      queue.messages.push(message)
      this.#queues.set(name, queue)
    }
  }

  #crash(id: number): void {
    this.#elections.delete(id)
    this.leaders.delete(id)
    for (const queue of this.#queues.values()) if (queue.to === id) queue.messages = []
  }
}

function word({ leader, electionEpoch, state }: Notification): string {
  return `${leader} ${electionEpoch} ${state}`
}

/** Takes every script there is, but for those that lead to where another has led; returns how many ended. */
function tryEveryScript(crashable: readonly number[]): number {
  const seen = new Set<string>()
  const scripts: string[][] = [[]]
  let ends = 0
  for (let script = scripts.pop(); script !== undefined; script = scripts.pop()) {
    const ballot = new Ballot()
    for (const step of script) ballot.take(step)
    if (seen.has(ballot.key)) continue
    seen.add(ballot.key)
    const steps = ballot.steps(crashable)
    for (const step of steps) scripts.push([...script, step])
    if (steps.some((step) => step.includes('>'))) continue
    ends += 1
    ballot.finish()
    const outcome = [...ballot.leaders].map(([id, { vote: { leader } }]) => `${id} for ${leader}`).join(', ')
    expect(ballot.isSettled, `${script.join('; ')}: ${outcome}`).toBe(true)
    for (const { supporters } of ballot.leaders.values()) expect(supporters.length).toBeGreaterThanOrEqual(2)
    if (ballot.alive.length === VOTERS.length) expect(outcome, script.join('; ')).toContain('3 for 3')
  }
  return ends
}

describe('three servers that start together', () => {
  it('elect the best of them, in whatever order the votes arrive', () => {
    expect(tryEveryScript([])).toBeGreaterThan(20)
  })

  for (const id of VOTERS) {
    it(`elect one by a majority, in whatever order the votes arrive, whenever server ${id} crashes`, () => {
      expect(tryEveryScript([id])).toBeGreaterThan(30)
    })
  }
})
