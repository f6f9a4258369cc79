/** Mutants of the storage in files: when data is durable, and which data a start believes. */
import type { Mutant } from './mutant.ts'

const FILES = 'backends/embedded/host/storage/files.ts'
const FILE_SYSTEM = 'backends/embedded/host/storage/file-system.ts'
const LOG = 'backends/embedded/host/storage/log-files.ts'
const SCANNER = 'backends/wire/disk/log-scanner.ts'
const GUARD = 'backends/embedded/host/storage/sync-guard.ts'
const PROMISES = 'backends/embedded/host/storage/promise-files.ts'
const RECOVERY = 'backends/embedded/host/storage/recovery.ts'
const LOG_DIGEST = 'backends/embedded/server/state/log-digest.ts'
const COPY = 'backends/embedded/host/storage/data-copy.ts'
const ROOM = 'backends/embedded/host/storage/room.ts'
const SNAPSHOTS = 'backends/embedded/host/storage/snapshot-files.ts'
const WHOLE = 'backends/embedded/host/storage/whole-file.ts'

const FILES_TEST = { test: 'test/backends/embedded/host/storage/files.test.ts' }
const FAILURES = { test: 'test/backends/embedded/host/storage/failing-calls.test.ts' }
const PROMISES_TEST = { test: 'test/backends/embedded/host/storage/promise-files.test.ts' }
const CORRUPTION = { test: 'test/backends/embedded/host/storage/corruption.test.ts' }
const LOG_DIGEST_TEST = { test: 'test/backends/embedded/server/state/log-digest.test.ts' }
const RECOVERY_TEST = { test: 'test/backends/embedded/host/storage/recovery.test.ts' }
const CRASHES = { test: 'test/backends/embedded/host/storage/crash.test.ts' }

/** The climate, and a small world, in which they show. */
const FILES_WORLD = { profile: 'files', servers: 3, clients: 2 } as const
const SOON = { seeds: 20, seedsWithoutAssertions: 20 }

/** Mutants of the storage in files. */
export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'log-is-not-synced',
    breaks: 'A record is acknowledged when it is written, and not yet durable.',
    kin: 'ZooKeeper with forceSync=no',
    edits: [{ file: LOG, from: 'await this.#sync(tail)', to: 'void tail' }],
    ...FILES_WORLD,
    expected: SOON,
  },
  {
    name: 'log-name-is-not-synced',
    breaks: 'The name of a new log is not durable when its first record is acknowledged.',
    kin: 'ZooKeeper, which does not sync the directory',
    edits: [{ file: LOG, from: 'await this.#syncNames()', to: 'void this.#directory' }],
    ...FILES_WORLD,
    expected: SOON,
  },
  {
    name: 'torn-tail-stays',
    breaks: 'A torn record is left at the end of its file, and the next one begins after it.',
    kin: 'ZooKeeper 3.8, which dies on it at the second start',
    edits: [{ file: LOG, from: 'await this.#resize(path, offset, verdict.append)', to: 'void verdict.append' }],
    expected: { ...FILES_TEST, named: 'cuts a torn record off, says so, and never looks at it again' },
  },
  {
    name: 'empty-log-stays',
    breaks: 'A log without records is left, in the way of the next one of that name.',
    kin: 'ZooKeeper 3.8: a newest log of 0 bytes stops the start',
    edits: [{ file: LOG, from: 'offset <= LOG_HEADER.length', to: 'offset < 0' }],
    ...FILES_WORLD,
    expected: { ...SOON, likely: 10 },
  },
  {
    name: 'cut-is-not-durable',
    breaks: 'A cut of the log is acknowledged before the files that it removes are gone for good.',
    kin: 'ZOOKEEPER-5094',
    edits: [{ file: LOG, from: 'await this.#removeDurably(this.#path(', to: 'await this.#files.remove(this.#path(' }],
    ...FILES_WORLD,
    // Rarely found (1 of seeds 0 to 299): whatever is written next syncs the directory, and with it the removal. Logs
    // have to be in a directory of their own, the cut has to remove a file, the power has to fail before the next
    // record, and the name has to come back. The crash test of the storage sees it in each run.
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 93 },
  },
  {
    name: 'cut-length-is-not-durable',
    breaks: 'A cut of the log is acknowledged before the file that it shortens has its length for good.',
    kin: 'ZooKeeper, which does not sync what it truncates',
    edits: [{
      file: LOG,
      from: 'named after`);\n        await this.#resize(path, end)',
      to: "named after`);\n        const cut = await this.#files.open(path, 'write');\n"
        + '        await cut.setSize(end).finally(() => cut.close())',
    }],
    ...FILES_WORLD,
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 83 },
  },
  {
    name: 'purge-goes-too-far',
    breaks: 'With a snapshot goes the log that holds what comes right after it.',
    kin: 'ZOOKEEPER-3231',
    edits: [{ file: LOG, from: 'if (first < needed)', to: 'if (first <= needed)' }],
    expected: CRASHES,
  },
  {
    name: 'snapshot-is-not-synced',
    breaks: 'A snapshot gets its name before its bytes are durable.',
    kin: 'ZooKeeper, whose ordinary snapshots are never synced',
    edits: [{ file: SNAPSHOTS, from: 'await file.sync()', to: 'void file' }],
    ...FILES_WORLD,
    expected: SOON,
  },
  {
    name: 'install-leaves-the-log',
    breaks: 'A state from a leader gets its place while the log of before is still there.',
    kin: 'ZOOKEEPER-2872',
    edits: [{ file: FILES, from: 'await this.#log.removeAll()', to: 'void this.#log' }],
    expected: {
      ...FILES_TEST,
      named: 'takes a state of a leader in place of all there is, also if it was interrupted',
    },
  },
  {
    name: 'promise-is-not-synced',
    breaks: 'An epoch is acknowledged before its file is durable.',
    kin: 'ZOOKEEPER-1291',
    edits: [{ file: FILE_SYSTEM, from: 'await files.syncDirectory(directory)', to: 'void directory' }],
    ...FILES_WORLD,
    expected: SOON,
  },
  {
    name: 'new-server-votes',
    breaks: 'A server that crashed while its directory was made votes, though nobody gave it the right.',
    kin: 'amnesia, X11 of the catalogue of faults',
    edits: [{ file: FILES, from: 'if (found.votes === null)', to: 'if (found.votes === true)' }],
    expected: CRASHES,
  },
  {
    name: 'records-are-believed',
    breaks: 'A record whose checksum is wrong is believed.',
    kin: 'ZOOKEEPER-596',
    edits: [{ file: SCANNER, from: '>>> 0 === window.adler32(', to: '>>> 0 >= 0 * window.adler32(' }],
    ...FILES_WORLD,
    expected: { ...SOON, likely: 2 },
  },
  {
    name: 'start-believes-the-system',
    breaks: 'A start takes a record for durable that the process before it wrote and did not sync.',
    kin: 'ZooKeeper 3.8, which reads its log from the cache of the system',
    edits: [{ file: LOG, from: 'await this.#syncFile(path)', to: 'void path' }],
    expected: { ...FAILURES, named: 'takes nothing that was acknowledged from a start in another process' },
  },
  {
    name: 'start-believes-names',
    breaks: 'A start takes the name of a file for durable that the process before it gave and did not sync.',
    kin: 'ZOOKEEPER-1291',
    edits: [{ file: FILES, from: 'await this.#syncNames()', to: 'void this.#directory' }],
    expected: { ...FAILURES, named: 'takes nothing that was acknowledged from a start in another process' },
  },
  {
    name: 'failed-batch-stays',
    breaks: 'After a sync that failed its batch stays in the file, and the next process believes the system.',
    kin: 'PostgreSQL before fsyncgate',
    edits: [{ file: LOG, from: 'await tail.file.setSize(tail.end).catch(() => undefined)', to: 'void tail' }],
    expected: { ...FAILURES, named: 'takes nothing that was acknowledged from a start in another process' },
  },
  {
    name: 'failed-sync-is-forgotten',
    breaks: 'A server goes on in the same process after a sync that failed.',
    kin: 'ZooKeeper 3.8, which looks for a leader on the same disk',
    edits: [{ file: GUARD, from: 'if (this.#failure !== null)', to: 'if (this.#failure === undefined)' }],
    expected: { ...FILES_TEST, named: 'is not believed any more once a sync has failed' },
  },
  {
    name: 'epochs-are-believed',
    breaks: 'An epoch file that contradicts the checksum beside it is believed.',
    kin: 'ZooKeeper, whose epoch files have no checksum',
    edits: [{ file: PROMISES, from: 'isAcceptedHigher && isCurrentHigher &&', to: 'isCurrentHigher &&' }],
    expected: { ...PROMISES_TEST, named: 'are damaged where currentEpoch alone is later' },
  },
  {
    name: 'epoch-without-its-checksum',
    breaks: 'An epoch file is replaced, and the checksum beside it still names the epoch of before.',
    kin: 'two files that a crash leaves apart',
    edits: [{ file: PROMISES, from: 'await this.#promise({ votes, epochs:', to: 'void ({ votes, epochs:' }],
    expected: { ...PROMISES_TEST, named: 'are written with a checksum before the files of ZooKeeper' },
  },
  {
    name: 'digest-without-the-parent',
    breaks: 'The digest in a record of a create does not have the change of the parent.',
    kin: 'ZooKeeper, whose digest of a container made with flag 4 is of another node',
    edits: [{ file: LOG_DIGEST, from: 'parent.cversion = parentCVersion', to: 'void parentCVersion' }],
    expected: LOG_DIGEST_TEST,
  },
  {
    name: 'cut-stays-in-the-digest',
    breaks: 'After a cut of the log, digests go on from a transaction that was cut off.',
    kin: 'ZOOKEEPER-5094',
    edits: [{ file: LOG_DIGEST, from: 'this.#sum.reset(this.#appliedDigest)', to: 'void this.#appliedDigest' }],
    expected: LOG_DIGEST_TEST,
  },
  {
    name: 'digests-are-not-compared',
    breaks: 'A start says nothing of a record whose digest is not that of the tree.',
    kin: 'ZooKeeper before 3.6',
    edits: [{ file: RECOVERY, from: 'written === found ||', to: 'written !== null ||' }],
    expected: { ...FILES_TEST, named: 'keeps digests of the tree, and reports the first record with another one' },
  },
  {
    name: 'log-of-several-is-committed',
    breaks: 'One of several voters applies its log as it reads it, before anybody has said how far it is committed.',
    kin: 'ZooKeeper, which applies its whole log at a start, and loads it again where a leader cuts it',
    edits: [{ file: RECOVERY, from: 'ids.length === 1 && ids.includes(myid)', to: 'ids.includes(myid)' }],
    ...FILES_WORLD,
    expected: SOON,
  },
  {
    name: 'change-of-voters-is-committed',
    breaks: 'The only voter applies from its log what makes others vote, and what comes after it, without their word.',
    kin: 'the bug in single-server membership changes of Raft (raft-dev, July 2015)',
    edits: [{ file: RECOVERY, from: 'transaction.txn.type !== OpCode.reconfig', to: 'transaction.txn.type !== null' }],
    expected: { ...RECOVERY_TEST, named: 'is kept from where it makes the voters three' },
  },
  {
    name: 'long-torn-record-is-damage',
    breaks: 'A record of several sectors, of which a crash left the first ones, is damage and stops the start.',
    kin: 'ZooKeeper 3.8, which does not start on a last record whose checksum is wrong',
    edits: [{ file: SCANNER, from: 'isComplete && bytes[length - 1] !== 0', to: 'isComplete' }],
    expected: {
      test: 'test/backends/wire/disk/log-scanner.test.ts',
      named: 'is torn where a record of many sectors ends in zeros, and not searched for what only looks like a record',
    },
  },
  {
    name: 'copy-reads-past-the-records',
    breaks: 'A copy of a log that is being written goes on after its records, where later ones appear meanwhile.',
    kin: 'a copy of the files of a running server with cp',
    edits: [{ file: COPY, from: 'log?.isPastRecords === true', to: 'log?.isPastRecords === null' }],
    expected: { test: 'test/backends/embedded/host/storage/data-copy.test.ts' },
  },
  {
    name: 'full-disk-counts-as-written',
    breaks: 'A step that a full disk refused is acknowledged as if it had been done.',
    kin: 'ZOOKEEPER-3701',
    edits: [{ file: ROOM, from: 'if (!isNoRoom(error))', to: 'if (isNoRoom(error)) return; else' }],
    ...FILES_WORLD,
    expected: SOON,
  },
  {
    name: 'full-append-stays',
    breaks: 'The part of a batch that a full disk still took stays in the file, and the batch is written after it.',
    kin: 'a short write that is not undone',
    edits: [{ file: LOG, from: 'this.#uncut = { path: tail.path, end: tail.end }', to: 'void tail' }],
    expected: { ...FAILURES, named: 'costs nothing, with a crash Infinity calls later' },
  },
  {
    name: 'later-records-are-cut-off',
    breaks: 'A record that looks incomplete is cut off without a look for whole records after it.',
    kin: 'ZooKeeper 3.8: a length that is too large ends the log',
    edits: [{ file: SCANNER, from: 'holdsWholeRecord(bytes, this.#lastZxid)', to: 'bytes.length < 0' }],
    expected: CORRUPTION,
  },
  {
    name: 'fallback-lacks-transactions',
    breaks: 'A snapshot of before a state from a leader is used where that is damaged, without what is between them.',
    kin: 'ZooKeeper 3.8, which takes any older snapshot that it can read',
    edits: [{ file: RECOVERY, from: 'counterOf(zxid) !== 0', to: 'counterOf(zxid) < 0' }],
    expected: { ...FILES_TEST, named: 'does not fall back from a damaged state of a leader' },
  },
  {
    name: 'cut-passes-over-damage',
    breaks: 'A cut of a log whose records are damaged before the place cuts them off as well.',
    kin: 'ZOOKEEPER-1489: a truncation that goes too far',
    edits: [{ file: LOG, from: 'expectClean(path, scanner.end())', to: 'void path' }],
    expected: { ...FILES_TEST, named: 'does not cut a log that is damaged before the place' },
  },
  {
    name: 'short-write-counts-as-whole',
    breaks: 'What a write did not take is not written.',
    kin: 'programs that do not look at the result of write(2)',
    edits: [{ file: WHOLE, from: 'while (done < bytes.length)', to: 'if (done === 0)' }],
    ...FILES_WORLD,
    expected: { ...SOON, likely: 2 },
  },
  {
    name: 'epoch-is-written-later',
    breaks: 'An epoch is acknowledged when its file is about to be written.',
    kin: 'ZOOKEEPER-4685',
    edits: [{
      file: FILES,
      from: 'await this.#promises.write(operation)',
      to: 'void this.#promises.write(operation).catch(() => undefined)',
    }],
    ...FILES_WORLD,
    expected: SOON,
  },
]
