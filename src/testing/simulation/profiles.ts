/**
 * The draw of a run, made up front from its seed: the ensemble, its limits, the clients, the weather, and the plan
 * of its faults. All of it is JSON.
 *
 * A profile is a climate: which classes of faults come, how often, and with which limits. Within it everything is drawn
 * (swarm testing: a run has some of the classes of its profile, not always all, since faults hide one another).
 *
 * Time is drawn in ticks of the servers, and a tick may be anything from short to long. So all worlds are as eventful,
 * and in those with long ticks the network and the disks are fast beside them.
 */
import { SERVER_DEFAULTS } from '../../backends/embedded/server/config.ts'
import type { ServerConfig } from '../../backends/embedded/server/config.ts'
import type { DiskWeather } from './disk.ts'
import type { FileSettings } from './file-disk.ts'
import { OPERATOR_DIGEST, serverText } from './reconfigurer.ts'
import { drawFault, drawStrikeBehindStrand } from './fault-draws.ts'
import type { FaultScene } from './fault-draws.ts'
import type { NetworkWeather } from './network.ts'
import type { Fault, FaultKind, Place, Plan } from './plan.ts'
import { SeededRandom } from './random.ts'
import { committedOf, drawShares } from './zookeeper-files.ts'
import type { ZooKeeperShare } from './zookeeper-files.ts'

/** Everything that one run is made of. */
export interface Draw {
  /** The seed of all chance in the run, beyond this draw too. */
  readonly seed: number
  /** The climate it was drawn for. */
  readonly profile: ProfileName
  /** Servers that vote. */
  readonly servers: number
  /** Servers that do not vote. */
  readonly observers: number
  /** Slots for clients: when one dies, another takes its place. */
  readonly clients: number
  /** The session time-out that clients ask for, in milliseconds. */
  readonly sessionTimeoutMs: number
  /** The name of what the clients do; see run.ts. */
  readonly workload: string
  /** How long things go wrong, in virtual milliseconds. */
  readonly safetyMs: number
  /** The limits of the servers, where they are not the usual ones. */
  readonly server: Partial<ServerConfig>
  /** The network while no fault strikes it. */
  readonly network: NetworkWeather
  /** The disks while no fault strikes them. */
  readonly disk: DiskWeather
  /** How the servers keep their files; absent where their disks have none. */
  readonly files?: FileSettings
  /** The files of ZooKeepers that are on their disks, by server; absent if the ensemble is new. */
  readonly carriedOver?: readonly ZooKeeperShare[]
  /** The longest turns of the event loops that are busy, in milliseconds, by place. */
  readonly turnsMs?: Readonly<Record<Place, number>>
  /** Whether the servers talk over sockets, by the transport of production; absent if not. */
  readonly sockets?: true
  /**
   * Chance that a client loses its connection as soon as it has a session, so that it moves before it has seen a zxid;
   * absent if that is left to the plan.
   */
  readonly unseenMoveChance?: number
  /** The faults, with their times. */
  readonly plan: Plan
}

type Weights = Partial<Record<FaultKind, number>>

interface Profile {
  /** Which classes of faults come, and how often compared with each other. */
  readonly faults: Weights
  /** Mean time between two faults, in ticks of the servers. */
  readonly everyTicks: readonly [min: number, max: number]
  /** Whether the limits of the servers are tiny, so that what is rare in practice is common here. */
  readonly tinyLimits?: boolean
  /** Whether the servers of all runs stand on files. */
  readonly hasFiles?: boolean
  /** Whether the servers begin on the files of ZooKeepers. */
  readonly isCarriedOver?: boolean
  /** Chance that leaders remember enough to have a log cut; tiny limits have them send their state instead. */
  readonly longMemoryChance?: number
  /** Whether the servers of a run are changed while it goes on. */
  readonly canChange?: boolean
  /** Whether the servers talk over sockets, by the transport of production. */
  readonly hasSockets?: boolean
  /** Whether the servers keep new sessions for themselves. */
  readonly hasLocalSessions?: boolean
  /** Chance that a class of the profile is left out of a run. */
  readonly leftOut?: number
  /** Chance that some event loops of a run are busy, so that much is handled in one turn. */
  readonly busyChance?: number
  /** How often the servers look for empty containers, in ticks; drawn if absent. */
  readonly containerCheckTicks?: number
}

const EVERYTHING: Weights = {
  'weather': 2, 'clog': 2, 'partition': 3, 'bridge': 2, 'one-way': 2, 'client-cut-off': 2, 'cut': 3, 'cut-after': 2,
  'half-open': 1, 'strike': 4, 'strand': 2, 'slow-disk': 1, 'disk-error': 1, 'crash': 3, 'crash-leader': 2,
  'crash-at-sync': 3, 'wipe': 1, 'pause': 3, 'pause-leader': 1, 'clock-jump': 1, 'drift': 2, 'client-crash': 2,
  'lose-answer': 2, 'operate': 3,
}

/** The name of a profile. */
export type ProfileName =
  | 'default'
  | 'hot-crash'
  | 'partition'
  | 'disk'
  | 'slow-disk'
  | 'pause'
  | 'churn'
  | 'recipes'
  | 'operators'
  | 'ebb'
  | 'quiet'
  | 'failpoints'
  | 'reconfiguration'
  | 'files'
  | 'local-sessions'
  | 'sockets'
  | 'carried-over'

/** The profiles, by name. */
const PROFILES: Readonly<Record<ProfileName, Profile>> = Object.freeze({
  'default': { faults: EVERYTHING, everyTicks: [15, 110], leftOut: 0.4 },
  'hot-crash': {
    faults: { 'crash': 4, 'crash-leader': 4, 'crash-at-sync': 5, 'strike': 6, 'strand': 3, 'wipe': 1 },
    everyTicks: [6, 22], tinyLimits: true,
  },
  'partition': {
    faults: {
      'partition': 4, 'bridge': 3, 'one-way': 3, 'clog': 2, 'client-cut-off': 2,
      'cut': 2, 'cut-after': 2, 'half-open': 2, 'strand': 3,
    },
    everyTicks: [11, 75], leftOut: 0.3,
  },
  'disk': {
    faults: { 'disk-error': 4, 'crash-at-sync': 5, 'wipe': 3, 'crash': 2, 'slow-disk': 1 },
    everyTicks: [11, 55], leftOut: 0.2,
  },
  'slow-disk': { faults: { 'slow-disk': 6, 'crash-leader': 1, 'crash-at-sync': 2, 'cut': 1 }, everyTicks: [18, 75] },
  'pause': {
    faults: { 'pause': 6, 'pause-leader': 3, 'drift': 3, 'clock-jump': 2, 'clog': 1 },
    everyTicks: [11, 75], leftOut: 0.2, busyChance: 0.5,
  },
  'churn': {
    faults: { 'client-crash': 5, 'client-cut-off': 3, 'cut': 4, 'pause': 2, 'crash': 1, 'weather': 1 },
    everyTicks: [6, 37], busyChance: 0.5,
  },
  'recipes': {
    faults: {
      'client-cut-off': 3, 'cut': 4, 'pause': 4, 'drift': 2, 'client-crash': 2, 'crash-leader': 2, 'crash': 1,
      'strike': 1, 'weather': 1,
    },
    everyTicks: [11, 75], leftOut: 0.3, busyChance: 0.5,
  },
  'operators': {
    faults: { 'operate': 12, 'lose-answer': 3, 'cut': 1, 'pause': 1, 'client-cut-off': 1, 'weather': 1 },
    everyTicks: [3, 15], leftOut: 0.2,
  },
  // Whatever is empty for a moment is removed by the servers, and made again by the next who comes.
  'ebb': {
    faults: { 'lose-answer': 4, 'client-crash': 2, 'cut': 2, 'operate': 2, 'weather': 1 },
    everyTicks: [6, 37], leftOut: 0.2, containerCheckTicks: 1,
  },
  'quiet': { faults: { 'weather': 1, 'cut': 1, 'drift': 1, 'client-crash': 1 }, everyTicks: [150, 550] },
  // A disk that is lost counts against the voters of the moment, which a plan does not know: so none is.
  'reconfiguration': {
    faults: {
      'reconfigure': 12, 'crash': 3, 'crash-leader': 3, 'crash-at-sync': 3, 'strike': 4, 'strand': 2, 'partition': 2,
      'one-way': 1, 'cut': 2, 'pause-leader': 1, 'clog': 1,
    },
    everyTicks: [6, 37], leftOut: 0.2, canChange: true,
  },
  'failpoints': { faults: EVERYTHING, everyTicks: [11, 55], tinyLimits: true, leftOut: 0.5 },
  'files': {
    faults: {
      'crash-at-call': 6, 'call-error': 2, 'disk-full': 3, 'bit-rot': 4, 'disk-error': 1, 'crash': 3, 'crash-leader': 2,
      'crash-at-sync': 2, 'wipe': 1, 'strike': 4, 'strand': 3, 'diverge': 5, 'cut': 1,
    },
    everyTicks: [8, 40], leftOut: 0.2, tinyLimits: true, hasFiles: true, longMemoryChance: 0.6,
  },
  // Whoever moves to another server has another session there: what is on its way from the one before must not be done.
  'local-sessions': {
    faults: {
      'cut': 6, 'client-cut-off': 2, 'half-open': 2, 'clog': 3, 'one-way': 2, 'partition': 2, 'client-crash': 2,
      'pause': 2, 'lose-answer': 3, 'crash-leader': 1, 'crash': 1, 'strand': 1, 'weather': 2,
    },
    everyTicks: [4, 30], leftOut: 0.2, hasLocalSessions: true, busyChance: 0.5,
  },
  'sockets': {
    faults: {
      'cut': 6, 'cut-after': 4, 'partition': 3, 'one-way': 3, 'clog': 3, 'bridge': 2, 'crash': 3, 'crash-leader': 3,
      'strike': 3, 'half-open': 2, 'pause': 2, 'pause-leader': 1, 'crash-at-sync': 2, 'weather': 2, 'drift': 1,
    },
    everyTicks: [8, 50], leftOut: 0.3, hasSockets: true, busyChance: 0.5,
  },
  'carried-over': {
    faults: {
      'crash': 5, 'crash-leader': 4, 'crash-at-sync': 3, 'crash-at-call': 5, 'strike': 4, 'strand': 2, 'diverge': 3,
      'partition': 3, 'cut': 2, 'disk-full': 1,
    },
    everyTicks: [8, 50], leftOut: 0.3, hasFiles: true, isCarriedOver: true, longMemoryChance: 0.5,
  },
})

/** The names of all profiles. */
export const PROFILE_NAMES: readonly ProfileName[] = Object.freeze(Object.keys(PROFILES) as ProfileName[])

/** Those that chance may choose: seeds mean the same as before the others were there. */
const CHOSEN_NAMES = PROFILE_NAMES.filter((name) => {
  const { canChange = false, hasFiles = false, hasLocalSessions = false, hasSockets = false }: Profile = PROFILES[name]
  return !canChange && !hasFiles && !hasLocalSessions && !hasSockets
})
/** So many workloads were there when their draw was made to last. */
const FIRST_WORKLOADS = 10
/** Chance that the servers stand on files in a profile that does not ask for it. */
const FILES_CHANCE = 1 / 16

/** Chance that clients of a run move before they have seen a zxid. */
const UNSEEN_MOVES_CHANCE = 1 / 6

/** How long things go wrong, in ticks of the servers. */
const SAFETY_TICKS_MIN = 300
const SAFETY_TICKS_MAX = 1_000
/** The first fault comes no earlier, in ticks: some of a run's clients should have begun. */
const FIRST_FAULT_TICKS = 11
/** How long a tick may be, in milliseconds: beside the longest ones networks and disks are fast. */
const TICKS_MS: readonly number[] = Object.freeze([10, 20, 50, 100, 200, 500, 1_000])
/** Pauses between dials are as long as in production. */
const SOCKETS_TICK_MS_MIN = 200
/** The slowest message of good weather, in milliseconds: it must not cost every leader its majority. */
const TAIL_MS_MAX = 200
/** Chance that event loops are busy, in a profile that does not say. */
const BUSY_CHANCE = 0.3
/** Chance that an event loop is busy in a run in which some are. */
const BUSY_PART = 0.5
/** The longest turns of busy event loops, in milliseconds; none is longer than a tick. */
const TURNS_MS: readonly number[] = Object.freeze([0.2, 2, 20, 20])
/** Time-outs of sessions are so many ticks or more: servers must be able to notice anything within one. */
const SESSION_TICKS_MIN = 20

/** The parts of a run that are given, and not left to chance; the rest is drawn as it would have been. */
export interface Given {
  /** Its climate. */
  readonly profile?: ProfileName | undefined
  /** The name of the workload of its clients. */
  readonly workload?: string | undefined
  /** Servers that vote; then there are no others. */
  readonly servers?: number | undefined
  /** How many clients there are at a time. */
  readonly clients?: number | undefined
}

/** Options of {@link drawRun}. */
export interface DrawOptions extends Given {
  /** The names of the workloads there are. */
  readonly workloads: readonly string[]
}

/** Draws a run from its seed. */
export function drawRun(seed: number, options: DrawOptions): Draw {
  const random = new SeededRandom(seed).fork('draw')
  const name = drawUnless(options.profile, () => random.pick(CHOSEN_NAMES))
  const profile: Profile = PROFILES[name]
  const servers = drawUnless(options.servers, () => random.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 7]))
  const observers = drawUnless(options.servers === undefined ? undefined : 0, () => random.pick([0, 0, 0, 1, 2]))
  const clients = drawUnless(options.clients, () => random.between(2, 8))
  const drawnTickMs = random.pick(TICKS_MS)
  const tickMs = profile.hasSockets === true ? Math.max(drawnTickMs, SOCKETS_TICK_MS_MIN) : drawnTickMs
  const sessionTimeoutMs = SESSION_TICKS_MIN * tickMs * random.pick([1, 1.5, 2, 4])
  const safetyMs = random.between(SAFETY_TICKS_MIN, SAFETY_TICKS_MAX) * tickMs
  const scene = {
    random: random.fork('plan'),
    servers: places('s', servers + observers),
    clients: places('c', clients),
    sessionTimeoutMs, tickMs,
  }
  const workload = drawUnless(options.workload, () => drawWorkload(random, options.workloads))
  return {
    seed, profile: name, workload, servers, observers, clients, sessionTimeoutMs, safetyMs,
    server: {
      tickMs,
      ...(profile.canChange === true && changeable(servers, observers)),
      ...(profile.tinyLimits === true ? drawTinyLimits(random) : drawLimits(random)),
      ...(profile.containerCheckTicks === undefined ? {} : { containerCheckTicks: profile.containerCheckTicks }),
      ...drawMemory(profile, random.fork('memory')),
      ...drawLocalSessions(profile, workload, random.fork('local sessions')),
    },
    network: drawNetwork(random),
    disk: drawDisk(random),
    ...drawFiles(profile, random.fork('files')),
    ...drawTurns(profile, { ...scene, random: random.fork('turns') }),
    ...(profile.hasSockets === true ? { sockets: true } : {}),
    ...drawUnseenMoves(random.fork('unseen moves')),
    ...drawPast(profile, scene, servers, observers, drawPlanFor(name, safetyMs, scene)),
  }
}

/** Draws what the disks hold when the ensemble begins, and the plan with what else belongs to that. */
function drawPast(
  { isCarriedOver = false }: Profile,
  { random, tickMs }: FaultScene,
  servers: number,
  observers: number,
  plan: Plan,
): Pick<Draw, 'carriedOver' | 'plan'> {
  if (!isCarriedOver) return { plan }
  const own = random.fork('carried over')
  const carriedOver = drawShares(servers, observers, own)
  const left = carriedOver.flatMap(({ count }, index) => (count > committedOf(carriedOver, servers) ? [index + 1] : []))
  if (left.length === 0 || own.chance(0.2)) return { carriedOver, plan }
  // Those who have what nobody else has come when the others have gone on without it.
  const ids = carriedOver.map((_, index) => index + 1)
  const [here, there] = [left, ids.filter((id) => !left.includes(id))].map((side) => side.map((id) => `s${id}`))
  const apart = { left: here ?? [], right: there ?? [] }
  const alone: Fault = { kind: 'partition', atMs: 0, forMs: own.between(20, 120) * tickMs, ...apart }
  return { carriedOver, plan: [alone, ...plan] }
}

/**
 * Draws one of the workloads, each as likely as any other. One that is added at the end takes its share of the seeds
 * and leaves the others as they were.
 */
function drawWorkload(random: SeededRandom, names: readonly string[]): string {
  let drawn = random.pick(names.slice(0, FIRST_WORKLOADS))
  for (const [index, name] of names.entries()) {
    if (index >= FIRST_WORKLOADS && random.fork(`workload ${name}`).chance(1 / (index + 1))) drawn = name
  }
  return drawn
}

/** The servers as a configuration that the operator of {@link changeRequest} may change. */
function changeable(servers: number, observers: number): Partial<ServerConfig> {
  const ids = Array.from({ length: servers + observers }, (_, index) => index + 1)
  const lines = ids.map((id) => serverText(id, id <= servers))
  const membership = [...lines, 'version=0'].join('\n')
  return { reconfigurable: true, reconfigEnabled: true, superDigest: OPERATOR_DIGEST, membership }
}

function drawFiles({ hasFiles = false }: Profile, random: SeededRandom): Pick<Draw, 'files'> {
  return hasFiles || random.chance(FILES_CHANCE) ? { files: drawFileSettings(random) } : {}
}

/** Draws how servers keep their files. */
export function drawFileSettings(random: SeededRandom): FileSettings {
  return {
    snapRetainCount: random.between(1, 3),
    preallocateBytes: random.pick([512, 4_096, 16_384]),
    hasLogDirectory: random.chance(0.5),
    shortWriteChance: random.pick([0, 0.1, 0.5]),
  }
}

/** Whether the servers of a profile stand on files. */
export function hasFiles(name: ProfileName): boolean {
  const profile: Profile = PROFILES[name]
  return profile.hasFiles === true
}

function drawTurns(profile: Profile, { random, servers, clients, tickMs }: FaultScene): Pick<Draw, 'turnsMs'> {
  if (!random.chance(profile.busyChance ?? BUSY_CHANCE)) return {}
  const busy = [...servers, ...clients].filter(() => random.chance(BUSY_PART))
  return { turnsMs: Object.fromEntries(busy.map((place) => [place, Math.min(random.pick(TURNS_MS), tickMs)])) }
}

/** Recipes that own something can be used with those alone that may become sessions of the ensemble. */
function drawLocalSessions(profile: Profile, workload: string, random: SeededRandom): Partial<ServerConfig> {
  if (profile.hasLocalSessions !== true) return {}
  return { localSessions: workload === 'raw' && random.chance(0.5) ? 'only' : 'upgradeable' }
}

function drawUnseenMoves(random: SeededRandom): Pick<Draw, 'unseenMoveChance'> {
  return random.chance(UNSEEN_MOVES_CHANCE) ? { unseenMoveChance: random.pick([0.1, 0.5]) } : {}
}

/** Draws what goes wrong in a climate, from shortly after the start up to an instant in virtual milliseconds. */
export function drawPlanFor(name: ProfileName, untilMs: number, scene: FaultScene): Plan {
  const profile: Profile = PROFILES[name]
  const { random, tickMs } = scene
  const kinds = Object.keys(profile.faults) as FaultKind[]
  const kept = kinds.filter(() => !random.chance(profile.leftOut ?? 0))
  const used = kept.length === 0 ? kinds : kept
  const bag = used.flatMap((kind) => Array<FaultKind>(profile.faults[kind] ?? 0).fill(kind))
  const [min, max] = profile.everyTicks
  const everyMs = random.between(min, max) * tickMs
  const plan: Fault[] = []
  for (let atMs = FIRST_FAULT_TICKS * tickMs; atMs < untilMs; atMs += Math.ceil(2 * random.unit() * everyMs)) {
    const fault = drawFault(random.pick(bag), atMs, scene)
    plan.push(fault)
    const isStrand = fault.kind === 'strand' || fault.kind === 'diverge'
    if (isStrand && random.chance(0.5)) plan.push(drawStrikeBehindStrand(atMs, scene))
  }
  return plan
}

/** Draws in any case, so that what is drawn after it is the same. */
function drawUnless<T>(given: T | undefined, draw: () => T): T {
  const drawn = draw()
  return given ?? drawn
}

function drawLimits(random: SeededRandom): Partial<ServerConfig> {
  return {
    commitLogCount: random.pick([500, 20]),
    snapCount: random.pick([100_000, 100, 30]),
    electionWaitTicks: random.between(1, 4),
    notificationTicksMax: random.pick([10, 40]),
    pingTicks: random.between(2, 5),
    containerCheckTicks: random.pick([20, 100]),
  }
}

/** The length of many transactions. Others are longer: sometimes the count is over first, sometimes the bytes. */
const TINY_TRANSACTION_BYTES = 100

/** Limits at which everything overflows all the time. */
function drawTinyLimits(random: SeededRandom): Partial<ServerConfig> {
  const commitLogCount = random.between(1, 5)
  const snapCount = random.between(3, 15)
  return {
    commitLogCount,
    commitLogBytes: commitLogCount * TINY_TRANSACTION_BYTES,
    snapCount,
    snapLogBytes: snapCount * TINY_TRANSACTION_BYTES,
    electionWaitTicks: random.between(1, 3),
    notificationTicksMax: 10,
    epochCounterMax: random.pick([0xffff_ffff, 200, 60]),
    containerCheckTicks: 10,
  }
}

/** Draws how much leaders remember, where the limits are not to say. */
function drawMemory({ longMemoryChance = 0 }: Profile, random: SeededRandom): Partial<ServerConfig> {
  if (!random.chance(longMemoryChance)) return {}
  const { commitLogCount, commitLogBytes } = SERVER_DEFAULTS
  return { commitLogCount, commitLogBytes }
}

function drawNetwork(random: SeededRandom): NetworkWeather {
  const delayMsMax = random.pick([0.5, 2, 2, 8])
  const tailFactor = Math.min(random.pick([10, 100]), TAIL_MS_MAX / delayMsMax)
  return { delayMsMin: 0.1, delayMsMax, tailChance: random.pick([0, 0.001, 0.005]), tailFactor }
}

function drawDisk(random: SeededRandom): DiskWeather {
  return {
    latencyMsMin: 0.05,
    latencyMsMax: random.pick([0.2, 1, 5]),
    slowChance: random.pick([0, 0.001, 0.01]),
    slowFactor: random.pick([20, 100]),
  }
}

function places(prefix: 's' | 'c', count: number): Place[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`)
}
