/**
 * One attempt of a {@link MultiLock} to get all of its locks.
 */
import { whenAborted } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import type { ContendOptions, TryContendOptions } from '../engine/acquire-options.ts'
import { handBack } from '../engine/hand-back.ts'
import { JoinedLeases } from '../engine/joint-lease.ts'
import type { JointLease } from '../engine/joint-lease.ts'
import type { Lease } from '../engine/lease.ts'
import { proveLease } from '../engine/lease-proof.ts'
import type { ContenderRef, RevokeOptions } from '../engine/revocation.ts'
import type { TimedWaitOptions, Wait } from '../engine/wait.ts'

/** Options of {@link MultiLock.acquire}, for all of its locks together. */
export type MultiLockOptions = Omit<ContendOptions, 'onReentry'>

/** A part of a {@link MultiLock}: any lock here, or a face of one, such as a semaphore with several permits. */
export interface Lockable {
  /** The client that it was made for. */
  readonly client: Client
  /** Where it is, as that client calls it. */
  readonly path: string
  /** The kind of its lease, such as `read`; `lock` if absent. */
  readonly kind?: string
  /** Waits for it. */
  acquire(options: MultiLockOptions): Promise<Lease>
  /** Gets it if it is free; otherwise null. */
  tryAcquire(options: TryContendOptions): Promise<Lease | null>
  /** Asks whoever holds it to give it up; a lock without this cannot be asked for. */
  revoke?(options: RevokeOptions): Promise<ContenderRef[]>
  /** Takes it from a holder. */
  evict?(contender: ContenderRef, options: TimedWaitOptions): Promise<void>
}

/** A lock, and where it stands. */
export interface Place {
  readonly lock: Lockable
  /** The path on the servers. */
  readonly fullPath: string
  /** Its index among the locks as they were given. */
  readonly index: number
}

/** One attempt to get all of the locks. */
export class MultiLockRound {
  readonly #wait: Wait
  readonly #controller = new AbortController()
  readonly #ends: (() => void)[]
  /** The leases held so far, in the order in which they were acquired. */
  readonly #held: { readonly place: Place; readonly lease: Lease }[] = []
  #isLost = false

  /**
   * Begins an attempt.
   *
   * @param wait - ends the attempt
   */
  constructor(wait: Wait) {
    this.#wait = wait
    this.#ends = [whenAborted(wait.signal, () => this.#controller.abort(wait.signal.reason))]
  }

  /** Aborted when it is over with it: the wait is, or a part that was held was lost. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Acquires one after the other. Whatever was acquired is released, or handed to the clean-ups, unless all were.
   *
   * @param acquire - how to get one of them; null if it is taken
   * @returns null if one was taken, or a part that was held was lost
   */
  async run(
    places: readonly Place[],
    acquire: (place: Place, signal: AbortSignal) => Promise<Lease | null>,
  ): Promise<JointLease | null> {
    let joint: JointLease | null = null
    try {
      for (const place of places) {
        const lease = await acquire(place, this.signal)
        if (lease === null) return null
        this.#add(place, lease)
      }
      if (places.length > 1) await this.#prove()
      joint = this.#join()
      return joint
    } catch (error) {
      if (this.#isLost && !this.#wait.signal.aborted) return null
      throw error
    } finally {
      for (const end of this.#ends) end()
      if (joint === null) await this.#giveBack()
    }
  }

  /** Watches what is held from now on. */
  #add(place: Place, lease: Lease): void {
    this.#held.push({ place, lease })
    this.#ends.push(whenAborted(lease.signal, () => {
      this.#isLost = true
      this.#controller.abort(lease.signal.reason)
    }))
    this.#check()
  }

  /** The first ones may have been held for long: each session is shown to live with half of a lease left. */
  async #prove(): Promise<void> {
    const { signal } = this
    const wait = { signal, insist: <R>(step: () => Promise<R>): Promise<R> => this.#wait.insist(step) }
    const ofClients = new Map(this.#held.map(({ place, lease }) => [place.lock.client, lease]))
    await Promise.all([...ofClients].map(async ([client, { path, token: czxid }]) => {
      const { sessionId } = client
      if (sessionId !== null) await proveLease(client, { path, czxid, sessionId }, wait)
    }))
    this.#check()
  }

  #join(): JointLease {
    const inOrder = this.#held.toSorted((a, b) => a.place.index - b.place.index)
    for (const { lease } of this.#held) lease.throwIfLost()
    return new JoinedLeases(inOrder.map(({ lease }) => lease), this.#held.map(({ lease }) => lease))
  }

  #check(): void {
    if (this.signal.aborted) throw this.signal.reason
  }

  async #giveBack(): Promise<void> {
    const given = this.#held.toReversed().map(({ place, lease }) => handBack(place.lock.client, lease.release()))
    await Promise.all(given)
  }
}
