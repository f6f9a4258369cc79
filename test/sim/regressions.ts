/**
 * Runs that once found something, each with as few faults as were enough: `npm run sim -- --seed N --shrink` prints
 * them.
 */
import type { Draw } from '../../src/testing/simulation/profiles.ts'

/** One of them. */
export interface Regression {
  /** The finding of that time. */
  readonly found: string
  readonly draw: Draw
}

/** All of them, oldest first. */
export const REGRESSIONS: readonly Regression[] = [
  {
    // The simulated network reordered a connection: messages held by a partition came after those held by a pause.
    found: 'AssertionError: the log ends at 0x800000057; 0x800000059 leaves a gap',
    draw: {
      seed: 25_726_407, profile: 'failpoints', servers: 3, observers: 0, clients: 5,
      sessionTimeoutMs: 300, safetyMs: 28_668, workload: 'keys',
      server: {
        tickMs: 10, commitLogCount: 3, snapCount: 7, electionWaitTicks: 3, notificationTicksMax: 10,
        epochCounterMax: 200, containerCheckTicks: 10,
      },
      network: { delayMsMin: 0.1, delayMsMax: 0.5, tailChance: 0.005, tailFactor: 10 },
      disk: { latencyMsMin: 0.05, latencyMsMax: 1, slowChance: 0, slowFactor: 100 },
      plan: [
        { kind: 'pause', atMs: 15_746, forMs: 398, node: 's2', timersFirst: false },
        { kind: 'clog', atMs: 16_917, forMs: 789, node: 'c3' },
        { kind: 'crash-at-sync', atMs: 18_173, server: 's3', nth: 2, side: 'after', downMs: 2_362 },
        { kind: 'partition', atMs: 22_463, forMs: 238, left: ['s3'], right: ['s1', 's2'] },
        { kind: 'pause', atMs: 22_497, forMs: 943, node: 's3', timersFirst: false },
      ],
    },
  },
  {
    // Writes that were decided in the same turn as the last counter of an epoch got counters after it.
    found: 'ledger: P6: server 1 logged 0x70000003d, which the counter of an epoch never reaches',
    draw: {
      seed: 175_611_988, profile: 'failpoints', servers: 3, observers: 0, clients: 3,
      sessionTimeoutMs: 400, safetyMs: 15_493, workload: 'raw',
      server: {
        tickMs: 10, commitLogCount: 3, snapCount: 11, electionWaitTicks: 2, notificationTicksMax: 10,
        epochCounterMax: 60, containerCheckTicks: 10,
      },
      network: { delayMsMin: 0.1, delayMsMax: 0.5, tailChance: 0.005, tailFactor: 10 },
      disk: { latencyMsMin: 0.05, latencyMsMax: 5, slowChance: 0.001, slowFactor: 20 },
      plan: [],
    },
  },
  {
    // The counter of an epoch was used up while sessions ended: the next leader gave the others all their time again.
    found: 'quiescence: something is left after 12000 ms: s1 FOLLOWING epoch=13 zxid=0xc0000003c sessions=8',
    draw: {
      seed: 2_069_262_084, profile: 'failpoints', servers: 4, observers: 1, clients: 7,
      sessionTimeoutMs: 8_000, safetyMs: 52_100, workload: 'membership',
      server: {
        tickMs: 100, commitLogCount: 4, snapCount: 10, electionWaitTicks: 1, notificationTicksMax: 10,
        epochCounterMax: 60, containerCheckTicks: 10,
      },
      network: { delayMsMin: 0.1, delayMsMax: 0.5, tailChance: 0.005, tailFactor: 100 },
      disk: { latencyMsMin: 0.05, latencyMsMax: 5, slowChance: 0, slowFactor: 20 },
      plan: [
        { kind: 'crash-leader', atMs: 1_100, downMs: 52 },
        { kind: 'crash-at-sync', atMs: 7_499, server: 's5', nth: 2, side: 'after', downMs: 6_700 },
        { kind: 'crash-leader', atMs: 9_796, downMs: 217 },
        { kind: 'bridge', atMs: 15_876, forMs: 8_108, left: ['s5'], right: ['s4'] },
        { kind: 'bridge', atMs: 21_433, forMs: 5_504, left: ['s1'], right: ['s4'] },
        {
          kind: 'crash', atMs: 24_327,
          servers: ['s3', 's5', 's4', 's1', 's2'], downMs: [342, 10_400, 273, 470, 17_500],
        },
        { kind: 'crash', atMs: 28_679, servers: ['s1', 's3', 's4', 's2'], downMs: [12_300, 1_100, 407, 6_200] },
        { kind: 'pause', atMs: 32_032, forMs: 1_400, node: 's4', timersFirst: true },
        { kind: 'clog', atMs: 34_827, forMs: 16_782, node: 's1' },
        { kind: 'crash', atMs: 40_221, servers: ['s5', 's3'], downMs: [5_300, 760] },
        { kind: 'pause-leader', atMs: 43_138, forMs: 2_600, timersFirst: false, alone: true, misled: 'c7' },
        { kind: 'crash-at-sync', atMs: 49_735, server: 's2', nth: 3, side: 'after', downMs: 951 },
      ],
    },
  },
  {
    // Messages of a cut-off client reached a server that had closed that connection, and counted as heard.
    found: 'sessions: S2: server 2 ended session 180101452427419091 of 40000 ms after 24944.01000000001 ms of silence',
    draw: {
      seed: 687_483_564, profile: 'churn', servers: 2, observers: 0, clients: 3,
      sessionTimeoutMs: 40_000, safetyMs: 430_500, workload: 'config',
      server: {
        tickMs: 500, commitLogCount: 20, snapCount: 30, electionWaitTicks: 2, notificationTicksMax: 10, pingTicks: 5,
        containerCheckTicks: 20,
      },
      network: { delayMsMin: 0.1, delayMsMax: 0.5, tailChance: 0, tailFactor: 10 },
      disk: { latencyMsMin: 0.05, latencyMsMax: 5, slowChance: 0, slowFactor: 20 },
      plan: [
        { kind: 'crash', atMs: 144_722, servers: ['s2', 's1'], downMs: [3_659, 50_500] },
        { kind: 'client-cut-off', atMs: 216_607, forMs: 25_830, client: 'c1', servers: ['s2'] },
        { kind: 'client-crash', atMs: 220_813, client: 'c1', downMs: 16_000 },
        { kind: 'cut', atMs: 223_425, a: 's1', b: 's2' },
      ],
    },
  },
]
