/**
 * Configuration: the answers to writers and readers of a value, held against the committed log.
 *
 * CFG1  every reader comes to the last committed value, once nobody writes any more.
 * CFG2  a reader is told a write that was committed, as it was committed, and never an older one than it was told
 *       before. That there is no value, it is told only if that was so after what it was told before.
 * CFG3  a reader that is out of touch says so.
 * C4    a read from the servers is not older than any write that was acknowledged before.
 * C5    a write that was refused or never sent is not committed, one that was confirmed is so once, with that version
 *       and zxid, and any other at most once. But who has lost an answer, and looks for its value when that was deleted
 *       already, cannot tell that it ever was there: it may write it again, or say that it was refused.
 * Operators delete values, and put them back as they were: a value that is put back is as new as that. Versions repeat
 *       from then on, and who has seen the value before must not overwrite it.
 * Count a value that is written on the condition that nobody else has written in between is the successor of the one
 *       before it: no update is lost.
 */
import type { ConfigChange } from '../../src/recipes/config/config-center.ts'
import type { Written } from '../../src/recipes/engine/compare-and-set.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { Owners } from '../owners.ts'

/** A value, as the programs write it. */
export interface ConfigValue {
  /** One more than that of the value that the writer had before its eyes. */
  readonly count: number
  /** Names the attempt to write it; no other has the same. */
  readonly by: string
}

/** How a value is written: only by those who have seen the last one, or by whoever likes. */
export type ConfigKind = 'counted' | 'free'

/** One consumer of one value. */
export interface ConfigReader {
  readonly name: string
  readonly path: string
  /** zxid of the last write that it was told of; 0n before the first. */
  zxid: bigint
}

/** The end of an attempt to write, as its caller was told. */
export type WriteEnd = 'never' | 'maybe' | Written

/** The part of a change that the check looks at. */
type SeenChange = Pick<ConfigChange<ConfigValue>, 'value' | 'version' | 'zxid'>

interface Write {
  readonly path: string
  end: WriteEnd | null
  /** Null while it is not committed. */
  committed: Written | null
}

const decoder = new TextDecoder()

export class ConfigCheck implements Check, LedgerListener {
  readonly name = 'config'
  readonly covers = ['CFG1', 'CFG2', 'CFG3', 'C4', 'C5']
  readonly #ledger: Ledger
  readonly #owners: Pick<Owners, 'isOperator'>
  readonly #values: ReadonlyMap<string, ConfigKind>
  readonly #writes = new Map<string, Write>()
  /** By path, the value that is there. */
  readonly #current = new Map<string, ConfigValue>()
  /** By path, when the value was last deleted. */
  readonly #deleted = new Map<string, bigint>()
  /** By value, when an operator put it back last. */
  readonly #restored = new Map<string, bigint>()
  /** By path, the latest write that was acknowledged to anyone. */
  readonly #acknowledged = new Map<string, bigint>()

  /**
   * Checks values of a world that has not run yet.
   *
   * @param values - how they are written, by path
   */
  constructor(ledger: Ledger, owners: Pick<Owners, 'isOperator'>, values: ReadonlyMap<string, ConfigKind>) {
    this.#ledger = ledger
    this.#owners = owners
    this.#values = values
    ledger.listen(this)
  }

  committed({ transaction, changes }: Replayed): void {
    for (const { type, path } of changes) {
      const kind = this.#values.get(path)
      if (kind === undefined) continue
      if (type === 'deleted') {
        this.#deleted.set(path, transaction.header.zxid)
        this.#current.delete(path)
      } else if (this.#owners.isOperator(transaction.header.clientId)) this.#restore(path, transaction.header.zxid)
      else this.#commit(path, kind, transaction.header.zxid)
    }
  }

  /** To be told before a value is written. */
  begins(path: string, { by }: ConfigValue): void {
    this.#writes.set(by, { path, end: null, committed: null })
  }

  /** To be told what became of it. */
  ends({ by }: ConfigValue, end: WriteEnd): void {
    const write = this.#write(by)
    write.end = end
    this.#expectHonest(by, write)
    if (typeof end === 'string') return
    if (write.committed === null) this.#fail(`C5: ${by} was confirmed at ${hex(end.zxid)}, and is not committed`)
    if (end.zxid > (this.#acknowledged.get(write.path) ?? 0n)) this.#acknowledged.set(write.path, end.zxid)
  }

  /** To be called for each change that a reader is told. */
  told(reader: ConfigReader, { value, version, zxid }: SeenChange): void {
    const { name, path } = reader
    if (zxid === null) {
      const deleted = this.#deleted.get(path) ?? 0n
      if (reader.zxid > deleted) this.#fail(`CFG2: ${name} was told of no value behind ${hex(reader.zxid)}`)
      return
    }
    if (zxid < reader.zxid) this.#fail(`CFG2: ${name} was told of ${hex(zxid)} behind ${hex(reader.zxid)}`)
    reader.zxid = zxid
    const node = this.#ledger.model.node(path, zxid)
    const isSame = node?.mzxid === zxid && node.version === version && sameValue(decode(node.data), value)
    if (!isSame) this.#fail(`CFG2: ${name} was told of a version ${version} at ${hex(zxid)} that was never written`)
  }

  /** To be told whether a reader counts its value as stale at this instant, and whether its client is in touch. */
  looked({ name }: ConfigReader, isStale: boolean, isInTouch: boolean): void {
    if (!isInTouch && !isStale) this.#fail(`CFG3: ${name} is out of touch, and does not say so`)
  }

  /** The latest write of a value that anyone knows to be committed. */
  acknowledged(path: string): bigint {
    return this.#acknowledged.get(path) ?? 0n
  }

  /** To be told what was read from the servers; `floor` is what was acknowledged when the reading began. */
  read(path: string, value: ConfigValue | undefined, floor: bigint): void {
    const zxid = value === undefined
      ? (this.#deleted.get(path) ?? 0n)
      : (this.#restored.get(value.by) ?? this.#write(value.by).committed?.zxid)
    if (zxid === undefined) this.#fail(`C4: ${value?.by ?? ''} was read from ${path}, and is not committed`)
    if (zxid < floor) this.#fail(`C4: ${path} was read at ${hex(zxid)}, behind an acknowledged write at ${hex(floor)}`)
  }

  /** CFG1: whether a reader was told of what is there now. */
  isUpToDate({ path, zxid }: ConfigReader): boolean {
    const node = this.#ledger.model.node(path)
    return node === null ? zxid === 0n || zxid < (this.#deleted.get(path) ?? 0n) : node.mzxid === zxid
  }

  #restore(path: string, zxid: bigint): void {
    const node = this.#ledger.model.node(path, zxid)
    if (node === null) return
    const value = decode(node.data)
    this.#restored.set(value.by, zxid)
    this.#current.set(path, value)
  }

  #commit(path: string, kind: ConfigKind, zxid: bigint): void {
    const node = this.#ledger.model.node(path, zxid)
    if (node === null) this.#fail(`${path} was written at ${hex(zxid)}, and is not there`)
    const value = decode(node.data)
    const write = this.#write(value.by)
    const { committed } = write
    // Who writes a value again that was deleted before its answer was known cannot tell that it was there.
    const wasDeleted = committed !== null && committed.zxid < (this.#deleted.get(path) ?? 0n)
    if (committed !== null && !wasDeleted) {
      this.#fail(`C5: ${value.by} was committed at ${hex(committed.zxid)} and ${hex(zxid)}`)
    }
    write.committed = { zxid, version: node.version }
    this.#expectHonest(value.by, write)
    const before = this.#current.get(path)?.count ?? 0
    if (kind === 'counted' && value.count !== before + 1) {
      this.#fail(`a lost update: ${value.by} wrote ${value.count} to ${path} at ${hex(zxid)}, where ${before} was`)
    }
    this.#current.set(path, value)
  }

  #expectHonest(by: string, { path, end, committed }: Write): void {
    if (end === null || end === 'maybe' || committed === null) return
    // Who was refused after a lost answer cannot tell that its value was there, and was deleted since.
    const wasDeleted = committed.zxid < (this.#deleted.get(path) ?? 0n)
    if (end === 'never' && wasDeleted) return
    if (end === 'never') this.#fail(`C5: ${by} was refused, and is committed at ${hex(committed.zxid)}`)
    // An operator has put the value back before its writer, whose answer was lost, looked for it.
    if (end.zxid === this.#restored.get(by)) return
    if (end.zxid !== committed.zxid || end.version !== committed.version) {
      this.#fail(`C5: ${by} was confirmed at ${hex(end.zxid)}, and committed at ${hex(committed.zxid)}`)
    }
  }

  #write(by: string): Write {
    const write = this.#writes.get(by)
    if (write === undefined) this.#fail(`nobody has written ${by}`)
    return write
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

function decode(bytes: Uint8Array): ConfigValue {
  return JSON.parse(decoder.decode(bytes)) as ConfigValue
}

function sameValue(a: ConfigValue, b: ConfigValue | undefined): boolean {
  return a.count === b?.count && a.by === b.by
}
