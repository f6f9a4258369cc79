/**
 * Downgrade: the holder of a writer's lease takes a reader's, and no other writer gets in between.
 *
 * Model     the reader's node gets the writer's own number, as Curator 5.5 has it, so that it stands where the writer
 *           stood: whoever waits for the writer finds the reader there when the writer is gone (CURATOR-276, 621).
 * Safety    the node is made by a multi that is refused unless the writer's node is there, and of the same creation.
 * Token     the writer's. The node's own creation is later than that of a writer who waits already, whose token must
 *           be the greater one.
 * Order     make the node, prove the session, hand out the lease; then the writer's lease is released.
 */
import type { OperationResult, Stat } from '../../core/backend.ts'
import { abortable } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { joinPath, nameOf, parentOf } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import type { TryContendOptions } from '../engine/acquire-options.ts'
import { checkTryContendOptions } from '../engine/acquire-options.ts'
import { Cleanups } from '../engine/cleanups.ts'
import type { Lease } from '../engine/lease.ts'
import { NodeLease } from '../engine/lease.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { NodeWatch } from '../engine/ownership.ts'
import { deletion, isGone, isOutcomeUnknown, ownedNode, readSynced } from '../engine/protected-writes.ts'
import { Revocation } from '../engine/revocation.ts'
import { Wait, sessionOver } from '../engine/wait.ts'
import { readWriteContenderOf, readerNameAt } from './contender-names.ts'
import type { ReadWriteKind } from './contender-names.ts'

/** The kind of lease after a downgrade. */
const READ: ReadWriteKind = 'read'

/** One downgrade. */
export class Downgrade {
  readonly #client: Client
  readonly #lease: Lease
  readonly #options: TryContendOptions
  /** The reader's node; its name is of this downgrade alone. */
  readonly #path: string
  /** The latest multi that may have made the node. */
  #owed: Promise<OperationResult[]> | null = null

  /**
   * Checks what is given; nothing is sent.
   *
   * @param path - the lock
   * @throws TypeError if the lease is not that of this lock's writer, or for a wrong option
   */
  constructor(client: Client, path: string, lease: Lease, options: TryContendOptions) {
    checkTryContendOptions(options)
    const writer = parentOf(lease.path) === path ? readWriteContenderOf(nameOf(lease.path)) : null
    if (writer?.kind !== 'write') {
      throw new TypeError(`downgrade takes a lease of the writer of ${path}, got one of ${textOf(lease.path)}`)
    }
    this.#client = client
    this.#lease = lease
    this.#options = options
    this.#path = joinPath(path, readerNameAt(writer))
  }

  /** Takes the reader's lease, and begins to release the writer's. */
  async run(): Promise<Lease> {
    this.#lease.throwIfLost()
    const { sessionId } = this.#client
    const wait = new Wait(this.#client, parentOf(this.#path), this.#options, true)
    wait.observe('downgrade', READ)
    try {
      if (sessionId !== null) wait.bindSession(sessionId)
      const node = ownedNode(this.#path, await this.#create(wait))
      if (!(await proveLease(this.#client, node, wait))) throw sessionOver(node.path)
      wait.check()
      const revocation = this.#isRevocable ? new Revocation(this.#client, node.path) : null
      const options = { kind: READ, token: this.#lease.token, isArmed: false, revocation }
      const reading = new NodeLease(this.#client, node, new NodeWatch(), options)
      void this.#lease.release()
      return reading
    } catch (error) {
      if (this.#owed !== null) await this.#withdraw(this.#owed)
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  get #isRevocable(): boolean {
    return this.#options.revocable === true
  }

  async #create(wait: Wait): Promise<Stat> {
    for (let attempt = 1; ; attempt += 1) {
      wait.check()
      try {
        return await this.#attempt(wait)
      } catch (error) {
        wait.check()
        if (isOutcomeUnknown(error)) {
          const found = await wait.insist(() => this.#find(wait.signal))
          if (found !== null) return found
        }
        this.#owed = null
        if (isGone(error)) throw this.#lost()
        if (!isCoordinationError(error, 'CONNECTION_LOSS') || !wait.isPatient) throw error
        await wait.pause(attempt)
      }
    }
  }

  async #attempt(wait: Wait): Promise<Stat> {
    const { data = '' } = this.#options
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    // Without the wait's signal: the fate of the multi must be known before it can be cleaned up.
    const creating = this.#client.multi([
      this.#lease.check(),
      { type: 'create', path: this.#path, data: bytes, mode: 'ephemeral', owned: !this.#isRevocable },
    ])
    this.#owed = creating
    const created = statOf(await abortable(creating, wait.signal))
    if (created === null) throw sessionOver(this.#path)
    return created
  }

  /** The node that a multi with a lost answer has made. */
  async #find(signal: AbortSignal): Promise<Stat | null> {
    return (await readSynced(this.#client, this.#path, signal))?.stat ?? null
  }

  /** Removes what was made and is not handed out. */
  async #withdraw(creating: Promise<OperationResult[]>): Promise<void> {
    await Cleanups.of(this.#client).confirmOrHandOver(async (signal, giveUp) => {
      const results = await abortable(creating.catch(() => []), signal)
      const stat = statOf(results) ?? (await this.#find(signal))
      if (stat !== null) await deletion(this.#client, ownedNode(this.#path, stat))(signal, giveUp)
    })
  }

  #lost(): unknown {
    const { path, signal } = this.#lease
    if (signal.aborted) return signal.reason
    return new CoordinationError('LEASE_LOST', `${path} was lost, and cannot be downgraded`, { outcome: 'lost', path })
  }
}

function statOf(results: readonly OperationResult[]): Stat | null {
  const created = results[1]
  return created?.type === 'create' ? created.stat : null
}
