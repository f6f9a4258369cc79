/**
 * The promises of a server on disk: `acceptedEpoch` and `currentEpoch` as ZooKeeper has them, and `votes` beside them,
 * which ZooKeeper does not look at.
 *
 * Order     each file is replaced durably before the next one, and only if its value has changed: a promise of the
 *           server changes one of them.
 * Reading   a directory of ZooKeeper has no `votes`: its server votes. A server alone has no epochs there: they are
 *           those of its last transaction.
 * Source    QuorumPeer.writeLongToFile, loadDataBase of ZooKeeper 3.8; decision 0006 for the right to vote.
 */
import { formatEpoch, parseEpoch } from '../../../wire/disk/number-files.ts'
import type { Promises } from '../../server/zab/journal.ts'
import { readSmallFile, replaceFile } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { StorageError } from './storage-error.ts'

const ACCEPTED = 'acceptedEpoch'
const CURRENT = 'currentEpoch'
/** Whether the server may vote. */
export const VOTES_FILE = 'votes'
const CONTENT_BYTES_MAX = 4_096

/** The files with the promises of one server. */
export class PromiseFiles {
  readonly #files: FileSystem
  readonly #directory: string
  #written: Partial<Promises> = {}

  constructor(files: FileSystem, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  /**
   * Reads them; null where there is no file.
   *
   * @throws DamageError if one does not hold what it should
   */
  async read(): Promise<{ readonly [K in keyof Promises]: Promises[K] | null }> {
    const acceptedEpoch = await this.#epoch(ACCEPTED)
    const currentEpoch = await this.#epoch(CURRENT)
    const content = await this.#content(VOTES_FILE)
    const votes = content === null ? null : content === 'yes'
    if (content !== null && content !== 'yes' && content !== 'no') {
      const shown = JSON.stringify(content)
      throw new StorageError('DAMAGED', `${this.#directory}/${VOTES_FILE} holds ${shown}, and should hold yes or no`)
    }
    this.#written = {
      ...(acceptedEpoch === null ? {} : { acceptedEpoch }),
      ...(currentEpoch === null ? {} : { currentEpoch }),
      ...(votes === null ? {} : { votes }),
    }
    return { acceptedEpoch, currentEpoch, votes }
  }

  /** Makes the promises durable. */
  async write({ acceptedEpoch, currentEpoch, votes }: Promises): Promise<void> {
    const written = this.#written
    if (written.acceptedEpoch !== acceptedEpoch) await this.#replace(ACCEPTED, formatEpoch(acceptedEpoch))
    if (written.currentEpoch !== currentEpoch) await this.#replace(CURRENT, formatEpoch(currentEpoch))
    if (written.votes !== votes) await this.setVotes(votes)
    this.#written = { acceptedEpoch, currentEpoch, votes }
  }

  /** Makes it durable whether the server may vote. */
  async setVotes(votes: boolean): Promise<void> {
    await this.#replace(VOTES_FILE, votes ? 'yes' : 'no')
    this.#written = { ...this.#written, votes }
  }

  /** The files are gone. */
  forget(): void {
    this.#written = {}
  }

  #replace(name: string, content: string): Promise<void> {
    return replaceFile(this.#files, this.#directory, name, content)
  }

  async #epoch(name: string): Promise<number | null> {
    const path = `${this.#directory}/${name}`
    const bytes = await readSmallFile(this.#files, path, CONTENT_BYTES_MAX)
    return bytes === null ? null : parseEpoch(path, bytes)
  }

  async #content(name: string): Promise<string | null> {
    const bytes = await readSmallFile(this.#files, `${this.#directory}/${name}`, CONTENT_BYTES_MAX)
    return bytes === null ? null : Buffer.from(bytes).toString('latin1').trim()
  }
}
