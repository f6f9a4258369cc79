/**
 * Plans of a roll-out: the writes that stage a value, choose others for it, promote and withdraw it, and
 * what a publish for all does to one that is on.
 *
 * Safety    each plan is one transaction with its entry in the history, which compares the value, the records and the
 *           node of the roll-out. So nobody ends or replaces a roll-out that they have not seen.
 */
import type { NodeData } from '../../core/backend.ts'
import { CoordinationError } from '../../core/errors.ts'
import { expectFound } from '../engine/compare-and-set.ts'
import type { ExpectedVersion } from '../engine/compare-and-set.ts'
import type { Draft, RecordKeeper, RecordState, RolloutWrite } from './record-keeper.ts'
import { decodeStaged, encodeStaged, endedAs } from './rollout-records.ts'
import type { RolloutSelection, StagedRecord } from './rollout-records.ts'

/**
 * The effect of a write for all on a staged value: `keep` leaves it in force where it is, `withdraw` ends its
 * roll-out in the same transaction.
 */
export type StagedPolicy = 'keep' | 'withdraw'

/** The author, the comment and the format that an entry keeps of a step. */
export type StepNote = Pick<Draft, 'author' | 'comment' | 'format'>

/** A value to stage, and for whom. */
export interface Staging {
  readonly bytes: Uint8Array
  readonly selection: RolloutSelection
  readonly expected: ExpectedVersion
  readonly policy: StagedPolicy | undefined
  readonly note: StepNote
}

/** A roll-out, and the node that says so. */
interface FoundRollout {
  /** Null if there is none. */
  readonly record: StagedRecord | null
  /** The version of its node; null if there is no node. */
  readonly nodeVersion: number | null
}

const NO_BYTES = new Uint8Array()

/** Plans, for the value at one path. */
export class RolloutPlans {
  readonly #path: string
  readonly #keeper: RecordKeeper

  /** Makes them; nothing is sent. */
  constructor(path: string, keeper: RecordKeeper) {
    this.#path = path
    this.#keeper = keeper
  }

  /**
   * The change of a roll-out that goes with a write for all.
   *
   * @throws CoordinationError `VALUE_STAGED` if one is on and the policy does not say what is to become of it
   */
  async besides(
    { head }: RecordState,
    policy: StagedPolicy | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly rollout?: RolloutWrite }> {
    if (head.staged === null || policy === 'keep') return {}
    if (policy === undefined) throw this.#stagedError(head.staged)
    const { record, nodeVersion: expected } = await this.find(signal)
    const data = record === null ? NO_BYTES : encodeStaged(endedAs('replaced', record))
    return { rollout: { data, expected, staged: null } }
  }

  /** Stages a value beside the one that is there. */
  async stage(state: RecordState, staging: Staging, signal: AbortSignal): Promise<Draft> {
    const { bytes, selection, expected, policy, note } = staging
    const { head, value } = state
    expectFound(this.#path, expected, value)
    if (value === null) throw this.#missing('has no value yet: publish one for all before you stage another')
    if (head.staged !== null && policy !== 'withdraw') throw this.#stagedError(head.staged)
    const { nodeVersion } = await this.find(signal)
    const version = head.last + 1
    const record = { state: 'staged', version, selection, base: value.stat.mzxid, value: bytes, ...note } as const
    const rollout = { data: encodeStaged(record), expected: nodeVersion, staged: version }
    return { kind: 'stage', bytes, of: null, isAside: true, rollout, ...note }
  }

  /** Keeps what is staged, for other processes. */
  async select(selection: RolloutSelection, note: StepNote, signal: AbortSignal): Promise<Draft> {
    const { record, nodeVersion: expected } = await this.on(signal)
    const { value: bytes, version, format } = record
    const rollout = { data: encodeStaged({ ...record, selection }), expected, staged: version }
    return { kind: 'select', bytes, of: version, isAside: true, rollout, ...note, format }
  }

  /** Ends the roll-out: the staged value is in force for nobody. */
  async withdraw(note: StepNote, signal: AbortSignal): Promise<Draft> {
    const { record, nodeVersion: expected } = await this.on(signal)
    const { value: bytes, version, format } = record
    const rollout = { data: encodeStaged(endedAs('withdrawn', record)), expected, staged: null }
    return { kind: 'withdraw', bytes, of: version, isAside: true, rollout, ...note, format }
  }

  /**
   * Publishes for all what is staged.
   *
   * @param version - the one that was looked at
   * @param isForced - whether it may replace a value that was written after it was staged
   */
  async promote(
    { value }: RecordState,
    { version, isForced }: { readonly version: number; readonly isForced: boolean },
    note: StepNote,
    signal: AbortSignal,
  ): Promise<Draft> {
    const { record, nodeVersion: expected } = await this.on(signal)
    const { value: bytes, format, comment, base } = record
    if (record.version !== version) throw this.#changed(`version ${String(record.version)} is staged meanwhile`)
    if (!isForced && (value === null || value.stat.mzxid !== base)) {
      throw this.#changed('the value for all was changed since: promote({ force: true }) replaces it')
    }
    const rollout = { data: encodeStaged(endedAs('replaced', record)), expected, staged: null }
    return { kind: 'promote', bytes, of: version, rollout, ...note, comment: note.comment ?? comment, format }
  }

  /** Finds what is said of a roll-out. */
  async find(signal: AbortSignal): Promise<FoundRollout> {
    const node: NodeData | null = await this.#keeper.staged(signal)
    if (node === null) return { record: null, nodeVersion: null }
    return { record: decodeStaged(this.#keeper.paths.staged, node.data), nodeVersion: node.stat.version }
  }

  /**
   * Finds the roll-out that is on.
   *
   * @throws CoordinationError `NO_NODE` if none is
   */
  async on(signal: AbortSignal): Promise<FoundRollout & { readonly record: StagedRecord }> {
    const { record, nodeVersion } = await this.find(signal)
    if (record?.state !== 'staged') throw this.#missing('has no staged value')
    return { record, nodeVersion }
  }

  #missing(what: string): CoordinationError {
    return new CoordinationError('NO_NODE', `${this.#path} ${what}`, { outcome: 'rejected', path: this.#path })
  }

  #changed(what: string): CoordinationError {
    return new CoordinationError('BAD_VERSION', `${this.#path}: ${what}`, { outcome: 'rejected', path: this.#path })
  }

  #stagedError(version: number): CoordinationError {
    const message = `version ${String(version)} of ${this.#path} is staged for some processes, which would go on with `
      + "it: say staged: 'keep' or 'withdraw', or promote or withdraw it first"
    return new CoordinationError('VALUE_STAGED', message, { outcome: 'rejected', path: this.#path })
  }
}
