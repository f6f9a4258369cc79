import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { SnapshotScanner } from '../../../src/backends/wire/snapshot-stream.ts'
import { RECORDED_LINKS } from './recorded-peers.ts'

const STATE = RECORDED_LINKS.flatMap(({ frames }) => frames).find(({ name }) => name === 'STATE')?.bytes as Uint8Array

function scan(scanner: SnapshotScanner, bytes: Uint8Array, length: number): number {
  let scanned = 0
  for (let at = 0; at < bytes.length && !scanner.isDone; at += length) {
    scanned += scanner.scan(bytes.subarray(at, at + length))
  }
  return scanned
}

function errorOf(bytes: Uint8Array): string | null {
  try {
    scan(new SnapshotScanner(), bytes, 7)
    return null
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return error.message
    throw error
  }
}

describe('the scanner of a state of a real server', () => {
  it('finds its end, and nothing of what follows', () => {
    const followed = Uint8Array.from([...STATE, ...STATE])
    for (const length of [1, 2, 3, 5, 64, followed.length]) {
      const scanner = new SnapshotScanner()
      expect(scan(scanner, followed, length)).toBe(STATE.length)
      expect(scanner.isDone).toBe(true)
    }
  })

  it('does not find an end in any part of it', () => {
    for (let length = 0; length < STATE.length; length++) {
      const scanner = new SnapshotScanner()
      expect(scanner.scan(STATE.subarray(0, length))).toBe(length)
      expect(scanner.isDone).toBe(false)
    }
  })

  it('with bytes changed goes on or refuses it, and raises nothing else', () => {
    let refused = 0
    const change = fc.record({ at: fc.nat({ max: STATE.length - 1 }), mask: fc.integer({ min: 1, max: 255 }) })
    fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = STATE.slice()
      for (const { at, mask } of changes) changed[at] = (changed[at] ?? 0) ^ mask
      if (errorOf(changed) !== null) refused += 1
    }), { numRuns: 1_000 })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      if (errorOf(bytes) !== null) refused += 1
    }), { numRuns: 1_000 })
    expect(refused).toBeGreaterThan(200)
  })

  it.each([
    ['fewer sessions than none', 'ffffffff', '-1 sessions in the state after SNAP, before byte 4'],
    ['fewer lists than none', '00000000ffffffff', '-1 access control lists'],
    ['a list of fewer entries than none', '00000000000000010000000000000001fffffffe', '-2 entries'],
    ['a path of fewer bytes than none', '0000000000000000ffffffff', '-1 bytes of a path'],
    ['data of fewer bytes than null', '00000000000000000000000080000000', '-2147483648 bytes of data'],
    ['another mark', '0000000000000000000000012f0000000a42656e576173497a', 'the mark at the end is expected'],
  ])('refuses %s', (_, bytes, message) => {
    expect(errorOf(Uint8Array.from(Buffer.from(bytes, 'hex')))).toContain(message)
  })
})
