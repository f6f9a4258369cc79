/**
 * The files that hold one number: `acceptedEpoch` and `currentEpoch` (also while they are replaced, as `.tmp`), and
 * `myid`. `initialize` is empty, and only its being there says something.
 *
 * Format    a decimal number in ASCII. It is written without an end of line; one is accepted when it is read.
 * Source    QuorumPeer.readLongFromFile, writeLongToFile; QuorumPeerConfig.setupMyId of ZooKeeper 3.8.
 */
import { DamageError } from './damage.ts'

/** The greatest epoch: a zxid has 31 bits for it, and a sign. */
const EPOCH_MAX = 2 ** 31 - 1
/** So much of a wrong value is shown. */
const SHOWN_CHARS_MAX = 40
/** The longest file that is looked at. */
const FILE_BYTES_MAX = 4_096
const DECIMAL = /^[0-9]{1,19}$/

/** The content of an `initialize` file, which lets a server without data begin as one that never had any. */
export const INITIALIZE_CONTENT = ''

/**
 * Reads `acceptedEpoch` or `currentEpoch`.
 *
 * @param file - the name that errors say
 * @throws DamageError `content`; it says the value
 */
export function parseEpoch(file: string, content: Uint8Array): number {
  const epoch = parseNumber(file, content)
  if (epoch > EPOCH_MAX) throw wrong(file, content, `is no epoch: the greatest is ${EPOCH_MAX}`)
  return epoch
}

/**
 * The content of `acceptedEpoch` or `currentEpoch`.
 *
 * @throws RangeError if it is no epoch
 */
export function formatEpoch(epoch: number): string {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > EPOCH_MAX) throw new RangeError(`epoch ${epoch}`)
  return String(epoch)
}

/**
 * Reads `myid`. Only the first line counts.
 *
 * @param file - the name that errors say
 * @throws DamageError `content`; it says the value
 */
export function parseMyid(file: string, content: Uint8Array): number {
  const myid = parseNumber(file, content)
  if (!Number.isSafeInteger(myid)) throw wrong(file, content, 'is too great for the id of a server')
  return myid
}

/**
 * The content of `myid`.
 *
 * @throws RangeError if it is no id
 */
export function formatMyid(myid: number): string {
  if (!Number.isSafeInteger(myid) || myid < 0) throw new RangeError(`server id ${myid}`)
  return String(myid)
}

function parseNumber(file: string, content: Uint8Array): number {
  if (content.length === 0) throw new DamageError(file, 'content', 0, 'the file is empty; it should hold a number')
  const line = firstLine(content)
  if (!DECIMAL.test(line)) throw wrong(file, content, 'is no decimal number')
  return Number(line)
}

function firstLine(content: Uint8Array): string {
  const text = Buffer.from(content.subarray(0, FILE_BYTES_MAX)).toString('latin1')
  return text.split(/\r\n|\n|\r/, 1)[0] ?? ''
}

function wrong(file: string, content: Uint8Array, what: string): DamageError {
  const shown = JSON.stringify(firstLine(content).slice(0, SHOWN_CHARS_MAX))
  return new DamageError(file, 'content', 0, `${shown} ${what}`)
}
