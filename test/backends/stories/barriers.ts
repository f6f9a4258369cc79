/** The parts of barriers and latches. */
import { Barrier, CountDownLatch, DoubleBarrier, isCoordinationError } from 'quorate'
import { now } from './holds.ts'
import type { Span } from './holds.ts'
import { part, pause } from './part.ts'
import type { Said } from './part.ts'

const UP_MS = 200
/** So much later each round comes to the barrier, modulo the time that it is up: it need not meet it up. */
const STEP_MS = 70

interface BarrierSaid extends Span {
  /** `up`: it was raised, and not lowered yet. `waited`: from the call to its end. */
  readonly type: 'up' | 'waited'
}

/** One raises and lowers a barrier, and the others wait for it. */
export const BARRIER = part<BarrierSaid>('Barrier lets those who wait go on when it is lowered, and not before', {
  paths: [],
  open: ({ client, isLead, tell }) => {
    const barrier = new Barrier(client, '/story/barrier')
    let lateMs = 0
    return {
      round: async () => {
        if (isLead) {
          await barrier.raise()
          const fromMs = now()
          await pause(UP_MS)
          tell({ type: 'up', fromMs, toMs: now() })
          await barrier.lower()
        } else {
          lateMs = (lateMs + STEP_MS) % UP_MS
          await pause(lateMs)
          const fromMs = now()
          await barrier.wait()
          tell({ type: 'waited', fromMs, toMs: now() })
        }
      },
    }
  },
  broken: ({ said }) => {
    const ups = said.filter(({ type }) => type === 'up')
    return said.filter(({ type }) => type === 'waited').flatMap(({ who, fromMs, toMs }) => {
      const passed = ups.find((up) => up.fromMs <= fromMs && toMs <= up.toMs)
      return passed === undefined ? [] : [`${who} passed at ${toMs}; it was up from ${passed.fromMs} to ${passed.toMs}`]
    })
  },
  missing: ({ said }) => {
    const ups = said.filter(({ type }) => type === 'up')
    const hasMet = said.some(({ type, fromMs }) => {
      return type === 'waited' && ups.some((up) => up.fromMs <= fromMs && fromMs <= up.toMs)
    })
    return hasMet ? [] : ['nobody has met the barrier while it was up']
  },
})

const TASKS = ['a', 'b', 'c']
/** After this time a client does the tasks of the others too: they may be gone. */
const TAKE_OVER_MS = 250

interface LatchSaid {
  readonly latch: number
  /** The task that is about to be counted, or null: the latch is open. */
  readonly counts: string | null
  readonly atMs: number
  /** How many were left when it was open. */
  readonly remaining: number
}

/** Latch after latch, each client counts its own task twice, and waits. */
export const COUNT_DOWN_LATCH = part<LatchSaid>('CountDownLatch counts an id once, keeps it, and lets everyone go on', {
  paths: [],
  open: ({ client, who, tell }) => {
    let latch = 0
    const own = TASKS[who] ?? ''
    return {
      round: async () => {
        const gate = new CountDownLatch(client, `/story/latches/${latch}`, { count: TASKS.length })
        for (const id of [own, own]) {
          tell({ latch, counts: id, atMs: now(), remaining: -1 })
          await gate.countDown({ id })
        }
        if (!(await isOpen(gate))) {
          for (const id of TASKS) {
            tell({ latch, counts: id, atMs: now(), remaining: -1 })
            await gate.countDown({ id })
          }
          await gate.wait()
        }
        const atMs = now()
        tell({ latch, counts: null, atMs, remaining: await gate.remaining() })
        latch += 1
      },
    }
  },
  broken: ({ said }) => said.filter(({ counts }) => counts === null).flatMap(({ latch, who, atMs, remaining }) => {
    const counted = said.filter((one) => one.latch === latch && one.counts !== null && one.atMs < atMs)
    const isEarly = new Set(counted.map(({ counts }) => counts)).size < TASKS.length
    return [
      ...(isEarly ? [`${who} passed latch ${latch} after ${counted.map(({ counts }) => counts).join()}`] : []),
      ...(remaining === 0 ? [] : [`${remaining} were left of latch ${latch} when it was open`]),
    ]
  }),
})

async function isOpen(gate: CountDownLatch): Promise<boolean> {
  try {
    await gate.wait({ waitMs: TAKE_OVER_MS })
    return true
  } catch (error) {
    if (isCoordinationError(error, 'TIMEOUT')) return false
    throw error
  }
}

const DOUBLE = '/story/double'
const MEMBERS = 2
const WORK_MS = 5
/** How long the node of a try that failed may stay: its removal goes on as long as its session lives. */
const LEFT_OVER_MS = 4_000

interface DoubleSaid extends Span {
  /** `tries`: it begins to enter, at `fromMs`. `in`: from that call to its end. `left`: likewise of the leaving. */
  readonly type: 'tries' | 'in' | 'left'
  /** Whether its session was the same one from when it was in. */
  readonly isSameSession: boolean
}

/** Everyone enters and leaves; a round takes two of them. */
export const DOUBLE_BARRIER = part<DoubleSaid>('DoubleBarrier opens a round when enough are there, and lets all in', {
  paths: [DOUBLE],
  // The node of a round whose members are gone is removed by whoever comes next.
  stays: [`${DOUBLE}/ready`],
  open: ({ client, tell }) => {
    const barrier = new DoubleBarrier(client, DOUBLE, { count: MEMBERS })
    return {
      round: async () => {
        await barrier.leave()
        const triesMs = now()
        tell({ type: 'tries', fromMs: triesMs, toMs: triesMs, isSameSession: true })
        await barrier.enter()
        const { sessionId } = client
        tell({ type: 'in', fromMs: triesMs, toMs: now(), isSameSession: true })
        await pause(WORK_MS)
        const fromMs = now()
        await barrier.leave()
        tell({ type: 'left', fromMs, toMs: now(), isSameSession: client.sessionId === sessionId })
      },
    }
  },
  broken: ({ said }) => [...alone(said), ...leftBefore(said)],
})

/** Those who came in while nobody else was on the way in, nor had a node of a try that failed. */
function alone(said: readonly Said<DoubleSaid>[]): string[] {
  const tries = said.flatMap((one, index) => {
    if (one.type !== 'tries') return []
    const next = said.slice(index + 1).find(({ who, type }) => who === one.who && type !== 'left')
    const hasFailed = next?.type !== 'in'
    return [{ who: one.who, fromMs: one.fromMs, toMs: (next?.toMs ?? Infinity) + (hasFailed ? LEFT_OVER_MS : 0) }]
  })
  return said.filter(({ type }) => type === 'in').flatMap(({ who, fromMs, toMs }) => {
    const isMet = tries.some((one) => one.who !== who && one.fromMs <= toMs && one.toMs >= fromMs)
    return isMet ? [] : [`${who} came in alone, between ${fromMs} and ${toMs}`]
  })
}

/** Those who had left for good while another of their round, whose session lived on, was still in. */
function leftBefore(said: readonly Said<DoubleSaid>[]): string[] {
  const stays = said.flatMap((left, index) => {
    const entered = said.slice(0, index).findLast(({ who, type }) => who === left.who && type === 'in')
    return left.type === 'left' && entered !== undefined ? [{ ...left, inMs: entered.toMs }] : []
  })
  return stays.flatMap(({ who, inMs, fromMs, toMs }) => {
    const inside = stays.filter((other) => {
      const isSameRound = other.who !== who && other.inMs < fromMs && inMs < other.fromMs
      return isSameRound && other.isSameSession && other.fromMs > toMs
    })
    return inside.map((other) => `${who} had left at ${toMs}, and ${other.who} was in until ${other.fromMs}`)
  })
}
