import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Entry } from '../../examples/quickstart/ledger.ts'
import { Ledger, parseLedger } from '../../examples/quickstart/ledger.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-ledger-'))
  file = join(folder, 'ledger.jsonl')
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function entry(token: bigint, job: string): Entry {
  const amounts = { currency: 'EUR', net: 100, vat: 21, total: 121 }
  return { token: String(token), job, worker: 'worker-1', session: 'a1', version: 0, ...amounts }
}

describe('the ledger', () => {
  it('has what was appended, in order', () => {
    const ledger = new Ledger(file)
    ledger.append(entry(5n, 'a'))
    ledger.append(entry(9n, 'b'))
    expect(parseLedger(readFileSync(file, 'utf8')).map(({ job }) => job)).toEqual(['a', 'b'])
    expect([ledger.length, ledger.has('a'), ledger.has('c')]).toEqual([2, true, false])
  })

  it.each([4n, 5n])('refuses token %s after token 5, and stays as it is', (token) => {
    const ledger = new Ledger(file)
    ledger.append(entry(5n, 'a'))
    expect(() => ledger.append(entry(token, 'b'))).toThrow(expect.objectContaining({ reason: 'stale-token' }))
    expect(parseLedger(readFileSync(file, 'utf8'))).toHaveLength(1)
  })

  it('compares tokens as numbers and not as text', () => {
    const ledger = new Ledger(file)
    ledger.append(entry(99n, 'a'))
    ledger.append(entry(100n, 'b'))
    expect(ledger.length).toBe(2)
  })

  it('refuses a job that is done', () => {
    const ledger = new Ledger(file)
    ledger.append(entry(5n, 'a'))
    expect(() => ledger.append(entry(6n, 'a'))).toThrow(expect.objectContaining({ reason: 'job-done' }))
  })

  it('remembers its fence when it is opened again', () => {
    new Ledger(file).append(entry(5n, 'a'))
    const again = new Ledger(file)
    expect(() => again.append(entry(5n, 'b'))).toThrow(expect.objectContaining({ reason: 'stale-token' }))
    expect(() => again.append(entry(6n, 'a'))).toThrow(expect.objectContaining({ reason: 'job-done' }))
  })

  it('tells when it has so many entries, and gives up with the signal', async () => {
    const ledger = new Ledger(file)
    const end = new AbortController()
    const two = ledger.untilLength(2, end.signal)
    const three = ledger.untilLength(3, end.signal)
    ledger.append(entry(5n, 'a'))
    ledger.append(entry(6n, 'b'))
    await two
    end.abort(new Error('enough'))
    await expect(three).rejects.toThrow('enough')
  })
})
