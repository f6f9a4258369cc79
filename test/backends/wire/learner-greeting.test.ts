import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { LEARNER_GREETING_BYTES_MAX, readLearnerGreeting } from '../../../src/backends/wire/learner-greeting.ts'
import { PeerLink } from '../../../src/backends/wire/peer-link.ts'
import { RECORDED_LINKS } from './recorded-peers.ts'

const WHOLE_LINKS = RECORDED_LINKS.filter(({ frames }) => /^(FOLLOWER|OBSERVER)INFO$/.test(frames[0]?.name ?? ''))

function errorOf(bytes: Uint8Array): string | null {
  try {
    readLearnerGreeting(bytes)
    return null
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return error.message
    throw error
  }
}

describe('the greeting of a learner', () => {
  it.each(WHOLE_LINKS)('is read as it was recorded, and not before its last byte: $title', ({ learner, frames }) => {
    const bytes = frames[0]?.bytes ?? new Uint8Array()
    for (let length = 0; length < bytes.length; length++) {
      expect(readLearnerGreeting(bytes.subarray(0, length))).toBeNull()
    }
    expect(readLearnerGreeting(bytes)?.sid).toBe(BigInt(learner))
  })

  it('of ours is the longest', () => {
    const link = new PeerLink({ role: 'learner', sid: 4 })
    const bytes = Uint8Array.from(Buffer.concat(link.encode({ type: 'OBSERVERINFO', acceptedEpoch: 9 })))
    expect(bytes).toHaveLength(LEARNER_GREETING_BYTES_MAX)
    expect(readLearnerGreeting(bytes)).toEqual({ sid: 4n, configurationVersion: 0n })
  })

  it.each([
    ['another packet', '0000000500000000000000000000001400000000'],
    ['no data', '0000000b0000000000000000ffffffffffffffff'],
    ['endless data', '0000000b00000000000000007fffffff'],
    ['the LearnerInfo of 3.4', '0000000b00000000000000000000000c'],
  ])('is refused with %s', (_name, hex) => {
    expect(errorOf(Uint8Array.from(Buffer.from(hex, 'hex')))).not.toBeNull()
  })

  it('never raises anything else, and is always decided within its length', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 80, maxLength: 80 }), fc.boolean(), (bytes, isGreeting) => {
      if (isGreeting) bytes.set([0, 0, 0, 11], 0)
      if (isGreeting) bytes.set([0, 0, 0, 20], 12)
      expect(errorOf(bytes) !== null || readLearnerGreeting(bytes) !== null).toBe(true)
    }))
  })
})
