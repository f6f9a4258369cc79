/**
 * Paths of nodes and the numbers at the end of sequential names.
 *
 * Rules     absolute, no empty segment but the root itself, no `.` or `..`, and none of U+0000-001F, U+007F-009F,
 *           U+D800-F8FF (so no surrogate pair), U+FFF0-FFFF.
 * Numbers   a sequential name ends in the parent's counter as an int32 in ten places. The counter wraps, so that names
 *           must be compared by {@link compareSequence} and never as text.
 * Source    ZooKeeper PathUtils.java, PrepRequestProcessor.java (`%010d`).
 */
import { textOf } from './value-text.ts'

/**
 * The longest path on the servers that a client takes, in bytes of UTF-8, its namespace included. With a chroot and an
 * access control list it fits into what a request has room for besides the data of a node on ZooKeeper and embedded
 * (4,096 bytes of `jute.maxbuffer`); etcd and Redis, where a request names a path several times, take more. Servers of
 * ZooKeeper's own take longer ones from other clients, and so does the embedded ensemble.
 */
export const PATH_BYTES_MAX = 3_072

/** The most segments of such a path: each level is a node of its own, which some engines look at with every create. */
export const PATH_SEGMENTS_MAX = 512

/** The longest suffix of a sequential name. */
const SEQUENCE_LONGEST = '-2147483648'

/** The longest UTF-8 of one unit of UTF-16; surrogates are not allowed. */
const UNIT_BYTES_MAX = 3

/** Places of the counter at the end of a sequential name; a sign takes one, and -1000000000 and below take one more. */
const SEQUENCE_DIGITS = 10
const INT32_MAX = 0x7fffffff

const SLASH = 0x2f
const DOT = 0x2e
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

/**
 * Checks a path of a caller.
 *
 * @param path - the caller's value
 * @param what - the name of the argument, for the message
 * @throws TypeError with the value and what is wrong with it, RangeError if it is longer than a client takes
 */
export function validatePath(path: string, what = 'path'): void {
  const flaw = flawOf(path)
  if (flaw !== null) throw new TypeError(`${what} must be a node's path, got ${textOf(path)}: ${flaw}`)
  validateLength(path, what)
}

/**
 * Checks that a path, which is valid otherwise, is not too long. A namespace can make a path so that was not.
 *
 * @throws RangeError with the limit
 */
export function validateLength(path: string, what = 'path'): void {
  const flaw = excessOf(path)
  if (flaw !== null) throw new RangeError(`${what} is too long: ${textOf(path)} ${flaw}`)
}

/**
 * Checks what a sequential create is given: a path to which digits will be appended, so that it may end in `/`.
 *
 * @param path - the caller's value
 * @param what - the name of the argument, for the message
 * @throws TypeError with the value and what is wrong with it, RangeError if it is longer than a client takes
 */
export function validatePrefix(path: string, what = 'path'): void {
  const flaw = typeof path === 'string' ? flawOf(`${path}1`) : flawOf(path)
  if (flaw !== null) throw new TypeError(`${what} must be the beginning of a node's path, got ${textOf(path)}: ${flaw}`)
  validateLength(path + SEQUENCE_LONGEST, what)
}

/** Whether a node may have this path. */
export function isValidPath(path: string): boolean {
  return flawOf(path) === null
}

/** The path of a node's parent; of `/` it is `/`. The path must be valid. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** The paths of all ancestors of a node, from the root down to its parent; none for the root itself. */
export function ancestorsOf(path: string): string[] {
  if (path === '/') return []
  const ancestors = ['/']
  for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    ancestors.push(path.slice(0, slash))
  }
  return ancestors
}

/** The last segment of a valid path; of `/` it is empty. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The path of a child. */
export function joinPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}

/**
 * The counter that a sequential create appends to the requested path.
 *
 * @param counter - the parent's count of child creates, an int32
 * @returns ten places filled with zeros, the sign included; eleven for -1000000000 and below
 */
export function sequenceSuffix(counter: number): string {
  return counter >= 0
    ? String(counter).padStart(SEQUENCE_DIGITS, '0')
    : `-${String(-counter).padStart(SEQUENCE_DIGITS - 1, '0')}`
}

/**
 * Reads the number at the end of a sequential name.
 *
 * Past the wrap some numbers have eleven places, `-1000000000` to `-2147483648`, and their sign could be the last
 * character of the prefix instead. It counts as a sign if it begins the name or another `-` stands before it, which
 * is right for every prefix that is empty or ends in a single `-`.
 *
 * @param name - a node's name (not its path)
 * @returns the int32 counter, or null if the name does not end in one
 */
export function sequenceOf(name: string): number | null {
  const start = name.length - SEQUENCE_DIGITS
  if (start < 0) return null
  const first = name.charCodeAt(start)
  const isShortNegative = first === MINUS
  let value = 0
  for (let i = isShortNegative ? start + 1 : start; i < name.length; i++) {
    const digit = name.charCodeAt(i)
    if (digit < ZERO || digit > NINE) return null
    value = value * 10 + (digit - ZERO)
  }
  if (isShortNegative) return value === 0 ? null : -value
  if (isLongNegative(name, start, value)) return -value
  return value <= INT32_MAX ? value : null
}

/**
 * Orders two sequence numbers of one parent across the wrap of the counter, as long as they are less than 2^31 apart.
 *
 * @returns negative if `a` is the earlier one, 0 if they are equal, positive if `a` is the later one
 */
export function compareSequence(a: number, b: number): number {
  return (a - b) | 0
}

/** Whether ten digits that begin at `start` have a minus before them that belongs to them. */
function isLongNegative(name: string, start: number, value: number): boolean {
  if (name.charCodeAt(start) === ZERO || value > INT32_MAX + 1) return false
  if (start === 0 || name.charCodeAt(start - 1) !== MINUS) return false
  return value > INT32_MAX || start === 1 || name.charCodeAt(start - 2) === MINUS
}

/** The first fault of a path, or null if it is valid. One pass: every request goes through here. */
function flawOf(path: string): string | null {
  if (typeof path !== 'string') return 'it is not a string'
  if (path.length === 0) return 'it is empty'
  if (path.charCodeAt(0) !== SLASH) return 'it does not begin with /'
  if (path.length === 1) return null
  let segmentStart = 1
  for (let i = 1; i < path.length; i++) {
    const unit = path.charCodeAt(i)
    if (unit === SLASH) {
      const flaw = segmentFlawOf(path, segmentStart, i)
      if (flaw !== null) return flaw
      segmentStart = i + 1
    } else if ((unit < 0x20 || unit > 0x7e) && isForbidden(unit)) {
      return `it contains U+${unit.toString(16).toUpperCase().padStart(4, '0')} at ${i}`
    }
  }
  if (segmentStart === path.length) return 'it ends in /'
  return segmentFlawOf(path, segmentStart, path.length)
}

/** By how much a path is too long, or null. Most are short enough whatever is in them. */
function excessOf(path: string): string | null {
  if (path.length * UNIT_BYTES_MAX > PATH_BYTES_MAX) {
    const bytes = bytesOf(path)
    if (bytes > PATH_BYTES_MAX) return `has ${bytes} bytes, and at most ${PATH_BYTES_MAX} are taken`
  }
  if (path.length <= PATH_SEGMENTS_MAX) return null
  let segments = 0
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) === SLASH) segments += 1
  if (segments <= PATH_SEGMENTS_MAX) return null
  return `has ${segments} segments, and at most ${PATH_SEGMENTS_MAX} are taken`
}

function bytesOf(path: string): number {
  let bytes = 0
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i)
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : UNIT_BYTES_MAX
  }
  return bytes
}

function segmentFlawOf(path: string, start: number, end: number): string | null {
  if (end === start) return `it has an empty segment at ${start}`
  if (path.charCodeAt(start) !== DOT) return null
  if (end === start + 1) return `it has the segment . at ${start}`
  if (end === start + 2 && path.charCodeAt(start + 1) === DOT) return `it has the segment .. at ${start}`
  return null
}

function isForbidden(unit: number): boolean {
  return unit <= 0x1f || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0
}
