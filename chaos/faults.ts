/**
 * The faults that strike the ensemble: one after the other, each with its end, drawn from a seed.
 *
 * Servers    are killed, alone and all at once, ended in order, and frozen, also for longer than a session lasts.
 * Network    one server is cut off; or nothing that it sends arrives, or nothing that is sent to it, while connections
 *            stay; ways become slow.
 * Disks      one gets full. Of a server that is down, the last record is cut off in the middle, or a bit is flipped in
 *            its newest files; the others go on meanwhile, so that a majority has all that the victim loses.
 * Clocks     one jumps, ahead or back, by up to a day.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import { flip, tear } from './damage.ts'
import type { RelayedEnsemble } from './relayed-ensemble.ts'
import type { Way } from './relay.ts'

/** A fault while it lasts. */
export interface Fault {
  /** One line. */
  readonly what: string
  readonly forMs: number
  /** The server that has to serve again after it, by itself. */
  readonly victim?: number
  /** Goes on with it once the other servers have written something that was begun after {@link Fault.begin}. */
  readonly strike?: () => void
  /** Whether the victim has noticed it; by then it serves again. */
  readonly isNoticed?: () => boolean
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

const FULL_MS = { min: 500, max: 5_000 } as const
const CLOCK_FOR_MS = { min: 500, max: 5_000 } as const
const CLOCK_SHIFT_MS = { min: 1_000, max: 86_400_000 } as const

const CLOCK_WAIT_MS_MAX = 15_000
const FULL = /the disk is full, and writes wait/
const JUMPED = /the clock says /

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
  'disk-full': (ensemble, victim, random) => full(ensemble, victim, random.between(FULL_MS.min, FULL_MS.max)),
  torn: (ensemble, victim, random) => {
    return damaged(ensemble, victim, 'the last record of', /the last record is incomplete/, () => {
      tear(ensemble.dataDir(victim), random)
    })
  },
  flipped: (ensemble, victim, random) => {
    return damaged(ensemble, victim, 'a bit in a file of', /: at byte \d+: /, () => {
      flip(ensemble.dataDir(victim), random)
    })
  },
  clock: (ensemble, victim, random) => {
    const shiftMs = random.between(CLOCK_SHIFT_MS.min, CLOCK_SHIFT_MS.max) * random.pick([1, -1])
    return clock(ensemble, victim, shiftMs, random.between(CLOCK_FOR_MS.min, CLOCK_FOR_MS.max))
  },
} satisfies Readonly<Record<string, MakeFault>>

/** A kind of fault. */
export type FaultKind = keyof typeof FAULTS

/** All kinds. */
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[]

/** Those that a server of ZooKeeper is not made to suffer: it ends at a full disk, and takes damage for an end. */
const OF_OURS: ReadonlySet<FaultKind> = new Set(['disk-full', 'torn', 'flipped', 'clock'])

/** Draws the next fault, of one of these kinds. */
export function drawFault(
  ensemble: RelayedEnsemble,
  random: SeededRandom,
  kinds: readonly FaultKind[],
): Fault & { readonly kind: FaultKind } {
  const kind = random.pick(kinds)
  const victim = random.pick(OF_OURS.has(kind) ? ensemble.ours : ensemble.ids)
  return { kind, ...FAULTS[kind](ensemble, victim, random) }
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

function full(ensemble: RelayedEnsemble, id: number, forMs: number): Fault {
  const before = ensemble.saidCount(id, FULL)
  let bytes = 0
  return {
    what: `the disk of server ${id} is full`,
    forMs,
    victim: id,
    begin: async () => {
      bytes = await ensemble.disk(id).shrink()
    },
    end: () => ensemble.disk(id).grow(bytes),
    isNoticed: () => ensemble.saidCount(id, FULL) > before,
  }
}

/**
 * Damages files. The victim is down until the others have written something without it: all that was acknowledged
 * before is with both of them then.
 */
function damaged(ensemble: RelayedEnsemble, id: number, what: string, said: RegExp, damage: () => void): Fault {
  const before = ensemble.saidCount(id, said)
  return {
    what: `server ${id} is killed, and ${what} it is damaged`,
    forMs: 0,
    victim: id,
    begin: () => ensemble.kill(id),
    strike: damage,
    end: async () => ensemble.start(id),
    isNoticed: () => ensemble.saidCount(id, said) > before,
  }
}

function clock(ensemble: RelayedEnsemble, id: number, shiftMs: number, forMs: number): Fault {
  const before = ensemble.saidCount(id, JUMPED)
  return {
    what: `the clock of server ${id} jumps by ${shiftMs} ms`,
    forMs,
    victim: id,
    // One that is about to start does not take the signal yet.
    begin: async () => {
      await ensemble.untilServing(id, CLOCK_WAIT_MS_MAX)
      ensemble.setClock(id, shiftMs)
    },
    end: async () => ensemble.setClock(id, 0),
    isNoticed: () => ensemble.saidCount(id, JUMPED) > before + 1,
  }
}
