import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DamageError } from '../../../../src/backends/wire/disk/damage.ts'
import { formatVotes, parseVotes } from '../../../../src/backends/wire/disk/votes-file.ts'

const FILE = 'data/votes'
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const epoch = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const record = fc.record({ votes: fc.boolean(), epochs: fc.record({ acceptedEpoch: epoch, currentEpoch: epoch }) })

describe('the file with the right to vote', () => {
  it('has the epochs and a checksum', () => {
    const content = formatVotes({ votes: true, epochs: { acceptedEpoch: 12, currentEpoch: 11 } })
    expect(content).toMatch(/^yes 12 11 [0-9a-f]{8}$/)
    expect(parseVotes(FILE, bytesOf(content))).toEqual({
      votes: true,
      epochs: { acceptedEpoch: 12, currentEpoch: 11 },
    })
  })

  it('is read as it was written', () => {
    fc.assert(
      fc.property(record, (written) => {
        expect(parseVotes(FILE, bytesOf(formatVotes(written)))).toEqual(written)
      }),
    )
  })

  it('may say nothing of the epochs, as earlier releases wrote it', () => {
    expect(parseVotes(FILE, bytesOf('yes'))).toEqual({ votes: true, epochs: null })
    expect(parseVotes(FILE, bytesOf('no\n'))).toEqual({ votes: false, epochs: null })
    expect(formatVotes({ votes: false, epochs: null })).toBe('no')
  })

  it.each(['', 'maybe', 'yes 1 1', 'yes 1 1 00000000', 'yes 1 1 ', 'yes\0'])('is refused with %j', (text) => {
    expect(() => parseVotes(FILE, bytesOf(text))).toThrow(DamageError)
    expect(() => parseVotes(FILE, bytesOf(text))).toThrow(`${FILE}: at byte 0: ${JSON.stringify(text)} `)
  })

  it('is refused with any one byte changed', () => {
    const content = bytesOf(formatVotes({ votes: true, epochs: { acceptedEpoch: 2, currentEpoch: 1 } }))
    for (const [at, byte] of content.entries()) {
      for (let value = 0; value < 256; value++) {
        if (value === byte) continue
        const changed = content.slice()
        changed[at] = value
        expect(() => parseVotes(FILE, changed), `byte ${at} is ${value}`).toThrow(DamageError)
      }
    }
  })
})
