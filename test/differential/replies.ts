/**
 * Replies and events in words, with what must differ between two servers masked.
 *
 * Masks     zxids count from the program's own first one, or, if they are older, are just that, and go on counting
 *           over a restart, whatever it does to the epoch; times are "t"; the ids of sessions are numbered by their
 *           first use; passwords are their length; lists whose order is that of a hash table in the reference are
 *           sorted.
 *           Deliberate differences "zxid-epoch", "session-numbers", "list-order".
 */
import { ByteReader } from './bytes.ts'
import type { Operation } from './program.ts'

/** The numbers of a program's run on one server, by which texts are made comparable. */
export class Masks {
  /** Where the zxids of the program begin, and those after each restart; `count` transactions are before `first`. */
  #lives: readonly { readonly first: bigint; readonly count: bigint }[] = [{ first: 0n, count: 0n }]
  readonly #sessions: bigint[] = []

  /** The zxid from which the program's are counted. */
  setBase(zxid: bigint): void {
    this.#lives = [{ first: zxid, count: 0n }]
  }

  /** A server restarted: `last` is the last zxid of before, and `first` the first one after it. */
  restarted(last: bigint, first: bigint): void {
    const count = this.#countOf(last) + 1n
    this.#lives = [{ first, count }, ...this.#lives]
  }

  zxid(value: bigint): string {
    if (value <= 0n) return String(value)
    const count = this.#countOf(value)
    return count < 0n ? 'z-old' : `z+${count}`
  }

  /** The zxid that is so many transactions before another one. */
  zxidsBefore(value: bigint, zxidsBack: number): bigint {
    const count = this.#countOf(value) - BigInt(zxidsBack)
    const life = this.#lives.find((each) => each.count <= count) ?? this.#lives.at(-1)
    return life === undefined ? count : life.first + count - life.count
  }

  /** How many transactions since the program began, its own and others, are before this one; less than 0 for older. */
  #countOf(value: bigint): bigint {
    const life = this.#lives.find(({ first }) => first <= value) ?? this.#lives.at(-1)
    return life === undefined ? value : life.count + value - life.first
  }

  session(id: bigint): string {
    if (id === 0n) return '0'
    let index = this.#sessions.indexOf(id)
    if (index === -1) index = this.#sessions.push(id) - 1
    return `session${index}`
  }
}

/** The fields of a record in words; the layout of a reply is a list of them. */
type Field = (reader: ByteReader, masks: Masks) => string

const int: Field = (reader) => String(reader.int())
const text: Field = (reader) => JSON.stringify(reader.buffer()?.toString() ?? null)
const data: Field = (reader) => {
  const bytes = reader.buffer()
  if (bytes === null) return 'null'
  return bytes.length > 64 ? `${bytes.length}*${bytes.toString('hex', 0, 1)}` : JSON.stringify(bytes.toString('latin1'))
}

const zxid: Field = (reader, masks) => masks.zxid(reader.long())
const time: Field = (reader) => (reader.long() === 0n ? '0' : 't')
const owner: Field = (reader, masks) => masks.session(reader.long())

const STAT: readonly (readonly [string, Field])[] = [
  ['c', zxid],
  ['m', zxid],
  ['ctime', time],
  ['mtime', time],
  ['v', int],
  ['cv', int],
  ['av', int],
  ['owner', owner],
  ['length', int],
  ['children', int],
  ['p', zxid],
]

const stat: Field = (reader, masks) => `{${STAT.map(([name, field]) => `${name}:${field(reader, masks)}`).join(' ')}}`

const list =
  (field: Field): Field =>
  (reader, masks) => {
    const length = reader.int()
    if (length === -1) return 'null'
    return `[${Array.from({ length }, () => field(reader, masks)).join(' ')}]`
  }

/** A list whose order says nothing. */
const bag =
  (field: Field): Field =>
  (reader, masks) => {
    const length = reader.int()
    if (length === -1) return 'null'
    const items = Array.from({ length }, () => field(reader, masks))
    return `[${items.sort().join(' ')}]`
  }

const acl = list((reader, masks) => `${int(reader, masks)}:${text(reader, masks)}:${text(reader, masks)}`)
/** Deliberate difference "who-am-i-order". */
const info = bag((reader, masks) => `${text(reader, masks)}:${text(reader, masks)}`)

/** The fields in each part of a multi's answer, by its operation. */
const PARTS: Readonly<Record<number, readonly Field[]>> = {
  [-1]: [int],
  1: [text],
  2: [],
  4: [data, stat],
  5: [stat],
  8: [bag(text)],
  13: [],
  15: [text, stat],
  19: [text, stat],
  21: [text, stat],
}

const results: Field = (reader, masks) => {
  const found: string[] = []
  for (;;) {
    const type = reader.int()
    const isDone = reader.byte()
    const err = reader.int()
    if (isDone !== 0) return `${found.join(', ')} end(${type},${err})`
    const fields = PARTS[type]
    if (fields === undefined) throw new RangeError(`a part of type ${type}`)
    found.push(`${type}(${err})${fields.map((field) => ` ${field(reader, masks)}`).join('')}`)
  }
}

/** The fields of a successful reply after its header. */
const BODIES: Readonly<Record<Operation['name'], readonly Field[]>> = {
  create: [text],
  create2: [text, stat],
  createContainer: [text, stat],
  createTTL: [text, stat],
  delete: [],
  check: [],
  setData: [stat],
  exists: [stat],
  getData: [data, stat],
  getChildren: [bag(text)],
  getChildren2: [bag(text), stat],
  getACL: [acl, stat],
  setACL: [stat],
  sync: [text],
  getAllChildrenNumber: [int],
  getEphemerals: [bag(text)],
  multi: [results],
  multiRead: [results],
  removeWatches: [],
  checkWatches: [],
  addWatch: [int],
  setWatches: [],
  setWatches2: [],
  ping: [],
  whoAmI: [info],
  closeSession: [],
  auth: [],
  sasl: [data],
  reconfig: [data, stat],
  raw: [],
}

/** A reply, in words, and what else is of use of it. */
export interface DescribedReply {
  readonly words: string
  readonly zxid: bigint
  readonly err: number
}

/** Describes the reply to an operation. */
export function describeReply(frame: Buffer, operation: Operation, masks: Masks): DescribedReply {
  const reader = new ByteReader(frame)
  try {
    const xid = reader.int()
    const at = reader.long()
    const err = reader.int()
    const hasBody = err === 0 && reader.left > 0
    const fields = hasBody ? BODIES[operation.name].map((field) => field(reader, masks)) : []
    // Whether there is a body at all is part of what is compared.
    const isMissing = err === 0 && !hasBody && BODIES[operation.name].length > 0
    const header = `xid ${xid} ${masks.zxid(at)} err ${err}`
    const words = [header, ...fields, ...(isMissing ? ['no body'] : []), rest(reader)]
    return { words: words.join(' ').trimEnd(), zxid: at, err }
  } catch (error) {
    return { words: `unreadable (${String(error)}): ${frame.toString('hex')}`, zxid: 0n, err: 0 }
  }
}

/** Describes an event. */
export function describeEvent(frame: Buffer, masks: Masks): string {
  const reader = new ByteReader(frame)
  try {
    const xid = reader.int()
    // Deliberate difference "event-zxid": -1 in 3.8, the transaction's own since 3.9.
    reader.long()
    const header = `${xid} ${reader.int()}`
    return `event ${header} type ${reader.int()} state ${reader.int()} ${text(reader, masks)} ${rest(reader)}`.trimEnd()
  } catch (error) {
    return `unreadable event (${String(error)}): ${frame.toString('hex')}`
  }
}

/** The first message of a server. */
export interface Welcome {
  readonly words: string
  readonly sessionId: bigint
  readonly password: Uint8Array
}

/** Describes the answer to a client's first message. */
export function readWelcome(frame: Buffer, masks: Masks): Welcome {
  const reader = new ByteReader(frame)
  const version = reader.int()
  const timeoutMs = reader.int()
  const sessionId = reader.long()
  const password = Buffer.from(reader.buffer() ?? [])
  const isZero = password.every((byte) => byte === 0)
  const words = `version ${version} timeout ${timeoutMs} ${masks.session(sessionId)}`
  return { words: `${words} password ${isZero ? 'zeros ' : ''}${password.length} ${rest(reader)}`, sessionId, password }
}

function rest(reader: ByteReader): string {
  return reader.left === 0 ? '' : `and ${reader.rest().toString('hex')}`
}
