/**
 * A leadership: the handle of an elected leader.
 *
 * Use       `await using leadership = await election.campaign()`; pass `leadership.signal` to what must stop when it is
 *           lost, and `leadership.token` to what the leader writes to, which refuses a smaller token than it has seen.
 * States    those of a lease; see {@link LeaseState}.
 * Signal    that of the lease, which tells losses; with `onResign: 'notify'` one of its own, which tells resignations
 *           too. What the leadership does itself goes by that of the lease.
 * Safety    a leader's data and successor are written by a multi that checks its own candidate
 *           node: one who leads no longer writes nothing. A resignation ends the candidate first and the note after it.
 */
import type { Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { abortable, whenAborted } from '../../core/async.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import type { ElectionEvent } from '../../core/observer.ts'
import { refuseUnknown, validateSignal, validateText } from '../../core/options.ts'
import { Cleanups } from '../engine/cleanups.ts'
import type { ContenderNames } from '../engine/contender.ts'
import { handBack } from '../engine/hand-back.ts'
import type { Lease, LeaseState } from '../engine/lease.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { lossReason } from '../engine/ownership.ts'
import type { OwnedNode } from '../engine/protected-writes.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { WAIT_OPTIONS, Wait } from '../engine/wait.ts'
import type { LeaderData } from './leader-data.ts'
import { noteRemoval, writeNote } from './leader-note.ts'
import { LeaderView } from './leader-view.ts'

/**
 * Whether a resignation is told to those who work under the leadership, as the close modes of Curator's LeaderLatch
 * have it.
 *
 * - `silent`: its signal is aborted by losses only; whoever resigns has ended the work before.
 * - `notify`: its signal is aborted by a resignation, too, before another can lead.
 */
export type OnResign = 'silent' | 'notify'

/** The parts of an election that a leadership uses. */
export interface Election<T> {
  readonly client: Client
  readonly path: string
  readonly id: string
  readonly data: LeaderData<T>
  readonly names: ContenderNames
  readonly onResign: OnResign
  /** The tokens and names of the candidates with an id, first come first. */
  readonly candidatesNamed: (id: string, signal: AbortSignal) => Promise<readonly Successor[]>
}

/** A candidate to hand over to. */
export interface Successor {
  readonly name: string
  readonly token: bigint
}

const NOTHING = new Uint8Array()

/** The handle of an elected leader. */
export interface Leadership<T = unknown> extends AsyncDisposable {
  /** The leader's candidate node. */
  readonly path: string
  /** The id under which it was elected. */
  readonly id: string
  /** Grows strictly from leader to leader of an election. A fence for what the leader writes to. */
  readonly token: bigint
  /** When it was elected, an instant on `performance.now()`. */
  readonly electedAtMs: number
  /**
   * Aborted when the leadership is lost; by a resignation only with the option `onResign: 'notify'` of the election.
   * Its reason is a `LEASE_LOST` error; {@link lossReason} gives null for a resignation.
   */
  readonly signal: AbortSignal
  /** Where it stands at this instant. */
  readonly state: LeaseState
  /** The instant on `performance.now()` up to which nobody else can lead; `-Infinity` when somebody may. */
  readonly leaseDeadlineMs: number
  /**
   * Makes sure at this instant that nobody else can lead. It asks the clock and not a timer, so it is right even in the
   * middle of a long task.
   *
   * @throws CoordinationError `LEASE_LOST` with outcome `lost` if it is lost or was resigned
   */
  throwIfLost(): void
  /**
   * The first part of a guarded write, `client.multi([leadership.check(), ...])`, which the servers refuse unless this
   * one leads at the very instant of the write; see {@link Lease.check}.
   */
  check(): Operation
  /**
   * Tells everyone something, such as where the leader can be reached: {@link LeaderElection.leader} and those who
   * watch see it as the leader's `data`. It ends with the leadership. While no server is in touch it waits for one.
   *
   * @param data - replaces what was proclaimed before
   * @param options - the signal and the time limit of the wait; it may have taken effect then
   * @throws CoordinationError `LEASE_LOST` if it leads no longer; `INVALID_VALUE`, `PAYLOAD_TOO_LARGE` (`not-sent`);
   * `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`; a refusal of the servers
   * @throws TypeError or RangeError for a wrong option
   */
  proclaim(data: T, options?: TimedWaitOptions): Promise<void>
  /**
   * Resigns in favour of another candidate. Candidates of this package that come before it in line stand back and queue
   * again after it; a LeaderLatch of Curator does not, and leads first.
   *
   * @param id - of the candidate; the first with that id is meant
   * @param options - the signal and the time limit of the wait for it to lead
   * @returns true when it leads, false if it stopped being a candidate before that, or the session of this one ended
   * @throws CoordinationError `NO_NODE` if there is no such candidate: then nothing has changed; `LEASE_LOST`;
   * `ABORTED`, `TIMEOUT`: it may have resigned by then, see `state`; `CLIENT_CLOSED`; a refusal of the servers
   * @throws TypeError or RangeError for a wrong argument
   */
  transferTo(id: string, options?: TimedWaitOptions): Promise<boolean>
  /**
   * Resigns: removes the candidate's node, and the proclamation. The next candidate leads. Idempotent. Resolves when
   * the servers have confirmed it, when the session is over, when they refused it (which is reported) or the client
   * closed before, or at once if the leadership is lost. `state` says which. It never rejects.
   */
  resign(): Promise<void>
}

/** A leadership on a candidate's node. */
export class NodeLeadership<T> implements Leadership<T> {
  readonly path: string
  readonly id: string
  readonly token: bigint
  readonly electedAtMs: number
  readonly #election: Election<T>
  readonly #lease: Lease
  readonly #candidate: OwnedNode
  /** Aborts the signal of those who work under it; null if that is the lease's own. */
  readonly #ending: AbortController | null
  #data: Uint8Array = NOTHING
  /** Writes of the note go one after the other. */
  #writing: Promise<unknown> = Promise.resolve()
  #hasNote = false
  /** Whether observers know that it leads, and not yet of its end. */
  #isInOffice = false
  #resigning: Promise<void> | null = null

  /**
   * Made by {@link LeaderElection.campaign}.
   *
   * @param election - where it leads
   * @param lease - on the candidate's node
   * @param candidate - that node
   */
  constructor(election: Election<T>, lease: Lease, candidate: OwnedNode) {
    this.#election = election
    this.#lease = lease
    this.#candidate = candidate
    this.path = lease.path
    this.id = election.id
    this.token = lease.token
    this.electedAtMs = lease.acquiredAtMs
    const ending = election.onResign === 'notify' ? new AbortController() : null
    this.#ending = ending
    whenAborted(lease.signal, () => {
      ending?.abort(lease.signal.reason)
      void this.#removeNote()
    })
  }

  /**
   * Proclaims the first thing before anybody is given the leadership.
   *
   * @param data - encoded
   * @param wait - of the campaign
   * @returns false if the leadership was lost before that
   */
  async begin(data: Uint8Array, wait: Wait): Promise<boolean> {
    try {
      await this.#waiting({ signal: wait.signal }, async (own) => {
        await this.#write(own, data, '')
        // The write may have taken as long as a lease lasts.
        if (!(await proveLease(this.#election.client, this.#candidate, own))) throw lostError(this.path)
        this.throwIfLost()
      })
      this.#data = data
      return true
    } catch (error) {
      await handBack(this.#election.client, this.resign())
      if (isCoordinationError(error, 'LEASE_LOST')) return false
      throw error
    }
  }

  /** Tells observers that it leads, and later how that ended. */
  takeOffice(): this {
    this.#isInOffice = true
    this.#tell('elected')
    whenAborted(this.#lease.signal, () => this.#leaveOffice('lost'))
    return this
  }

  get signal(): AbortSignal {
    return (this.#ending ?? this.#lease).signal
  }

  get state(): LeaseState {
    return this.#lease.state
  }

  get leaseDeadlineMs(): number {
    return this.#lease.leaseDeadlineMs
  }

  throwIfLost(): void {
    this.#lease.throwIfLost()
  }

  check(): Operation {
    return this.#lease.check()
  }

  async proclaim(data: T, options: TimedWaitOptions = {}): Promise<void> {
    refuseUnknown(options, WAIT_OPTIONS, 'proclaim')
    this.throwIfLost()
    const bytes = this.#election.data.encode(data)
    await this.#waiting(options, async (wait) => {
      await this.#write(wait, bytes, '')
      this.#data = bytes
    })
  }

  async transferTo(id: string, options: TimedWaitOptions = {}): Promise<boolean> {
    validateText('id', id)
    refuseUnknown(options, WAIT_OPTIONS, 'transferTo')
    this.throwIfLost()
    return this.#waiting(options, async (wait) => {
      const named = await wait.insist(() => this.#election.candidatesNamed(id, wait.signal))
      const successor = named.find(({ token }) => token !== this.token)
      if (successor === undefined) throw noCandidate(this.#election.path, id)
      await this.#write(wait, this.#data, successor.name)
      const { client, path, data, names } = this.#election
      const view = new LeaderView(client, path, data, names)
      try {
        await abortable(this.#giveBack(), wait.signal)
        wait.bindSession(this.#candidate.sessionId)
        return await view.untilLeads(successor.token, wait.signal)
      } catch (error) {
        // The note is gone with its session: whoever comes first leads.
        if (isCoordinationError(wait.explain(error), 'SESSION_EXPIRED')) return false
        throw error
      } finally {
        await Promise.all([view.close(), handBack(client, this.resign())])
      }
    })
  }

  resign(): Promise<void> {
    this.#resigning ??= this.#resign()
    return this.#resigning
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resign()
  }

  async #resign(): Promise<void> {
    await this.#giveBack()
    this.#leaveOffice('resigned')
    await this.#removeNote()
  }

  /** Gives the candidate's place back, and tells those who work under it before the servers can have heard of it. */
  #giveBack(): Promise<void> {
    const releasing = this.#lease.release()
    if (this.#ending?.signal.aborted === false) this.#ending.abort(resignedError(this.path))
    return releasing
  }

  #leaveOffice(event: ElectionEvent): void {
    if (!this.#isInOffice) return
    this.#isInOffice = false
    this.#tell(event)
  }

  #tell(event: ElectionEvent): void {
    const { client, path } = this.#election
    const ledMs = event === 'elected' ? 0 : performance.now() - this.electedAtMs
    const reason = lossReason(this.#lease.signal) ?? undefined
    client.notices?.tell('onElection', { event, path, id: this.id, token: this.token, ledMs, reason })
  }

  /** Writes the note, after what is being written. */
  async #write(wait: Wait, data: Uint8Array, successor: string): Promise<void> {
    const { client, path } = this.#election
    const write = async (): Promise<boolean> => {
      wait.check()
      this.throwIfLost()
      this.#hasNote = true
      return writeNote(client, this.#candidate, path, { token: this.token, successor, data }, wait)
    }
    const writing = this.#writing.then(write)
    this.#writing = writing.catch(() => undefined)
    if (await abortable(writing, wait.signal)) return
    void this.#removeNote()
    // The servers know that it is over, and this process will hear of it.
    this.throwIfLost()
    throw lostError(this.path)
  }

  /** Removes the leader's note: it must go with the candidate. */
  async #removeNote(): Promise<void> {
    if (!this.#hasNote) return
    this.#hasNote = false
    const { client, path } = this.#election
    if (client.state.status !== 'closed') await Cleanups.of(client).run(noteRemoval(client, this.#candidate, path))
  }

  /** Runs a step that the caller, and the loss of the leadership, may end. */
  async #waiting<R>(options: TimedWaitOptions, step: (wait: Wait) => Promise<R>): Promise<R> {
    const { client, path } = this.#election
    const { signal: given, ...limit } = options
    validateSignal(given)
    const ending = new AbortController()
    const lost = this.#lease.signal
    const unlisten = [lost, ...(given === undefined ? [] : [given])].map((signal) =>
      whenAborted(signal, () => {
        ending.abort(signal.reason)
      }))
    const wait = new Wait(client, path, { ...limit, signal: ending.signal }, true)
    try {
      return await step(wait)
    } catch (error) {
      const isLost = lost.aborted && ending.signal.reason === lost.reason
      throw isLost && !isCoordinationError(error, 'CLIENT_CLOSED') ? lost.reason : wait.explain(error)
    } finally {
      for (const end of unlisten) end()
      wait.close()
    }
  }
}

function noCandidate(path: string, id: string): CoordinationError {
  const message = `there is no candidate ${JSON.stringify(id)} at ${path} to hand over to; this one leads on`
  return new CoordinationError('NO_NODE', message, { outcome: 'rejected', path })
}

function resignedError(path: string): CoordinationError {
  return new CoordinationError('LEASE_LOST', `${path} was resigned`, { outcome: 'lost', path })
}

function lostError(path: string): CoordinationError {
  return new CoordinationError('LEASE_LOST', `${path} is gone`, { outcome: 'lost', path })
}
