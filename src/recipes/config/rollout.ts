/**
 * Staged roll-out of a configuration: a new value is in force for some processes first, then for all, or for none.
 *
 * Model     a node beside the history holds the staged value and for whom it is. Each process that takes part decides
 *           by itself whether it is chosen, by its id or its labels, and says in a node of its own which value it has.
 * Safety    a roll-out is staged, promoted and withdrawn by one transaction each, with an entry in the history. A
 *           publish for all does not end one, nor is it overtaken by one, unless it says so.
 * Choice    the same processes as long as the selection is the same; a higher percentage only adds some.
 * Cost      a step: 4 round trips; each process that takes part: 1 more watch, and 1 node.
 * Source    Apollo, "grayscale release", and its issue 1677; Nacos, beta publish, and its issue 12217.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown, validateBoolean } from '../../core/options.ts'
import type { SchemaIssue } from '../engine/standard-schema.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { WAIT_OPTIONS } from '../engine/wait.ts'
import { checkNote } from './config-history.ts'
import type { ConfigHistory, PublishNote } from './config-history.ts'
import type { ConfigStore } from './config-store.ts'
import type { Draft, StoredEntry } from './record-keeper.ts'
import { checkSelection, decodeApplied } from './rollout-records.ts'
import type { AppliedRecord, RolloutSelection } from './rollout-records.ts'
import type { StepNote } from './rollout-plans.ts'

/** Options of a step of a roll-out. */
export interface RolloutOptions extends PublishNote, TimedWaitOptions {}

/** Options of {@link ConfigRollout.promote}. */
export interface PromoteOptions extends RolloutOptions {
  /** Whether to replace a value for all that was written after this one was staged; false by default. */
  readonly force?: boolean
}

/** The result of a step of a roll-out. */
export interface RolloutStep {
  /** The version of its entry in the history. */
  readonly historyVersion: number
  /** zxid of the write. */
  readonly zxid: bigint
}

/** A value that is staged. */
export interface StagedValue<T> {
  /** Its version in the history. */
  readonly version: number
  /** The value; undefined if it does not pass here. */
  readonly value: T | undefined
  /** Its faults, if it does not pass here. */
  readonly issues: readonly SchemaIssue[]
  /** For whom it is staged. */
  readonly selection: RolloutSelection
  /** Who staged it; null if nobody said. */
  readonly author: string | null
  /** Why; null if nobody said. */
  readonly comment: string | null
  /** Whether the value for all was changed since: then it is promoted only by force. */
  readonly isOvertaken: boolean
}

/** Which value a process has. */
export interface AppliedValue {
  /** Of the process. */
  readonly id: string
  /** Of the process. */
  readonly labels: Readonly<Record<string, string>>
  /** The version of the value in the history; null if it has none, or one that is not recorded or not kept. */
  readonly version: number | null
  /** Whether that is the staged value. */
  readonly isStaged: boolean
  /** The version of a staged value that was chosen for it, and that did not pass there; otherwise null. */
  readonly refused: number | null
  /** Since when it has it, in milliseconds since 1970, by the clock of the servers. */
  readonly timeMs: number
}

const STEP_OPTIONS = optionNames<RolloutOptions>({ author: true, comment: true, waitMs: true, signal: true })
const PROMOTE_OPTIONS = optionNames<PromoteOptions>({
  force: true,
  author: true,
  comment: true,
  waitMs: true,
  signal: true,
})

/** The roll-out of one value; {@link ConfigCenter.rollout} gives it. */
export class ConfigRollout<T> {
  readonly #client: Client
  readonly #store: ConfigStore<T>
  readonly #history: ConfigHistory<T>

  /**
   * Use {@link ConfigCenter.rollout}.
   *
   * @internal
   */
  constructor(client: Client, store: ConfigStore<T>, history: ConfigHistory<T>) {
    this.#client = client
    this.#store = store
    this.#history = history
  }

  /**
   * Reads what is staged.
   *
   * @param options - the signal and the time limit of the wait
   * @returns null if nothing is
   * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`: the record), `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async staged(options: TimedWaitOptions = {}): Promise<StagedValue<T> | null> {
    refuseUnknown(options, WAIT_OPTIONS, 'staged')
    return this.#store.asking(options, async (signal) => {
      const { value } = await this.#history.keeper.state(signal)
      const { record } = await this.#history.plans.find(signal)
      if (record?.state !== 'staged') return null
      const { version, selection, author, comment, base } = record
      const decoded = await this.#store.format.decode(record.value, this.#store.pathOf(''))
      const read = 'issues' in decoded ? { value: undefined, issues: decoded.issues } : { ...decoded, issues: [] }
      return { version, ...read, selection, author, comment, isOvertaken: value?.stat.mzxid !== base }
    })
  }

  /**
   * Chooses other processes for the value that is staged: a higher percentage adds some to those that have it.
   *
   * @param selection - for whom it is staged from now on
   * @param options - the note of the entry, and the limits of the attempt
   * @throws CoordinationError `NO_NODE` if nothing is staged; otherwise as {@link ConfigCenter.publish}
   * @throws TypeError or RangeError for a wrong selection or option
   */
  async select(selection: RolloutSelection, options: RolloutOptions = {}): Promise<RolloutStep> {
    checkSelection(selection)
    const note = this.#noteOf('select', options, STEP_OPTIONS)
    return this.#step(options, (signal) => this.#history.plans.select(selection, note, signal))
  }

  /**
   * Publishes for all what is staged: the same bytes, with their format and comment. Processes that have it keep it
   * without a gap.
   *
   * @param options.force - replace a value for all that was written after this one was staged
   * @param options.comment - replaces that of the staged value
   * @returns the write, and the version of its entry
   * @throws CoordinationError `NO_NODE` if nothing is staged; `BAD_VERSION` (outcome `rejected`) if the value for all
   * was changed since it was staged; `INVALID_VALUE` (`not-sent`) if it does not pass here; otherwise as
   * {@link ConfigCenter.publish}
   * @throws TypeError or RangeError for a wrong option
   */
  async promote(options: PromoteOptions = {}): Promise<RolloutStep> {
    const { force: isForced = false } = options
    const note = this.#noteOf('promote', options, PROMOTE_OPTIONS)
    validateBoolean('force', isForced)
    const { keeper, plans } = this.#history
    let version = 0
    const find = async (signal: AbortSignal): Promise<Uint8Array> => {
      const { record } = await plans.on(signal)
      version = record.version
      return record.value
    }
    const ends = endsOf(options)
    const written = await this.#store.writeBytes('', { force: true, ...ends }, find, (_bytes, _expected, signal) => {
      return keeper.change((state) => plans.promote(state, { version, isForced }, note, signal), signal)
    })
    return { historyVersion: written.historyVersion, zxid: written.zxid }
  }

  /**
   * Takes the staged value away: the value for all is in force again where it was.
   *
   * @param options - the note of the entry, and the limits of the attempt
   * @throws CoordinationError `NO_NODE` if nothing is staged; otherwise as {@link ConfigCenter.publish}
   * @throws TypeError or RangeError for a wrong option
   */
  async withdraw(options: RolloutOptions = {}): Promise<RolloutStep> {
    const note = this.#noteOf('withdraw', options, STEP_OPTIONS)
    return this.#step(options, (signal) => this.#history.plans.withdraw(note, signal))
  }

  /**
   * Lists which value each process has that takes part in roll-outs and is alive.
   *
   * @param options - the signal and the time limit of the wait
   * @returns one for each, sorted by id
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async applied(options: TimedWaitOptions = {}): Promise<readonly AppliedValue[]> {
    refuseUnknown(options, WAIT_OPTIONS, 'applied')
    return this.#store.asking(options, async (signal) => {
      const { keeper } = this.#history
      const state = await keeper.state(signal)
      const nodes = await keeper.applied(signal)
      const records = nodes.flatMap(({ data, stat }) => {
        const record = this.#recordOf(data)
        return record === null ? [] : [{ record, timeMs: stat.mtime }]
      })
      const entries = await keeper.entries(state, state.head.sizes.length, signal)
      const applied = records.map(({ record, timeMs }) => ({ ...describe(record, entries), timeMs }))
      return applied.sort((a, b) => (a.id < b.id ? -1 : 1))
    })
  }

  async #step(
    options: TimedWaitOptions,
    plan: (signal: AbortSignal) => Promise<Draft>,
  ): Promise<RolloutStep> {
    return this.#store.asking(endsOf(options), async (ending) => {
      const { historyVersion, zxid } = await this.#history.keeper.change(() => plan(ending), ending)
      return { historyVersion, zxid }
    })
  }

  #noteOf(what: string, options: RolloutOptions, known: ReadonlySet<string>): StepNote {
    refuseUnknown(options, known, what)
    checkNote(options)
    return this.#history.noteOf(options)
  }

  #recordOf(bytes: Uint8Array): AppliedRecord | null {
    try {
      return decodeApplied(this.#history.keeper.paths.applied, bytes)
    } catch (error) {
      this.#client.report(error)
      return null
    }
  }
}

/** Says which value a process has, by the entries of the history. */
function describe(
  { id, labels, nodeVersion, zxid, staged, refused }: AppliedRecord,
  entries: readonly StoredEntry[],
): Omit<AppliedValue, 'timeMs'> {
  const found = staged ?? entries.findLast((entry) => isOf(entry, nodeVersion, zxid))?.version ?? null
  return { id, labels, version: found, isStaged: staged !== null, refused }
}

/** Whether an entry is of a write of the value for all; one that was found is recorded after its write. */
function isOf({ entry, stat }: StoredEntry, nodeVersion: number | null, zxid: bigint): boolean {
  if (entry === null || entry.header.nodeVersion !== nodeVersion) return false
  const { kind } = entry.header
  if (kind === 'found') return stat.czxid > zxid
  return stat.czxid === zxid
}

function endsOf({ waitMs, signal }: TimedWaitOptions): TimedWaitOptions {
  return { ...(waitMs === undefined ? {} : { waitMs }), ...(signal === undefined ? {} : { signal }) }
}
