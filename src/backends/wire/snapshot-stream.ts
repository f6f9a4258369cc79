/**
 * Finds the end of the state that a server of ZooKeeper sends after SNAP: it has no length, so the records have to be
 * followed to the mark that comes after them.
 *
 * Shape     sessions (count; id, time-out each), access control lists (count; number, list each), nodes (path, then
 *           data, number of the list and stat each) up to the path `/`, then the text `BenWasHere`.
 * Limits    nothing is kept of what has been seen, and nothing is reserved: a length costs its bytes as they come.
 * Safety    whatever is malformed raises CoordinationError `PROTOCOL_VIOLATION`, with the place in the state. The
 *           records themselves are not judged.
 * Source    Learner.syncWithLeader, SerializeUtils.deserializeSnapshot, DataTree.deserialize of ZooKeeper 3.8.
 */
import { violation } from './jute.ts'

const INT_BYTES = 4
const SESSION_BYTES = 12
const LIST_NUMBER_BYTES = 8
const PERMISSIONS_BYTES = 4
/** The number of the list, then StatPersisted. */
const NODE_END_BYTES = 68
const SLASH = 0x2f
const MARK = new TextEncoder().encode('BenWasHere')

/** The mark, with its length. */
export const MARK_BYTES: number = INT_BYTES + MARK.length

/** The mark, after the path that ends the nodes. */
export const SNAPSHOT_MARK: Uint8Array = Uint8Array.of(0, 0, 0, MARK.length, ...MARK)

/** The path that ends the nodes, without its length, and the mark. */
const END = Uint8Array.of(SLASH, ...SNAPSHOT_MARK)

/** A step of the walk: a number of bytes to pass over; a negative one of bytes to read as an integer. */
type Step = number
/** Reads an int32. */
const INT: Step = -INT_BYTES
/** The `/` and the mark are 15 bytes, which are compared three at a time. */
const MARK_STEP_BYTES = 3

/** Follows one state. */
export class SnapshotScanner {
  readonly #steps: Generator<Step, undefined, number>
  #step: Step
  /** The value of an integer whose bytes have not all arrived. */
  #int = 0
  #offset = 0
  #isDone = false

  /** @param hasMark - whether the mark comes after the nodes; otherwise their end is the end */
  constructor(hasMark = true) {
    this.#steps = walk(hasMark)
    const first = this.#steps.next(0)
    this.#step = first.value ?? 0
  }

  /** Whether the mark has been read. */
  get isDone(): boolean {
    return this.#isDone
  }

  /**
   * Goes on with the next bytes.
   *
   * @returns how many of them belong to the state; all of them, unless it ends here
   * @throws CoordinationError `PROTOCOL_VIOLATION` if they are no state
   */
  scan(bytes: Uint8Array): number {
    let at = 0
    while (!this.#isDone) {
      for (; this.#step < 0 && at < bytes.length; at++) {
        this.#int = (this.#int << 8) | (bytes[at] ?? 0)
        this.#step += 1
      }
      if (this.#step > 0) {
        const passed = Math.min(this.#step, bytes.length - at)
        at += passed
        this.#step -= passed
      }
      if (this.#step !== 0) break
      this.#advance(this.#offset + at)
    }
    this.#offset += at
    return at
  }

  #advance(offset: number): void {
    const value = this.#int
    this.#int = 0
    try {
      const next = this.#steps.next(value)
      if (next.done === true) this.#isDone = true
      else this.#step = next.value
    } catch (error) {
      if (!(error instanceof Misfit)) throw error
      throw violation(`${error.message} in the state after SNAP, before byte ${offset}`)
    }
  }
}

/** The state is malformed; the scanner adds the place. */
class Misfit extends Error {}

/** The layout of a state. */
function* walk(hasMark: boolean): Generator<Step, undefined, number> {
  const sessions = atLeast(0, 'sessions', yield INT)
  for (let session = 0; session < sessions; session++) yield SESSION_BYTES
  const lists = atLeast(0, 'access control lists', yield INT)
  for (let list = 0; list < lists; list++) {
    yield LIST_NUMBER_BYTES
    const entries = atLeast(-1, 'entries of an access control list', yield INT)
    for (let text = 0; text < entries; text++) {
      yield PERMISSIONS_BYTES
      yield atLeast(0, 'bytes of a scheme', yield INT)
      yield atLeast(0, 'bytes of an identity', yield INT)
    }
  }
  yield* walkNodes()
  if (hasMark) yield* walkMark()
  // The `/` that ends the nodes.
  else yield 1
  return undefined
}

function* walkNodes(): Generator<Step, undefined, number> {
  for (;;) {
    const pathBytes = atLeast(0, 'bytes of a path', yield INT)
    // No node has a path of one character: this is the `/` at the end.
    if (pathBytes === 1) return undefined
    yield pathBytes
    const dataBytes = atLeast(-1, 'bytes of data', yield INT)
    yield Math.max(0, dataBytes) + NODE_END_BYTES
  }
}

function* walkMark(): Generator<Step, undefined, number> {
  for (let at = 0; at < END.length; at += MARK_STEP_BYTES) {
    const expected = END.subarray(at, at + MARK_STEP_BYTES).reduce((value, byte) => (value << 8) | byte, 0)
    const found = yield -MARK_STEP_BYTES
    if (found !== expected) throw new Misfit(`bytes ${found.toString(16)} where the mark at the end is expected`)
  }
  return undefined
}

function atLeast(min: number, what: string, value: number): number {
  if (value < min) throw new Misfit(`${value} ${what}`)
  return value
}
