/**
 * The faults that strike the ensemble: one after the other, each with its end, drawn from a seed.
 *
 * Servers    are killed, alone and all at once, ended in order, and frozen, also for longer than a session lasts.
 * Network    one server is cut off; or nothing that it sends arrives, or nothing that is sent to it, while connections
 *            stay; ways become slow.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { RelayedEnsemble } from './relayed-ensemble.ts'
import type { Way } from './relay.ts'

/** A fault while it lasts. */
export interface Fault {
  /** One line. */
  readonly what: string
  readonly forMs: number
  /** Begins it. */
  begin(): Promise<void>
  /** Ends it. */
  end(): Promise<void>
}

const REST_MS = { min: 500, max: 2_500 } as const
const DOWN_MS = { min: 0, max: 2_500 } as const
/** Up to twice the session time-out of the load. */
const FROZEN_MS = { min: 300, max: 8_000 } as const
const APART_MS = { min: 500, max: 5_000 } as const
const SLOW_MS = { min: 10, max: 150 } as const

type MakeFault = (ensemble: RelayedEnsemble, victim: number, random: SeededRandom) => Fault

const FAULTS = {
  killed: (ensemble, victim, random) => killed(ensemble, [victim], random.between(DOWN_MS.min, DOWN_MS.max)),
  'all-killed': (ensemble, _, random) => killed(ensemble, ensemble.ids, random.between(DOWN_MS.min, DOWN_MS.max)),
  ended: (ensemble, victim, random) => ended(ensemble, victim, random.between(DOWN_MS.min, DOWN_MS.max)),
  frozen: (ensemble, victim, random) => frozen(ensemble, victim, random.between(FROZEN_MS.min, FROZEN_MS.max)),
  cut: (ensemble, victim, random) => apart(ensemble, victim, { is: 'cut' }, { is: 'cut' }, 'is cut off', random),
  silent: (ensemble, victim, random) => {
    return apart(ensemble, victim, silent('both'), silent('both'), 'is cut off without a word', random)
  },
  mute: (ensemble, victim, random) => {
    return apart(ensemble, victim, silent('there'), silent('back'), 'is not heard', random)
  },
  deaf: (ensemble, victim, random) => {
    return apart(ensemble, victim, silent('back'), silent('there'), 'hears nothing', random)
  },
  slow: (ensemble, victim, random) => {
    const delayMs = random.between(SLOW_MS.min, SLOW_MS.max)
    const slow: Way = { is: 'slow', delayMs }
    return apart(ensemble, victim, slow, slow, `has ways that take ${delayMs} ms`, random)
  },
} satisfies Readonly<Record<string, MakeFault>>

/** A kind of fault. */
export type FaultKind = keyof typeof FAULTS

/** All kinds. */
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[]

/** Draws the next fault, of one of these kinds. */
export function drawFault(ensemble: RelayedEnsemble, random: SeededRandom, kinds: readonly FaultKind[]): Fault {
  const victim = random.pick(ensemble.ids)
  return FAULTS[random.pick(kinds)](ensemble, victim, random)
}

/** Pauses between two faults. */
export function rest(random: SeededRandom): Promise<void> {
  return delay(random.between(REST_MS.min, REST_MS.max))
}

function silent(direction: 'there' | 'back' | 'both'): Way {
  return { is: 'silent', direction }
}

function killed(ensemble: RelayedEnsemble, ids: readonly number[], forMs: number): Fault {
  return {
    what: ids.length === 1 ? `server ${ids[0]} is killed` : 'all servers are killed',
    forMs,
    begin: async () => {
      await Promise.all(ids.map((id) => ensemble.kill(id)))
    },
    end: async () => {
      for (const id of ids) ensemble.start(id)
    },
  }
}

function ended(ensemble: RelayedEnsemble, id: number, forMs: number): Fault {
  return {
    what: `server ${id} is ended in order`,
    forMs,
    begin: () => ensemble.terminate(id),
    end: async () => ensemble.start(id),
  }
}

function frozen(ensemble: RelayedEnsemble, id: number, forMs: number): Fault {
  return {
    what: `server ${id} stands still`,
    forMs,
    begin: async () => ensemble.freeze(id),
    end: async () => ensemble.thaw(id),
  }
}

/**
 * @param from - the ways of connections that the server opens
 * @param to - of those that are opened to it
 */
function apart(ensemble: RelayedEnsemble, id: number, from: Way, to: Way, what: string, random: SeededRandom): Fault {
  return {
    what: `server ${id} ${what}`,
    forMs: random.between(APART_MS.min, APART_MS.max),
    begin: async () => {
      for (const other of ensemble.ids) {
        if (other === id) continue
        ensemble.way(id, other, from)
        ensemble.way(other, id, to)
      }
    },
    end: async () => ensemble.heal(),
  }
}
