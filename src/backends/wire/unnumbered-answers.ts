/**
 * The questions of a learner to a leader of ZooKeeper, whose answers bear no numbers: syncs are answered in order, the
 * question whether a session may move by the session's id.
 *
 * Source    LearnerHandler.java, Learner.revalidate of ZooKeeper 3.8.
 */
import { violation } from './jute.ts'

interface Revalidation {
  readonly connection: number
  readonly sessionId: bigint
  readonly timeoutMs: number
}

/** The questions of one learner on one link. */
export class UnnumberedAnswers {
  readonly #syncIds: number[] = []
  readonly #revalidations: Revalidation[] = []

  /** A sync is asked for. */
  askSync(syncId: number): void {
    this.#syncIds.push(syncId)
  }

  /** The number of the sync that is answered next. */
  takeSync(): number {
    const syncId = this.#syncIds.shift()
    if (syncId === undefined) throw violation('an answer to a sync that nobody asked for')
    return syncId
  }

  /** A client wants to move its session. */
  askRevalidation(asked: Revalidation): void {
    this.#revalidations.push(asked)
  }

  /** Who asked first about this session. */
  takeRevalidation(sessionId: bigint): Revalidation {
    const index = this.#revalidations.findIndex((asked) => asked.sessionId === sessionId)
    const [asked] = index === -1 ? [] : this.#revalidations.splice(index, 1)
    if (asked === undefined) throw violation(`an answer about session ${sessionId}, of which nobody asked`)
    return asked
  }
}
