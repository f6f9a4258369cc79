/** Takes down what happens during a run, with the time. */
import type { Client, GroupMembership } from 'quorate'
import { isCoordinationError } from 'quorate'
import type { Ensemble } from 'quorate/embedded'
import { setTimeout as delay } from 'node:timers/promises'

/** Something that happened, in milliseconds from the start. */
export interface Happening {
  readonly atMs: number
  readonly what: string
}

/** How one server saw an election end. */
export interface ElectionRecord {
  readonly atMs: number
  readonly server: number
  /** Who it voted for in the end, and the last transaction and epoch of that server's log. */
  readonly votedFor: number
  readonly zxid: string
  readonly peerEpoch: number
  readonly round: number
  /** Servers whose votes were the same. */
  readonly supporters: readonly number[]
}

/** A server that began to lead. */
export interface LeaderRecord {
  readonly atMs: number
  readonly server: number
  readonly epoch: number
}

/** A change of the group of workers. */
export interface GroupRecord {
  readonly atMs: number
  readonly members: readonly string[]
  readonly joined: readonly string[]
  readonly left: readonly string[]
}

const PULSE_PATH = '/pulse'
const PULSE_PAUSE_MS = 2

/** The events of a run. */
export class Chronicle {
  readonly happenings: Happening[] = []
  readonly elections: ElectionRecord[] = []
  readonly leaders: LeaderRecord[] = []
  readonly groups: GroupRecord[] = []
  /** Sessions that the servers have ended, in hexadecimal digits. */
  readonly expired = new Set<string>()
  /** When writes were acknowledged, in milliseconds from the start. */
  readonly pulse: number[] = []
  readonly #startMs = performance.now()

  /** Milliseconds since the start. */
  get nowMs(): number {
    return performance.now() - this.#startMs
  }

  /** Takes down a sentence. */
  note(what: string): void {
    this.happenings.push({ atMs: this.nowMs, what })
  }

  /** Takes down elections, and the coming and going of servers. */
  watchEnsemble(ensemble: Ensemble): void {
    ensemble.onEvent(({ server, event }) => {
      const atMs = this.nowMs
      if (event.type === 'elected') {
        const { leader: votedFor, zxid, peerEpoch } = event.vote
        const { round, supporters } = event
        this.elections.push({ atMs, server, votedFor, zxid: hex(zxid), peerEpoch, round, supporters })
      } else if (event.type === 'serving' && event.role === 'LEADING') {
        this.leaders.push({ atMs, server, epoch: event.epoch })
        this.note(`server ${server} leads epoch ${event.epoch}`)
      } else if (event.type === 'synchronised') {
        this.note(`server ${server} is brought up to date by ${event.mode}`)
      } else if (event.type === 'looking' && event.reason !== 'start') {
        this.note(`server ${server} looks for a leader: ${event.reason}`)
      } else if (event.type === 'expired') {
        this.expired.add(event.sessionId.toString(16))
      } else if (event.type === 'failed') {
        this.note(`server ${server} fails: ${String(event.error)}`)
      }
    })
  }

  /** Takes down the sessions of those who leave: the nodes of a session go in one step, when it ends. */
  watchSessions(group: GroupMembership): void {
    group.subscribe(({ left }) => {
      for (const { sessionId } of left) this.expired.add(sessionId.toString(16))
    })
  }

  /** Takes down who joins and leaves. */
  watchGroup(group: GroupMembership): void {
    const idsOf = (members: readonly { readonly id: string }[]): string[] => members.map(({ id }) => id)
    group.subscribe(({ members, joined, left }) => {
      this.groups.push({ atMs: this.nowMs, members: idsOf(members), joined: idsOf(joined), left: idsOf(left) })
      if (left.length > 0) this.note(`the group sees ${idsOf(left).join(', ')} leave; ${members.length} are there`)
    })
  }

  /** Writes until the signal aborts, and takes down each acknowledgement: time without service is between them. */
  async takePulse(client: Client, signal: AbortSignal): Promise<void> {
    await client.create(PULSE_PATH)
    while (!signal.aborted) {
      try {
        await client.set(PULSE_PATH, 'beat')
        this.pulse.push(this.nowMs)
      } catch (error) {
        if (!isCoordinationError(error, 'CONNECTION_LOSS')) throw error
      }
      await delay(PULSE_PAUSE_MS)
    }
  }
}

/** A zxid as ZooKeeper's tools show it. */
export function hex(zxid: bigint): string {
  return `0x${zxid.toString(16)}`
}
