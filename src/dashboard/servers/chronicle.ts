/**
 * The events since this process began to look: the roles of each server over the last hour, and a log of events.
 *
 * Bounds    1,000 events, and 200 changes of role per server; the oldest go first.
 * Source    servers of this process tell each change as it happens; of others, changes are seen while somebody looks.
 */
import type { EnsembleEvent } from '../../backends/embedded/index.ts'
import type { LogEvent, Role, Server } from '../api.ts'
import type { ServerState } from './server-states.ts'

const EVENTS_MAX = 1_000
const CHANGES_MAX = 200
const LANE_MS = 3_600_000

type Lane = Server['lane']

export class Chronicle {
  /** Since when it is kept. */
  readonly sinceMs = Date.now()
  readonly #lanes = new Map<string, { fromMs: number; is: Role }[]>()
  readonly #events: LogEvent[] = []
  #count = 0

  /** The events, newest first. */
  get events(): readonly LogEvent[] {
    return this.#events.toReversed()
  }

  /** Takes in where servers stand, and tells their lanes. */
  see(states: readonly ServerState[]): Server[] {
    return states.map(({ sessions: _sessions, nodes: _nodes, ...state }) => {
      const before = this.#lanes.get(state.id)?.at(-1)?.is
      if (this.#enter(state.id, state.role) && before !== undefined) this.#tellRole(state.id, state.role, before)
      return { ...state, lane: this.laneOf(state.id) }
    })
  }

  /** The roles of a server within the last hour, oldest first. */
  laneOf(id: string): Lane {
    const lane = this.#lanes.get(id) ?? []
    const startMs = Date.now() - LANE_MS
    const first = lane.findLastIndex(({ fromMs }) => fromMs <= startMs)
    return lane.slice(Math.max(0, first))
  }

  /** Takes in what a server of this process tells. */
  hear({ server, event }: EnsembleEvent): void {
    const id = String(server)
    switch (event.type) {
      case 'looking':
        this.#enter(id, 'LOOKING')
        return this.log(id, 'election', 'warn', `Server ${id} looks for a leader: ${event.reason}.`)
      case 'elected':
        return this.log(id, 'election', 'info', electedText(id, event))
      case 'serving':
        this.#enter(id, event.role)
        return this.log(id, 'server', 'info', `Server ${id} serves, ${event.role.toLowerCase()}, epoch ${event.epoch}.`)
      case 'crashed':
      case 'failed':
        this.#enter(id, null)
        return this.log(id, 'server', 'bad', `Server ${id} has stopped.`)
      case 'started':
        return this.log(id, 'server', 'info', `Server ${id} has started.`)
      case 'rewinding':
        return this.log(id, 'server', 'warn', `Server ${id} undoes what was not committed, and starts again.`)
      case 'expired':
        return this.log(id, 'session', 'warn', `Session 0x${event.sessionId.toString(16)} has ended by its time-out.`)
      case 'disk-full':
        return this.log(id, 'server', 'bad', `The disk of server ${id} is full, and writes wait.`)
      default:
    }
  }

  /** Adds an event. */
  log(server: string | null, kind: string, level: LogEvent['level'], text: string): void {
    this.#count += 1
    this.#events.push({ id: this.#count, ms: Date.now(), server, kind, level, text })
    if (this.#events.length > EVENTS_MAX) this.#events.shift()
  }

  /** Whether it is another role than before. */
  #enter(id: string, is: Role): boolean {
    const lane = this.#lanes.get(id) ?? []
    this.#lanes.set(id, lane)
    if (lane.at(-1)?.is === is && lane.length > 0) return false
    lane.push({ fromMs: Date.now(), is })
    if (lane.length > CHANGES_MAX) lane.shift()
    return true
  }

  #tellRole(id: string, role: Role, before: Role): void {
    const level = role === null ? 'bad' : role === 'LOOKING' ? 'warn' : 'info'
    const from = before === null ? 'did not answer' : `was ${before}`
    this.log(id, 'server', level, `Server ${id} ${role === null ? 'does not answer' : `is ${role}`}; it ${from}.`)
  }
}

function electedText(id: string, event: Extract<EnsembleEvent['event'], { type: 'elected' }>): string {
  const { vote, supporters, round } = event
  const by = supporters.length === 0 ? '' : `, with the votes of ${supporters.join(', ')}`
  return `Server ${id} takes ${vote.leader} for the leader in round ${round}${by}.`
}
