/**
 * The promises of a server on disk: `acceptedEpoch` and `currentEpoch` as ZooKeeper has them, and `votes` beside them,
 * which ZooKeeper does not look at. It says whether the server may vote, and the epochs again, with a checksum.
 *
 * Order     `votes` first, with all that is promised; then each epoch file whose value has changed. Each is replaced
 *           durably before the next one. So after a crash an epoch file can be lower than `votes`, and never higher.
 * Lower     an epoch file that is lower than `votes`, or missing, is what a crash leaves: `votes` is right. No
 *           ZooKeeper lowers an epoch.
 * Higher    both epoch files higher than `votes` is what a ZooKeeper leaves that was in an election of this directory
 *           since: the files are right. One alone is damage, since one wrong digit looks like that.
 * Reading   a directory of ZooKeeper has no `votes`: its server votes. A server alone has no epochs there: they are
 *           those of its last transaction.
 * Source    QuorumPeer.writeLongToFile, loadDataBase of ZooKeeper 3.8; decision 0006 for the right to vote; decision
 *           0019 for the checksum.
 */
import { formatEpoch, parseEpoch } from '../../../wire/disk/number-files.ts'
import { formatVotes, parseVotes } from '../../../wire/disk/votes-file.ts'
import type { Epochs, VotesRecord } from '../../../wire/disk/votes-file.ts'
import type { Promises } from '../../server/zab/journal.ts'
import { readSmallFile, replaceFile } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { StorageError } from './storage-error.ts'

const ACCEPTED = 'acceptedEpoch'
const CURRENT = 'currentEpoch'
/** Whether the server may vote, and the epochs with a checksum. */
export const VOTES_FILE = 'votes'
const CONTENT_BYTES_MAX = 4_096

type Found = { readonly [K in keyof Promises]: Promises[K] | null }

/** The files with the promises of one server. */
export class PromiseFiles {
  readonly #files: FileSystem
  readonly #directory: string
  /** The content of each file that is known. */
  #written: { acceptedEpoch?: number; currentEpoch?: number; record?: VotesRecord } = {}
  /** The epochs that are promised; null before they are known. */
  #epochs: Epochs | null = null

  constructor(files: FileSystem, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  /**
   * Reads them; null where no file says it.
   *
   * @throws DamageError if one does not hold what it should; StorageError `DAMAGED` if they contradict each other
   */
  async read(): Promise<Found> {
    const acceptedEpoch = await this.#epoch(ACCEPTED)
    const currentEpoch = await this.#epoch(CURRENT)
    const record = await this.#record()
    this.#written = {
      ...(acceptedEpoch === null ? {} : { acceptedEpoch }),
      ...(currentEpoch === null ? {} : { currentEpoch }),
      ...(record === null ? {} : { record }),
    }
    const epochs = { acceptedEpoch: acceptedEpoch ?? 0, currentEpoch: currentEpoch ?? 0 }
    const checked = record?.epochs ?? null
    const promised = checked === null ? epochs : this.#reconciled(epochs, checked)
    this.#epochs = promised
    return {
      acceptedEpoch: acceptedEpoch === null && promised.acceptedEpoch === 0 ? null : promised.acceptedEpoch,
      currentEpoch: currentEpoch === null && promised.currentEpoch === 0 ? null : promised.currentEpoch,
      votes: record?.votes ?? null,
    }
  }

  /**
   * Makes the files say what was read, where a crash or a ZooKeeper left them apart, or an earlier release wrote no
   * checksum. A directory without `votes` stays as it is, and no file is made that says nothing.
   */
  async settle(): Promise<void> {
    const { record, acceptedEpoch = 0, currentEpoch = 0 } = this.#written
    const epochs = this.#epochs
    if (record === undefined || epochs === null) return
    await this.#promise({ votes: record.votes, epochs })
    if (acceptedEpoch !== epochs.acceptedEpoch) await this.#replaceEpoch(ACCEPTED, epochs.acceptedEpoch)
    if (currentEpoch !== epochs.currentEpoch) await this.#replaceEpoch(CURRENT, epochs.currentEpoch)
  }

  /** Makes the promises durable. */
  async write({ acceptedEpoch, currentEpoch, votes }: Promises): Promise<void> {
    await this.#promise({ votes, epochs: { acceptedEpoch, currentEpoch } })
    if (this.#written.acceptedEpoch !== acceptedEpoch) await this.#replaceEpoch(ACCEPTED, acceptedEpoch)
    if (this.#written.currentEpoch !== currentEpoch) await this.#replaceEpoch(CURRENT, currentEpoch)
  }

  /** Makes it durable whether the server may vote. */
  setVotes(votes: boolean): Promise<void> {
    return this.#replaceRecord({ votes, epochs: this.#epochs })
  }

  /** The files are gone. */
  forget(): void {
    this.#written = {}
    this.#epochs = null
  }

  #reconciled(files: Epochs, record: Epochs): Epochs {
    const isAcceptedHigher = files.acceptedEpoch > record.acceptedEpoch
    const isCurrentHigher = files.currentEpoch > record.currentEpoch
    if (isAcceptedHigher && isCurrentHigher && files.currentEpoch <= files.acceptedEpoch) return files
    if (isAcceptedHigher) throw this.#contradiction(ACCEPTED, files.acceptedEpoch, record.acceptedEpoch)
    if (isCurrentHigher) throw this.#contradiction(CURRENT, files.currentEpoch, record.currentEpoch)
    return record
  }

  #contradiction(name: string, found: number, promised: number): StorageError {
    const path = `${this.#directory}/${name}`
    const what = `holds ${found}, and ${VOTES_FILE}, which has a checksum, says ${promised}: one of them is damaged`
    const help = `restore a backup, or remove ${VOTES_FILE} if a ZooKeeper used the directory since`
    return new StorageError('DAMAGED', `${path} ${what}; ${help}`)
  }

  async #promise(record: VotesRecord): Promise<void> {
    const { record: written } = this.#written
    if (written !== undefined && formatVotes(written) === formatVotes(record)) return
    await this.#replaceRecord(record)
  }

  async #replaceRecord(record: VotesRecord): Promise<void> {
    await this.#replace(VOTES_FILE, formatVotes(record))
    this.#written.record = record
    this.#epochs = record.epochs
  }

  async #replaceEpoch(name: typeof ACCEPTED | typeof CURRENT, epoch: number): Promise<void> {
    await this.#replace(name, formatEpoch(epoch))
    this.#written[name] = epoch
  }

  #replace(name: string, content: string): Promise<void> {
    return replaceFile(this.#files, this.#directory, name, content)
  }

  async #epoch(name: string): Promise<number | null> {
    const path = `${this.#directory}/${name}`
    const bytes = await readSmallFile(this.#files, path, CONTENT_BYTES_MAX)
    return bytes === null ? null : parseEpoch(path, bytes)
  }

  async #record(): Promise<VotesRecord | null> {
    const path = `${this.#directory}/${VOTES_FILE}`
    const bytes = await readSmallFile(this.#files, path, CONTENT_BYTES_MAX)
    return bytes === null ? null : parseVotes(path, bytes)
  }
}
