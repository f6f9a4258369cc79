/**
 * The file `votes`: whether a server may vote, and the epochs that it has promised, with a checksum. ZooKeeper does not
 * look at it; its own epoch files have no checksum.
 *
 * Format    `yes` or `no`, the accepted and the current epoch in decimal, and the CRC-32 of all that in eight hex
 *           digits, with a space between two fields: `yes 2 1 0a1b2c3d`. No end of line.
 * Bare      `yes` or `no` by itself was written before there was a checksum: it says nothing of the epochs.
 */
import { crc32 } from './checksums.ts'
import { DamageError } from './damage.ts'
import { formatEpoch, parseEpoch } from './number-files.ts'

/** The epochs of a server. */
export interface Epochs {
  readonly acceptedEpoch: number
  readonly currentEpoch: number
}

/** The content of a `votes` file. */
export interface VotesRecord {
  readonly votes: boolean
  /** null if the file does not say. */
  readonly epochs: Epochs | null
}

const RECORD = /^(yes|no) ([0-9]{1,10}) ([0-9]{1,10}) ([0-9a-f]{8})$/
const BARE = /^(yes|no)\s*$/
/** So much of a wrong content is shown. */
const SHOWN_CHARS_MAX = 40

/**
 * Reads it.
 *
 * @param file - the name that errors say
 * @throws DamageError `content` or `checksum`; it says the content
 */
export function parseVotes(file: string, content: Uint8Array): VotesRecord {
  const text = Buffer.from(content).toString('latin1')
  const bare = BARE.exec(text)
  if (bare !== null) return { votes: bare[1] === 'yes', epochs: null }
  const shown = JSON.stringify(text.slice(0, SHOWN_CHARS_MAX))
  const [, word, accepted, current, sum] = RECORD.exec(text) ?? []
  if (word === undefined || accepted === undefined || current === undefined) {
    throw new DamageError(file, 'content', 0, `${shown} is not "yes" or "no", two epochs and a checksum`)
  }
  if (sum !== checksumOf(`${word} ${accepted} ${current}`)) {
    throw new DamageError(file, 'checksum', 0, `${shown} does not have the checksum that it names`)
  }
  const [acceptedEpoch, currentEpoch] = [accepted, current].map((epoch) => parseEpoch(file, Buffer.from(epoch)))
  return { votes: word === 'yes', epochs: { acceptedEpoch: acceptedEpoch ?? 0, currentEpoch: currentEpoch ?? 0 } }
}

/**
 * The content of the file.
 *
 * @throws RangeError for a number that is no epoch
 */
export function formatVotes({ votes, epochs }: VotesRecord): string {
  const word = votes ? 'yes' : 'no'
  if (epochs === null) return word
  const record = `${word} ${formatEpoch(epochs.acceptedEpoch)} ${formatEpoch(epochs.currentEpoch)}`
  return `${record} ${checksumOf(record)}`
}

function checksumOf(text: string): string {
  return crc32(Buffer.from(text, 'latin1')).toString(16).padStart(8, '0')
}
