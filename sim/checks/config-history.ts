/**
 * History of configurations: the committed values and their records.
 *
 * CFG4  whoever keeps a history writes each value with its entry, in one transaction: the newest entry is that value,
 *       byte by byte, and names the version of its node. A value that others have written has an entry before the next
 *       one is published. Versions have no gap, and what the head counts is what is kept.
 *       A reader is told of versions without a gap, and of each value as it was written.
 */
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { ConfigValue } from './config.ts'

/** An entry as a reader is told of it. */
export interface SeenEntry {
  readonly version: number | null
  readonly value: ConfigValue | undefined
}

interface Head {
  readonly last: number
  readonly sizes: readonly number[]
  readonly nodeVersion: number
}

interface WrittenHead {
  readonly head: Head
  readonly zxid: bigint
}

interface Entry {
  readonly header: { readonly version: number; readonly kind: string; readonly nodeVersion: number }
  readonly value: ConfigValue
  readonly text: string
}

const decoder = new TextDecoder()

export class ConfigHistoryCheck implements Check, LedgerListener {
  readonly name = 'config-history'
  readonly covers = ['CFG4']
  readonly #ledger: Ledger
  /** By the path of the head, the value. */
  readonly #values: ReadonlyMap<string, string>
  readonly #recorded = new Set<string>()
  /** By the path of the head. */
  readonly #heads = new Map<string, WrittenHead>()

  /**
   * Checks values of a world that has not run yet.
   *
   * @param paths - of the values
   */
  constructor(ledger: Ledger, paths: Iterable<string>) {
    this.#ledger = ledger
    this.#values = new Map([...paths].map((path) => [headOf(path), path]))
    ledger.listen(this)
  }

  /** To be told before a value is written by somebody who keeps a history. */
  begins({ by }: ConfigValue): void {
    this.#recorded.add(by)
  }

  /** To be called for each list that a reader gets. */
  listed(path: string, entries: readonly SeenEntry[]): void {
    const known = entries[0]?.version === null ? entries.slice(1) : entries
    const [newest] = known
    known.forEach(({ version, value }, index) => {
      const expected = (newest?.version ?? 0) - index
      if (version !== expected) this.#fail(`version ${version} of ${path} was listed where ${expected} had to be`)
      const entry = this.#entry(path, expected, this.#ledger.model.zxid)
      // One that was dropped since was listed rightly.
      if (entry !== null && entry.value.by !== value?.by) {
        this.#fail(`version ${version} of ${path} was listed as ${value?.by ?? 'nothing'}, and is ${entry.value.by}`)
      }
    })
  }

  committed({ transaction, changes }: Replayed): void {
    const { zxid } = transaction.header
    for (const { type, path } of changes) {
      const value = this.#values.get(path)
      if (value !== undefined && type === 'changed') this.#headWritten(path, value, zxid)
    }
    for (const [head, path] of this.#values) {
      const isWritten = changes.some((change) => change.path === path && change.type !== 'deleted')
      if (isWritten) this.#valueWritten(path, zxid, changes.some((change) => change.path === head))
    }
  }

  #valueWritten(path: string, zxid: bigint, hasEntry: boolean): void {
    const node = this.#ledger.model.node(path, zxid)
    if (node === null || hasEntry) return
    const { by } = JSON.parse(decoder.decode(node.data)) as ConfigValue
    // Operators put back what others have written, with the same name.
    if (this.#recorded.delete(by)) this.#fail(`${by} was written at ${hex(zxid)} without its entry`)
  }

  #headWritten(headPath: string, path: string, zxid: bigint): void {
    const { model } = this.#ledger
    const head = JSON.parse(decoder.decode(model.node(headPath, zxid)?.data)) as Head
    const before = this.#heads.get(headPath)
    const expected = (before?.head.last ?? 0) + 1
    if (head.last !== expected) this.#fail(`version ${head.last} of ${path} at ${hex(zxid)}, where ${expected} is due`)
    const entry = this.#entry(path, head.last, zxid)
    const value = model.node(path, zxid)
    if (entry === null || value === null) this.#fail(`version ${head.last} of ${path} at ${hex(zxid)} has nothing`)
    const isThatValue = entry.text === decoder.decode(value.data) && entry.header.nodeVersion === value.version
    if (!isThatValue || head.nodeVersion !== value.version) {
      this.#fail(`version ${head.last} of ${path} at ${hex(zxid)} is not the value`)
    }
    // Who has written it keeps a history, and it may be put back by an operator from now on.
    this.#recorded.delete(entry.value.by)
    if (entry.header.kind !== 'found') this.#expectRecorded(path, zxid, before)
    this.#expectKept(headPath, head, zxid)
    this.#heads.set(headPath, { head, zxid })
  }

  /** Whether the value that was replaced at this moment had its entry. */
  #expectRecorded(path: string, zxid: bigint, before: WrittenHead | undefined): void {
    const replaced = this.#ledger.model.node(path, zxid - 1n)
    if (replaced === null) return
    if (before !== undefined && replaced.mzxid <= before.zxid && replaced.version === before.head.nodeVersion) return
    this.#fail(`the value of ${path} of ${hex(replaced.mzxid)} was replaced at ${hex(zxid)}, and has no entry`)
  }

  #expectKept(headPath: string, { last, sizes }: Head, zxid: bigint): void {
    const names = this.#ledger.model.names(`${headPath}/history`, zxid)
    const expected = sizes.map((_, index) => nameOf(last - sizes.length + 1 + index))
    if (names.join() !== expected.join()) this.#fail(`${headPath} counts ${expected.join()} and keeps ${names.join()}`)
  }

  #entry(path: string, version: number, zxid: bigint): Entry | null {
    const node = this.#ledger.model.node(`${headOf(path)}/history/${nameOf(version)}`, zxid)
    if (node === null) return null
    const [line = '', text = ''] = decoder.decode(node.data).split('\n')
    return { header: JSON.parse(line) as Entry['header'], value: JSON.parse(text) as ConfigValue, text }
  }

  #fail(message: string): never {
    throw new Violation(this.name, `CFG4: ${message}`)
  }
}

function headOf(path: string): string {
  return `/quorate/config/${path.slice(1).replaceAll('/', '%2F')}`
}

function nameOf(version: number): string {
  return `v${String(version).padStart(10, '0')}`
}
