import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sha1 } from '../../../../../src/backends/embedded/server/state/sha1.ts'

function referenceOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}

it('SHA-1 gives the hashes of Node.js at every length around its blocks', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (31 * i + length) & 0xff)
    expect(Buffer.from(sha1(bytes)).toString('hex')).toBe(referenceOf(bytes))
  }
})

it('SHA-1 gives the hashes of Node.js for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), (bytes) => {
      expect(Buffer.from(sha1(bytes)).toString('hex')).toBe(referenceOf(bytes))
    }),
    { numRuns: 100 },
  )
})
