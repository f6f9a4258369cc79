/**
 * Sees to it that a session's watches have been told of all that a reply shows, before the reply is given.
 *
 * Look      where few paths are watched, a read looks at what their watches wait for too, at its own revision. Where
 *           that has changed, the reply waits until the stream has delivered the change; if it lags, the watch is fired
 *           from the read, and the stream moved.
 * Stream    where many are watched, a read would cost more with each of them, so it looks at none: its reply waits
 *           until the stream has delivered its revision. Other writers of the cluster move that too, and the stream
 *           says nothing of them: after a moment without a word the session's key is put once more, which the stream
 *           must deliver after all that came before. Only if it does not, all that is watched is looked at.
 * Gap       after lost changes the stream proves nothing until all that is watched was looked at.
 */
import type { ArmedWatches, Difference, Look } from './armed-watches.ts'
import { RpcError } from './io/channel.ts'
import type { Keys } from './keys.ts'
import { TXN_OPS_MAX } from './messages.ts'
import type { TxnRequest, TxnResponse } from './messages.ts'
import { ReadPlan } from './read-plan.ts'
import type { WatchHub } from './watch-hub.ts'

/** The stream, as the check uses it. */
export type CheckedStream = Pick<WatchHub, 'hasDelivered' | 'deliveredBefore' | 'restart'>

/** The session, as the check uses it. */
export interface CheckPort {
  /** The member that serves, as far as is known. */
  readonly endpoint: number
  /** Sends a transaction of reads. */
  read(request: TxnRequest): Promise<TxnResponse>
  /** Reads the present revision. */
  now(): Promise<bigint>
  /** Puts the session's key as it is; returns the revision. */
  mark(): Promise<bigint>
}

/** A read that was done, with what it read besides. */
export interface DoneRead {
  readonly plan: ReadPlan
  readonly responses: NonNullable<TxnResponse['responses']>
  readonly revision: bigint
}

/** Paths at most whose watches a read looks at itself. */
const LOOKS_MAX = 40

/** How long the stream may lag behind a read, in milliseconds. */
const LAG_MS_MAX = 1_000

/** How long it may say nothing before it is doubted that it has to, in milliseconds. */
const SILENCE_MS_MAX = 20

export class WatchCheck {
  readonly #keys: Keys
  readonly #hub: CheckedStream
  readonly #watches: ArmedWatches
  readonly #port: CheckPort
  /** How often changes were missed, and how often of that all was looked at since. */
  #gaps = 0
  #gapsMended = 0
  #isLooking = false
  /** Whether the stream had nothing to say of the latest revision that was waited for: another's writes make them. */
  #areOthersBusy = false

  constructor(keys: Keys, hub: CheckedStream, watches: ArmedWatches, port: CheckPort) {
    this.#keys = keys
    this.#hub = hub
    this.#watches = watches
    this.#port = port
  }

  /** Has a read look at what the armed watches wait for. Null: they are too many, and the stream tells. */
  plan(first: ReadPlan): readonly Look[] | null {
    return this.#watches.pathCount > LOOKS_MAX ? null : this.#plan(first)
  }

  /** Waits until the watches have been told of all that a read shows. @param looks - that the read has done as well */
  async settle(looks: readonly Look[] | null, done: DoneRead): Promise<void> {
    if (looks !== null) return this.#tell(await this.#look(looks, done), LAG_MS_MAX)
    const sinceMs = performance.now()
    if (!this.#hasGap && (await this.#isDelivered(done.revision))) return
    await this.#lookAtAll(sinceMs)
  }

  /** The session was shown to live: looks whether the stream does. */
  async alive(): Promise<void> {
    await this.#alone(async () => {
      const plan = new ReadPlan(this.#keys)
      const looks = this.plan(plan)
      if (looks !== null) return this.#tell(await this.#look(looks, null), LAG_MS_MAX)
      const sinceMs = performance.now()
      if (!this.#hasGap && (await this.#hub.hasDelivered(await this.#port.now(), LAG_MS_MAX))) return
      await this.#lookAtAll(sinceMs)
    })
  }

  /** Changes were missed: looks at all that is watched. */
  async missed(): Promise<void> {
    this.#gaps += 1
    await this.#alone(() => this.#lookAtAll(Infinity))
  }

  get #hasGap(): boolean {
    return this.#gapsMended < this.#gaps
  }

  async #alone(task: () => Promise<void>): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      await task()
    } catch {
      // The next keep-alive tells what it is, and looks again.
    } finally {
      this.#isLooking = false
    }
  }

  /** Whether the stream delivers a revision, or else what is written now and so everything before. */
  async #isDelivered(revision: bigint): Promise<boolean> {
    if (await this.#hub.hasDelivered(revision, this.#areOthersBusy ? 0 : SILENCE_MS_MAX)) return true
    try {
      const isDelivered = await this.#hub.hasDelivered(await this.#port.mark(), LAG_MS_MAX)
      this.#areOthersBusy = isDelivered && this.#hub.deliveredBefore < revision
      return isDelivered
    } catch (error) {
      // A cluster whose database is full takes no writes, and answers reads.
      if (error instanceof RpcError && error.failure === 'refused') return false
      throw error
    }
  }

  /** @param sinceMs - since when the stream has been silent: if it has missed something, it is moved */
  async #lookAtAll(sinceMs: number): Promise<void> {
    const gaps = this.#gaps
    const differences = await this.#look(this.#plan(null), null)
    this.#gapsMended = gaps
    if (differences.length > 0 && sinceMs !== Infinity) this.#hub.restart(sinceMs, this.#port.endpoint)
    await this.#tell(differences, 0)
  }

  #plan(first: ReadPlan | null): readonly Look[] {
    let plan = first
    return this.#watches.glimpses((ops) => {
      if (plan === null || plan.ops.length + ops > TXN_OPS_MAX) plan = new ReadPlan(this.#keys)
      return plan
    })
  }

  /** Does the reads of the looks, except those that were done with other reads, and tells what differs. */
  async #look(looks: readonly Look[], done: DoneRead | null): Promise<Difference[]> {
    const answers = new Map<ReadPlan, Omit<DoneRead, 'plan'>>(done === null ? [] : [[done.plan, done]])
    for (const { plan } of looks) {
      if (answers.has(plan)) continue
      const { responses = [], header } = await this.#port.read({ compare: [], success: plan.ops, failure: [] })
      answers.set(plan, { responses, revision: header?.revision ?? 0n })
    }
    return looks.flatMap(({ path, glimpse, plan }) => {
      const answer = answers.get(plan)
      return answer === undefined ? [] : this.#watches.differing(path, answer.revision, glimpse(answer.responses))
    })
  }

  async #tell(differences: readonly Difference[], lagMs: number): Promise<void> {
    if (differences.length === 0) return
    const sinceMs = performance.now()
    if (await this.#watches.untilFired(differences, lagMs)) return
    if (lagMs > 0) this.#hub.restart(sinceMs, this.#port.endpoint)
    this.#watches.fireFrom(differences)
  }
}
