/**
 * The faults of a run, with their times: drawn up front from the seed, as plain JSON that can be replayed, shrunk and
 * kept.
 *
 * Names     servers are `s1`, `s2`, ...; clients are named by their slot, `c1`, `c2`, ..., whichever node fills it now.
 * Times     virtual milliseconds since the start. Every fault ends by itself, at the latest when the safety phase does.
 * Legal     any subset of a plan is a plan: what a fault needs is looked up when its time comes, and a fault that would
 *           ask too much (the disks of a majority) is left out then.
 */

/** A node by its place in the plan. */
export type Place = string

/** A fault at an instant. */
export interface Timed {
  /** When, in milliseconds of the world's clock. */
  readonly atMs: number
}

/** A fault that lasts. */
export interface Lasting extends Timed {
  /** How long, in milliseconds. */
  readonly forMs: number
}

/** The messages of the servers at which a plan may strike. */
export const STRUCK_PACKETS: readonly StruckPacket[] = Object.freeze([
  'FOLLOWERINFO', 'LEADERINFO', 'ACKEPOCH', 'DIFF', 'TRUNC', 'SNAP', 'NEWLEADER', 'UPTODATE',
  'PROPOSAL', 'ACK', 'COMMIT', 'INFORM', 'REQUEST', 'SYNC', 'REVALIDATE',
])

/** A message of the servers at which a plan may strike. */
export type StruckPacket =
  | 'FOLLOWERINFO'
  | 'LEADERINFO'
  | 'ACKEPOCH'
  | 'DIFF'
  | 'TRUNC'
  | 'SNAP'
  | 'NEWLEADER'
  | 'UPTODATE'
  | 'PROPOSAL'
  | 'ACK'
  | 'COMMIT'
  | 'INFORM'
  | 'REQUEST'
  | 'SYNC'
  | 'REVALIDATE'

/** The writes of clients whose answers a plan may lose. */
export const LOSABLE_REQUESTS = Object.freeze(['create', 'set', 'delete', 'multi'] as const)

/** A write of a client whose answer a plan may lose. */
export type LosableRequest = 'create' | 'set' | 'delete' | 'multi'

/** The strikes of operators. */
export const OPERATOR_STRIKES = Object.freeze(['delete', 'restore', 'clear'] as const)

/**
 * The strike of an operator: deletes a node; deletes it and makes it again, with its data but in a session of the
 * operator's own, and deletes that when the strike is over; or deletes a node's parent and everything below it.
 */
export type OperatorStrike = 'delete' | 'restore' | 'clear'

/** One thing that goes wrong. */
export type Fault =
  /** The network gets slower for everybody. */
  | (Lasting & {
    readonly kind: 'weather'
    readonly delayMsMax: number
    readonly tailChance: number
    readonly tailFactor: number
  })
  /** Nothing gets to or from one node; what is sent waits. */
  | (Lasting & { readonly kind: 'clog'; readonly node: Place })
  /** No pair of the two sides can talk. A node of neither side sees both. */
  | (Lasting & {
    readonly kind: 'partition' | 'bridge'
    readonly left: readonly Place[]
    readonly right: readonly Place[]
  })
  /** Nothing gets from the left to the right; the other direction is open. */
  | (Lasting & { readonly kind: 'one-way'; readonly left: readonly Place[]; readonly right: readonly Place[] })
  /** A client and some servers cannot talk. */
  | (Lasting & { readonly kind: 'client-cut-off'; readonly client: Place; readonly servers: readonly Place[] })
  /** Every connection between two nodes is reset. */
  | (Timed & { readonly kind: 'cut'; readonly a: Place; readonly b: Place })
  /** As `cut`, once so many packets of the servers have gone between them. */
  | (Timed & { readonly kind: 'cut-after'; readonly a: Place; readonly b: Place; readonly packets: number })
  /** A server vanishes without a word to anybody, and comes back to peers that know nothing of it. */
  | (Lasting & { readonly kind: 'half-open'; readonly server: Place })
  /**
   * At the n-th packet of a kind from now: its link is cut, or one of its ends crashes before it is handled, or its
   * receiver crashes while it writes what it learnt from it.
   */
  | (Timed & {
    readonly kind: 'strike'
    readonly packet: StruckPacket
    readonly nth: number
    readonly what: 'cut' | 'crash-sender' | 'crash-receiver' | 'crash-receiver-in-sync'
    readonly downMs: number
    /** If it stands on files, the call of the system that is its last, counted from where that writing begins. */
    readonly call?: number
  })
  /** Whoever gets the next write from a follower cannot tell the other servers of it: it is stranded there. */
  | (Lasting & { readonly kind: 'strand' })
  /**
   * Whoever leads cannot tell the other servers of the next write that gets to it, until so long after another one
   * leads: its log goes another way than theirs, and is cut when it comes back.
   */
  | (Lasting & { readonly kind: 'diverge' })
  /** The disk of a server is slow. */
  | (Lasting & { readonly kind: 'slow-disk'; readonly server: Place; readonly latencyMs: number })
  /** The next sync of a server fails, which ends it. */
  | (Timed & { readonly kind: 'disk-error'; readonly server: Place; readonly downMs: number })
  /** Servers crash at one instant, and come back one after the other. */
  | (Timed & { readonly kind: 'crash'; readonly servers: readonly Place[]; readonly downMs: readonly number[] })
  /** Whoever leads crashes. */
  | (Timed & { readonly kind: 'crash-leader'; readonly downMs: number })
  /** A server crashes around its n-th sync from now: as it begins, or when it is durable and nobody knows of it. */
  | (Timed & {
    readonly kind: 'crash-at-sync'
    readonly server: Place
    readonly nth: number
    readonly side: 'before' | 'after'
    readonly downMs: number
  })
  /** A server crashes before the n-th call of the system that its files make from now. Those without files do not. */
  | (Timed & { readonly kind: 'crash-at-call'; readonly server: Place; readonly nth: number; readonly downMs: number })
  /** The n-th such call fails when a part of its work, from 0 to 1, is done; that ends the server, nearly always. */
  | (Timed & {
    readonly kind: 'call-error'
    readonly server: Place
    readonly nth: number
    readonly done: number
    readonly downMs: number
  })
  /** The disks of servers are so full that a call that needs room finds none, with this chance. */
  | (Lasting & { readonly kind: 'disk-full'; readonly servers: readonly Place[]; readonly chance: number })
  /**
   * A durable byte of a server's files changes while it is down, or while it runs. Which file, and which byte of it,
   * are parts of all that there are: from 0 up to 1.
   */
  | (Timed & {
    readonly kind: 'bit-rot'
    readonly server: Place
    readonly file: number
    readonly byte: number
    readonly mask: number
    readonly isRunning: boolean
    readonly downMs: number
  })
  /** A server crashes and comes back without its disk. */
  | (Timed & { readonly kind: 'wipe'; readonly server: Place; readonly downMs: number })
  /** A process stands still. When it goes on, due timers may run before what is in its sockets is read. */
  | (Lasting & { readonly kind: 'pause'; readonly node: Place; readonly timersFirst: boolean })
  /**
   * Whoever leads stands still. If `alone`, no other server reaches it until it has gone on for as long as that; and
   * meanwhile `misled`, a client, reaches no other server but it.
   */
  | (Lasting & {
    readonly kind: 'pause-leader'
    readonly timersFirst: boolean
    readonly alone?: boolean
    readonly misled?: Place
  })
  /** The wall clock of a node jumps. */
  | (Timed & { readonly kind: 'clock-jump'; readonly node: Place; readonly byMs: number })
  /** The clocks of a node run fast or slow. */
  | (Lasting & { readonly kind: 'drift'; readonly node: Place; readonly rate: number })
  /** The process of a client ends without a word; another client takes its place. */
  | (Timed & { readonly kind: 'client-crash'; readonly client: Place; readonly downMs: number })
  /** The n-th request of a kind from now is carried out, and its answer is lost with its connection. */
  | (Timed & { readonly kind: 'lose-answer'; readonly request: LosableRequest; readonly nth: number })
  /** An operator has one of the servers replace the configuration: these vote, and those observe. */
  | (Timed & {
    readonly kind: 'reconfigure'
    readonly at: Place
    readonly voters: readonly Place[]
    readonly observers: readonly Place[]
  })
  /** An operator strikes at a node of a recipe. Its owner stands still meanwhile, if `stallMs` is not 0. */
  | (Lasting & {
    readonly kind: 'operate'
    readonly how: OperatorStrike
    /** Which node, as a fraction of the index among all: from 0 up to 1. */
    readonly pick: number
    readonly stallMs: number
    readonly timersFirst: boolean
  })

/** The name of a class of faults. */
export type FaultKind = Fault['kind']

/** Every class of faults, in the order in which they are counted and printed. */
export const FAULT_KINDS = Object.freeze([
  'weather', 'clog', 'partition', 'bridge', 'one-way', 'client-cut-off', 'cut', 'cut-after', 'half-open', 'strike',
  'strand', 'slow-disk', 'disk-error', 'crash', 'crash-leader', 'crash-at-sync', 'wipe',
  'pause', 'pause-leader', 'clock-jump', 'drift', 'client-crash', 'lose-answer', 'operate',
  'reconfigure', 'crash-at-call', 'call-error', 'disk-full', 'bit-rot', 'diverge',
] as const satisfies readonly FaultKind[])

/** All that goes wrong in a run, in order of time. */
export type Plan = readonly Fault[]

/** The number in the name of a place. */
export function idOf(place: Place): number {
  return Number(place.slice(1))
}

/** How a fault reads in a trace. */
export function describeFault(fault: Fault): string {
  const { atMs: _, kind, ...args } = fault
  const show = (value: unknown): string => (Array.isArray(value) ? value.join('+') : String(value))
  return [kind, ...Object.entries(args).map(([name, value]) => `${name}=${show(value)}`)].join(' ')
}
