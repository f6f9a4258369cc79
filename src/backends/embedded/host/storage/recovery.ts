/**
 * Reads a server's state and journal from its storage.
 *
 * Fall back  a snapshot that is damaged costs nothing as long as an older one is there, and the log after it up to the
 *            transaction that the damaged one is named after. One that a leader sent has no log before it.
 * ZooKeeper  a directory that one has written is read too: its snapshots need the whole log to be exact.
 * Alone      what is in the log of a server that is the only voter is committed, and applied as it is read. Of any
 *            other server it is kept: a leader will say how far it is committed.
 * Rewind     of a server that has applied, as it read them, what was never committed: as above, up to a zxid, from a
 *            snapshot that has nothing after it. If that succeeds, the rest is cut off.
 * Digests    of records are compared with that of the tree; of a log of ZooKeeper's, the last one. A difference is
 *            reported and costs nothing else: a ZooKeeper 3.8 differs from itself at times, and goes on as well.
 * Cost       a chunk, or a part of the log, per turn of the event loop: whatever else runs in the process goes on.
 */
import type { ServerConfig } from '../../server/config.ts'
import type { LogEntry, Recovered } from '../../server/zab/journal.ts'
import { counterOf, epochOf, formatZxid } from '../../server/zab/zxid.ts'
import { LogDigest, digestOf, treeDigestOf } from '../../server/state/log-digest.ts'
import { ReplayDigest } from '../../server/state/replay-digest.ts'
import { NOTHING_REPLAYED } from '../../server/state/replica.ts'
import type { RecoveredState } from '../../server/state/replica.ts'
import { StateReader } from '../../server/state/state-reader.ts'
import { State } from '../../server/state/state.ts'
import { TolerantReplay } from '../../server/state/tolerant-replay.ts'
import { AssertionError } from '../../../../core/assert.ts'
import { isCoordinationError } from '../../../../core/errors.ts'
import { OpCode } from '../../../wire/codes.ts'
import { readConfiguration, versionOf } from '../../../wire/configuration.ts'
import { DamageError } from '../../../wire/disk/damage.ts'
import { decodeTransaction } from '../../../wire/transactions.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import { nextTurn } from '../turns.ts'
import { RewindError, StorageError } from './storage-error.ts'
import type { Storage, StoredEntry, StoredSnapshot, StoredState } from './storage.ts'

/** So many nodes are looked at in a turn. */
const DIGEST_STEP_NODES = 10_000

/** How a storage is read. */
interface RecoverOptions {
  /** Told of each snapshot that was passed over. */
  readonly onDamage?: Report
  /** Damaged snapshots that the storage does not hold any more. */
  readonly passedOver?: readonly PassedOver[]
  /** The server that goes on with it; null if none does. */
  readonly server?: Pick<ServerConfig, 'myid' | 'voters'> | null
  /** The end of what counts: the rest is left out, and cut off. Null if all of it counts. */
  readonly rewindTo?: bigint | null
}

/**
 * Reads what a storage holds.
 *
 * @throws DamageError of the oldest snapshot if all are damaged, and of one that was passed over if the log does not
 * reach it; RewindError if it is to be rewound, and holds no whole history up to there; any error of the storage
 */
export async function recover(
  storage: Storage,
  { onDamage = () => undefined, passedOver = [], server = null, rewindTo = null }: RecoverOptions = {},
): Promise<Recovered & RecoveredState & { readonly times: RecoveryTimes }> {
  const beganMs = performance.now()
  const stored = await storage.recover()
  const { snapshots, acceptedEpoch, currentEpoch, votes, keepsDigests } = stored
  const snapshot = rewindTo === null
    ? await newestOf(snapshots, onDamage)
    : await newestBefore(snapshots, rewindTo, onDamage)
  const base = snapshot?.state.lastZxid ?? 0n
  const snapshotMs = performance.now() - beganMs
  const written = stored.entriesAfter(base)
  const counted = rewindTo === null ? written : upTo(rewindTo, base, written)
  const log = reaching([...passedOver, ...(snapshot?.passedOver ?? [])], counted)
  const isCommitted = votes && server !== null && snapshot !== null && isOnlyVoter(server, snapshot.state)
  const { state, entries, logDigest, replayed } =
    snapshot === null || snapshot.isExact
      ? await read(log, snapshot, { keepsDigests, isCommitted }, onDamage)
      : await replay(snapshot.state, log, keepsDigests, onDamage)
  // Only now that it is known to be whole without what is cut off.
  if (rewindTo !== null) await storage.rewind(rewindTo, snapshot?.zxid ?? 0n)
  const last = entries.at(-1)?.zxid ?? state?.lastZxid ?? 0n
  // A ZooKeeper that was alone has promised nothing: its epoch is that of its transactions. With ours it can be an
  // earlier one, if a state was installed and its leader not acknowledged yet.
  const epoch = epochOf(last)
  const isUnknown = acceptedEpoch === 0 && currentEpoch === 0
  const epochs = isUnknown ? { acceptedEpoch: epoch, currentEpoch: epoch } : { acceptedEpoch, currentEpoch }
  const promises = { ...epochs, votes }
  const transactions = replayed.transactions + entries.length
  const times = { snapshotMs, logMs: performance.now() - beganMs - snapshotMs, transactions }
  return { ...promises, base: state?.lastZxid ?? 0n, state, entries, logDigest, replayed, times }
}

/** How long a start took to read what there is. */
export interface RecoveryTimes {
  /** Until the snapshot was read. */
  readonly snapshotMs: number
  /** For the log after it. */
  readonly logMs: number
  /** How many transactions of the log were read. */
  readonly transactions: number
}

type Log = ReturnType<StoredState['entriesAfter']>

/** A snapshot that is damaged, so that an older one is used. */
export interface PassedOver {
  readonly zxid: bigint
  readonly damage: Error
}

/** The log, which has to hold the transaction of each snapshot that was passed over. */
async function* reaching(passedOver: readonly PassedOver[], log: Log): AsyncGenerator<readonly StoredEntry[], void> {
  const needed = new Map(passedOver.map(({ zxid, damage }) => [zxid, damage]))
  for await (const part of log) {
    if (needed.size > 0) for (const { zxid } of part) needed.delete(zxid)
    yield part
  }
  for (const [zxid, damage] of needed) {
    // One that a ZooKeeper named after the beginning of an epoch is of no transaction.
    if (counterOf(zxid) !== 0) throw damage
  }
}

/** The newest snapshot that is sound and has nothing in it of what comes after a zxid. */
async function newestBefore(
  snapshots: readonly StoredSnapshot[],
  zxid: bigint,
  onDamage: Report,
): Promise<Found | null> {
  let older = snapshots.filter((snapshot) => snapshot.zxid <= zxid)
  while (older.length > 0) {
    const found = await newestOf(older, onDamage)
    if (found === null || found.latestZxid <= zxid) return found
    older = older.slice(older.findIndex(({ name }) => name === found.name) + 1)
  }
  if (snapshots.length === 0) return null
  throw new RewindError(formatZxid(zxid), 'no snapshot is from before that')
}

/**
 * The log up to a zxid; the rest is read and passed over.
 *
 * @throws RewindError if it ends, or the snapshot before it, in front of that
 */
async function* upTo(zxid: bigint, base: bigint, log: Log): AsyncGenerator<readonly StoredEntry[], void> {
  let last = base
  for await (const part of log) {
    last = part.at(-1)?.zxid ?? last
    const counted = part.filter((entry) => entry.zxid <= zxid)
    if (counted.length > 0) yield counted
  }
  // One that is not in the log, and lies between two that are, is no transaction of this history.
  const why = `the log from its last snapshot on ends at ${formatZxid(last)}`
  if (last < zxid) throw new RewindError(formatZxid(zxid), why)
}

/** A state that was read from a snapshot. */
interface Found {
  readonly name: string
  /** The one that it is named after. */
  readonly zxid: bigint
  readonly state: State
  /** Those that are newer, and damaged. */
  readonly passedOver: readonly PassedOver[]
  /** Whether it is the state of one zxid. */
  readonly isExact: boolean
  /** The digest of the nodes in it. */
  readonly digest: bigint
  /** The greatest zxid in it. */
  readonly latestZxid: bigint
}

type Content = RecoveredState & Pick<Recovered, 'entries'>
type Report = (error: unknown) => void

/** Whether nobody but this server votes: then whatever is in its log is committed, up to a change of who votes. */
function isOnlyVoter({ myid, voters }: Pick<ServerConfig, 'myid' | 'voters'>, { configurationText }: State): boolean {
  const isChanged = versionOf(configurationText) > 0n
  const lists = isChanged ? [voters, readConfiguration(configurationText).voters] : [voters]
  return lists.every((ids) => ids.length === 1 && ids.includes(myid))
}

interface Reading {
  readonly keepsDigests: boolean
  /** See {@link isOnlyVoter}. */
  readonly isCommitted: boolean
}

/** An exact state, and the log after it. */
async function read(
  log: Log,
  snapshot: Found | null,
  { keepsDigests, isCommitted }: Reading,
  report: Report,
): Promise<Content> {
  const state = snapshot?.state ?? (keepsDigests ? new State() : null)
  const check = new DigestCheck(report)
  const digest = keepsDigests && state !== null ? snapshot?.digest ?? treeDigestOf(state) : null
  let committed = isCommitted && state !== null ? new CommittedLog(state, digest, check) : null
  let logDigest = committed === null && digest !== null && state !== null ? new LogDigest(state, digest) : null
  let replayed: RecoveredState['replayed'] = NOTHING_REPLAYED
  const entries: LogEntry[] = []
  for await (const part of log) {
    for (const entry of part) {
      const { zxid, txn, transaction = decodeTransaction(txn) } = entry
      if (committed !== null && transaction.txn.type !== OpCode.reconfig) {
        committed.apply(transaction, entry)
        continue
      }
      if (committed !== null) ({ logDigest, replayed } = committed.end())
      committed = null
      if (logDigest !== null) check.compare(zxid, entry.digest ?? null, logDigest.add(transaction, txn))
      entries.push({ zxid, txn })
    }
    committed?.endPart()
    await nextTurn()
  }
  if (committed !== null) ({ logDigest, replayed } = committed.end())
  return { state, entries, logDigest, replayed }
}

/** The log of the only voter, which is committed up to the first transaction that changes who votes. */
class CommittedLog {
  readonly #state: State
  readonly #digest: ReplayDigest | null
  readonly #check: DigestCheck
  readonly #replayed = { ...NOTHING_REPLAYED }
  /** The digest after the last transaction that was applied, as its record has it. */
  #written: bigint | null = null

  /** @param digest - of the state; null if the storage keeps none */
  constructor(state: State, digest: bigint | null, check: DigestCheck) {
    this.#state = state
    this.#digest = digest === null ? null : new ReplayDigest(state, digest)
    this.#check = check
    state.tree.beginReplay()
  }

  /** @throws StorageError `DAMAGED` if it does not fit: the records are sound, and are not those of this state */
  apply(transaction: Transaction, { txn, digest = null }: StoredEntry): void {
    const applied = fitting(transaction, () => this.#state.apply(transaction))
    this.#written = digest
    if (this.#digest?.applied(applied) === true) this.#compare(this.#digest)
    this.#replayed.transactions += 1
    this.#replayed.bytes += txn.length
  }

  /** A part of the log was applied. */
  endPart(): void {
    if (this.#digest !== null) this.#compare(this.#digest)
  }

  /** No more is applied: the digest of what is logged from now on, if the storage keeps one, and how much was. */
  end(): { readonly logDigest: LogDigest | null; readonly replayed: RecoveredState['replayed'] } {
    if (this.#digest !== null) this.#compare(this.#digest)
    this.#state.tree.endReplay()
    return { logDigest: this.#digest?.end() ?? null, replayed: this.#replayed }
  }

  #compare(digest: ReplayDigest): void {
    this.#check.compare(this.#state.lastZxid, this.#written, digest.reckon())
  }
}

/**
 * Applies a transaction of a log.
 *
 * @throws StorageError `DAMAGED` if it does not fit: the records are sound, and are not those of this state
 */
function fitting<T>({ header }: Transaction, apply: () => T): T {
  try {
    return apply()
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error
    const what = `the log at zxid ${formatZxid(header.zxid)} does not fit the snapshot before it`
    throw new StorageError('DAMAGED', `${what} (${error.message}); restore a backup`)
  }
}

/** The exact state at the end of the log of a ZooKeeper. */
async function replay(state: State, log: Log, keepsDigests: boolean, report: Report): Promise<Content> {
  const tolerant = new TolerantReplay(state)
  const replayed = { ...NOTHING_REPLAYED }
  let last = state.lastZxid
  let written: bigint | null = null
  state.tree.beginReplay()
  for await (const part of log) {
    for (const { zxid, txn, transaction = decodeTransaction(txn), digest = null } of part) {
      fitting(transaction, () => tolerant.apply(transaction))
      last = zxid
      replayed.transactions += 1
      replayed.bytes += txn.length
      // An error has no digest, and changes nothing.
      if (transaction.txn.type !== OpCode.error) written = digest
    }
    await nextTurn()
  }
  state.tree.endReplay()
  if (!keepsDigests) {
    tolerant.finish(last)
    return { state, entries: [], logDigest: null, replayed }
  }
  const { nodeCount } = state.tree
  const digest = await digestIn(state)
  new DigestCheck(report).compare(last, written, digest)
  tolerant.finish(last)
  const isSame = state.tree.nodeCount === nodeCount
  const logDigest = new LogDigest(state, isSame ? digest : await digestIn(state))
  return { state, entries: [], logDigest, replayed }
}

async function digestIn({ tree }: State): Promise<bigint> {
  const digesting = digestOf(tree, DIGEST_STEP_NODES)
  for (;;) {
    const { done, value } = digesting.next()
    if (done === true) return value
    await nextTurn()
  }
}

/** Compares digests, and reports the first difference: those after it follow from it. */
class DigestCheck {
  readonly #report: Report
  #hasDiffered = false

  constructor(report: Report) {
    this.#report = report
  }

  compare(zxid: bigint, written: bigint | null, found: bigint): void {
    if (written === null || written === found || this.#hasDiffered) return
    this.#hasDiffered = true
    const what = `the log says that the digest of the tree at zxid ${formatZxid(zxid)} is ${written}`
    const help = 'compare it with the other servers'
    this.#report(new StorageError('DAMAGED', `${what}, and it is ${found}; ${help}`))
  }
}

/**
 * Reads the newest snapshot that is sound.
 *
 * @param onDamage - told of each that was passed over
 * @returns null if there are none
 * @throws DamageError of the oldest if all are damaged
 */
export async function newestOf(
  snapshots: readonly StoredSnapshot[],
  onDamage: (error: unknown) => void,
): Promise<Found | null> {
  const passedOver: PassedOver[] = []
  for (const snapshot of snapshots) {
    try {
      return { ...(await stateOf(snapshot)), passedOver }
    } catch (error) {
      if (!isDamage(error)) throw error
      onDamage(error)
      passedOver.push({ zxid: snapshot.zxid, damage: error })
    }
  }
  const oldest = passedOver.at(-1)
  if (oldest !== undefined) throw oldest.damage
  return null
}

async function stateOf({ name, zxid, chunks }: StoredSnapshot): Promise<Omit<Found, 'passedOver'>> {
  const reader = new StateReader(name, zxid)
  for await (const chunk of chunks) {
    reader.write(chunk)
    await nextTurn()
  }
  const state = State.of(reader)
  return { name, zxid, state, isExact: reader.isExact, digest: reader.digest, latestZxid: reader.latestZxid }
}

/** Whether an error says that a file is not what it should be, or is missing. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof StorageError) return error.code === 'DAMAGED'
  return error instanceof DamageError || isCoordinationError(error, 'PROTOCOL_VIOLATION')
}
