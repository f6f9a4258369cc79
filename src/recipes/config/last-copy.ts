/**
 * The last good copy of a value, for a process that starts while no server answers.
 *
 * Format    `quorate-config-copy 1 SHA-256`, a line of JSON that says which value it is, then the bytes as they are
 *           stored. The checksum is of all that follows the first line.
 * Trust     a copy that is damaged, or of another value or format, is reported and passed over.
 * Writes    one at a time; of several that wait, only the last. A save that fails is reported, and made again with the
 *           next reading.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { reasonOf } from '../../core/reason.ts'
import type { StoredValue } from './config-values.ts'
import { sha256 } from './io/digest.ts'

/** Where a copy is kept. */
export interface CopyStore {
  /** Its name in messages, such as that of a file. */
  readonly name: string
  /** Finds the bytes that were saved last; null if there are none. */
  load(): Promise<Uint8Array | null>
  /** Replaces them as a whole, or not at all; null: removes them. */
  save(bytes: Uint8Array | null): Promise<void>
}

/** The value that a copy belongs to; the copy of another value is not used. */
interface Identity {
  readonly namespace: string
  readonly path: string
  /** The codec's name of its format. */
  readonly format: string | null
}

const MAGIC = /^quorate-config-copy 1 ([0-9a-f]{64})$/
const LINE_FEED = 0x0a
const ZXID = /^-?\d{1,20}$/

/** Keeps one copy. */
export class LastCopy {
  readonly #client: Client
  readonly #store: CopyStore
  readonly #identity: Identity
  /** zxid of the value that is kept; null: none is; undefined: not known. */
  #kept: bigint | null | undefined
  /** The latest reading that is not saved; undefined if it is. */
  #unsaved: { readonly copy: StoredValue | null } | undefined
  #saving: Promise<void> | null = null

  /**
   * Makes it; nothing is loaded.
   *
   * @param format - the codec's name of its format
   */
  constructor(client: Client, path: string, format: string | null, store: CopyStore) {
    this.#client = client
    this.#store = store
    this.#identity = { namespace: client.namespace, path, format }
  }

  /** Loads the copy; null if there is none that can be used. Never rejects. */
  async load(): Promise<StoredValue | null> {
    try {
      const bytes = await this.#store.load()
      return bytes === null ? null : decodeCopy(bytes, this.#identity)
    } catch (error) {
      this.#report(`is not used: ${reasonOf(error)}`, 'INVALID_VALUE', error)
      return null
    }
  }

  /** Takes note of a reading; null: there is no value. */
  keep(value: StoredValue | null): void {
    const zxid = value === null ? null : value.zxid
    if (this.#unsaved === undefined && this.#kept === zxid) return
    this.#unsaved = { copy: value }
    this.#saving ??= this.#save()
  }

  /** Resolves when the latest reading is saved, or cannot be. */
  async flush(): Promise<void> {
    await this.#saving
  }

  async #save(): Promise<void> {
    while (this.#unsaved !== undefined) {
      const { copy } = this.#unsaved
      this.#unsaved = undefined
      try {
        await this.#store.save(copy === null ? null : encodeCopy(copy, this.#identity))
        this.#kept = copy === null ? null : copy.zxid
      } catch (error) {
        this.#kept = undefined
        this.#report(`was not saved: ${reasonOf(error)}`, 'SYSTEM_ERROR', error)
      }
    }
    this.#saving = null
  }

  #report(what: string, code: 'INVALID_VALUE' | 'SYSTEM_ERROR', cause: unknown): void {
    const { path } = this.#identity
    const outcome = code === 'INVALID_VALUE' ? 'corrupt' : 'not-sent'
    const message = `the copy of ${path} in ${this.#store.name} ${what}`
    this.#client.report(new CoordinationError(code, message, { outcome, path, cause }))
  }
}

function encodeCopy({ bytes, version, zxid, czxid }: StoredValue, identity: Identity): Uint8Array {
  const header = { ...identity, version, zxid: String(zxid), czxid: String(czxid) }
  const rest = joined(new TextEncoder().encode(`${JSON.stringify(header)}\n`), bytes)
  return joined(new TextEncoder().encode(`quorate-config-copy 1 ${sha256(rest)}\n`), rest)
}

/** Reads a copy; throws an error that says what is wrong with it. */
function decodeCopy(bytes: Uint8Array, identity: Identity): StoredValue {
  const { line: first, rest } = cut(bytes)
  const digest = MAGIC.exec(first)?.[1]
  if (digest === undefined) throw new Error('it is no copy of a configuration')
  if (sha256(rest) !== digest) throw new Error('its checksum is wrong')
  const { line, rest: value } = cut(rest)
  const { namespace, path, format, version, zxid, czxid } = JSON.parse(line) as Readonly<Record<string, unknown>>
  const place = `${JSON.stringify(path)} of the namespace ${JSON.stringify(namespace)}`
  if (path !== identity.path || namespace !== identity.namespace) throw new Error(`it is of ${place}`)
  if (format !== identity.format) {
    throw new Error(`its format is ${JSON.stringify(format)}, and not ${JSON.stringify(identity.format)}`)
  }
  if (!Number.isSafeInteger(version) || !isZxid(zxid) || !isZxid(czxid)) throw new Error('its header is wrong')
  return { bytes: value, version: Number(version), zxid: BigInt(zxid), czxid: BigInt(czxid) }
}

function cut(bytes: Uint8Array): { readonly line: string; readonly rest: Uint8Array } {
  const end = bytes.indexOf(LINE_FEED)
  const line = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end)))
  return { line, rest: bytes.subarray(end + 1) }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}

function isZxid(value: unknown): value is string {
  return typeof value === 'string' && ZXID.test(value)
}
