/** Mutants of servers that begin on the files of ZooKeepers: what they read there, and what of it they undo. */
import type { Mutant } from './mutant.ts'

const FILES = 'backends/embedded/host/storage/files.ts'
const RECOVERY = 'backends/embedded/host/storage/recovery.ts'
const LEARNER = 'backends/embedded/server/zab/learner.ts'
const TOLERANT = 'backends/embedded/server/state/tolerant-replay.ts'

const LEARNER_TEST = { test: 'test/backends/embedded/server/zab/learner.test.ts' }
const TOLERANT_TEST = { test: 'test/backends/embedded/server/state/tolerant-replay.test.ts' }
const GOLDEN_TEST = { test: 'test/backends/embedded/host/storage/golden-directories.test.ts' }
const UNDONE_TEST = { test: 'test/backends/embedded/undone-tail.test.ts' }

/** The climate, and a small world, in which they show. */
const CARRIED_OVER = { profile: 'carried-over', servers: 3, clients: 2 } as const
const SOON = { seeds: 100, seedsWithoutAssertions: 100 }

/** Mutants of servers on the files of ZooKeepers. */
export const CARRIED_OVER_MUTANTS: readonly Mutant[] = [
  {
    name: 'rewind-leaves-the-log',
    breaks: 'What was never committed is undone in memory, and stays in the log.',
    kin: 'ZOOKEEPER-5094',
    edits: [{ file: FILES, from: 'await this.#log.truncate(zxid)', to: 'void zxid' }],
    ...CARRIED_OVER,
    expected: SOON,
  },
  {
    name: 'rewind-leaves-later-snapshots',
    breaks: 'The log is cut, and a snapshot that has what was cut off stays.',
    kin: 'ZooKeeper, whose FileTxnSnapLog.truncateLog cuts the log alone',
    edits: [{ file: FILES, from: 'await this.#snapshots.removeAfter(snapshot)', to: 'void snapshot' }],
    ...CARRIED_OVER,
    expected: { ...SOON, likely: 35 },
  },
  {
    name: 'rewind-leaves-it-applied',
    breaks: 'The files are cut, and what was cut off is applied all the same.',
    kin: 'ZOOKEEPER-1549',
    edits: [{ file: RECOVERY, from: 'part.filter((entry) => entry.zxid <= zxid)', to: 'part' }],
    ...CARRIED_OVER,
    expected: { ...SOON, likely: 47 },
  },
  {
    name: 'rewind-believes-the-name-of-a-snapshot',
    breaks: 'A snapshot that is named after an earlier transaction is taken, whatever else it has.',
    kin: 'ZOOKEEPER-1549: a dirty snapshot',
    edits: [{ file: RECOVERY, from: 'found === null || found.latestZxid <= zxid', to: 'true' }],
    expected: { ...UNDONE_TEST, named: 'a log, and a snapshot that has parts of it' },
  },
  {
    name: 'rewind-takes-what-there-is',
    breaks: 'A log that ends before the place is taken for the whole history, though a part of it is missing.',
    kin: 'ZOOKEEPER-1489: a truncation that goes too far',
    edits: [{ file: RECOVERY, from: 'if (last < zxid)', to: 'if (false)' }],
    expected: { ...GOLDEN_TEST, named: 'is not cut where its log ends before' },
  },
  {
    name: 'rewind-undoes-the-confirmed',
    breaks: 'A server undoes what it knows to be committed, because a leader says so.',
    kin: 'ZOOKEEPER-1154',
    edits: [{ file: LEARNER, from: 'base >= applied || base < this.#host.confirmedZxid()', to: 'base >= applied' }],
    expected: { ...LEARNER_TEST, named: 'undoes nothing that it knows to be committed' },
  },
  {
    name: 'state-leaves-the-commit',
    breaks: 'A server that was sent an earlier state goes on to count as committed what it had read before.',
    kin: 'ZOOKEEPER-3911',
    edits: [{ file: LEARNER, from: 'this.#committed = stored.zxid', to: 'this.#commit(stored.zxid)' }],
    expected: { ...LEARNER_TEST, named: 'takes a state from before what it has read from its files' },
  },
  {
    name: 'diff-begins-at-the-end-of-the-log',
    breaks: 'A server that has said that it has nothing takes what it is sent as if it followed its log.',
    kin: 'ZOOKEEPER-4925',
    edits: [{
      file: LEARNER,
      from: "this.#begin(this.#claimedZxid < this.#journal.lastZxid ? 'TRUNC' : 'DIFF', this.#claimedZxid, null)",
      to: "this.#begin('DIFF', this.#journal.lastZxid, null)",
    }],
    expected: { ...LEARNER_TEST, named: 'begins again where it said that its log ends' },
  },
  {
    name: 'multi-sets-a-node-once',
    breaks: 'Of two writes of one multi to a node, a replay of a log of ZooKeeper leaves the second out.',
    kin: 'ZOOKEEPER-3145 and what else a fuzzy snapshot needs a tolerant replay for',
    edits: [{ file: TOLERANT, from: 'node.mzxid <= header.zxid', to: 'node.mzxid < header.zxid' }],
    expected: { ...TOLERANT_TEST, named: 'of a node that a multi sets twice' },
  },
  {
    name: 'multi-makes-a-node-with-later-data',
    breaks: 'A node that a multi removes and makes again keeps data of before, if a snapshot shows it as it was later.',
    kin: 'ZOOKEEPER-4846',
    edits: [{ file: TOLERANT, from: 'node.czxid === at.zxid && node.mzxid === at.zxid', to: 'false' }],
    expected: { ...TOLERANT_TEST, named: 'of a node that a multi makes again, and that has children then' },
  },
]
