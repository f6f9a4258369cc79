import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import {
  NOTIFICATION_BYTES_MAX,
  decodeNotification,
  encodeNotification,
  readNotification,
  writeNotification,
} from '../../../src/backends/wire/notifications.ts'
import type { WireNotification } from '../../../src/backends/wire/notifications.ts'
import type { Notification, PeerState } from '../../../src/backends/wire/packets.ts'
import { RECORDED_NOTIFICATIONS } from './recorded-peers.ts'

const state = fc.constantFrom<PeerState>('LOOKING', 'FOLLOWING', 'LEADING', 'OBSERVING')
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const wire: fc.Arbitrary<WireNotification> = fc.record({
  state,
  leader: int64,
  zxid: int64,
  electionEpoch: int64,
  peerEpoch: int64,
  version: fc.constant(2),
  configuration: fc.string({ unit: 'grapheme', maxLength: 40 }),
})
const voted = fc.record({
  type: fc.constant('NOTIFICATION' as const),
  leader: fc.integer({ min: 1, max: 254 }),
  zxid: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  peerEpoch: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  electionEpoch: fc.maxSafeInteger().map(Math.abs),
  state,
})
const nobody = voted.map((vote): Notification => ({ ...vote, leader: 0, zxid: 0n, peerEpoch: 0 }))

const VOTE: Notification = {
  type: 'NOTIFICATION',
  state: 'LEADING',
  leader: 3,
  zxid: 0x1_0000_0005n,
  electionEpoch: 7,
  peerEpoch: 2,
}

function errorOf(bytes: Uint8Array): string | null {
  try {
    decodeNotification(bytes)
    return null
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return error.message
    throw error
  }
}

function changed(at: number, hex: string): Uint8Array {
  const bytes = encodeNotification(VOTE, 'version=0')
  bytes.set(Buffer.from(hex, 'hex'), at)
  return bytes
}

describe('a notification', () => {
  it('of a real server is written again as it was', () => {
    expect(RECORDED_NOTIFICATIONS.length).toBeGreaterThan(30)
    for (const { title, bytes } of RECORDED_NOTIFICATIONS) {
      expect(writeNotification(readNotification(bytes)), title).toEqual(bytes)
    }
  })

  it('of a real server that votes is what ours would send', () => {
    const of = ({ bytes }: { bytes: Uint8Array }): WireNotification => readNotification(bytes)
    const voters = RECORDED_NOTIFICATIONS.filter((recorded) => of(recorded).leader > 0n)
    expect(voters.length).toBeGreaterThan(10)
    for (const { bytes } of voters) {
      expect(encodeNotification(decodeNotification(bytes), readNotification(bytes).configuration ?? '')).toEqual(bytes)
    }
  })

  it('of a real observer names nobody, as ours does', () => {
    const [asked] = RECORDED_NOTIFICATIONS.filter(({ title }) => title.startsWith('server 4 LOOKING'))
    const bytes = asked?.bytes ?? new Uint8Array()
    const nobodys = { leader: 0, zxid: 0n, peerEpoch: 0, state: 'LOOKING' }
    expect(decodeNotification(bytes)).toMatchObject(nobodys)
    const { configuration } = readNotification(bytes)
    expect(encodeNotification(decodeNotification(bytes), configuration ?? '')).toEqual(bytes)
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(wire, (value) => {
        expect(readNotification(writeNotification(value))).toEqual(value)
      }),
    )
    fc.assert(
      fc.property(fc.oneof(voted, nobody), fc.string(), (value, configuration) => {
        expect(decodeNotification(encodeNotification(value, configuration))).toEqual(value)
      }),
    )
  })

  it('of 28 bytes has the epoch of its zxid', () => {
    const value = { ...readNotification(encodeNotification(VOTE)), peerEpoch: 1n, version: null, configuration: null }
    const bytes = writeNotification(value)
    expect(bytes.length).toBe(28)
    expect(readNotification(bytes)).toEqual(value)
  })

  it('of 40 bytes is of version 0 whatever stands there', () => {
    const value = { ...readNotification(encodeNotification(VOTE)), version: 1, configuration: null }
    const bytes = writeNotification(value)
    expect(bytes.length).toBe(40)
    expect(readNotification(bytes)).toEqual({ ...value, version: 0 })
  })

  it('is refused if it is cut at any byte but those where an older one ends', () => {
    const bytes = encodeNotification(VOTE, 'version=0')
    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(bytes.subarray(0, length)) === null, String(length)).toBe(length === 28 || length === 40)
    }
  })

  it('with one byte changed is read or refused, and raises nothing else', () => {
    let refused = 0
    fc.assert(
      fc.property(wire, fc.integer({ min: 1, max: 255 }), (value, mask) => {
        const bytes = writeNotification(value)
        for (let at = 0; at < bytes.length; at++) {
          const other = bytes.slice()
          other[at] = (other[at] ?? 0) ^ mask
          if (errorOf(other) !== null) refused += 1
        }
      }),
    )
    expect(refused).toBeGreaterThan(0)
  })

  it.each([
    ['an unknown state', changed(0, '00000004'), 'state 4'],
    ['a negative state', changed(0, 'ffffffff'), 'state -1'],
    ['a negative leader', changed(4, 'ffffffffffffffff'), 'leader -1'],
    ['a negative zxid', changed(12, 'ffffffffffffffff'), 'zxid -1'],
    ['a negative round', changed(20, 'ffffffffffffffff'), 'round -1'],
    ['an epoch that no zxid has', changed(28, '0000000100000000'), 'peer epoch 4294967296'],
    ['a negative version', changed(36, 'ffffffff'), 'version -1'],
    ['a configuration of a negative length', changed(40, 'ffffffff'), 'configuration of -1 bytes'],
    ['a configuration that is longer than it', changed(40, '0000ffff'), '65535 bytes'],
    ['bytes after its configuration', changed(40, '00000001'), '8 bytes left over'],
    ['no end', new Uint8Array(NOTIFICATION_BYTES_MAX + 1), '524289 bytes'],
  ])('is refused with %s', (_, bytes, message) => {
    expect(errorOf(bytes)).toContain(message)
  })
})
