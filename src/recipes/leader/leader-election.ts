/**
 * Leader election: one leader at a time among any number of candidates, in the order in which they stood.
 *
 * Model     one ephemeral sequential node per candidate under `path`, which holds its id; the lowest leads. Its
 *           data, and the candidate it hands over to, are in a node beside it, `<path>-leader`.
 * Safety    at most one candidate is lowest; a paused leader may overlap its successor, so guard with
 *           `leadership.token`.
 * Liveness  a resignation or an expiry wakes exactly one successor.
 * Cost      uncontended: 2 round trips; standing by: 1 watch on the predecessor; hand-over: 1 event + 2 reads.
 * Source    ZooKeeper recipes, "Leader Election"; Curator LeaderLatch, whose nodes these are by default.
 */
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, requireFunction, validateText } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, nameOf, validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import type { Codec } from '../engine/codec.ts'
import type { Admission, AdmissionRule, Contender, ContenderNames } from '../engine/contender.ts'
import { Contenders } from '../engine/contenders.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { namedListener } from '../engine/listener.ts'
import { checkCodec, checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import { readQueue } from '../engine/queue-view.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { Wait, clientClosed } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { NAMES_OF } from './candidate-names.ts'
import type { ElectionLayout } from './candidate-names.ts'
import type { CampaignOptions } from './candidacy.ts'
import { Candidacy } from './candidacy.ts'
import { LeaderData } from './leader-data.ts'
import { readNote } from './leader-note.ts'
import type { CandidateInfo, ElectionState, LeaderInfo } from './leader-view.ts'
import { LeaderView, leaderOf } from './leader-view.ts'
import { NodeLeadership } from './leadership.ts'
import type { Election, Leadership, OnResign, Successor } from './leadership.ts'
import { RUN_OPTIONS, Tenure } from './tenure.ts'
import type { LeaderWork, RunOptions } from './tenure.ts'

const FIRST_LEADS: AdmissionRule = { admit: firstLeads, hasLine: false }

/** Options of a {@link LeaderElection}. */
export interface LeaderElectionOptions<T> {
  /** The name of this process as a candidate; a random one by default. */
  readonly id?: string
  /** The data that it proclaims as soon as it leads; none by default. See {@link Leadership.proclaim}. */
  readonly data?: T
  /** How that becomes bytes; JSON by default. */
  readonly codec?: Codec<T>
  /**
   * Whose candidates these are like, to share the election with processes in other languages: those of Curator's
   * LeaderLatch (`latch`, the default), of its LeaderSelector (`selector`) or of kazoo's Election (`kazoo`).
   */
  readonly layout?: ElectionLayout
  /**
   * Whether a resignation aborts the leadership's signal, so that whoever works under it hears of it: `notify`, or
   * `silent` (the default).
   */
  readonly onResign?: OnResign
}

/** A change of an election. */
export interface LeaderChange<T> extends ElectionState<T> {
  /** How many states before it this consumer did not get, because it was slow. */
  readonly missed: number
  /** Whether all was read again after a reconnect. */
  readonly resync: boolean
}

const OPTIONS = optionNames<LeaderElectionOptions<unknown>>({
  id: true,
  data: true,
  codec: true,
  layout: true,
  onResign: true,
})

const ON_RESIGN: readonly OnResign[] = ['silent', 'notify']

/** An election. */
export class LeaderElection<T = unknown> implements AsyncDisposable {
  /** The parent of the candidates' nodes. */
  readonly path: string
  /** The id of candidates that stand through this object. */
  readonly id: string
  readonly #client: Client
  readonly #names: ContenderNames
  readonly #contenders: Contenders
  readonly #first: T | undefined
  readonly #data: LeaderData<T>
  readonly #onResign: OnResign
  #view: LeaderView<T> | null = null
  #isClosed = false

  /**
   * Makes an election's client side; nothing is sent.
   *
   * @param client - on whose session candidates live
   * @param path - the election; its node is made when it is needed, and removed by the servers when nobody needs it
   * @param options - who this is
   * @throws TypeError if the path is none, or `/`, or for a wrong option
   */
  constructor(client: Client, path: string, options: LeaderElectionOptions<T> = {}) {
    validateClient(client, 'LeaderElection')
    refuseUnknown(options, OPTIONS, 'LeaderElection')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node that can be created, got "/"')
    const { id = crypto.randomUUID(), data, codec, layout = 'latch', onResign = 'silent' } = options
    if (!Object.hasOwn(NAMES_OF, layout)) {
      throw new TypeError(`layout must be 'latch', 'selector' or 'kazoo', got ${textOf(layout)}`)
    }
    if (!ON_RESIGN.includes(onResign)) {
      throw new TypeError(`onResign must be 'silent' or 'notify', got ${textOf(onResign)}`)
    }
    validateText('id', id)
    checkCodec(codec)
    this.path = path
    this.id = id
    this.#client = client
    this.#names = NAMES_OF[layout]
    this.#contenders = new Contenders(client, path, this.#names, FIRST_LEADS)
    this.#first = data
    this.#data = new LeaderData(client, path, codec)
    this.#onResign = onResign
  }

  /**
   * Stands as a candidate, and waits until it leads.
   *
   * @param options.signal - ends the wait; the candidate's node is removed before this rejects
   * @param options.waitMs - longest wait in milliseconds; no limit by default. 0 leads at once or not at all, and then
   * creates no node
   * @param options.onSessionLoss - `queue-again` by default, or `reject`
   * @returns the leadership; its `token` grows strictly from leader to leader
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `SESSION_EXPIRED` (only with `reject`),
   * `INVALID_VALUE`, `PAYLOAD_TOO_LARGE` (for `data`), `CONNECTION_LOSS` (only with `waitMs: 0`), or a refusal of
   * the servers; in each case it is no candidate any more; nodes that could not be removed at once are counted by
   * `pendingCleanups`. While no server is in touch it waits for one
   * @throws TypeError or RangeError for a wrong option
   */
  async campaign(options: CampaignOptions = {}): Promise<Leadership<T>> {
    const queue = { contenders: this.#contenders, names: this.#names }
    const candidacy = new Candidacy(this.#client, queue, this.id, options)
    const first = this.#first === undefined ? null : this.#data.encode(this.#first)
    const wait = new Wait(this.#client, this.path, options, true)
    wait.observe('campaign', this.#names.kind)
    try {
      for (;;) {
        const { lease, candidate } = await candidacy.untilElected(wait)
        const leadership = new NodeLeadership<T>(this.#election(), lease, candidate)
        if (first === null || (await leadership.begin(first, wait))) return leadership.takeOffice()
        candidacy.throwIfRejected(leadership.signal)
        wait.check()
      }
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Leads whenever it can: campaigns, does the work of a leader, resigns when that ends, and campaigns again.
   *
   * @param work - called with each leadership, and with a signal that is aborted when the leadership is lost or
   * `options.signal` is. The next campaign begins when what it returns has settled, however long that takes; what it
   * throws ends the run, unless that signal was aborted before: then it is reported to the client's `onError`
   * @param options.signal - ends the run; without it, only the end of the client or an error does
   * @returns resolves when the signal was aborted, the work has ended and the leadership was resigned
   * @throws CoordinationError `CLIENT_CLOSED`, `INVALID_VALUE`, `PAYLOAD_TOO_LARGE` (for `data`), a refusal of
   * the servers, or the error of `work`
   * @throws TypeError for a wrong argument
   */
  async run(work: LeaderWork<T>, options: RunOptions = {}): Promise<void> {
    requireFunction('work', work)
    refuseUnknown(options, RUN_OPTIONS, 'run')
    const { signal } = options
    const tenure = new Tenure(this.#client, work, signal)
    while (signal?.aborted !== true) {
      const leadership = await tenure.unlessOver(() => this.campaign(signal === undefined ? {} : { signal }))
      if (leadership !== null) await tenure.serve(leadership)
    }
  }

  /**
   * Asks the servers who leads.
   *
   * @param options - the signal and the time limit of the wait
   * @returns who led at some moment after the call; null if nobody did
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async leader(options: TimedWaitOptions = {}): Promise<LeaderInfo<T> | null> {
    return withinWait(this.#client, { what: 'leader', path: this.path }, options, async (signal) => {
      await this.#client.sync(this.path, { signal })
      for (;;) {
        const [first] = await readQueue(this.#client, this.path, this.#names.parse, { signal })
        if (first === undefined) return null
        const info = await this.#leaderAt(joinPath(this.path, first.name), signal)
        if (info !== null) return info
      }
    })
  }

  /**
   * Lists the leader and those who stand by, in the order in which they lead.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async candidates(options: TimedWaitOptions = {}): Promise<CandidateInfo[]> {
    const infos = await this.#contenders.list(options)
    return infos.map(({ position, holds: leads, token, sessionId, sinceMs, data }) => {
      return { id: new TextDecoder().decode(data), position, leads, token, sessionId, sinceMs }
    })
  }

  /**
   * Listens to changes of the leader, of what it proclaims, and of the candidates. A slow listener is not called for
   * each, but always for the last.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with the present state; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if the election or the client was closed
   */
  subscribe(listener: (change: LeaderChange<T>) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    const named = namedListener('LeaderElection', this.path, listener)
    return this.#watched().feed.subscribe(this.path, describe, named, options)
  }

  /**
   * Iterates over changes of the leader, of what it proclaims, and of the candidates. Ends when the election or the
   * client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with the present state; true by default
   * @throws CoordinationError `CLIENT_CLOSED` if the election or the client was closed
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<LeaderChange<T>> {
    checkIterate(options)
    return this.#watched().feed.iterate<LeaderChange<T>>(this.path, describe, options)
  }

  /** Ends subscriptions and iterations; campaigns and leaderships go on. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#view?.close()
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #watched(): LeaderView<T> {
    if (this.#isClosed || this.#client.state.status === 'closed') throw clientClosed(this.path)
    this.#view ??= new LeaderView(this.#client, this.path, this.#data, this.#names)
    return this.#view
  }

  #election(): Election<T> {
    const namesOf = async (id: string, signal: AbortSignal): Promise<Successor[]> => {
      const infos = await this.#contenders.list({ signal })
      const named = infos.filter(({ data }) => new TextDecoder().decode(data) === id)
      return named.map(({ path, token }) => ({ name: nameOf(path), token }))
    }
    const own = { client: this.#client, path: this.path, id: this.id, data: this.#data, names: this.#names }
    return { ...own, onResign: this.#onResign, candidatesNamed: namesOf }
  }

  /** Null: the candidate is gone. */
  async #leaderAt(path: string, signal: AbortSignal): Promise<LeaderInfo<T> | null> {
    try {
      const { data, stat } = await this.#client.get(path, { signal })
      const note = await readNote(this.#client, this.path, signal)
      const { czxid: token, ephemeralOwner: sessionId, ctime: sinceMs } = stat
      const proclaimed = this.#data.decode(note?.token === token ? note.data : undefined)
      return leaderOf({ id: new TextDecoder().decode(data), token, sessionId, sinceMs }, proclaimed)
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }
}

function firstLeads(queue: readonly Contender[], own: number): Admission {
  const predecessor = queue[own - 1]
  return predecessor === undefined ? { granted: true } : { granted: false, watch: predecessor.name }
}

/** Null: nothing that a consumer sees has changed. */
function describe<T>({ previous, current, missed, resync }: Delivery<ElectionState<T>>): LeaderChange<T> | null {
  return previous !== undefined && !resync && isSame(previous, current) ? null : { ...current, missed, resync }
}

function isSame<T>(a: ElectionState<T>, b: ElectionState<T>): boolean {
  const isSameLeader = a.leader?.token === b.leader?.token && a.leader?.data === b.leader?.data
  const { candidates } = b
  return isSameLeader && a.candidates.length === candidates.length
    && a.candidates.every(({ token }, index) => token === candidates[index]?.token)
}
