import { describe, expect, it } from 'vitest'
import {
  ATTEMPT_ADDRESSES_MAX,
  ATTEMPT_WAIT_MS_MAX,
  Attempts,
} from '../../../../src/backends/embedded/host/attempts.ts'

const MINUTE_MS = 60_000

describe('attempts of an address', () => {
  it('wait longer with each failure, up to a limit, and others do not wait', () => {
    const attempts = new Attempts()
    const waits = Array.from({ length: 40 }, () => {
      attempts.failed('10.0.0.1', 0)
      return attempts.waitMs('10.0.0.1', 0)
    })
    expect(waits.slice(0, 6)).toEqual([100, 200, 400, 800, 1_600, ATTEMPT_WAIT_MS_MAX])
    expect(waits.at(-1)).toBe(ATTEMPT_WAIT_MS_MAX)
    expect(attempts.waitMs('10.0.0.2', 0)).toBe(0)
  })

  it('wait no more when the last failure is long ago', () => {
    const attempts = new Attempts()
    attempts.failed('10.0.0.1', 0)
    expect(attempts.waitMs('10.0.0.1', 9 * MINUTE_MS)).toBe(100)
    expect(attempts.waitMs('10.0.0.1', 11 * MINUTE_MS)).toBe(0)
    attempts.failed('10.0.0.1', 11 * MINUTE_MS)
    expect(attempts.waitMs('10.0.0.1', 11 * MINUTE_MS)).toBe(100)
  })

  it('of IPv6 are those of its network', () => {
    const attempts = new Attempts()
    attempts.failed('2001:db8::1', 0)
    expect(attempts.waitMs('2001:db8:0:0:ffff::2', 0)).toBe(100)
    expect(attempts.waitMs('2001:db8:0:1::1', 0)).toBe(0)
    attempts.failed('fe80::1%eth0', 0)
    expect(attempts.waitMs('fe80::2%eth1', 0)).toBe(100)
    expect(attempts.waitMs('::1', 0)).toBe(0)
  })

  it('are remembered for a limited number of addresses, of which the oldest failure is forgotten', () => {
    const attempts = new Attempts()
    for (let index = 0; index <= ATTEMPT_ADDRESSES_MAX; index++) {
      attempts.failed(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 0)
      attempts.failed('10.0.0.1', 0)
    }
    expect(attempts.size).toBe(ATTEMPT_ADDRESSES_MAX)
    expect(attempts.waitMs('10.0.0.0', 0)).toBe(0)
    expect(attempts.waitMs('10.0.0.1', 0)).toBe(ATTEMPT_WAIT_MS_MAX)
  })
})
