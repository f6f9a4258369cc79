/** How a fault of each class is drawn: its target, and how hard it strikes. */
import { LOSABLE_REQUESTS, OPERATOR_STRIKES, STRUCK_PACKETS } from './plan.ts'
import type { Fault, FaultKind, Place } from './plan.ts'
import type { SeededRandom } from './random.ts'

/** The world that a fault is drawn for. */
export interface FaultScene {
  readonly random: SeededRandom
  readonly servers: readonly Place[]
  readonly clients: readonly Place[]
  readonly sessionTimeoutMs: number
  /** The unit in which times of faults are drawn: a tick of the servers, in milliseconds. */
  readonly tickMs: number
}

/** The slowest message of bad weather, in ticks: what is sent after it on its connection waits for it. */
const TAIL_TICKS_MAX = 75
/** Wall clocks jump by up to six hours. */
const JUMP_MS_MAX = 6 * 3_600_000
/** Clocks are wrong by up to a tenth; the deadlines of clients allow for that. */
const DRIFT_MAX = 0.1
/** Faults strike at one of the next so many calls of the system; an epoch, or a leader's state, takes about that. */
const CALLS_MAX = 40
/** An owner whose node an operator strikes at stands still for up to this part of its session's time-out. */
const STALL_PART_MAX = 1.2

type Draw = (atMs: number, scene: FaultScene) => Fault

/** One drawing a class. */
const DRAWS: Readonly<Record<FaultKind, Draw>> = Object.freeze({
  'weather': (atMs, { random, tickMs }) => {
    const delayMsMax = random.pick([0.25, 1, 3, 7]) * tickMs
    const tailFactor = Math.min(random.pick([5, 20, 100]), TAIL_TICKS_MAX * tickMs / delayMsMax)
    const tailChance = random.pick([0.001, 0.01, 0.05])
    return { kind: 'weather', atMs, forMs: random.between(25, 250) * tickMs, delayMsMax, tailChance, tailFactor }
  },
  'clog': (atMs, scene) => ({ kind: 'clog', atMs, forMs: drawOutageMs(scene), node: drawNode(scene) }),
  'partition': (atMs, scene) => {
    const { random, servers, clients } = scene
    const mixed = random.shuffle([...servers, ...(random.chance(0.5) ? clients : [])])
    const left = mixed.slice(0, random.between(1, Math.max(1, mixed.length - 1)))
    const right = mixed.filter((place) => !left.includes(place))
    return { kind: 'partition', atMs, forMs: drawOutageMs(scene), left, right }
  },
  'bridge': (atMs, scene) => {
    const [left = 's1', right = left] = scene.random.shuffle(scene.servers)
    return { kind: 'bridge', atMs, forMs: drawOutageMs(scene), left: [left], right: [right] }
  },
  'one-way': (atMs, scene) => {
    const mixed = scene.random.shuffle(scene.servers)
    const left = mixed.slice(0, scene.random.between(1, Math.max(1, mixed.length - 1)))
    const right = mixed.filter((place) => !left.includes(place))
    const [from, to] = scene.random.chance(0.5) ? [left, right] : [right, left]
    return { kind: 'one-way', atMs, forMs: drawOutageMs(scene), left: from, right: to }
  },
  'client-cut-off': (atMs, scene) => {
    const { random, servers, clients } = scene
    const some = random.shuffle(servers).slice(0, random.between(1, servers.length))
    return { kind: 'client-cut-off', atMs, forMs: drawOutageMs(scene), client: random.pick(clients), servers: some }
  },
  'cut': (atMs, scene) => {
    const { random, servers } = scene
    const a = drawNode(scene)
    return { kind: 'cut', atMs, a, b: random.pick(servers) }
  },
  'cut-after': (atMs, { random, servers }) => {
    const [a = 's1', b = a] = random.shuffle(servers)
    return { kind: 'cut-after', atMs, a, b, packets: random.between(1, 30) }
  },
  'half-open': (atMs, scene) => ({
    kind: 'half-open', atMs, forMs: drawOutageMs(scene), server: scene.random.pick(scene.servers),
  }),
  'strike': (atMs, scene) => ({
    kind: 'strike', atMs,
    packet: scene.random.pick(STRUCK_PACKETS),
    nth: scene.random.chance(0.6) ? 1 : scene.random.between(2, 8),
    what: scene.random.pick(['cut', 'crash-sender', 'crash-receiver', 'crash-receiver-in-sync']),
    downMs: drawDownMs(scene),
    // From a stream of its own: seeds mean the same as before it was drawn.
    call: scene.random.fork(`call ${atMs}`).between(1, CALLS_MAX),
  }),
  'strand': (atMs, scene) => ({ kind: 'strand', atMs, forMs: drawOutageMs(scene) }),
  'diverge': (atMs, { random, tickMs }) => ({ kind: 'diverge', atMs, forMs: random.between(1, 40) * tickMs }),
  'slow-disk': (atMs, scene) => ({
    kind: 'slow-disk', atMs, forMs: drawOutageMs(scene),
    server: scene.random.pick(scene.servers), latencyMs: scene.random.pick([0.5, 2.5, 10, 50]) * scene.tickMs,
  }),
  'disk-error': (atMs, scene) => ({
    kind: 'disk-error', atMs, server: scene.random.pick(scene.servers), downMs: drawDownMs(scene),
  }),
  'crash': (atMs, scene) => {
    const { random, servers } = scene
    const count = random.chance(0.2) ? servers.length : random.between(1, servers.length)
    const crashed = random.shuffle(servers).slice(0, count)
    return { kind: 'crash', atMs, servers: crashed, downMs: crashed.map(() => drawDownMs(scene)) }
  },
  'crash-leader': (atMs, scene) => ({ kind: 'crash-leader', atMs, downMs: drawDownMs(scene) }),
  'crash-at-sync': (atMs, scene) => ({
    kind: 'crash-at-sync', atMs, server: scene.random.pick(scene.servers), nth: scene.random.between(1, 5),
    side: scene.random.pick(['before', 'after']), downMs: drawDownMs(scene),
  }),
  'wipe': (atMs, scene) => ({
    kind: 'wipe', atMs, server: scene.random.pick(scene.servers), downMs: drawDownMs(scene),
  }),
  'pause': (atMs, scene) => ({
    kind: 'pause', atMs, forMs: drawPauseMs(scene), node: drawNode(scene), timersFirst: scene.random.chance(0.5),
  }),
  'pause-leader': (atMs, scene) => ({
    kind: 'pause-leader', atMs, forMs: drawPauseMs(scene), timersFirst: scene.random.chance(0.5),
    ...(scene.random.chance(0.5) ? { alone: true, misled: scene.random.pick(scene.clients) } : {}),
  }),
  'clock-jump': (atMs, scene) => ({
    kind: 'clock-jump', atMs, node: drawNode(scene), byMs: scene.random.between(-JUMP_MS_MAX, JUMP_MS_MAX),
  }),
  'drift': (atMs, scene) => ({
    kind: 'drift', atMs, forMs: scene.random.between(100, 1_000) * scene.tickMs, node: drawNode(scene),
    rate: 1 + (scene.random.unit() * 2 - 1) * DRIFT_MAX,
  }),
  'client-crash': (atMs, scene) => ({
    kind: 'client-crash', atMs, client: scene.random.pick(scene.clients), downMs: drawDownMs(scene),
  }),
  'lose-answer': (atMs, { random }) => ({
    kind: 'lose-answer', atMs, request: random.pick(LOSABLE_REQUESTS), nth: random.between(1, 3),
  }),
  'reconfigure': (atMs, { random, servers }) => {
    const shuffled = random.shuffle(servers)
    const voters = random.between(1, shuffled.length)
    const observers = shuffled.slice(voters).filter(() => random.chance(0.5))
    return { kind: 'reconfigure', atMs, at: random.pick(servers), voters: shuffled.slice(0, voters), observers }
  },
  'crash-at-call': (atMs, scene) => ({
    kind: 'crash-at-call', atMs, server: scene.random.pick(scene.servers), nth: scene.random.between(1, CALLS_MAX),
    downMs: drawDownMs(scene),
  }),
  'call-error': (atMs, scene) => ({
    kind: 'call-error', atMs, server: scene.random.pick(scene.servers), nth: scene.random.between(1, CALLS_MAX),
    done: scene.random.pick([0, 0.5, 1]), downMs: drawDownMs(scene),
  }),
  'disk-full': (atMs, scene) => {
    const { random, servers } = scene
    const count = random.chance(0.6) ? 1 : random.between(1, servers.length)
    const full = random.shuffle(servers).slice(0, count)
    return { kind: 'disk-full', atMs, forMs: drawOutageMs(scene), servers: full, chance: random.pick([0.2, 1]) }
  },
  'bit-rot': (atMs, scene) => ({
    kind: 'bit-rot', atMs, server: scene.random.pick(scene.servers),
    file: scene.random.unit(), byte: scene.random.unit(), mask: 1 << scene.random.between(0, 7),
    isRunning: scene.random.chance(0.5), downMs: drawDownMs(scene),
  }),
  'operate': (atMs, { random, sessionTimeoutMs, tickMs }) => ({
    kind: 'operate', atMs, forMs: random.between(1, 40) * tickMs, how: random.pick(OPERATOR_STRIKES),
    pick: random.unit(), timersFirst: random.chance(0.7),
    stallMs: random.chance(0.3) ? 0 : Math.ceil(random.unit() * STALL_PART_MAX * sessionTimeoutMs),
  }),
})

/** The packets that follow when a stranded proposal comes back to the others. */
const BEHIND_STRAND = Object.freeze(['TRUNC', 'NEWLEADER', 'UPTODATE'] as const)

/** Draws the strike at what follows a fault of the class `strand`. */
export function drawStrikeBehindStrand(atMs: number, scene: FaultScene): Fault {
  const strike = drawFault('strike', atMs, scene)
  return strike.kind === 'strike' ? { ...strike, packet: scene.random.pick(BEHIND_STRAND), nth: 1 } : strike
}

/** Draws one fault of a class. */
export function drawFault(kind: FaultKind, atMs: number, scene: FaultScene): Fault {
  return DRAWS[kind](atMs, scene)
}

function drawNode({ random, servers, clients }: FaultScene): Place {
  return random.pick(random.chance(0.7) ? servers : clients)
}

/** Mostly short, sometimes longer than sessions live. */
function drawOutageMs({ random, sessionTimeoutMs }: FaultScene): number {
  const isLong = random.chance(0.3)
  return isLong ? random.between(sessionTimeoutMs, 3 * sessionTimeoutMs) : random.between(50, sessionTimeoutMs)
}

function drawPauseMs({ random, sessionTimeoutMs, tickMs }: FaultScene): number {
  const isLong = random.chance(0.5)
  return isLong ? random.between(sessionTimeoutMs, 2 * sessionTimeoutMs + 50 * tickMs) : random.between(5, 50) * tickMs
}

/** Mostly back at once, or long enough to be missed. */
function drawDownMs({ random, tickMs }: FaultScene): number {
  return random.chance(0.5) ? random.between(5, 10 * tickMs) : random.between(10, 200) * tickMs
}
