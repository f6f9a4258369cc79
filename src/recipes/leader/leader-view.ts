/**
 * One client's view of an election, kept fresh: who leads, what that one proclaims, and who stands by.
 *
 * Model     two mirrors, of the candidates and of the note. The candidate with the lowest number leads; a note counts
 *           only if its token is the leader's, so a note that is read a little earlier or later than the candidates is
 *           never given to another leader.
 * Cost      a watch for each candidate and two more; a change: 1 event + 1 or 2 reads.
 */
import type { Client } from '../../core/client.ts'
import { compareSequence } from '../../core/path.ts'
import type { Unsubscribe } from '../engine/feed.ts'
import { Feed } from '../engine/feed.ts'
import type { MirrorNode } from '../engine/mirror.ts'
import { Mirror } from '../engine/mirror.ts'
import { clientClosed } from '../engine/wait.ts'
import type { ContenderNames } from '../engine/contender.ts'
import type { LeaderData } from './leader-data.ts'
import { decodeNote, notePathOf } from './leader-note.ts'

/** One who leads or would. */
export interface CandidateInfo {
  /** Its id; empty for a LeaderLatch of Curator that has none. */
  readonly id: string
  /** Place in line, counted from 0. */
  readonly position: number
  /** Whether it leads. */
  readonly leads: boolean
  /** The token that its leadership has or will have. */
  readonly token: bigint
  /** The session that it lives on. */
  readonly sessionId: bigint
  /** When it came, in milliseconds since 1970 by the leader's clock. */
  readonly sinceMs: number
}

/** Who leads. */
export interface LeaderInfo<T> extends Omit<CandidateInfo, 'position' | 'leads'> {
  /** The data that it proclaims; undefined if there are none, or they cannot be decoded (which is reported). */
  readonly data: T | undefined
}

/** Where an election stands. */
export interface ElectionState<T> {
  /** Who leads; null if nobody does. */
  readonly leader: LeaderInfo<T> | null
  /** All candidates, the leader first. */
  readonly candidates: readonly CandidateInfo[]
}

/** One client's view of an election. */
export class LeaderView<T> {
  /** Publishes every state, once both mirrors have read. */
  readonly feed: Feed<ElectionState<T>>
  readonly #path: string
  readonly #data: LeaderData<T>
  readonly #names: ContenderNames
  readonly #candidates: Mirror
  readonly #note: Mirror
  readonly #ends: (() => void)[]
  /** The leader's data, decoded once per note. */
  #decoded: { readonly node: MirrorNode; readonly value: T | undefined } | null = null

  /** Makes a view and begins to read. */
  constructor(client: Client, path: string, data: LeaderData<T>, names: ContenderNames) {
    this.#path = path
    this.#names = names
    this.#data = data
    this.feed = new Feed((error) => client.report(error))
    this.#candidates = new Mirror(client, path, 1)
    this.#note = new Mirror(client, notePathOf(path), 0)
    this.#ends = [this.#follow(this.#candidates), this.#follow(this.#note), client.own({ close: () => this.close() })]
  }

  /**
   * Waits until a candidate leads.
   *
   * @param token - of the candidate
   * @param signal - ends the wait
   * @returns false if it stopped being one before
   * @throws CoordinationError `ABORTED`, `CLIENT_CLOSED`
   */
  async untilLeads(token: bigint, signal: AbortSignal): Promise<boolean> {
    const states = this.feed.iterate(this.#path, ({ current }) => current, { signal })
    for await (const { leader, candidates } of states) {
      if (leader?.token === token) return true
      if (candidates.every((candidate) => candidate.token !== token)) return false
    }
    throw clientClosed(this.#path)
  }

  /** Ends the view and everyone who iterates over it. Idempotent. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0)) end()
    this.feed.close()
    await Promise.all([this.#candidates.close(), this.#note.close()])
  }

  #follow(mirror: Mirror): Unsubscribe {
    return mirror.feed.subscribe(this.#path, ({ resync }) => resync, (resync) => this.#look(resync))
  }

  #look(resync: boolean): void {
    const nodes = this.#candidates.snapshot?.nodes
    if (nodes === undefined || this.#note.snapshot === undefined) return
    const found = [...nodes].flatMap(([name, { data, stat }]) => {
      const candidate = this.#names.parse(name)
      return candidate === null ? [] : [{ sequence: candidate.sequence, data, stat }]
    })
    found.sort((a, b) => compareSequence(a.sequence, b.sequence))
    const candidates = found.map(({ data, stat }, position) => Object.freeze({
      id: new TextDecoder().decode(data),
      position,
      leads: position === 0,
      token: stat.czxid,
      sessionId: stat.ephemeralOwner,
      sinceMs: stat.ctime,
    }))
    const [first] = candidates
    const leader = first === undefined ? null : leaderOf(first, this.#proclaimedBy(first.token))
    this.feed.publish(Object.freeze({ leader, candidates: Object.freeze(candidates) }), resync)
  }

  #proclaimedBy(token: bigint): T | undefined {
    const node = this.#note.snapshot?.nodes.get('')
    const note = node === undefined ? null : decodeNote(node.data)
    if (node === undefined || note?.token !== token) return undefined
    if (this.#decoded?.node !== node) this.#decoded = { node, value: this.#data.decode(note.data) }
    return this.#decoded.value
  }
}

/** Describes a candidate as the leader that it is. */
export function leaderOf<T>(
  { id, token, sessionId, sinceMs }: Omit<CandidateInfo, 'position' | 'leads'>,
  data: T | undefined,
): LeaderInfo<T> {
  return Object.freeze({ id, token, sessionId, sinceMs, data })
}
